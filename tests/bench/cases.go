package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"
)

// benchCase is one row of the bench: what is served and how it is measured.
type benchCase struct {
	name, title string
	measure     func(context.Context, *options, benchCase, []*target) (*result, error)

	uri    string            // what wrk asks for
	header string            // a field that it sends in addition
	log    bool              // access_log on
	http   string            // directives of the http block
	server string            // directives of the server block
	files  map[string]string // below the prefix
	lua    bool              // needs the Lua module
	redis  bool              // needs a redis, which then listens on redisPort (%REDIS%)
	// backend is the server block of another Moongate, which both servers ask; it listens on backendPort (%BACKEND%).
	backend string

	h2load []string // arguments, for cases of HTTP/2 and TLS, the last of which is the URL

	tls *tls.Config // of clients that connect to clientPort with TLS

	redisPort, backendPort int
}

// cases is every row.
func cases() []benchCase {
	return slices.Concat(httpCases, http2Cases, handshakeCases, proxyCases, luaCases, processCases)
}

// httpCases are the rows without Lua.
var httpCases = []benchCase{
	{
		name: "return", title: "return 200 with a short text", measure: throughput,
		uri: "/", server: `location / { return 200 "hello\n"; }`,
	},
	{
		name: "return-log", title: "the same with the access log on", measure: throughput, log: true,
		uri: "/", server: `location / { return 200 "hello\n"; }`,
	},
	{
		name: "file-1k", title: "a file of 1 KB", measure: throughput,
		uri: "/1k.txt", files: map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "file-1k-log", title: "the same with the access log on", measure: throughput, log: true,
		uri: "/1k.txt", files: map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
	{
		name: "file-100k", title: "a file of 100 KB", measure: throughput,
		uri: "/100k.txt", files: map[string]string{"html/100k.txt": strings.Repeat("0123456789abcde\n", 6400)},
	},
	{
		name: "gzip-20k", title: "a page of 20 KB with gzip", measure: throughput,
		uri: "/page.html", header: "Accept-Encoding: gzip", server: "gzip on;", files: map[string]string{"html/page.html": page()},
	},
	rewriteCase(),
	{
		name: "limit-req", title: "limit_req, which lets all pass", measure: throughput,
		uri: "/1k.txt", http: "limit_req_zone $binary_remote_addr zone=one:1m rate=1000000r/s;",
		server: "limit_req zone=one burst=1000000 nodelay;",
		files:  map[string]string{"html/1k.txt": strings.Repeat("0123456789abcde\n", 64)},
	},
}

func rewriteCase() benchCase {
	http, server := rewriteRules()
	return benchCase{
		name: "rewrite-20", title: "10 rewrite rules and a map of 10 expressions", measure: throughput,
		uri: "/map9/y?a=1", http: http, server: server,
	}
}

// page is a text of 20 KB that compresses about as a page does.
func page() string {
	words := strings.Fields("div class content the of a link href list item section article header title to and in script style data")
	var b strings.Builder
	for n := uint32(1); b.Len() < 20<<10; {
		n = n*1664525 + 1013904223 // a sequence that is the same every time
		fmt.Fprintf(&b, "<%s id=\"%x\">%s</%[1]s>\n", words[n>>8%uint32(len(words))], n>>20, words[n>>16%uint32(len(words))])
	}
	return b.String()
}

// rewriteRules are 20 rules and maps, of which the last applies.
func rewriteRules() (http, server string) {
	var maps, rules strings.Builder
	maps.WriteString("map $uri $found {\n")
	for i := range 10 {
		fmt.Fprintf(&maps, "    ~^/map%d/(.*)$ $1;\n", i)
		fmt.Fprintf(&rules, "    rewrite ^/rule%d/(.*)$ /other/$1 break;\n", i)
	}
	maps.WriteString("    default none;\n}\n")
	return maps.String(), rules.String() + `    location / { if ($found = "x") { return 403; } return 200 "$found $arg_a\n"; }`
}

// proxyCases are the rows about upstreams.
var proxyCases = []benchCase{
	{
		name: "proxy-small", title: "a short response of an upstream, kept alive", measure: throughput,
		uri: "/", backend: `location / { return 200 "hello\n"; }`,
		http:   "upstream backend { server 127.0.0.1:%BACKEND%; keepalive 64; }",
		server: `location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
	},
	{
		name: "proxy-1m", title: "1 MB of an upstream, kept alive", measure: throughput,
		uri: "/1m", backend: `location / { root html; }`, files: map[string]string{"html/1m": strings.Repeat("0123456789abcde\n", 1<<16)},
		http:   "upstream backend { server 127.0.0.1:%BACKEND%; keepalive 64; }",
		server: `location / { proxy_pass http://backend; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_max_temp_file_size 0; }`,
	},
	{
		name: "cache-hit", title: "1 KB out of the cache", measure: throughput,
		uri: "/1k", backend: `location / { root html; expires 1h; }`, files: map[string]string{"html/1k": strings.Repeat("0123456789abcde\n", 64)},
		http:   "proxy_cache_path %PREFIX%/cache levels=1:2 keys_zone=bench:1m;",
		server: `location / { proxy_pass http://127.0.0.1:%BACKEND%; proxy_cache bench; }`,
	},
}

// processCases are the rows about the processes themselves.
var processCases = []benchCase{
	{
		name: "idle", title: "memory for each idle keep-alive connection", measure: idle,
		uri: "/", server: `location / { return 200 "hello\n"; }`,
	},
	{
		name: "sleep", title: "memory for each request in ngx.sleep", measure: sleeping, lua: true,
		uri: "/sleep", server: `listen unix:%PREFIX%/h2.sock http2 backlog=4096;
			location / { return 200 "hello\n"; }
			location /sleep { content_by_lua_block { ngx.sleep(tonumber(ngx.var.seconds)) ngx.say("awake") } }`,
	},
	{
		name: "tunnels", title: "memory for each idle WebSocket tunnel", measure: tunnels,
		server: `location / { return 200 "hello\n"; }
			location /ws { proxy_pass http://%s; proxy_http_version 1.1; proxy_read_timeout 1h;
				proxy_set_header Connection Upgrade; proxy_set_header Upgrade $http_upgrade; }`,
	},
	{
		name: "failover", title: "one of three upstream servers killed each second", measure: failover,
		server: `location / { proxy_pass http://peers; proxy_http_version 1.1; proxy_set_header Connection ""; }`,
	},
	{
		name: "servers", title: "many server blocks: time of -t and of a start", measure: load,
	},
}
