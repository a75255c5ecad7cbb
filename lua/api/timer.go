package api

import (
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/lua/vm"
)

// timerPhases are those in which timers can be made.
const timerPhases = requests | handshakes | Timer | InitWorker

var timerFuncs = []Func{
	{"timer.at", timerPhases, func(c *Ctx, l *lua.LState) int { return c.newTimer(l, false) }},
	{"timer.every", timerPhases, func(c *Ctx, l *lua.LState) int { return c.newTimer(l, true) }},
	{"timer.running_count", timerPhases | ExitWorker, func(c *Ctx, l *lua.LState) int { return ret(l, vm.Number(c.timers.running)) }},
	{"timer.pending_count", timerPhases | ExitWorker, func(c *Ctx, l *lua.LState) int { return ret(l, vm.Number(len(c.timers.pending))) }},
}

// timers are the timers of a worker.
type timers struct {
	pending map[*luaTimer]struct{}
	running int64
}

// luaTimer is a function that runs when its time has come, once or again and again.
type luaTimer struct {
	e      *Engine
	v      *vm.VM
	fn     *lua.LFunction
	args   []lua.LValue
	delay  time.Duration
	every  bool
	timer  *event.Timer
	holds  bool        // made while the worker exits, which waits for it
	scope  *conf.Scope // of who made it
	peer   string
	server string
	serial uint64
	logger *log.Logger
}

// newTimer is ngx.timer.at(delay, f, …) and ngx.timer.every.
func (c *Ctx) newTimer(l *lua.LState, every bool) int {
	n := l.GetTop()
	if n < 2 {
		vm.Errorf(l, "expecting at least 2 arguments but got %d", n)
	}
	delay := inSeconds(vm.CheckNumber(l, 1))
	if every && delay == 0 {
		vm.Errorf(l, "delay cannot be zero")
	}
	fn, ok := l.Get(2).(*lua.LFunction)
	if !ok || fn.IsG {
		vm.ArgError(l, 2, "Lua function expected")
	}
	exiting := c.Worker != nil && c.Worker.Exiting()
	if exiting && delay > 0 {
		return fail(l, "process exiting")
	}
	e := c.Engine
	if int64(len(e.timers.pending)) >= e.Main.MaxPendingTimers.V {
		return fail(l, "too many pending timers")
	}
	t := &luaTimer{e: e, v: c.VM, fn: fn, delay: delay, every: every, scope: c.scope(), peer: c.peer}
	for i := 3; i <= n; i++ {
		t.args = append(t.args, l.Get(i))
	}
	switch {
	case c.R != nil:
		t.peer = string([]byte(c.R.Conn.Peer.Text))
		t.server = c.R.Conn.Addr.Text()
		t.logger = c.R.Log.Logger()
	case c.handshake != nil:
		t.server, t.logger = c.handshake.conn.Addr.Text(), c.log.Logger()
	case c.timer != nil:
		t.server, t.logger = c.timer.server, c.timer.logger
	}
	e.ref(t.v)
	t.arm()
	return done(l)
}

func (t *luaTimer) arm() {
	e := t.e
	if e.timers.pending == nil {
		e.timers.pending = make(map[*luaTimer]struct{})
	}
	e.timers.pending[t] = struct{}{}
	t.timer = event.NewTimer(func() { t.fire(false) })
	e.Loop.SetTimer(t.timer, t.delay)
	if t.holds = e.Worker.Exiting(); t.holds {
		e.Worker.Ignore(-1)
	}
}

// fire runs the timer's function in a fiber of its own.
func (t *luaTimer) fire(premature bool) {
	e := t.e
	delete(e.timers.pending, t)
	if t.holds {
		t.holds = false
		e.Worker.Ignore(1)
	}
	e.Cycle.Log().Log(log.DebugHTTP, nil, "lua ngx.timer expired")
	e.Loop.DelTimer(t.timer)
	if !premature && e.timers.running >= e.Main.MaxRunningTimers.V {
		e.Cycle.Log().Log(log.Alert, nil, "lua failed to run timer with function defined at %s:%d: %d lua_max_running_timers are not enough",
			t.source(), t.fn.Proto.LineDefined, e.Main.MaxRunningTimers.V)
		e.unref(t.v, t.entry())
		return
	}
	if t.every && !premature {
		e.ref(t.v)
		t.arm()
	}
	e.timers.running++
	e.Loop.Go(func() { t.run(premature) })
}

// source is the chunk that defines the function, as debug.getinfo has it.
func (t *luaTimer) source() string {
	name := t.fn.Proto.SourceName
	if strings.HasPrefix(name, "/") {
		return "@" + name
	}
	return "=" + name
}

func (t *luaTimer) run(premature bool) {
	e := t.e
	t.serial = uint64(e.Loop.Stats().Serial.Add(1)) // of nginx's fake connection
	c := e.newCtx()
	c.Phase, c.VM, c.timer, c.peer, c.log = Timer, t.v, t, t.peer, t.entry()
	th := c.takeThread()
	c.entry, c.fiber = th, e.Loop.Current()
	th.L.Push(t.fn)
	th.L.Push(lua.LBool(premature))
	for _, a := range t.args {
		th.L.Push(a)
	}
	err, gone := th.CallExit(len(t.args)+1, 0)
	if err != nil {
		c.logAborted("entry", err)
		gone = true
	}
	c.drain(th, gone)
	e.timers.running--
	c.log.Log(log.DebugHTTP, nil, "http lua close fake http connection")
	c.put()
}

// entry is the log of the timer.
func (t *luaTimer) entry() log.Entry {
	l := t.logger
	if l == nil {
		l = t.e.Cycle.Log()
	}
	return l.With(t, t.serial)
}

// AppendLog implements log.Context.
func (t *luaTimer) AppendLog(b []byte) []byte {
	b = append(b, ", context: ngx.timer"...)
	if t.peer != "" {
		b = append(append(b, ", client: "...), t.peer...)
	}
	if t.server != "" {
		b = append(append(b, ", server: "...), t.server...)
	}
	return b
}

// Quit has the pending timers run before their time, as the worker begins to exit.
func (e *Engine) Quit() {
	if n := len(e.timers.pending); n > 0 {
		e.Cycle.Log().Log(log.DebugHTTP, nil, "lua abort pending timers")
		e.Cycle.Log().Log(log.DebugHTTP, nil, "lua found %d pending timers", n)
	}
	for t := range e.timers.pending {
		t.fire(true)
	}
}
