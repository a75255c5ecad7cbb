package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/http"
	"moongate/lua/vm"
)

// field is a value of the ngx table that is computed when it is read.
type field struct {
	in  Phase
	get func(c *Ctx, l *lua.LState) lua.LValue
	// set is nil for fields that cannot be assigned.
	set func(c *Ctx, l *lua.LState, v lua.LValue)
}

var fields = map[string]*field{
	"status":        {requests, getStatus, setStatus},
	"ctx":           {anywhere &^ Init, getCtx, setCtx},
	"headers_sent":  {requests, func(c *Ctx, _ *lua.LState) lua.LValue { return lua.LBool(c.R.HeaderSent) }, nil},
	"is_subrequest": {requests, func(c *Ctx, _ *lua.LState) lua.LValue { return lua.LBool(!c.R.IsMain()) }, nil},
}

// openFields gives the ngx table its computed fields.
func openFields(v *vm.VM, ngx *lua.LTable) {
	mt := vm.NewTable(0, 4)
	mt.RawSetString("__index", v.L.NewFunction(func(l *lua.LState) int {
		name, _ := l.Get(2).(lua.LString)
		f := fields[string(name)]
		if f == nil {
			return ret(l, lua.LNil)
		}
		c := ctxOf(l)
		f.check(c, l)
		return ret(l, f.get(c, l))
	}))
	mt.RawSetString("__newindex", v.L.NewFunction(func(l *lua.LState) int {
		name, _ := l.Get(2).(lua.LString)
		f := fields[string(name)]
		if f == nil || f.set == nil {
			ngx.RawSet(l.Get(2), l.Get(3))
			return 0
		}
		c := ctxOf(l)
		f.check(c, l)
		f.set(c, l, l.Get(3))
		return 0
	}))
	ngx.Metatable = mt
}

func (f *field) check(c *Ctx, l *lua.LState) {
	if c.Phase&f.in == 0 {
		disabled(c, l, f.in)
	}
}

func getStatus(c *Ctx, _ *lua.LState) lua.LValue {
	switch r := c.R; {
	case r.ErrStatus != 0:
		return lua.LNumber(r.ErrStatus)
	case r.Out.Status != 0:
		return lua.LNumber(r.Out.Status)
	case r.Version == http.Version9:
		return lua.LNumber(http.Version9)
	}
	return zero
}

func setStatus(c *Ctx, l *lua.LState, v lua.LValue) {
	n, ok := vm.ToNumber(v)
	if !ok {
		vm.Errorf(l, "number expected, got %s", vm.TypeName(v))
	}
	c.setStatus(int(n), "")
}

// getCtx is ngx.ctx, a table that is made when it is asked for.
func getCtx(c *Ctx, l *lua.LState) lua.LValue {
	if c.table == nil {
		c.table = c.newTable(l)
	}
	return c.table
}

// newTable makes the table of ngx.ctx. That of a TLS handshake is the same in all its phases, and the metatable of those
// of the connection's requests, so that they see what is in it.
func (c *Ctx) newTable(l *lua.LState) *lua.LTable {
	t := vm.NewTable(0, 4)
	conn := c.secured()
	switch {
	case conn == nil:
	case c.handshake != nil:
		if kept, ok := conn.Script.(*lua.LTable); ok {
			return kept
		}
		t.RawSetString("__index", t)
		conn.Script = t
	default:
		if kept, ok := conn.Script.(*lua.LTable); ok {
			t.Metatable = kept
		}
	}
	return t
}

func setCtx(c *Ctx, l *lua.LState, v lua.LValue) {
	t, ok := v.(*lua.LTable)
	if !ok {
		vm.Errorf(l, "ctx should be a table while getting a %s", vm.TypeName(v))
	}
	c.table = t
	if c.handshake != nil {
		c.handshake.tls.Script = t
	}
}
