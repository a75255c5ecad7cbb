package api

import (
	"math"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/http/wire"
	"moongate/lua/vm"
)

var timeFuncs = []Func{
	{"time", anywhere, func(c *Ctx, l *lua.LState) int { return ret(l, vm.Number(c.now().Unix())) }},
	{"now", anywhere, func(c *Ctx, l *lua.LState) int { return ret(l, vm.Number(float64(c.now().UnixMilli())/1000)) }},
	{"update_time", anywhere, ngxUpdateTime},
	{"today", anywhere, func(c *Ctx, l *lua.LState) int { return retTime(l, c.now().Local(), time.DateOnly) }},
	{"localtime", anywhere, func(c *Ctx, l *lua.LState) int { return retTime(l, c.now().Local(), time.DateTime) }},
	{"utctime", anywhere, func(c *Ctx, l *lua.LState) int { return retTime(l, c.now().UTC(), time.DateTime) }},
	{"http_time", anywhere, func(_ *Ctx, l *lua.LState) int {
		return retString(l, string(wire.AppendDate(nil, seconds(l))))
	}},
	{"cookie_time", anywhere, func(_ *Ctx, l *lua.LState) int {
		return retString(l, string(wire.AppendCookieDate(nil, seconds(l))))
	}},
	{"parse_http_time", anywhere, ngxParseHTTPTime},
	{"sleep", yieldable, ngxSleep},
}

// now is the time of the last look at the clock.
func (e *Engine) now() time.Time {
	if e.Loop == nil {
		return time.Now()
	}
	return e.Loop.Now()
}

func ngxUpdateTime(c *Ctx, _ *lua.LState) int {
	if c.Loop != nil {
		c.Loop.UpdateTime()
	}
	return 0
}

func retTime(l *lua.LState, t time.Time, layout string) int { return retString(l, t.Format(layout)) }

// maxSeconds is the last second of the year 9999.
const maxSeconds = 253402300799

func seconds(l *lua.LState) int64 {
	n, ok := l.Get(1).(lua.LNumber)
	if !ok {
		vm.Errorf(l, "number argument only")
	}
	return int64(max(min(float64(n), maxSeconds), 0))
}

func ngxParseHTTPTime(_ *Ctx, l *lua.LState) int {
	s, ok := l.Get(1).(lua.LString)
	if !ok {
		vm.Errorf(l, "string argument only")
	}
	t, ok := wire.ParseDate(buf.Bytes(string(s)))
	if !ok {
		return ret(l, lua.LNil)
	}
	return ret(l, vm.Number(t))
}

// inMsec is a time given in milliseconds, of which a fraction is dropped. What is
// beyond the range of time.Duration, some three centuries, is the longest there is;
// what is no number is none.
func inMsec(n float64) time.Duration {
	const most = math.MaxInt64 / int64(time.Millisecond)
	switch {
	case n != n:
		return 0
	case n >= float64(most):
		return time.Duration(most) * time.Millisecond
	case n <= -float64(most):
		return -time.Duration(most) * time.Millisecond
	}
	return time.Duration(n) * time.Millisecond
}

// inSeconds is a time given in seconds, in whole milliseconds.
func inSeconds(n float64) time.Duration { return inMsec(n * 1000) }

// ngxSleep is ngx.sleep(seconds).
func ngxSleep(c *Ctx, l *lua.LState) int {
	if n := l.GetTop(); n != 1 {
		vm.Errorf(l, "attempt to pass %d arguments, but accepted 1", n)
	}
	d := inSeconds(vm.CheckNumber(l, 1))
	msec := d.Milliseconds()
	if msec < 0 {
		vm.Errorf(l, `invalid sleep duration "%d"`, msec)
	}
	if !c.debugging() {
		c.Sleep(l, d)
		return 0
	}
	c.debugf("lua ready to sleep for %d ms", msec)
	over := false
	defer func() {
		if !over {
			c.debugf("lua clean up the timer for pending ngx.sleep")
		}
	}()
	c.Sleep(l, d)
	if over = true; c.R != nil {
		c.debugf(`lua sleep timer expired: "%s?%s"`, c.R.URI, c.R.Args)
	}
	return 0
}

// Sleep has the running thread wait.
func (c *Ctx) Sleep(l *lua.LState, d time.Duration) {
	c.wait(l, func() { _ = c.Loop.Sleep(d) })
}

// wait runs f, which parks the current fiber. When the thread is not wanted any more, by ngx.exit or because it was
// killed, the wait is cut short and the thread unwinds.
func (c *Ctx) wait(l *lua.LState, f func()) {
	main := c.Loop.Current() == c.fiber
	if main {
		c.waiting = true
	}
	f()
	if main {
		c.waiting = false
	}
	t := vm.ThreadOf(l)
	t.Check()
	if fiber := c.Loop.Current(); fiber.Err() != nil {
		t.Exit() // the client is gone, or the worker ends
	}
}
