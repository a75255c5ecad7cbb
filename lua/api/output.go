package api

import (
	"math"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
	"moongate/lua/vm"
)

var outputFuncs = []Func{
	{"say", handlers, func(c *Ctx, l *lua.LState) int { return c.echo(l, true) }},
	{"print", handlers, func(c *Ctx, l *lua.LState) int { return c.echo(l, false) }},
	{"flush", handlers, ngxFlush},
	{"eof", handlers, ngxEOF},
	{"send_headers", handlers, ngxSendHeaders},
}

// outputFailed is what output functions return when the client cannot be sent anything.
func outputFailed(l *lua.LState) int { return fail(l, "nginx output filter error") }

func failed(v http.Verdict) bool { return v == http.Error || v >= http.StatusSpecialResponse }

// refused says why there can be no more output, "" when there can.
func (c *Ctx) refused() string {
	switch {
	case c.raw:
		return "raw request socket acquired"
	case c.R.HeaderOnly:
		return "header only"
	case c.eof:
		return "seen eof"
	}
	return ""
}

// echo is ngx.say and ngx.print.
func (c *Ctx) echo(l *lua.LState, newline bool) int {
	if msg := c.refused(); msg != "" {
		return fail(l, msg)
	}
	b := c.buf[:0]
	c.buf = nil
	for i, n := 1, l.GetTop(); i <= n; i++ {
		b = appendOutput(b, l, l.Get(i), i)
	}
	if newline {
		b = append(b, '\n')
	}
	var v http.Verdict
	if len(b) == 0 {
		v = c.sendHeader()
	} else {
		c.seenBody = true
		v = c.send(b)
	}
	c.buf = b
	if failed(v) {
		return outputFailed(l)
	}
	return done(l)
}

// appendOutput appends a value as ngx.say writes it; arg is its place among the arguments.
func appendOutput(b []byte, l *lua.LState, v lua.LValue, arg int) []byte {
	switch v := v.(type) {
	case *lua.LTable:
		return appendTable(b, l, v, arg, 0, false)
	case *lua.LUserData:
		if v.Value == nil && v == vm.Null {
			return append(b, "null"...)
		}
	}
	b, ok := appendScalar(b, v)
	if !ok {
		vm.ArgError(l, arg, "string, number, boolean, nil, ngx.null, or array table expected, but got "+vm.TypeName(v))
	}
	return b
}

func appendScalar(b []byte, v lua.LValue) ([]byte, bool) {
	switch v := v.(type) {
	case lua.LString:
		return append(b, v...), true
	case lua.LNumber:
		return vm.AppendNumber(b, float64(v)), true
	case lua.LBool:
		if v {
			return append(b, "true"...), true
		}
		return append(b, "false"...), true
	case *lua.LNilType:
		return append(b, "nil"...), true
	}
	return b, false
}

// maxNesting is how deep tables may be inside each other in output.
const maxNesting = 200

// appendTable appends the elements of an array one after the other, with nil in its holes. A strict array has strings
// and numbers only (ngx_http_lua_calc_strlen_in_table).
func appendTable(b []byte, l *lua.LState, t *lua.LTable, arg, depth int, strict bool) []byte {
	if depth > maxNesting {
		vm.ArgError(l, arg, "too deeply nested table")
	}
	for i, n := 1, arrayLen(l, t, arg); i <= n; i++ {
		switch v := t.RawGetInt(i).(type) {
		case *lua.LTable:
			b = appendTable(b, l, v, arg, depth+1, strict)
		case *lua.LNilType, lua.LBool:
			if strict {
				vm.ArgError(l, arg, "bad data type "+vm.TypeName(v)+" found")
			}
			b, _ = appendScalar(b, v)
		case *lua.LUserData:
			if strict || !isNull(v) {
				vm.ArgError(l, arg, "bad data type userdata found")
			}
			b = append(b, "null"...)
		default:
			var ok bool
			if b, ok = appendScalar(b, v); !ok {
				vm.ArgError(l, arg, "bad data type "+vm.TypeName(v)+" found")
			}
		}
	}
	return b
}

// arrayLen is the greatest key of an array; other keys than positive whole numbers are an error.
func arrayLen(l *lua.LState, t *lua.LTable, arg int) int {
	if n, ok := vm.Sequence(t); ok {
		return n
	}
	n := 0
	for k := range vm.Pairs(t) {
		i, ok := k.(lua.LNumber)
		if !ok || math.Trunc(float64(i)) != float64(i) || i < 1 {
			vm.ArgError(l, arg, "non-array table found")
		}
		n = max(n, int(i))
	}
	return n
}

// sendHeader sends the response header if that has not been done (ngx_http_lua_send_header_if_needed).
func (c *Ctx) sendHeader() http.Verdict {
	r := c.R
	switch {
	case c.headerGone():
		return http.OK
	case c.broken:
		return http.Error
	}
	if r.Out.Status == 0 {
		r.Out.Status = int(http.StatusOK)
	}
	if !c.mimeSet {
		c.setContentType()
	}
	if !c.headersSet {
		r.Out.ClearContentLength()
		r.ClearAcceptRanges()
	}
	if c.buffering {
		return http.OK
	}
	v := r.SendHeader()
	c.broken, c.headerPassed = v == http.Error, v == http.OK
	return v
}

// setContentType gives the response the type that the configuration has for it.
func (c *Ctx) setContentType() {
	c.mimeSet = true
	if c.loc().UseDefaultType.V && c.R.Out.Status != int(http.StatusNotModified) {
		c.R.SetContentType()
	}
}

// prepare does what precedes every piece of output; with false there is nothing more to do and v is the verdict.
func (c *Ctx) prepare() (v http.Verdict, ok bool) {
	r := c.R
	if c.eof {
		return http.OK, false
	}
	if r.Method == wire.HEAD {
		r.HeaderOnly = true
	}
	if !c.buffering && !c.headerGone() && r.Version < http.Version11 && r.Out.ContentLength < 0 && c.loc().HTTP10Buffering.V {
		c.buffering = true
	}
	if v := c.sendHeader(); v == http.Error || v > http.OK {
		return v, false
	}
	if !r.HeaderOnly {
		return http.OK, true
	}
	c.eof = true
	if v := c.discardBody(); v != http.OK {
		return http.Error, false
	}
	if c.buffering {
		return c.sendHeld(), false
	}
	return http.OK, false
}

func (c *Ctx) discardBody() http.Verdict {
	if r := c.R; r.Body == nil && r.IsMain() {
		return r.DiscardBody()
	}
	return http.OK
}

// send sends a piece of the body, which may be overwritten afterwards.
func (c *Ctx) send(b []byte) http.Verdict {
	v, ok := c.prepare()
	if !ok {
		return v
	}
	if c.buffering {
		c.debugf("lua buffering output bufs for the HTTP 1.0 request")
		c.out = append(c.out, b...)
		return http.OK
	}
	return c.undisturbed(func() http.Verdict { return c.R.OutputBytes(b, false) })
}

// sendLast ends the response (ngx_http_lua_send_chain_link without a chain).
func (c *Ctx) sendLast() http.Verdict {
	v, ok := c.prepare()
	if !ok {
		return v
	}
	if v := c.discardBody(); v != http.OK {
		return http.Error
	}
	if c.buffering {
		if v := c.sendHeld(); failed(v) {
			return v
		}
		if len(c.out) > 0 {
			if v := c.R.OutputBytes(c.out, false); failed(v) {
				return v
			}
			c.out = c.out[:0]
		}
	}
	c.eof = true
	return c.R.SendLast()
}

// sendHeld sends the header of a response that was held back for a HTTP/1.0 client, with its length.
func (c *Ctx) sendHeld() http.Verdict {
	r := c.R
	if r.HeaderSent {
		return http.OK
	}
	if !r.HeaderOnly && r.Out.ContentLength < 0 {
		r.Out.ContentLength = int64(len(c.out))
	}
	return r.SendHeader()
}

// ngxFlush is ngx.flush(wait?). Output always waits for the client to take it, so that both forms are alike.
func ngxFlush(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n > 1 {
		vm.Errorf(l, "attempt to pass %d arguments, but accepted 0 or 1", n)
	}
	wait := false
	if n == 1 && c.R.IsMain() {
		b, ok := l.Get(1).(lua.LBool)
		if !ok {
			vm.TypeError(l, 1, "boolean")
		}
		wait = bool(b)
	}
	switch msg := c.refused(); {
	case msg != "":
		return fail(l, msg)
	case c.buffering:
		c.debugf("lua http 1.0 buffering makes ngx.flush() a no-op")
		return fail(l, "buffering")
	case !c.headerGone() || !c.seenBody && !wait:
		return fail(l, "nothing to flush")
	}
	if failed(c.undisturbed(c.R.Flush)) {
		return outputFailed(l)
	}
	return done(l)
}

func ngxEOF(c *Ctx, l *lua.LState) int {
	if l.GetTop() != 0 {
		vm.Errorf(l, "no argument is expected")
	}
	switch {
	case c.raw:
		return fail(l, "raw request socket acquired")
	case c.eof:
		return fail(l, "seen eof")
	}
	if failed(c.undisturbed(c.sendLast)) {
		return outputFailed(l)
	}
	return done(l)
}

func ngxSendHeaders(c *Ctx, l *lua.LState) int {
	if v := c.undisturbed(c.sendHeader); v == http.Error || v > http.OK {
		return outputFailed(l)
	}
	return done(l)
}

// SetArg makes b the body that a body filter has (ngx.arg[1]).
func (c *Ctx) SetArg(b []byte, last bool) {
	c.Arg = append(c.Arg[:0], lua.LString(buf.String(slices.Clone(b))))
	c.ArgLast, c.ArgSet = last, false
}
