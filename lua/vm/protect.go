package vm

import (
	"fmt"
	"runtime/debug"

	lua "github.com/yuin/gopher-lua"
)

// killed is the panic that unwinds a coroutine nobody will resume. Protected calls let it pass.
type killed struct{}

// overflow is the panic of gopher-lua's call stack.
const overflow = "lua callstack overflow"

// PCall calls the function that lies below nargs arguments on top of the stack, as lua_pcall. With an error the stack
// is as it was below the function. handler, when not nil, turns the error value into another one while the failed
// frames are still there.
//
// Other packages must use this and not gopher-lua's PCall, which closes the upvalues of surviving frames.
func (v *VM) PCall(l *lua.LState, nargs, nret int, handler func(l *lua.LState, value lua.LValue) lua.LValue) (err *Error) {
	t := ThreadOf(l)
	base := t.reg.Top() - nargs - 1
	fr, sp := currentFrame(l), t.stack.Sp()
	keepUpvalues(l)
	done := false
	defer func() {
		if done {
			return
		}
		r := recover()
		if r == nil {
			return // runtime.Goexit: a test that failed
		}
		_, kill := r.(killed)
		var value lua.LValue
		if !kill {
			value = v.errorValue(l, r)
			if handler != nil {
				value = v.handle(t, value, r, handler)
			}
		}
		closeUpvalues(l, base)
		if t.stack.Sp() != sp {
			t.stack.SetSp(sp)
		}
		setCurrentFrame(l, fr)
		t.reg.SetTop(base)
		keepUpvalues(l)
		if kill {
			panic(r)
		}
		err = &Error{Value: value}
	}()
	l.Call(nargs, nret)
	done = true
	return nil
}

// errorValue is the Lua value of a panic.
func (v *VM) errorValue(l *lua.LState, r any) lua.LValue {
	switch r := r.(type) {
	case *raised:
		return r.value
	case *lua.ApiError:
		if s, ok := r.Object.(lua.LString); ok {
			return lua.LString(translate(l, string(s)))
		}
		return r.Object
	case string:
		if r == overflow {
			return lua.LString(where(l, 0) + "stack overflow")
		}
	}
	if v.opts.OnPanic != nil {
		v.opts.OnPanic(r, debug.Stack())
	}
	return lua.LString(where(l, 1) + "internal error: " + fmt.Sprint(r))
}

// reserve is how many frames a message handler gets when the stack is full.
const reserve = 100

// handle runs a message handler. After a stack overflow the topmost frames make room for it.
func (v *VM) handle(t *Thread, value lua.LValue, r any, handler func(*lua.LState, lua.LValue) lua.LValue) lua.LValue {
	l := t.L
	if r == overflow {
		f := currentFrame(l)
		for i := 0; i < reserve && f.Parent != nil; i++ {
			f = f.Parent
		}
		top := currentFrame(l).LocalBase
		closeUpvalues(l, top)
		t.stack.SetSp(f.Idx + 1)
		setCurrentFrame(l, f)
	}
	result := value
	l.Push(l.NewFunction(func(l *lua.LState) int {
		result = handler(l, value)
		return 0
	}))
	if err := v.PCall(l, 0, 0, nil); err != nil {
		return lua.LString("error in error handling")
	}
	return result
}

// basePCall is pcall.
func (v *VM) basePCall(l *lua.LState) int {
	CheckAny(l, 1)
	if err := v.PCall(l, l.GetTop()-1, lua.MultRet, nil); err != nil {
		l.SetTop(0)
		l.Push(lua.LFalse)
		l.Push(err.Value)
		return 2
	}
	n := l.GetTop()
	l.Insert(lua.LTrue, 1)
	return n + 1
}

// baseXPCall is xpcall, with arguments for the function as in LuaJIT.
func (v *VM) baseXPCall(l *lua.LState) int {
	CheckAny(l, 1)
	handler := CheckAny(l, 2)
	f := l.Get(1)
	l.Replace(2, f)
	err := v.PCall(l, l.GetTop()-2, lua.MultRet, func(l *lua.LState, value lua.LValue) lua.LValue {
		l.Push(handler)
		l.Push(value)
		l.Call(1, 1)
		return l.Get(-1)
	})
	if err != nil {
		l.SetTop(0)
		l.Push(lua.LFalse)
		l.Push(err.Value)
		return 2
	}
	l.Replace(1, lua.LTrue)
	return l.GetTop()
}
