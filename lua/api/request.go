package api

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/http"
	"moongate/http/wire"
	"moongate/lua/vm"
)

var requestFuncs = []Func{
	{"req.get_method", requests, func(c *Ctx, l *lua.LState) int { return retString(l, strings.Clone(c.R.MethodName)) }},
	{"req.set_method", requests, reqSetMethod},
	{"req.is_internal", requests, func(c *Ctx, l *lua.LState) int { return ret(l, lua.LBool(c.R.Internal)) }},
	{"req.start_time", anywhere &^ Init, func(c *Ctx, l *lua.LState) int {
		if c.R == nil {
			return ret(l, vm.Number(float64(c.Loop.Now().UnixMilli())/1000))
		}
		return ret(l, vm.Number(float64(c.R.Start.UnixMilli())/1000))
	}},
	{"req.set_uri", requests, reqSetURI},
}

// settable are the methods that ngx.req.set_method takes.
const settable = wire.GET | wire.HEAD | wire.POST | wire.PUT | wire.DELETE | wire.OPTIONS | wire.MKCOL | wire.COPY |
	wire.MOVE | wire.PROPFIND | wire.PROPPATCH | wire.LOCK | wire.UNLOCK | wire.PATCH | wire.TRACE

func reqSetMethod(c *Ctx, l *lua.LState) int {
	n, ok := l.Get(1).(lua.LNumber)
	if !ok {
		vm.Errorf(l, "bad method number")
	}
	m := wire.Method(n)
	if m&settable == 0 || m&(m-1) != 0 {
		vm.Errorf(l, "unsupported HTTP method: %s", vm.FormatNumber(float64(n)))
	}
	c.R.Method, c.R.MethodName = m, m.String()
	return 0
}

// reqSetURI is ngx.req.set_uri(uri, jump?, binary?).
func reqSetURI(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n < 1 || n > 3 {
		vm.Errorf(l, "expecting 1, 2 or 3 arguments but seen %d", n)
	}
	uri := vm.CheckString(l, 1)
	if uri == "" {
		vm.Errorf(l, "attempt to use zero-length uri")
	}
	binary := n == 3 && boolean(l, 3)
	if b, bad := unsafeByte(uri); bad && !binary {
		vm.Errorf(l, "%s", fmt.Sprintf(`unsafe byte "0x%02x" in uri "%s" (maybe you want to set the 'binary' argument?)`,
			b, escapeLog(uri)))
	}
	jump := n >= 2 && boolean(l, 2)
	if jump {
		if c.Phase&(Rewrite|ServerRewrite) == 0 {
			disabled(c, l, 0)
		}
		c.abortable(l)
	}
	r := c.R
	r.SetURI(r.Pool.Clone(uri))
	r.Internal = true
	if jump {
		c.debugf(`lua set uri jump to "%s"`, uri)
		r.URIChanged, c.jumped = true, true
		c.leave(l)
	}
	r.ValidLocation, r.URIChanged = false, false
	return 0
}

// boolean is argument n, which must be a boolean.
func boolean(l *lua.LState, n int) bool {
	b, ok := l.Get(n).(lua.LBool)
	if !ok {
		vm.TypeError(l, n, "boolean")
	}
	return bool(b)
}

// ReadBody reads the request body if the location wants that before the code of its phases runs. The verdict is OK,
// or ends the request.
func (c *Ctx) ReadBody() http.Verdict {
	if c.BodyRead || !c.loc().NeedRequestBody.V {
		return http.OK
	}
	c.BodyRead = true
	return c.readBody()
}
