package api

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/http"
	"moongate/lua/vm"
)

// openTables gives the ngx table the tables whose fields are computed: ngx.var, ngx.header and ngx.arg.
func (e *Engine) openTables(v *vm.VM, ngx *lua.LTable) {
	proxy := func(name string, get, set lua.LGFunction) {
		mt := vm.NewTable(0, 4)
		mt.RawSetString("__index", v.L.NewFunction(get))
		mt.RawSetString("__newindex", v.L.NewFunction(set))
		t := vm.NewTable(0, 4)
		t.Metatable = mt
		ngx.RawSetString(name, t)
	}
	proxy("var", varGet, varSet)
	proxy("header", headerGet, headerSet)
	proxy("arg", argGet, argSet)
	e.openShared(v, ngx, false)
	openSockets(v)
}

// withRequest is the Ctx of code that has a request.
func withRequest(l *lua.LState) *Ctx {
	c := ctxOf(l)
	if c.R == nil {
		disabled(c, l, requests)
	}
	return c
}

// varGet reads ngx.var.name or ngx.var[n].
func varGet(l *lua.LState) int {
	c := withRequest(l)
	var v http.Value
	switch key := l.Get(2).(type) {
	case lua.LNumber:
		n := int(key)
		if n <= 0 {
			return ret(l, lua.LNil)
		}
		v = c.R.Capture(n)
	case lua.LString:
		v, _ = c.R.Lookup(strings.ToLower(string(key)))
	default:
		vm.Errorf(l, "bad variable name")
	}
	if !v.Found {
		return ret(l, lua.LNil)
	}
	return retString(l, strings.Clone(v.S))
}

// varSet assigns to a variable; nil makes it not found.
func varSet(l *lua.LState) int {
	c := withRequest(l)
	key, ok := l.Get(2).(lua.LString)
	if !ok {
		vm.Errorf(l, "bad variable name")
	}
	name := strings.ToLower(string(key))
	var value http.Value
	switch v := l.Get(3).(type) {
	case *lua.LNilType:
	case lua.LString:
		value = http.Val(c.R.Pool.Clone(string(v)))
	default:
		value = http.Val(c.R.Pool.Clone(vm.ThreadOf(l).VM().Display(l, v)))
	}
	switch v := c.R.LookupVariable(name); {
	case v == nil || v.Prefix:
		vm.Errorf(l, "%s", `variable "`+name+`" not found for writing; maybe it is a built-in variable that is not `+
			`changeable or you forgot to use "set $`+name+` '';" in the config file to define it first`)
	case !v.Changeable:
		vm.Errorf(l, "%s", `variable "`+name+`" not changeable`)
	case v.Set == nil && !c.R.Indexed(v):
		vm.Errorf(l, "%s", `variable "`+name+`" cannot be assigned a value`)
	default:
		v.Assign(c.R, value)
	}
	return 0
}

// VariableText is what set_by_lua assigns for a value that the code returned.
func VariableText(r *http.Request, l *lua.LState, v lua.LValue) string {
	if v == lua.LNil {
		return ""
	}
	s, ok := vm.ToString(v)
	if !ok {
		s = vm.ThreadOf(l).VM().Display(l, v)
	}
	return r.Pool.Clone(s)
}

// argGet reads ngx.arg[n]: the arguments of set_by_lua, or the data and the end mark of a body filter.
func argGet(l *lua.LState) int {
	c := ctxOf(l)
	n := vm.CheckInt(l, 2)
	switch c.Phase {
	case Set:
		if n < 1 || n > len(c.Arg) {
			return ret(l, lua.LNil)
		}
		return ret(l, c.Arg[n-1])
	case BodyFilter:
		switch n {
		case 1:
			return ret(l, c.Arg[0])
		case 2:
			return ret(l, lua.LBool(c.ArgLast))
		}
		return ret(l, lua.LNil)
	}
	vm.Errorf(l, disabledHere)
	return 0
}

// argSet assigns ngx.arg[1] or ngx.arg[2] in a body filter.
func argSet(l *lua.LState) int {
	c := ctxOf(l)
	if c.Phase != BodyFilter {
		disabled(c, l, 0)
	}
	switch n := vm.CheckInt(l, 2); n {
	case 1:
		c.setFiltered(l, l.Get(3))
	case 2:
		c.ArgLast = lua.LVAsBool(l.Get(3))
	default:
		vm.Errorf(l, "bad index: %d", n)
	}
	return 0
}

// setFiltered replaces the data of a body filter.
func (c *Ctx) setFiltered(l *lua.LState, v lua.LValue) {
	c.ArgSet = true
	switch v := v.(type) {
	case *lua.LNilType:
		c.Arg[0] = lua.LString("")
	case lua.LString, lua.LNumber:
		s, _ := vm.ToString(v)
		c.Arg[0] = lua.LString(s)
	case *lua.LTable:
		c.Arg[0] = lua.LString(appendTable(nil, l, v, 1, 0, true))
	default:
		vm.Errorf(l, "bad chunk data type: %s", vm.TypeName(v))
	}
}
