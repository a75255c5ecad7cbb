package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/lua/vm"
)

var threadFuncs = []Func{
	{"thread.spawn", yieldable, threadSpawn},
	{"thread.wait", yieldable, threadWait},
	{"thread.kill", yieldable, threadKill},
	{"on_abort", requests &^ proxyHandshakes, ngxOnAbort},
}

// lightThread is a light thread from its spawning to the moment when its parent has seen its end.
type lightThread struct {
	t      *vm.Thread
	parent *vm.Thread
	over   bool // it has ended, and nobody has waited for it
	gone   bool // it was waited for or killed
	waiter *event.Fiber
	subs   int // subrequests that it waits for
}

// threadSpawn is ngx.thread.spawn(f, …): the new thread runs until it waits, and then its parent goes on.
func threadSpawn(c *Ctx, l *lua.LState) int {
	fn, ok := l.Get(1).(*lua.LFunction)
	if !ok {
		vm.ArgError(l, 1, "Lua function expected")
	}
	args := make([]lua.LValue, 0, l.GetTop())
	for i, n := 2, l.GetTop(); i <= n; i++ {
		args = append(args, l.Get(i))
	}
	c.spawn(vm.ThreadOf(l), fn, args)
	return 1
}

// spawn starts a light thread and pushes it onto its parent's stack.
func (c *Ctx) spawn(parent *vm.Thread, fn *lua.LFunction, args []lua.LValue) {
	lt := &lightThread{parent: parent}
	lt.t = parent.Spawn(fn, args, func(*vm.Thread) { c.threadEnded(lt) })
	lt.t.Yield = yieldMain
	if c.lights == nil {
		c.lights = make(map[*vm.Thread]*lightThread)
	}
	c.lights[lt.t] = lt
	c.threads++
	parent.L.Push(lt.t.L)
	c.Loop.YieldPosted()
}

// threadEnded takes note of the end of a light thread.
func (c *Ctx) threadEnded(lt *lightThread) {
	if c.leaving() {
		return
	}
	c.threads--
	lt.over = true
	if _, err := lt.t.Results(); err != nil {
		c.logAborted("user", err)
	}
	switch {
	case lt.waiter != nil:
		lt.waiter.ReadyNext()
	case lt.parent.Status() == vm.Dead:
		delete(c.lights, lt.t)
	}
	if c.threads == 0 && c.idle {
		c.fiber.Ready()
	}
}

// lightOf is the light thread given as argument n.
func (c *Ctx) lightOf(l *lua.LState, n int) *lightThread {
	co, ok := l.Get(n).(*lua.LState)
	if !ok {
		vm.ArgError(l, n, "lua thread expected")
	}
	t := vm.ThreadOf(co)
	lt := c.lights[t]
	if lt == nil && t.IsLight() {
		lt = &lightThread{t: t, parent: t.Parent(), gone: true}
	}
	return lt
}

// threadWait is ngx.thread.wait(thread, …): it returns for the first of the threads that has ended.
func threadWait(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n == 0 {
		vm.Errorf(l, "at least one coroutine should be specified")
	}
	me := vm.ThreadOf(l)
	list := make([]*lightThread, n)
	for i := range list {
		lt := c.lightOf(l, i+1)
		switch {
		case lt == nil:
			vm.Errorf(l, "attempt to wait on a coroutine that is not a user thread")
		case lt.parent != me:
			vm.Errorf(l, "only the parent coroutine can wait on the thread")
		case lt.gone:
			return fail(l, "already waited or killed")
		case lt.over:
			return c.collect(l, lt)
		}
		list[i] = lt
	}
	for {
		f := c.Loop.Current()
		c.awaitThreads(l, f, list)
		for _, lt := range list {
			if lt.over {
				return c.collect(l, lt)
			}
		}
	}
}

// awaitThreads parks the fiber until one of the threads has ended. They forget it even if it is killed meanwhile: it may
// soon run something else.
func (c *Ctx) awaitThreads(l *lua.LState, f *event.Fiber, list []*lightThread) {
	for _, lt := range list {
		lt.waiter = f
	}
	defer func() {
		for _, lt := range list {
			lt.waiter = nil
		}
	}()
	c.wait(l, func() { f.Park() })
}

// collect returns what a light thread returned: true and its values, or false and the error. OpenResty hands over
// all that is on its stack then: the arguments of the function error lie below the message.
func (c *Ctx) collect(l *lua.LState, lt *lightThread) int {
	lt.gone = true
	delete(c.lights, lt.t)
	values, err := lt.t.Results()
	if err != nil {
		values = append(err.Args, err.Value)
	}
	l.Push(lua.LBool(err == nil))
	for _, v := range values {
		l.Push(v)
	}
	return len(values) + 1
}

// threadKill is ngx.thread.kill(thread).
func threadKill(c *Ctx, l *lua.LState) int {
	lt := c.lightOf(l, 1)
	switch {
	case lt == nil:
		return fail(l, "not user thread")
	case lt.parent != vm.ThreadOf(l):
		return fail(l, "killer not parent")
	case lt.gone:
		return fail(l, "already waited or killed")
	case lt.over:
		lt.gone = true
		delete(c.lights, lt.t)
		return fail(l, "already terminated")
	case lt.subs > 0:
		return fail(l, "pending subrequests")
	}
	lt.gone = true
	delete(c.lights, lt.t)
	lt.t.Kill()
	c.threads--
	return done(l)
}

// coroutinePhases are those that know coroutines: OpenResty's own where code may wait, Lua's in the others.
const coroutinePhases = yieldable | Init | HeaderFilter | BodyFilter

// openThreads gives the coroutine library OpenResty's names, which are those of Lua 5.1 and the same with one or two
// underscores for Lua's own and OpenResty's functions, here the same ones, and OpenResty's words: coroutine.status tells light threads that have ended from
// those whose end was seen, coroutine.resume says the state of what it cannot resume.
func openThreads(v *vm.VM) {
	t, _ := v.Globals().RawGetString("coroutine").(*lua.LTable)
	plain, _ := t.RawGetString("status").(*lua.LFunction)
	t.RawSetString("status", v.L.NewFunction(func(l *lua.LState) int {
		if co, ok := l.Get(1).(*lua.LState); ok {
			t := vm.ThreadOf(co)
			if lt := ctxOf(l).lights[t]; lt != nil && lt.over {
				return retString(l, "zombie")
			} else if t.Killed() {
				return retString(l, "dead")
			}
		}
		return plain.GFunction(l)
	}))
	resume, _ := t.RawGetString("resume").(*lua.LFunction)
	t.RawSetString("resume", v.L.NewFunction(func(l *lua.LState) int {
		if co, ok := l.Get(1).(*lua.LState); ok && ctxOf(l).Phase&yieldable != 0 {
			if s := vm.ThreadOf(co).Status(); s == vm.Running || s == vm.Normal {
				l.Push(lua.LFalse)
				l.Push(lua.LString("cannot resume " + string(s) + " coroutine"))
				return 2
			}
		}
		return resume.GFunction(l)
	}))
	for _, name := range []string{"create", "resume", "status", "wrap", "yield"} {
		f := t.RawGetString(name).(*lua.LFunction)
		t.RawSetString("_"+name, f)
		t.RawSetString("__"+name, f)
		t.RawSetString(name, v.L.NewFunction(func(l *lua.LState) int {
			if c := ctxOf(l); c.Phase&coroutinePhases == 0 {
				disabled(c, l, coroutinePhases)
			}
			return f.GFunction(l)
		}))
	}
	t.RawSetString("isyieldable", lua.LNil)
}

// ngxOnAbort is ngx.on_abort(f): f runs when the client closes the connection too early.
func ngxOnAbort(c *Ctx, l *lua.LState) int {
	fn := vm.CheckFunction(l, 1)
	if c.onAbort != nil {
		return fail(l, "duplicate call")
	}
	if !c.loc().CheckClientAbort.V {
		return fail(l, "lua_check_client_abort is off")
	}
	c.onAbort = fn
	return done(l)
}

// watchClient has the code of the request end, or its on_abort function run, when the client goes away.
func (c *Ctx) watchClient() (stop func()) {
	r := c.R
	if !r.IsMain() || !c.loc().CheckClientAbort.V {
		return nil
	}
	entry := c.entry
	gone := func() {
		if c.entry == entry {
			c.clientGone()
		}
	}
	r.HandleClose(func() {
		if c.Loop.Current() != nil {
			c.Loop.Go(gone) // known already: the code runs until it waits
		} else {
			gone()
		}
	})
	return func() { r.HandleClose(nil) }
}

// clientGone runs on the loop when the client has closed its connection. Who reads from it finds out alone.
func (c *Ctx) clientGone() {
	if c.entry == nil || c.leaving() || c.readingBody || c.downstream > 0 {
		return
	}
	c.Logf(log.Info, "client prematurely closed connection")
	if fn := c.onAbort; fn != nil {
		c.onAbort = nil
		c.aborting = true
		parent := c.entry
		c.Loop.Go(func() {
			if c.entry == parent && !c.leaving() {
				c.runOnAbort(parent, fn)
			}
		})
		return
	}
	c.exited, c.exitCode = true, statusClientClosed
	c.entry.Abandon()
	switch {
	case c.idle:
		c.fiber.Ready()
	case c.waiting:
		c.fiber.Cancel(errLeave)
	}
}

// statusClientClosed is the status of a request whose client went away.
const statusClientClosed = 499

// runOnAbort runs the on_abort function as a light thread of the request.
func (c *Ctx) runOnAbort(parent *vm.Thread, fn *lua.LFunction) {
	lt := &lightThread{parent: parent}
	lt.t = parent.Spawn(fn, nil, func(*vm.Thread) { c.threadEnded(lt) })
	lt.t.Yield = yieldMain
	c.threads++
}
