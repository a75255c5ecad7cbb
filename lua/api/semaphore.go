package api

import (
	"math"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/lua/vm"
)

// semaphore is an object of the module ngx.semaphore.
type semaphore struct {
	count   int
	waiters []*semWaiter
}

type semWaiter struct {
	fiber   *event.Fiber
	granted bool
}

// openSemaphore is require "ngx.semaphore".
func openSemaphore(l *lua.LState) int {
	mod, methods, mt := vm.NewTable(0, 4), vm.NewTable(0, 4), vm.NewTable(0, 4)
	mt.RawSetString("__index", methods)
	for name, fn := range map[string]func(c *Ctx, l *lua.LState, s *semaphore) int{
		"wait": semWait, "post": semPost,
		"count": func(_ *Ctx, l *lua.LState, s *semaphore) int { return ret(l, vm.Number(s.count-len(s.waiters))) },
	} {
		methods.RawSetString(name, l.NewFunction(func(l *lua.LState) int { return fn(ctxOf(l), l, checkSemaphore(l)) }))
	}
	mod.RawSetString("version", lua.LString(moduleVersion))
	mod.RawSetString("new", l.NewFunction(func(l *lua.LState) int {
		n := 0
		if f, ok := vm.ToNumber(l.Get(1)); ok {
			if f < 0 {
				vm.Errorf(l, "no negative number")
			}
			n = vm.ToInt(f)
		}
		t := vm.NewTable(0, 1)
		t.RawSetString("sem", &lua.LUserData{Value: &semaphore{count: n}, Metatable: lua.LNil})
		t.Metatable = mt
		return ret(l, t)
	}))
	return ret(l, mod)
}

func checkSemaphore(l *lua.LState) *semaphore {
	if t, ok := l.Get(1).(*lua.LTable); ok {
		if u, ok := t.RawGetString("sem").(*lua.LUserData); ok {
			if s, ok := u.Value.(*semaphore); ok {
				return s
			}
		}
	}
	vm.Errorf(l, "not a semaphore instance")
	return nil
}

// semPost is sema:post(n?): it wakes as many waiters.
func semPost(_ *Ctx, l *lua.LState, s *semaphore) int {
	n := 1
	if f, ok := vm.ToNumber(l.Get(2)); ok {
		if n = min(vm.ToInt(f), math.MaxInt32); n < 1 {
			vm.Errorf(l, "positive number required")
		}
	}
	s.post(n)
	return ret(l, lua.LTrue)
}

// post adds n resources, which the waiters have in their order.
func (s *semaphore) post(n int) {
	s.count += n
	for s.count > 0 && len(s.waiters) > 0 {
		w := s.waiters[0]
		s.waiters = s.waiters[1:]
		s.count--
		w.granted = true
		w.fiber.Ready()
	}
}

// semWait is sema:wait(seconds).
func semWait(c *Ctx, l *lua.LState, s *semaphore) int {
	if c.Phase == Init {
		disabled(c, l, yieldable)
	}
	d, ok := vm.ToNumber(l.Get(2))
	if !ok {
		vm.Errorf(l, "bad timeout")
	}
	if d < 0 {
		vm.Errorf(l, "no negative number")
	}
	if c.Phase&yieldable == 0 {
		return fail(l, "API disabled in the context of "+c.Phase.Context())
	}
	if s.count > 0 && len(s.waiters) == 0 {
		s.count--
		return ret(l, lua.LTrue)
	}
	limit := inSeconds(d)
	if limit == 0 {
		return fail(l, "timeout")
	}
	w := &semWaiter{fiber: c.Loop.Current()}
	s.waiters = append(s.waiters, w)
	returned := false
	defer func() {
		if s.forget(w); !returned && w.granted {
			s.post(1) // this one was killed: the next has it
		}
	}()
	c.wait(l, func() { w.fiber.ParkFor(limit) })
	returned = true
	if !w.granted {
		l.Push(lua.LFalse)
		l.Push(lua.LString(textTimeout))
		return 2
	}
	return ret(l, lua.LTrue)
}

// forget takes a waiter off the list, if it is there still.
func (s *semaphore) forget(w *semWaiter) {
	for i := range s.waiters {
		if s.waiters[i] == w {
			s.waiters = append(s.waiters[:i], s.waiters[i+1:]...)
			return
		}
	}
}
