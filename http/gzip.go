package http

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/core/regex"
	"moongate/http/wire"
)

// Bits of gzip_proxied: for which proxied requests a response may be
// compressed.
const (
	GzipProxiedOff = 1 << iota
	GzipProxiedExpired
	GzipProxiedNoCache
	GzipProxiedNoStore
	GzipProxiedPrivate
	GzipProxiedNoLastModified
	GzipProxiedNoETag
	GzipProxiedAuth
	GzipProxiedAny
)

var gzipProxiedWords = []conf.Word{
	{Name: "off", Value: GzipProxiedOff}, {Name: "expired", Value: GzipProxiedExpired},
	{Name: "no-cache", Value: GzipProxiedNoCache}, {Name: "no-store", Value: GzipProxiedNoStore},
	{Name: "private", Value: GzipProxiedPrivate}, {Name: "no_last_modified", Value: GzipProxiedNoLastModified},
	{Name: "no_etag", Value: GzipProxiedNoETag}, {Name: "auth", Value: GzipProxiedAuth}, {Name: "any", Value: GzipProxiedAny},
}

var gzipVersionWords = []conf.Word{{Name: "1.0", Value: Version10}, {Name: "1.1", Value: Version11}}

// gzipDisable is gzip_disable: browsers that get nothing compressed.
type gzipDisable struct {
	agents    []*Regex
	agentsSet bool
	msie6     conf.Opt[bool]
}

func gzipDirectives() []conf.Directive {
	const in = conf.HTTPAny
	s := coreLoc
	return []conf.Directive{
		s.Flag("gzip_vary", in, func(c *LocConf) *conf.Opt[bool] { return &c.GzipVary }, false),
		s.Enum("gzip_http_version", in, func(c *LocConf) *conf.Opt[int] { return &c.GzipHTTPVersion }, Version11, gzipVersionWords),
		s.Bitmask("gzip_proxied", in, func(c *LocConf) *conf.Opt[int] { return &c.GzipProxied }, GzipProxiedOff, gzipProxiedWords),
		s.Custom("gzip_disable", in, conf.OneMore, gzipDisableDirective),
	}
}

// gzipDisableDirective is "gzip_disable regex …", with "msie6" for the
// browser that was worth a test of its own.
func gzipDisableDirective(cf *conf.Conf, l *LocConf) error {
	d := &l.GzipDisable
	d.agentsSet = true
	for _, arg := range cf.Args {
		if arg == "msie6" {
			d.msie6.Put(true)
			continue
		}
		re, err := MainOf(cf).compile(cf, arg, regex.Caseless)
		if err != nil {
			return err
		}
		d.agents = append(d.agents, re)
	}
	return nil
}

func (d *gzipDisable) inherit(outer *gzipDisable) {
	if !d.agentsSet {
		d.agents, d.agentsSet = outer.agents, outer.agentsSet
	}
	d.msie6.Inherit(&outer.msie6, false)
}

// GzipOK reports whether the response may be compressed with gzip: the client
// takes it and gzip_http_version, gzip_proxied and gzip_disable allow it
// (nginx's ngx_http_gzip_ok). The answer is kept for the request.
func (r *Request) GzipOK() bool {
	if !r.GzipTested {
		r.GzipTested, r.GzipAllowed = true, r.testGzip()
	}
	return r.GzipAllowed
}

// TakesCoding reports whether the client takes another coding than gzip. One
// that does gets no gzip: the first coding in the order of the filters has it
// (ngx_brotli and zstd-nginx-module).
func (r *Request) TakesCoding(coding string) bool {
	accept, ok := r.In.Get(wire.HeaderAcceptEncoding)
	if !ok || !r.IsMain() || !wire.AcceptsCoding(buf.Bytes(accept), coding) {
		return false
	}
	r.GzipTested, r.GzipAllowed = true, false
	return true
}

func (r *Request) testGzip() bool {
	l := r.Core
	accept, ok := r.In.Get(wire.HeaderAcceptEncoding)
	switch {
	case !r.IsMain(), !ok,
		!wire.AcceptsCoding(buf.Bytes(accept), "gzip"),
		r.In.MSIE6 && l.GzipDisable.msie6.V,
		r.Version < l.GzipHTTPVersion.V,
		r.In.Has(wire.HeaderVia) && !r.gzipProxied(l.GzipProxied.V):
		return false
	}
	agent, ok := r.In.Get(wire.HeaderUserAgent)
	return !ok || !l.GzipDisable.matches(r, agent)
}

// matches reports whether a user agent is one that gets nothing compressed. An
// expression that fails counts as a match, as in nginx.
func (d *gzipDisable) matches(r *Request, agent string) bool {
	for _, re := range d.agents {
		ok, err := re.Match(agent)
		if err != nil {
			r.Logf(log.Alert, nil, "%s", err)
		}
		if ok || err != nil {
			return true
		}
	}
	return false
}

// gzipProxied decides for a request that came through a proxy.
func (r *Request) gzipProxied(p int) bool {
	switch {
	case p&GzipProxiedOff != 0:
		return false
	case p&GzipProxiedAny != 0, p&GzipProxiedAuth != 0 && r.In.Has(wire.HeaderAuthorization):
		return true
	}
	if expires, ok := r.Out.Get("Expires"); ok {
		return p&GzipProxiedExpired != 0 && r.expired(expires)
	}
	if r.Out.Find("Cache-Control") != nil {
		return p&GzipProxiedNoCache != 0 && r.cacheControlHas("no-cache") ||
			p&GzipProxiedNoStore != 0 && r.cacheControlHas("no-store") ||
			p&GzipProxiedPrivate != 0 && r.cacheControlHas("private")
	}
	// A file has no Last-Modified yet: it is made with the rest of the header.
	return (p&GzipProxiedNoLastModified == 0 || r.Out.Find("Last-Modified") == nil) &&
		(p&GzipProxiedNoETag == 0 || r.Out.Find("ETag") == nil)
}

// expired reports whether the date of an Expires header lies before the
// response's.
func (r *Request) expired(value string) bool {
	expires, ok := wire.ParseDate(buf.Bytes(value))
	if !ok {
		return false
	}
	now := r.Loop().Now().Unix()
	if date, has := r.Out.Get("Date"); has {
		if now, ok = wire.ParseDate(buf.Bytes(date)); !ok {
			return false
		}
	}
	return expires < now
}

func (r *Request) cacheControlHas(name string) bool {
	for i := range r.Out.List {
		f := &r.Out.List[i]
		if !f.Off && strings.EqualFold(f.Name, "Cache-Control") && wire.ListHas(buf.Bytes(f.Value), name, ',') {
			return true
		}
	}
	return false
}
