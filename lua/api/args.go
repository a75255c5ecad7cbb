package api

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/http/wire"
	"moongate/lua/vm"
)

// codecFuncs are those about arguments in general, argsFuncs those about a request's.
var codecFuncs = []Func{
	{"encode_args", anywhere, ngxEncodeArgs},
	{"decode_args", anywhere, ngxDecodeArgs},
}

var argsFuncs = []Func{
	{"req.get_uri_args", requests, ngxGetURIArgs},
	{"req.set_uri_args", requests, ngxSetURIArgs},
	{"req.get_post_args", requests, ngxGetPostArgs},
}

// maxArgs is how many arguments or headers are parsed unless the caller says otherwise.
const maxArgs = 100

func ngxEncodeArgs(_ *Ctx, l *lua.LState) int {
	if n := l.GetTop(); n != 1 {
		vm.Errorf(l, "expecting 1 argument but seen %d", n)
	}
	return retString(l, encodeArgs(l, vm.CheckTable(l, 1)))
}

// encodeArgs makes a query string of a table: strings and numbers are values, true is an argument without one, false
// is none, and arrays are several arguments of one name.
func encodeArgs(l *lua.LState, t *lua.LTable) string {
	var b []byte
	for k, v := range vm.Pairs(t) {
		key, ok := k.(lua.LString)
		if !ok {
			vm.Errorf(l, `attempt to use a non-string key in the "args" option table`)
		}
		list, ok := v.(*lua.LTable)
		if !ok {
			b = appendArg(b, l, string(key), v)
			continue
		}
		for _, v := range vm.Pairs(list) {
			b = appendArg(b, l, string(key), v)
		}
	}
	return buf.String(b)
}

func appendArg(b []byte, l *lua.LState, key string, v lua.LValue) []byte {
	value, ok := vm.ToString(v)
	if !ok {
		switch v {
		case lua.LFalse:
			return b
		case lua.LTrue:
		default:
			vm.Errorf(l, "attempt to use %s as query arg value", vm.TypeName(v))
		}
	}
	if len(b) > 0 {
		b = append(b, '&')
	}
	b = escapeComponent.append(b, key)
	if ok {
		b = escapeComponent.append(append(b, '='), value)
	}
	return b
}

// ngxDecodeArgs is ngx.decode_args(query, max?).
func ngxDecodeArgs(_ *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n != 1 && n != 2 {
		vm.Errorf(l, "expecting 1 or 2 arguments but seen %d", n)
	}
	return decodeArgs(l, vm.CheckString(l, 1), vm.OptInt(l, 2, maxArgs), nil)
}

// decodeArgs returns the table of a query string; 0 or less for limit is no limit.
func decodeArgs(l *lua.LState, s string, limit int, t *lua.LTable) int {
	if t == nil {
		t = vm.NewTable(0, 4)
	}
	l.Push(t)
	for n := 1; s != ""; n++ {
		arg, rest, more := strings.Cut(s, "&")
		key, value, hasValue := strings.Cut(arg, "=")
		key = unescapeURI(key)
		if key != "" {
			var v lua.LValue = lua.LTrue
			if hasValue {
				v = lua.LString(unescapeURI(value))
			}
			addValue(l, t, key, v)
		}
		s = rest
		if more && n == limit {
			ctxOf(l).debugf("lua hit query args limit %d", limit)
			l.Push(lua.LString("truncated"))
			return 2
		}
	}
	return 1
}

// addValue sets a field, or makes an array of it when there is one already.
func addValue(l *lua.LState, t *lua.LTable, key string, v lua.LValue) {
	switch old := t.RawGetString(key).(type) {
	case *lua.LNilType:
		vm.SetString(t, key, v)
	case *lua.LTable:
		vm.Append(old, v)
	default:
		list := vm.NewTable(4, 0)
		vm.Append(list, old)
		vm.Append(list, v)
		vm.SetString(t, key, list)
	}
}

// optLimit is argument 1, how much is wanted at most: maxArgs when it is nil, false or negative, 0 is no limit.
func optLimit(l *lua.LState) int {
	if !lua.LVAsBool(l.Get(1)) {
		return maxArgs
	}
	if n := vm.CheckInt(l, 1); n >= 0 {
		return n
	}
	return maxArgs
}

// ngxGetURIArgs is ngx.req.get_uri_args(max?, table?).
func ngxGetURIArgs(c *Ctx, l *lua.LState) int {
	limit := optLimit(l)
	t, _ := l.Get(2).(*lua.LTable)
	return decodeArgs(l, strings.Clone(c.R.Args), limit, t)
}

// escapeQuery is what ngx.req.set_uri_args escapes in a string.
var escapeQuery = byteRange(0, 0x20).plus("\x7f")

func ngxSetURIArgs(c *Ctx, l *lua.LState) int {
	if n := l.GetTop(); n != 1 {
		vm.Errorf(l, "expecting 1 argument but seen %d", n)
	}
	var args string
	switch v := l.Get(1).(type) {
	case lua.LNumber:
		args = vm.FormatNumber(float64(v))
	case lua.LString:
		args = escapeQuery.escape(string(v))
	case *lua.LTable:
		args = encodeArgs(l, v)
	default:
		vm.ArgError(l, 1, "string, number, or table expected, but got "+vm.TypeName(v))
	}
	c.R.SetArgs(c.R.Pool.Clone(args))
	return 0
}

func ngxGetPostArgs(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n > 1 {
		vm.Errorf(l, "expecting 0 or 1 arguments but seen %d", n)
	}
	limit := maxArgs
	if n == 1 {
		limit = vm.CheckInt(l, 1)
	}
	r := c.R
	switch {
	case r.DiscardingBody():
		return ret(l, vm.NewTable(0, 4))
	case r.Body == nil:
		vm.Errorf(l, "no request body found; maybe you should turn on lua_need_request_body?")
	case r.Body.File != nil:
		return fail(l, "request body in temp file not supported")
	}
	return decodeArgs(l, string(r.Body.Bytes), limit, nil)
}

// safeURI decodes a URI that a script gave and takes the query string off; not ok is for one that leads outside
// (ngx_http_parse_unsafe_uri).
func (c *Ctx) safeURI(uri string) (path, args string, ok bool) {
	p, a, ok := wire.ParseUnsafeURI(make([]byte, len(uri)), buf.Bytes(uri))
	if !ok {
		c.Logf(logError, `unsafe URI "%s" was detected`, uri)
		return "", "", false
	}
	return string(p), string(a), true
}
