// Package memcached answers with values from memcached servers: nginx's
// ngx_http_memcached_module.
package memcached

import (
	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

type locConf struct {
	upstream.Conf
	key      *http.Variable
	gzipFlag conf.Opt[int64]
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "memcached", Of: func(c *locConf) *upstream.Conf { return &c.Conf },
	Words: []conf.Word{
		{Name: "error", Value: upstream.FailError}, {Name: "timeout", Value: upstream.FailTimeout},
		{Name: "invalid_response", Value: upstream.FailInvalidHeader}, {Name: "not_found", Value: upstream.Fail404},
		{Name: "off", Value: upstream.FailOff},
	},
}

var traits = &upstream.Traits{Module: "memcached", Schema: "memcached://", Intercept404: true}

// Module is the memcached module.
var Module = &http.Module{Module: conf.Module{Name: "http_memcached", Slots: []conf.AnySlot{loc}, Directives: directives()}}

func directives() []conf.Directive {
	return append(rows.Common(),
		loc.Custom("memcached_pass", conf.HTTPLocation|conf.HTTPLocationIf, conf.Take1, passDirective),
		loc.Num("memcached_gzip_flag", conf.HTTPAny, func(c *locConf) *conf.Opt[int64] { return &c.gzipFlag }, 0))
}

func passDirective(cf *conf.Conf, c *locConf) (err error) {
	if c.Upstream != nil {
		return conf.ErrDuplicate
	}
	up, _, err := upstream.Add(cf, cf.Args[0], http.URLOptions{})
	if err != nil {
		return err
	}
	if c.key, err = http.MainOf(cf).Variable(cf, "memcached_key"); err != nil {
		return err
	}
	l := http.LocOf(cf)
	c.Upstream, l.Handler = up, c.handle
	l.AutoRedirect = l.AutoRedirect || l.Name != "" && l.Name[len(l.Name)-1] == '/'
	return nil
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if c.Upstream == nil {
		c.Upstream, c.key = outer.Upstream, outer.key
	}
	c.InterceptErrors.V, c.ForceRanges.V = true, true
	return c.Conf.Merge(cf, &outer.Conf, traits)
}

// exchange is the state of one request.
type exchange struct {
	upstream.StoredValue
	conf *locConf
}

// handle answers with a value: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	if r.Method&(wire.GET|wire.HEAD) == 0 {
		return http.StatusNotAllowed
	}
	if v := r.DiscardBody(); v != http.OK {
		return v
	}
	r.SetContentType()
	x := &exchange{conf: c}
	x.Flags = x.flags
	return upstream.New(r, &c.Conf, traits, x).Run()
}

// Request implements upstream.Protocol.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	key := x.conf.key.Value(e.R).S
	if key == "" {
		e.R.Error(`the "$memcached_key" variable is not set`)
		return http.StatusInternalServerError
	}
	b := append(e.Buffer(), "get "...)
	b = wire.AppendEscaped(b, key, wire.EscapeMemcached)
	x.Key = b[len("get "):]
	e.Begin(append(b, '\r', '\n'), upstream.BodyNone)
	return http.OK
}

// Restart implements upstream.Protocol.
func (x *exchange) Restart(*upstream.Exchange) {}

// flags tells by memcached_gzip_flag that the value is compressed.
func (x *exchange) flags(e *upstream.Exchange, flags, line []byte) upstream.Header {
	if x.conf.gzipFlag.V == 0 {
		return upstream.HeaderDone
	}
	n, ok := conf.ParseInt(buf.String(flags))
	if !ok {
		e.R.Error(`memcached sent invalid flags in response "%s" for key "%s"`, line, x.Key)
		return upstream.HeaderInvalid
	}
	if n&x.conf.gzipFlag.V != 0 {
		e.R.Out.Set("Content-Encoding", "gzip")
	}
	return upstream.HeaderDone
}
