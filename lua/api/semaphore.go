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

// semWaiter is a thread that waits. One that was killed is no waiter any more, though its fiber has yet to unwind.
type semWaiter struct {
	thread *vm.Thread
	fiber  *event.Fiber
	woken  bool // there is a resource for it
}

// openSemaphore is require "ngx.semaphore".
func openSemaphore(l *lua.LState) int {
	mod, methods, mt := vm.NewTable(0, 4), vm.NewTable(0, 4), vm.NewTable(0, 4)
	mt.RawSetString("__index", methods)
	for name, fn := range map[string]func(c *Ctx, l *lua.LState, s *semaphore) int{
		"wait": semWait, "post": semPost,
		"count": func(_ *Ctx, l *lua.LState, s *semaphore) int { return ret(l, vm.Number(s.count-s.waiting())) },
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

// post adds n resources.
func (s *semaphore) post(n int) {
	s.count += n
	s.wake()
}

// wake wakes the waiters that there are resources for, in their order. They take them when they run: one that is killed
// before takes nothing.
func (s *semaphore) wake() {
	left := s.count
	for _, w := range s.waiters {
		switch {
		case left <= 0:
			return
		case w.thread.Doomed():
			continue
		case !w.woken:
			w.woken = true
			w.fiber.Ready()
		}
		left--
	}
}

// waiting is the number of threads that wait.
func (s *semaphore) waiting() (n int) {
	for _, w := range s.waiters {
		if !w.thread.Doomed() {
			n++
		}
	}
	return n
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
	if s.count > s.waiting() {
		s.count--
		return ret(l, lua.LTrue)
	}
	limit := inSeconds(d)
	if limit == 0 {
		return fail(l, "timeout")
	}
	w := &semWaiter{thread: vm.ThreadOf(l), fiber: c.Loop.Current()}
	s.waiters = append(s.waiters, w)
	returned := false
	defer func() {
		if s.forget(w); !returned {
			s.wake() // this one was killed: the next has what there was for it
		}
	}()
	c.wait(l, func() { w.fiber.ParkFor(limit) })
	returned = true
	if !w.woken {
		l.Push(lua.LFalse)
		l.Push(lua.LString(textTimeout))
		return 2
	}
	s.count--
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
