package phase

import (
	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/api"
)

var headerFamily = family[locConf]{
	name: "header_filter_by_lua", slot: locSlot, in: inHTTP, forms: allForms,
	field: func(l *locConf) **Code { return &l.header },
}

var bodyFamily = family[locConf]{
	name: "body_filter_by_lua", slot: locSlot, in: inHTTP, forms: allForms,
	field: func(l *locConf) **Code { return &l.body },
}

// HeaderFilter runs header_filter_by_lua and prepares for body_filter_by_lua. self is the module of the filters.
func HeaderFilter(r *http.Request, self *http.Module) http.Verdict {
	l := locSlot.Of(r.Scope)
	if r.Log.Enabled(log.DebugHTTP) {
		debugHeader(r, l, self)
	}
	if l.body != nil {
		r.NeedInMemory = true
		r.FilterBody(self)
	}
	if l.header != nil {
		if v := headerFilter(r, l.header); v != http.OK {
			return v
		}
	}
	if c := api.Captured(r); c != nil {
		r.FilterBody(self)
		c.CaptureHeader()
	}
	return http.OK
}

// debugHeader writes the lines that nginx's debug log has, those about captures only where some code may capture.
func debugHeader(r *http.Request, l *locConf, self *http.Module) {
	if l.header != nil || l.body != nil {
		r.Logf(log.DebugHTTP, nil, `lua header filter for user lua code, uri "%s"`, r.URI)
	}
	if mainSlot.Of(r.Scope).mayCapture {
		r.Logf(log.DebugHTTP, nil, `lua capture header filter, uri "%s"`, r.URI)
		r.FilterBody(self) // which has a line to write, too
	}
}

func headerFilter(r *http.Request, code *Code) http.Verdict {
	c := api.Of(r)
	if c == nil {
		return http.Error
	}
	proto, v := code.load(c)
	if v != http.OK {
		return http.Error
	}
	old := c.FilterCode()
	if old == 0 {
		old = c.ExitCode()
	}
	if err := c.RunShort(api.HeaderFilter, proto, 0, nil); err != nil {
		c.Logf(log.Error, "failed to run header_filter_by_lua*: %s", api.FilterError(err))
		return http.Error
	}
	switch code := http.Verdict(c.FilterCode()); {
	case code == http.OK || code == http.Verdict(old):
		return http.OK
	case code == http.Error:
		return http.Error
	default:
		return r.FilterFinalizeWith(code)
	}
}

// BodyFilter runs body_filter_by_lua over the pieces of a body, and keeps that of a subrequest that
// ngx.location.capture made.
func BodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	c := api.RequestCtx.Of(r)
	if r.Log.Enabled(log.DebugHTTP) && mainSlot.Of(r.Scope).mayCapture {
		r.Logf(log.DebugHTTP, nil, `lua capture body filter, uri "%s"`, r.URI)
	}
	if code := locSlot.Of(r.Scope).body; code != nil {
		if c == nil {
			c = api.Of(r)
		}
		out, err := bodyFilter(r, c, code, in)
		if err != nil {
			return err
		}
		in = out
	}
	if c := api.Captured(r); c != nil {
		return c.CaptureBody(in)
	}
	return next.Write(in)
}

// errFilter ends a response whose body filter failed; the error has been logged.
type errFilter struct{}

func (errFilter) Error() string { return "body_filter_by_lua failed" }

// bodyFilter gives the code all pieces as one and returns what it makes of them (ngx_http_lua_body_filter).
func bodyFilter(r *http.Request, c *api.Ctx, code *Code, in []http.Buf) ([]http.Buf, error) {
	if c == nil {
		return nil, errFilter{}
	}
	if c.FilteredLast {
		return nil, nil
	}
	proto, v := code.load(c)
	if v != http.OK {
		return nil, errFilter{}
	}
	r.Logf(log.DebugHTTP, nil, `lua body filter for user lua code, uri "%s"`, r.URI)
	data, err := gather(in)
	if err != nil {
		return nil, err
	}
	flush, last := false, false
	for i := range in {
		flush = flush || in[i].Flush
		last = last || in[i].Last || in[i].LastInChain
	}
	c.SetArg(data, last)
	if err := c.RunShort(api.BodyFilter, proto, 1, func(l *lua.LState) { v = result(l) }); err != nil {
		c.Logf(log.Error, "failed to run body_filter_by_lua*: %s", api.FilterError(err))
		return nil, errFilter{}
	}
	if v == http.Error || v >= http.StatusSpecialResponse {
		return nil, errFilter{}
	}
	if c.ArgLast && !last {
		last, c.FilteredLast = true, true
	} else if !c.ArgLast {
		last = false
	}
	out := http.Buf{B: buf.Bytes(string(c.Arg[0].(lua.LString))), Flush: flush}
	if last {
		out.Last, out.LastInChain = r.IsMain(), true
	}
	if len(out.B) == 0 && !out.Flush && !last {
		return nil, nil
	}
	return []http.Buf{out}, nil
}

// result is the status that a body filter returns, OK when it is not a number.
func result(l *lua.LState) http.Verdict {
	if n, ok := l.Get(-1).(lua.LNumber); ok {
		return http.Verdict(n)
	}
	return http.OK
}

// gather copies pieces into one.
func gather(in []http.Buf) ([]byte, error) {
	if len(in) == 1 && !in[0].InFile {
		return in[0].B, nil
	}
	b := make([]byte, 0, buf.Total(in))
	for i := range in {
		p := &in[i]
		if !p.InFile {
			b = append(b, p.B...)
			continue
		}
		start := len(b)
		b = b[:start+int(p.Len())]
		for at := start; at < len(b); {
			n, err := unix.Pread(p.File, b[at:], p.Off+int64(at-start))
			if err != nil || n == 0 {
				return nil, errFilter{}
			}
			at += n
		}
	}
	return b, nil
}
