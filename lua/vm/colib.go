package vm

import (
	lua "github.com/yuin/gopher-lua"
)

func (v *VM) openCoroutine() {
	v.library("coroutine", map[string]lua.LGFunction{
		"create": coCreate, "resume": coResume, "yield": coYield, "wrap": v.coWrap, "status": coStatus,
		"running": coRunning, "isyieldable": coIsYieldable,
	})
}

func coCreate(l *lua.LState) int {
	l.Push(ThreadOf(l).NewCoroutine(CheckFunction(l, 1)).L)
	return 1
}

func checkCoroutine(l *lua.LState) *Thread {
	co, ok := l.Get(1).(*lua.LState)
	if !ok {
		ArgError(l, 1, "coroutine expected")
	}
	return ThreadOf(co)
}

// cannotResume says why a thread cannot be resumed by another, empty when it can.
func (t *Thread) cannotResume(by *Thread) string {
	switch {
	case t.co == nil || t.co.light:
		if t.Status() == Dead {
			return "cannot resume dead coroutine"
		}
		return "cannot resume non-suspended coroutine"
	case t.co.status == Dead || t.co.killed:
		return "cannot resume dead coroutine"
	case t.co.status != Suspended:
		return "cannot resume non-suspended coroutine"
	case by.co != nil && by.co.depth >= maxResumes:
		return "C stack overflow"
	}
	return ""
}

// pass resumes c with the values from place `first` of l's stack on and pushes what it hands over.
func (t *Thread) pass(c *Thread, first int) (*Error, int) {
	l := t.L
	values := c.co.values[:0]
	for i, n := first, l.GetTop(); i <= n; i++ {
		values = append(values, l.Get(i))
	}
	c.co.values = values
	if err := t.resume(c); err != nil {
		return err, 0
	}
	for _, value := range c.co.values {
		l.Push(value)
	}
	return nil, len(c.co.values)
}

func coResume(l *lua.LState) int {
	c := checkCoroutine(l)
	t := ThreadOf(l)
	if msg := c.cannotResume(t); msg != "" {
		l.Push(lua.LFalse)
		l.Push(lua.LString(msg))
		return 2
	}
	top := l.GetTop()
	err, n := t.pass(c, 2)
	if err != nil {
		l.Push(lua.LFalse)
		l.Push(err.Value)
		return 2
	}
	l.Insert(lua.LTrue, top+1)
	return n + 1
}

// coWrap returns a function that resumes. Errors go on in the caller: in code that may wait as they are and with their
// traceback, elsewhere with the caller's position before them when they are strings.
func (v *VM) coWrap(l *lua.LState) int {
	c := ThreadOf(l).NewCoroutine(CheckFunction(l, 1))
	l.Push(l.NewFunction(func(l *lua.LState) int {
		if msg := c.cannotResume(ThreadOf(l)); msg != "" {
			Errorf(l, "%s", msg)
		}
		err, n := ThreadOf(l).pass(c, 1)
		if err != nil {
			raiseWrapped(l, err)
		}
		return n
	}))
	return 1
}

func raiseWrapped(l *lua.LState, err *Error) {
	if ThreadOf(l).concurrent() {
		panic(&raised{err.Value, err.Traceback})
	}
	if s, ok := err.Value.(lua.LString); ok {
		Errorf(l, "%s", string(s))
	}
	Raise(l, err.Value)
}

func coYield(l *lua.LState) int {
	t := ThreadOf(l)
	if t.co == nil || t.co.light {
		if t.Yield != nil {
			return t.Yield(l)
		}
		Errorf(l, "attempt to yield across C-call boundary")
	}
	t.yield()
	l.SetTop(0)
	for _, value := range t.co.values {
		l.Push(value)
	}
	return len(t.co.values)
}

func coStatus(l *lua.LState) int {
	l.Push(lua.LString(checkCoroutine(l).Status()))
	return 1
}

func coRunning(l *lua.LState) int {
	t := ThreadOf(l)
	l.Push(l)
	l.Push(lua.LBool(t == t.vm.main))
	return 2
}

func coIsYieldable(l *lua.LState) int {
	t := ThreadOf(l)
	l.Push(lua.LBool(t.co != nil && !t.co.light || t.Yield != nil))
	return 1
}
