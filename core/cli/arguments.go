package cli

import (
	"moongate/conf"
	"moongate/core/build"
)

// Arguments are the options of a configure run that would have given this
// binary: the paths, what the modules stand for, and which of the modules that
// nginx has by default are missing. Test suites, certbot and installers ask
// -V what a server can do.
func Arguments(reg *conf.Registry) []string {
	var list []string
	add := func(option, value string) {
		if value != "" {
			list = append(list, "--"+option+"="+value)
		}
	}
	add("prefix", build.Prefix)
	for _, p := range []struct{ option, value string }{
		{"sbin-path", build.SbinPath}, {"modules-path", build.ModulesPath}, {"conf-path", build.ConfPath},
		{"error-log-path", build.ErrorLogPath}, {"http-log-path", build.HTTPLogPath},
		{"pid-path", build.PidPath}, {"lock-path", build.LockPath},
	} {
		value := p.value
		if value != "stderr" {
			value = full(withSlash(build.Prefix), value)
		}
		add(p.option, value)
	}
	add("build", build.Build)
	add("user", build.User)
	add("group", build.Group)
	seen := make(map[string]bool)
	for _, m := range reg.Modules {
		for _, a := range m.Arguments {
			if !seen[a] {
				seen[a] = true
				list = append(list, a)
			}
		}
	}
	return append(list, without(reg)...)
}

// standard is a module that nginx has unless it was configured without it, and
// a directive by which it is known to be there.
type standard struct {
	option    string
	in        conf.Context
	directive string
}

// blocks are the directives that open the blocks that the modules belong to.
var blocks = []struct {
	directive string
	without   string // the option when the block itself is missing
	modules   []standard
}{
	{"http", "--without-http", []standard{
		{"--without-http-cache", conf.HTTPMain, "proxy_cache_path"},
		{"--without-http_charset_module", conf.HTTPMain, "charset"},
		{"--without-http_gzip_module", conf.HTTPMain, "gzip"},
		{"--without-http_ssi_module", conf.HTTPMain, "ssi"},
		{"--without-http_userid_module", conf.HTTPMain, "userid"},
		{"--without-http_access_module", conf.HTTPMain, "allow"},
		{"--without-http_auth_basic_module", conf.HTTPMain, "auth_basic"},
		{"--without-http_mirror_module", conf.HTTPMain, "mirror"},
		{"--without-http_autoindex_module", conf.HTTPMain, "autoindex"},
		{"--without-http_geo_module", conf.HTTPMain, "geo"},
		{"--without-http_map_module", conf.HTTPMain, "map"},
		{"--without-http_split_clients_module", conf.HTTPMain, "split_clients"},
		{"--without-http_referer_module", conf.HTTPLocation, "valid_referers"},
		{"--without-http_rewrite_module", conf.HTTPLocation, "rewrite"},
		{"--without-http_proxy_module", conf.HTTPLocation, "proxy_pass"},
		{"--without-http_fastcgi_module", conf.HTTPLocation, "fastcgi_pass"},
		{"--without-http_uwsgi_module", conf.HTTPLocation, "uwsgi_pass"},
		{"--without-http_scgi_module", conf.HTTPLocation, "scgi_pass"},
		{"--without-http_grpc_module", conf.HTTPLocation, "grpc_pass"},
		{"--without-http_tunnel_module", conf.HTTPLocation, "tunnel_pass"},
		{"--without-http_memcached_module", conf.HTTPLocation, "memcached_pass"},
		{"--without-http_limit_conn_module", conf.HTTPMain, "limit_conn"},
		{"--without-http_limit_req_module", conf.HTTPMain, "limit_req"},
		{"--without-http_empty_gif_module", conf.HTTPLocation, "empty_gif"},
		{"--without-http_browser_module", conf.HTTPMain, "ancient_browser"},
		{"--without-http_upstream_hash_module", conf.HTTPUpstream, "hash"},
		{"--without-http_upstream_ip_hash_module", conf.HTTPUpstream, "ip_hash"},
		{"--without-http_upstream_least_conn_module", conf.HTTPUpstream, "least_conn"},
		{"--without-http_upstream_least_time_module", conf.HTTPUpstream, "least_time"},
		{"--without-http_upstream_random_module", conf.HTTPUpstream, "random"},
		{"--without-http_upstream_keepalive_module", conf.HTTPUpstream, "keepalive"},
		{"--without-http_upstream_zone_module", conf.HTTPUpstream, "zone"},
		{"--without-http_upstream_sticky_module", conf.HTTPUpstream, "sticky"},
	}},
	{"stream", "", []standard{
		{"--without-stream_limit_conn_module", conf.StreamMain, "limit_conn"},
		{"--without-stream_access_module", conf.StreamMain, "allow"},
		{"--without-stream_geo_module", conf.StreamMain, "geo"},
		{"--without-stream_map_module", conf.StreamMain, "map"},
		{"--without-stream_split_clients_module", conf.StreamMain, "split_clients"},
		{"--without-stream_return_module", conf.StreamServer, "return"},
		{"--without-stream_pass_module", conf.StreamServer, "pass"},
		{"--without-stream_set_module", conf.StreamServer, "set"},
		{"--without-stream_upstream_hash_module", conf.StreamUpstream, "hash"},
		{"--without-stream_upstream_least_conn_module", conf.StreamUpstream, "least_conn"},
		{"--without-stream_upstream_least_time_module", conf.StreamUpstream, "least_time"},
		{"--without-stream_upstream_random_module", conf.StreamUpstream, "random"},
		{"--without-stream_upstream_zone_module", conf.StreamUpstream, "zone"},
	}},
	{"mail", "", []standard{
		{"--without-mail_pop3_module", conf.MailMain, "pop3_auth"},
		{"--without-mail_imap_module", conf.MailMain, "imap_auth"},
		{"--without-mail_smtp_module", conf.MailMain, "smtp_auth"},
	}},
}

// without are the options for what is missing.
func without(reg *conf.Registry) (list []string) {
	for _, b := range blocks {
		if !has(reg, conf.Main, b.directive) {
			if b.without != "" {
				list = append(list, b.without)
			}
			continue
		}
		for _, m := range b.modules {
			if !has(reg, m.in, m.directive) {
				list = append(list, m.option)
			}
		}
	}
	return list
}

func has(reg *conf.Registry, in conf.Context, directive string) bool {
	for _, row := range reg.Rows(directive) {
		if row.In&in != 0 {
			return true
		}
	}
	return false
}
