// Package proxy passes requests on to HTTP servers: nginx's
// ngx_http_proxy_module.
package proxy

import (
	"moongate/conf"
	"moongate/core/build"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

// locConf is a location's part of the configuration.
type locConf struct {
	upstream.Conf

	// pass is the address with variables, nil for a fixed one.
	pass *http.Complex
	// url is the address as written, vars what it consists of, and location
	// the prefix that its URI replaces.
	url      string
	vars     vars
	location string

	headers upstream.HeaderConf
	setBody conf.Opt[*http.Complex]
	method  conf.Opt[*http.Complex]
	version conf.Opt[int]

	redirect      conf.Opt[bool]
	redirects     []rewrite
	cookieDomains rules[rewrite]
	cookiePaths   rules[rewrite]
	cookieFlags   rules[cookieFlags]

	hashMaxSize, hashBucketSize conf.Opt[int64]
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "proxy", Of: func(c *locConf) *upstream.Conf { return &c.Conf }, Words: upstream.HTTPWords,
}

var traits = &upstream.Traits{
	Module: "proxy", TempPath: build.ProxyTemp, ChangeBuffering: true, EarlyHints: true, DefaultKey: true,
	Absent: []http.Header{{Name: "Server", ID: wire.HeaderServer}, {Name: "Date", ID: wire.HeaderDate}},
	HideHeaders: []string{
		"Date", "Server", "X-Pad", "X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset",
	},
}

// traitsH2 are traits for peers that speak HTTP/2.
var traitsH2 = func() *upstream.Traits {
	t := *traits
	t.PreserveOutput = true
	return &t
}()

var versionWords = []conf.Word{
	{Name: "1.0", Value: http.Version10}, {Name: "1.1", Value: http.Version11}, {Name: "2", Value: http.Version20},
}

// Module is the proxy module.
var Module = &http.Module{
	Module:    conf.Module{Name: "http_proxy", Slots: []conf.AnySlot{loc}, Directives: directives()},
	Variables: variables,
	Ctx:       []http.AnyCtx{ctxKey},
}

func directives() []conf.Directive {
	const in = conf.HTTPAny
	list := []conf.Directive{
		loc.Custom("proxy_pass", conf.HTTPLocation|conf.HTTPLocationIf|conf.HTTPLimitExcept, conf.Take1, passDirective),
		loc.Custom("proxy_redirect", in, conf.Take12, redirectDirective),
		loc.Custom("proxy_cookie_domain", in, conf.Take12, cookieDomainDirective),
		loc.Custom("proxy_cookie_path", in, conf.Take12, cookiePathDirective),
		loc.Custom("proxy_cookie_flags", in, conf.Take1234, cookieFlagsDirective),
		rows.SetHeader(func(c *locConf) *upstream.HeaderConf { return &c.headers }),
		loc.Num("proxy_headers_hash_max_size", in, func(c *locConf) *conf.Opt[int64] { return &c.hashMaxSize }, 512),
		loc.Num("proxy_headers_hash_bucket_size", in, func(c *locConf) *conf.Opt[int64] { return &c.hashBucketSize }, 64),
		complexRow("proxy_set_body", func(c *locConf) *conf.Opt[*http.Complex] { return &c.setBody }),
		complexRow("proxy_method", func(c *locConf) *conf.Opt[*http.Complex] { return &c.method }),
		loc.Flag("proxy_pass_trailers", in, func(c *locConf) *conf.Opt[bool] { return &c.PassTrailers }, false),
		loc.Enum("proxy_http_version", in, func(c *locConf) *conf.Opt[int] { return &c.version }, http.Version11, versionWords),
		rows.SendLowat(),
	}
	list = append(list, rows.Common()...)
	list = append(list, rows.Sockets()...)
	list = append(list, rows.Headers()...)
	list = append(list, rows.Bodies()...)
	list = append(list, cacheDirectives()...)
	return append(list, rows.SSL()...)
}

// complexRow is "name string;" where the string may have variables.
func complexRow(name string, field func(*locConf) *conf.Opt[*http.Complex]) conf.Directive {
	return conf.Value(loc, name, conf.HTTPAny, conf.Take1, field, nil, func(cf *conf.Conf) (*http.Complex, error) {
		return http.CompileArg(cf, cf.Args[0])
	})
}

// merge inherits what rows cannot express.
func merge(cf *conf.Conf, outer, c *locConf) error {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	c.mergeRedirects(outer)
	c.cookieDomains.inherit(&outer.cookieDomains)
	c.cookiePaths.inherit(&outer.cookiePaths)
	c.cookieFlags.inherit(&outer.cookieFlags)
	if l := http.LocOf(cf); l.NoName && c.Upstream == nil && c.pass == nil {
		c.Upstream, c.pass, c.location, c.vars = outer.Upstream, outer.pass, outer.location, outer.vars
		c.SSL.InheritUse(&outer.SSL)
		if l.Handler == nil && (c.Upstream != nil || c.pass != nil) {
			l.Handler = c.handle
		}
	}
	if err := c.MergeSSL(cf, &outer.Conf, "proxy"); err != nil {
		return err
	}
	return c.headers.Merge(cf, &c.Conf, &outer.headers, defaultHeaders, cacheHeaders)
}

// mergeRedirects inherits proxy_redirect; where nothing is said, redirects to
// the address of proxy_pass are rewritten to the location.
func (c *locConf) mergeRedirects(outer *locConf) {
	c.redirect.Inherit(&outer.redirect, true)
	if !c.redirect.V {
		c.redirects = nil
		return
	}
	if c.redirects == nil {
		c.redirects = outer.redirects
	}
	if c.redirects == nil && c.url != "" {
		c.redirects = []rewrite{c.defaultRedirect()}
	}
}

// handle passes a request on: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	x := newExchange(r, c)
	if c.pass == nil {
		x.vars = c.vars
		x.Schema = c.vars.schema
	} else if !x.eval(c) {
		return http.StatusInternalServerError
	}
	x.TLS = x.ssl()
	if r.IsMain() && r.Body == nil && !r.BodyDiscarded && !c.RequestBuffering.V && c.setBody.V == nil && c.PassRequestBody.V &&
		(!r.In.Chunked || c.version.V != http.Version10) && r.AwaitsBody() {
		var v http.Verdict
		if x.Streaming, v = x.Stream(); v != http.OK {
			return v
		}
	} else if v := r.ReadBody(); v != http.OK {
		return v
	}
	return x.Run()
}
