package api

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
	"moongate/lua/vm"
)

var headerFuncs = []Func{
	{"resp.get_headers", requests, respGetHeaders},
	{"req.get_headers", requests, reqGetHeaders},
	{"req.set_header", requests, reqSetHeader},
	{"req.clear_header", requests, func(c *Ctx, l *lua.LState) int {
		c.setInput(subject(l, 1), nil)
		return 0
	}},
	{"req.raw_header", requests, reqRawHeader},
	{"req.http_version", requests, reqHTTPVersion},
}

// single are the response headers of which there is at most one, in lower case.
var single = map[string]bool{
	"server": true, "date": true, "content-encoding": true, "location": true, "refresh": true, "last-modified": true,
	"content-range": true, "accept-ranges": true, "expires": true, "e-tag": true, "etag": true, "content-length": true,
	"content-type": true,
}

// singleInput are the request headers of which there is at most one: of several values the last one counts.
var singleInput = map[string]bool{
	"host": true, "connection": true, "if-modified-since": true, "if-unmodified-since": true, "if-match": true,
	"if-none-match": true, "user-agent": true, "referer": true, "content-length": true, "content-type": true,
	"range": true, "if-range": true, "transfer-encoding": true, "expect": true, "upgrade": true,
	"accept-encoding": true, "via": true, "authorization": true, "keep-alive": true, "x-real-ip": true,
	"depth": true, "destination": true, "overwrite": true, "date": true,
}

// outputName is the name of a response header as a script writes it.
func (c *Ctx) outputName(v lua.LValue, l *lua.LState) string {
	name, ok := vm.ToString(v)
	if !ok {
		name = vm.ThreadOf(l).VM().Display(l, v)
	}
	if strings.IndexByte(name, '_') >= 0 && c.loc().TransformUnderscores.V {
		name = strings.ReplaceAll(name, "_", "-")
	}
	return name
}

// headerGet reads ngx.header.name.
func headerGet(l *lua.LState) int {
	c := withRequest(l)
	name := c.outputName(l.Get(2), l)
	o := &c.R.Out
	switch {
	case strings.EqualFold(name, "Content-Length") && o.ContentLength >= 0:
		return retString(l, strconv.FormatInt(o.ContentLength, 10))
	case strings.EqualFold(name, "Content-Type") && o.ContentType != "":
		return retString(l, strings.Clone(o.ContentType))
	case o.LastModified >= 0 && strings.EqualFold(name, "Last-Modified") && o.Find(name) == nil:
		return retString(l, string(wire.AppendDate(nil, o.LastModified)))
	}
	var found lua.LValue = lua.LNil
	for i := range o.List {
		f := &o.List[i]
		if f.Off || !strings.EqualFold(f.Name, name) {
			continue
		}
		v := lua.LString(strings.Clone(f.Value))
		switch old := found.(type) {
		case *lua.LNilType:
			found = v
		case *lua.LTable:
			old.Append(v)
		default:
			list := vm.NewTable(4, 0)
			list.Append(old)
			list.Append(v)
			found = list
		}
	}
	return ret(l, found)
}

// headerSet assigns ngx.header.name: a string, a list of them, or nil.
func headerSet(l *lua.LState) int {
	c := withRequest(l)
	if c.headerGone() {
		c.Logf(logError, "attempt to set ngx.header.HEADER after sending out response headers")
		return 0
	}
	c.setOutput(l, c.outputName(l.Get(2), l), l.Get(3), true)
	return 0
}

// setOutput sets or adds a response header.
func (c *Ctx) setOutput(l *lua.LState, name string, v lua.LValue, override bool) {
	c.headersSet = true
	if name == "" {
		return // nothing of it is sent
	}
	name = c.R.Pool.Clone(escapes[7].escape(name))
	set := func(v lua.LValue, override bool) {
		if !c.setOutputValue(name, c.headerValue(l, v), override) {
			vm.Errorf(l, "failed to set header")
		}
	}
	t, ok := v.(*lua.LTable)
	if !ok {
		set(v, override)
		return
	}
	n := t.Len()
	if n == 0 {
		set(lua.LNil, override)
	}
	for i := 1; i <= n; i++ {
		set(t.RawGetInt(i), override && i == 1)
	}
}

// headerValue is a value as text that can be in a header, "" for nil.
func (c *Ctx) headerValue(l *lua.LState, v lua.LValue) string {
	if v == lua.LNil {
		return ""
	}
	s, ok := vm.ToString(v)
	if !ok {
		s = vm.ThreadOf(l).VM().Display(l, v)
	}
	return c.R.Pool.Clone(escapes[8].escape(s))
}

// setOutputValue gives a response header a value; "" removes it. The headers that the server itself looks at have
// places of their own (ngx_http_lua_set_output_header). It reports false for a Content-Length that is no number.
func (c *Ctx) setOutputValue(name, value string, override bool) bool {
	o := &c.R.Out
	lower := strings.ToLower(name)
	switch lower {
	case "content-type":
		c.mimeSet = true
		o.ContentType = value
		o.Delete(name)
		return true
	case "content-length":
		n, ok := wire.ParseLength(value)
		switch {
		case value == "":
			n = -1
		case !ok:
			return false
		}
		o.ContentLength = n
		return true
	case "last-modified":
		t, ok := wire.ParseDate(buf.Bytes(value))
		if !ok {
			t = -1
		}
		o.LastModified = t
	case "location":
		o.RawLocation = true
		if f := o.Find(name); !override && f != nil && strings.HasPrefix(f.Value, "/") {
			o.Add(name, value) // as nginx does, for which a path is not its own Location
			return true
		}
	case "server", "date":
		if value == "" {
			o.Suppress(name)
			return true
		}
	case "e-tag":
		name = "ETag"
	}
	if override || single[lower] {
		o.Set(name, value)
	} else if value != "" {
		o.Add(name, value)
	}
	return true
}

func reqGetHeaders(c *Ctx, l *lua.LState) int {
	h := newHeaderTable(c, l)
	for i := range c.R.In.List {
		f := &c.R.In.List[i]
		h.add(f.Name, f.Value)
	}
	return h.ret("request")
}

// reqSetHeader is ngx.req.set_header(name, value).
func reqSetHeader(c *Ctx, l *lua.LState) int {
	if l.Get(1) == lua.LNil {
		vm.Errorf(l, "bad 'name' argument: string expected, got nil")
	}
	name := subject(l, 1)
	var values []string
	switch v := l.Get(2).(type) {
	case *lua.LNilType:
	case *lua.LTable:
		for i, n := 1, v.Len(); i <= n; i++ {
			values = append(values, c.headerValue(l, v.RawGetInt(i)))
		}
	default:
		values = []string{c.headerValue(l, v)}
	}
	if !c.setInput(name, values) {
		vm.Errorf(l, "failed to set header")
	}
	return 0
}

// setInput gives a request header new values and draws the consequences; without values, and empty ones are none, it is
// removed. It reports whether the values are possible.
func (c *Ctx) setInput(name string, values []string) bool {
	r := c.R
	if r.Version < http.Version10 {
		return true // HTTP/0.9 has no header
	}
	name = r.Pool.Clone(escapes[7].escape(name))
	lower := r.Pool.String(wire.AppendLower(nil, name))
	if len(values) > 1 && singleInput[lower] {
		values = values[len(values)-1:]
	}
	set := false
	for _, v := range values {
		if v == "" {
			continue
		}
		v = r.Pool.Clone(escapes[8].escape(v))
		if !c.deriveInput(lower, v) {
			return false
		}
		if !set {
			r.In.Set(name, lower, v)
		} else {
			r.In.Add(http.Header{Name: name, Lower: lower, Value: v, ID: wire.LookupHeader(lower)})
		}
		set = true
	}
	if !set {
		r.In.Delete(name)
		c.deriveInput(lower, "")
	}
	return true
}

// deriveInput updates what the server keeps of a request header beside its text, unless the text is impossible.
func (c *Ctx) deriveInput(lower, value string) bool {
	r := c.R
	switch lower {
	case "host":
		host, port, ok := wire.ParseHost(r.Pool.Alloc(len(value)), buf.Bytes(value))
		if !ok && value != "" {
			return false
		}
		if ok {
			r.HostName, r.Port = buf.String(host), int(port)
		}
		if v := r.LookupVariable("host"); v != nil && r.Indexed(v) {
			v.Forget(r)
		}
	case "content-length":
		n, ok := wire.ParseLength(value)
		switch {
		case ok:
			r.In.ContentLength = n
		case value != "":
			return false
		default:
			r.In.ContentLength = -1
		}
	case "connection":
		v := buf.Bytes(value)
		r.In.ConnectionClose = wire.HasToken(v, "close")
		r.In.ConnectionKeepAlive = !r.In.ConnectionClose && wire.HasToken(v, "keep-alive")
	case "user-agent":
		r.In.TakeUserAgent(value)
	}
	return true
}

// rawHeader is what a protocol with a header in text offers.
type rawHeader interface {
	// RawHeader is the header as it was received, with the request line.
	RawHeader(r *http.Request) string
}

// reqRawHeader is ngx.req.raw_header(no_request_line?).
func reqRawHeader(c *Ctx, l *lua.LState) int {
	m := c.R.Main
	s, ok := m.Stream.(rawHeader)
	if !ok {
		vm.Errorf(l, "http2 requests not supported yet")
	}
	text := s.RawHeader(m)
	if lua.LVAsBool(l.Get(1)) {
		_, text, _ = strings.Cut(text, "\n")
	}
	return retString(l, strings.Clone(text))
}

func reqHTTPVersion(c *Ctx, l *lua.LState) int {
	v := c.R.Version
	if v == http.Version9 {
		return ret(l, vm.Number(0.9))
	}
	return ret(l, vm.Number(float64(v/1000)+float64(v%1000)/10))
}
