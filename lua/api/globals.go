package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/lua/vm"
)

// guardGlobals has a warning logged where code of a request makes a global variable: all requests of a worker share
// the globals, as in OpenResty.
func (e *Engine) guardGlobals(v *vm.VM) {
	mt := vm.NewTable(0, 4)
	mt.RawSetString("__newindex", v.L.NewFunction(func(l *lua.LState) int {
		t := vm.CheckTable(l, 1)
		key := l.Get(2)
		t.RawSet(key, l.Get(3))
		c := ctxOf(l)
		if c.Phase&(Init|InitWorker) == 0 {
			c.Logf(log.Warn, "[lua] _G write guard:12: __newindex(): writing a global Lua variable ('%s') which may lead to "+
				"race conditions between concurrent requests, so prefer the use of 'local' variables\n%s",
				vm.ThreadOf(l).VM().Display(l, key), vm.Traceback(l, 1))
		}
		return 0
	}))
	v.Globals().Metatable = mt
}
