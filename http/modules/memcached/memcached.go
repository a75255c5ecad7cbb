// Package memcached answers with values from memcached servers: nginx's
// ngx_http_memcached_module.
package memcached

import (
	"bytes"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
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

// end is what follows a value.
const end = "\r\nEND\r\n"

// exchange is the state of one request.
type exchange struct {
	conf *locConf
	key  []byte
	// rest is how much of end is still to come.
	rest int
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
	return upstream.New(r, &c.Conf, traits, &exchange{conf: c}).Run()
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
	x.key = b[len("get "):]
	e.Begin(append(b, '\r', '\n'), upstream.BodyNone)
	return http.OK
}

// Restart implements upstream.Protocol.
func (x *exchange) Restart(*upstream.Exchange) {}

// Header implements upstream.Protocol.
func (x *exchange) Header(e *upstream.Exchange) upstream.Header {
	line, _, ok := bytes.Cut(e.Unread(), []byte{'\n'})
	if !ok {
		return upstream.HeaderAgain
	}
	size := len(line) + 1
	line, ok = bytes.CutSuffix(line, []byte{'\r'})
	if value, found := bytes.CutPrefix(line, []byte("VALUE ")); ok && found {
		if h := x.value(e, line, value); h != upstream.HeaderDone {
			return h
		}
		e.In.Status = int(http.StatusOK)
	} else if ok && string(line) == "END" {
		e.R.Logf(log.Info, nil, `key: "%s" was not found by memcached`, x.key)
		e.In.Status, e.In.ContentLength, e.Keep = int(http.StatusNotFound), 0, true
	} else {
		return x.invalid(e, line)
	}
	e.SetStatus(e.In.Status)
	e.Take(size)
	return upstream.HeaderDone
}

func (x *exchange) invalid(e *upstream.Exchange, line []byte) upstream.Header {
	e.R.Error(`memcached sent invalid response: "%s"`, line)
	return upstream.HeaderInvalid
}

// value reads "KEY flags length" of a line.
func (x *exchange) value(e *upstream.Exchange, line, value []byte) upstream.Header {
	rest, ok := bytes.CutPrefix(value, x.key)
	if !ok {
		e.R.Error(`memcached sent invalid key in response "%s" for key "%s"`, line, x.key)
		return upstream.HeaderInvalid
	}
	if rest, ok = bytes.CutPrefix(rest, []byte{' '}); !ok {
		return x.invalid(e, line)
	}
	flags, length, ok := bytes.Cut(rest, []byte{' '})
	if !ok {
		return x.invalid(e, line)
	}
	if x.conf.gzipFlag.V != 0 {
		n, ok := conf.ParseInt(buf.String(flags))
		if !ok {
			e.R.Error(`memcached sent invalid flags in response "%s" for key "%s"`, line, x.key)
			return upstream.HeaderInvalid
		}
		if n&x.conf.gzipFlag.V != 0 {
			e.R.Out.Set("Content-Encoding", "gzip")
		}
	}
	if e.In.ContentLength, ok = conf.ParseInt(buf.String(length)); !ok {
		e.R.Error(`memcached sent invalid length in response "%s" for key "%s"`, line, x.key)
		return upstream.HeaderInvalid
	}
	return upstream.HeaderDone
}

// StartBody implements upstream.Protocol.
func (x *exchange) StartBody(e *upstream.Exchange) error {
	if e.In.Status == int(http.StatusNotFound) {
		e.Length = 0
		return nil
	}
	e.Length = e.In.ContentLength + int64(len(end))
	x.rest = len(end)
	return nil
}

// Body implements upstream.Protocol.
func (x *exchange) Body(e *upstream.Exchange, b []byte) error {
	if data := e.Length - int64(x.rest); data > 0 {
		n := min(int64(len(b)), data)
		e.Data(b[:n])
		e.Length -= n
		b = b[n:]
	}
	if len(b) == 0 {
		return nil
	}
	if len(b) > x.rest || string(b) != end[len(end)-x.rest:][:len(b)] {
		e.R.Error("memcached sent invalid trailer")
		e.Length, x.rest = 0, 0
		return nil
	}
	x.rest -= len(b)
	if e.Length = int64(x.rest); e.Length == 0 {
		e.Keep = true
	}
	return nil
}
