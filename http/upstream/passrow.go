package upstream

import (
	"strings"

	"moongate/conf"
	"moongate/http"
)

// pass is where a location passes its requests to, beside the upstream.
type pass struct {
	// value is the address with variables, nil for a fixed one.
	value *http.Complex
	// secure: the fixed address is one of TLS.
	secure bool
	// authority is what the fixed address is to the peer.
	authority string
}

// PassRow is the row "PREFIX_pass address".
func (w Rows[C]) PassRow(t *Traits, handle func(c *C, r *http.Request) http.Verdict) conf.Directive {
	return w.Slot.Custom(w.Prefix+"_pass", conf.HTTPLocation|conf.HTTPLocationIf, conf.Take1,
		func(cf *conf.Conf, c *C) error {
			return w.Of(c).SetPass(cf, t, cf.Args[0], func(r *http.Request) http.Verdict { return handle(c, r) })
		})
}

// SetPass is "PREFIX_pass address" for protocols whose addresses have no URI.
// handle becomes the location's handler.
func (c *Conf) SetPass(cf *conf.Conf, t *Traits, address string, handle http.Handler) error {
	if c.Upstream != nil || c.pass.value != nil {
		return conf.ErrDuplicate
	}
	l := http.LocOf(cf)
	l.Handler = handle
	l.AutoRedirect = l.AutoRedirect || strings.HasSuffix(l.Name, "/")
	if strings.Contains(address, "$") {
		if t.SchemaTLS != "" {
			c.SSL.UseTLS()
		}
		v, err := http.CompileArg(cf, address)
		c.pass.value = v
		return err
	}
	_, address, c.pass.secure = t.cutSchema(address)
	if c.pass.secure {
		c.SSL.UseTLS()
	}
	up, u, err := Add(cf, address, http.URLOptions{})
	if err == nil {
		c.Upstream, c.pass.authority = up, authority(u)
	}
	return err
}

// cutSchema takes one of the schemas off an address.
func (t *Traits) cutSchema(s string) (schema, rest string, secure bool) {
	if t.SchemaTLS == "" {
		return t.Schema, s, false
	}
	if n := len(t.SchemaTLS); len(s) >= n && strings.EqualFold(s[:n], t.SchemaTLS) {
		return s[:n], s[n:], true
	}
	if n := len(t.Schema); len(s) >= n && strings.EqualFold(s[:n], t.Schema) {
		return s[:n], s[n:], false
	}
	return t.Schema, s, false
}

// authority is what an address is to the peer that it belongs to.
func authority(u *http.URL) string {
	switch {
	case u.Unix:
		return "localhost"
	case u.NoPort:
		return u.Host
	}
	return u.Host + ":" + u.PortText
}

// InheritPass lets a block without a URI of its own pass requests to where the
// location does.
func (c *Conf) InheritPass(cf *conf.Conf, outer *Conf, handle http.Handler) {
	l := http.LocOf(cf)
	if !l.NoName || c.Upstream != nil || c.pass.value != nil {
		return
	}
	c.Upstream, c.pass = outer.Upstream, outer.pass
	c.SSL.InheritUse(&outer.SSL)
	if l.Handler == nil && (c.Upstream != nil || c.pass.value != nil) {
		l.Handler = handle
	}
}

// Pass passes a request on with its body: what the handler of a location with
// PREFIX_pass does.
func (c *Conf) Pass(r *http.Request, t *Traits, p Protocol) http.Verdict {
	e := New(r, c, t, p)
	if !e.EvalPass() {
		return http.StatusInternalServerError
	}
	if v := e.ReadBody(); v != http.OK {
		return v
	}
	return e.Run()
}

// EvalPass finds out where the request is passed to. If the address has
// variables it may turn out wrong: then it is false, after saying so in the log.
func (e *Exchange) EvalPass() bool {
	c, t := e.Conf, e.Traits
	if c.pass.value == nil {
		e.Schema, e.TLS, e.Authority = t.Schema, c.pass.secure, c.pass.authority
		if e.TLS {
			e.Schema = t.SchemaTLS
		}
		return true
	}
	var s string
	e.Schema, s, e.TLS = t.cutSchema(c.pass.value.Eval(e.R))
	u, err := http.ParseURL(nil, s, http.URLOptions{NoResolve: true})
	if err != nil {
		e.R.Error(`%s in upstream "%s"`, err, s)
		return false
	}
	e.Target, e.Authority = NewTarget(u), authority(u)
	return true
}

// NewTarget makes the target of a URL known only at run time.
func NewTarget(u *http.URL) *Target {
	t := &Target{Host: u.Host, Port: u.Port, NoPort: u.NoPort}
	if len(u.Addrs) > 0 {
		t.Addr = u.Addrs[0]
	}
	return t
}

// ReadBody reads the client's body, or begins to pass it on as it arrives.
func (e *Exchange) ReadBody() http.Verdict {
	r, c := e.R, e.Conf
	if r.IsMain() && r.Body == nil && !r.BodyDiscarded && !c.RequestBuffering.V && c.PassRequestBody.V && r.AwaitsBody() &&
		(!r.In.Chunked || !e.Traits.LengthFirst) {
		v := http.OK
		e.Streaming, v = e.Stream()
		return v
	}
	return r.ReadBody()
}

// BodyKind is where the body that the location passes on comes from.
func (e *Exchange) BodyKind() Body {
	switch {
	case e.Streaming:
		return BodyStreamed
	case e.Conf.PassRequestBody.V && e.R.Body != nil && e.R.Body.Size > 0:
		return BodyRead
	}
	return BodyNone
}

// BodyLength is the length of the client's body in bytes, -1 when it is not
// known. For a body that was read it is what is there, whatever the header says:
// a peer takes bytes beyond the length that it was told for the next request.
func (e *Exchange) BodyLength() int64 {
	r := e.R
	if r.Body != nil && (r.In.Chunked || r.Body.Size > 0) {
		return r.Body.Size
	}
	return r.In.ContentLength
}
