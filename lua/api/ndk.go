package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/http"
	"moongate/lua/vm"
)

// openNDK makes ndk.set_var, whose functions are directives such as set_escape_uri.
func (e *Engine) openNDK(v *vm.VM) {
	setVar, mt := vm.NewTable(0, 4), vm.NewTable(0, 4)
	mt.RawSetString("__index", v.L.NewFunction(func(l *lua.LState) int {
		withWorker(l)
		name := vm.CheckString(l, 2)
		f := e.HTTP.SetVars[name]
		if f == nil {
			vm.Errorf(l, "%s", `ndk.set_var: directive "`+name+`" not found or does not use ndk_set_var_value`)
		}
		fn := l.NewFunction(func(l *lua.LState) int { return callSetVar(l, f) })
		setVar.RawSetString(name, fn)
		return ret(l, fn)
	}))
	mt.RawSetString("__newindex", v.L.NewFunction(func(l *lua.LState) int {
		vm.Errorf(l, "not allowed")
		return 0
	}))
	setVar.Metatable = mt
	ndk := vm.NewTable(0, 4)
	ndk.RawSetString("set_var", setVar)
	v.Globals().RawSetString("ndk", ndk)
	v.Loaded().RawSetString("ndk", ndk)
}

// callSetVar applies a directive to an argument.
func callSetVar(l *lua.LState, f http.SetFunc) int {
	c := withWorker(l)
	arg := ""
	if l.GetTop() > 0 {
		arg = vm.CheckString(l, 1)
	}
	r := c.R
	if r == nil {
		r = c.Worker.FakeRequest(c.scope(), c.entryLog())
		defer r.Free()
	}
	value, ok := f(r, []string{arg})
	if !ok {
		vm.Errorf(l, "calling directive failed")
	}
	return retString(l, string([]byte(value)))
}

// withWorker is the Ctx of code that runs in a worker, with or without a request.
func withWorker(l *lua.LState) *Ctx {
	c := ctxOf(l)
	if c.R == nil && c.Worker == nil {
		disabled(c, l, requests)
	}
	return c
}
