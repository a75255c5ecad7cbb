package vm

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

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
	base := t.regs.top - nargs - 1
	fr, sp := currentFrame(l), t.frames.size()
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
			t.carried = ""
			if r, ok := r.(*raised); ok {
				t.carried = r.trace
			}
			value = v.errorValue(l, r)
			if handler != nil {
				value = v.handle(t, fr, value, handler)
			}
		}
		closeUpvalues(l, base)
		t.frames.truncate(sp)
		setCurrentFrame(l, fr)
		t.setTop(base)
		keepUpvalues(l)
		if kill {
			panic(r)
		}
		err = &Error{Value: value}
	}()
	Call(l, nargs, nret)
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
	case runtime.Error:
		// gopher-lua ran out of registers at the entry of a function and stumbled over its own message.
		if f := currentFrame(l); f != nil && !f.Fn.IsG && f.Pc == 0 {
			return lua.LString(position(f) + "stack overflow")
		}
	}
	if v.opts.OnPanic != nil {
		v.opts.OnPanic(r, debug.Stack())
	}
	return lua.LString(where(l, 1) + "internal error: " + fmt.Sprint(r))
}

// maxHandlers is how deep message handlers may run within message handlers.
const maxHandlers = 8

const errInHandler = "error in error handling"

// reserve is how many frames a message handler gets when the stack is full.
const reserve = 100

// handle runs a message handler. After a stack overflow the topmost frames make room for it.
func (v *VM) handle(t *Thread, catcher *frame, value lua.LValue, handler func(*lua.LState, lua.LValue) lua.LValue) lua.LValue {
	l := t.L
	full := isOverflow(value)
	if t.handlers >= maxHandlers || t.handlers > 0 && full {
		return lua.LString(errInHandler) // handlers of handlers of ... would not end
	}
	t.handlers++
	defer func() { t.handlers-- }()
	if full {
		t.makeRoom(catcher)
	}
	result := value
	// Without environment it is like an intrinsic: no level of the stack.
	l.Push(&lua.LFunction{IsG: true, GFunction: func(l *lua.LState) int {
		result = handler(l, value)
		return 0
	}})
	if err := v.PCall(l, 0, 0, nil); err != nil {
		return lua.LString(errInHandler)
	}
	return result
}

func isOverflow(value lua.LValue) bool {
	s, ok := value.(lua.LString)
	return ok && strings.HasSuffix(string(s), "stack overflow")
}

// makeRoom drops the topmost frames of a full stack, at most down to the one that catches the error.
func (t *Thread) makeRoom(catcher *frame) {
	f := currentFrame(t.L)
	top := t.regs.top
	for i := 0; i < reserve && f != catcher && f.Parent != catcher && f.Parent != nil; i++ {
		top = f.Base
		f = f.Parent
	}
	if top < t.regs.top {
		closeUpvalues(t.L, top)
		t.frames.truncate(f.Idx + 1)
		setCurrentFrame(t.L, f)
		t.setTop(top)
	}
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
		Call(l, 1, 1)
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
