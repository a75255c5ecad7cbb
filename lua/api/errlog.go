package api

import (
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/lua/vm"
)

// errlogFuncs is the module ngx.errlog.
var errlogFuncs = []Func{
	{"set_filter_level", anywhere, setFilterLevel},
	{"get_logs", anywhere, getLogs},
	{"get_sys_filter_level", anywhere, func(c *Ctx, l *lua.LState) int {
		level := c.entryLog().Level()
		if level >= log.DebugAll {
			level = log.Debug
		}
		return ret(l, vm.Number(level))
	}},
	{"raw_log", anywhere, rawLog},
}

const noCapture = `directive "lua_capture_error_log" is not set`

// CaptureLog has what this process logs from now on kept for ngx.errlog, as lua_capture_error_log asks, or not.
func (e *Engine) CaptureLog(on bool) {
	env, size := e.Cycle.Log().Env(), e.Main.CaptureErrorLog.V
	env.Intercept = nil
	if !on || size == 0 {
		return
	}
	if e.logs == nil {
		e.logs = newLogRing(size, &env.Clock)
	}
	env.Intercept = e.logs.add
}

// validLevel tells the levels that messages have.
func validLevel(level int) bool { return level >= int(log.Stderr) && level <= int(log.Debug) }

// setFilterLevel is set_filter_level(level): what is less severe is not captured.
func setFilterLevel(c *Ctx, l *lua.LState) int {
	if !lua.LVAsBool(l.Get(1)) {
		return fail(l, `missing "level" argument`)
	}
	level := vm.CheckInt(l, 1)
	switch {
	case c.logs == nil:
		return fail(l, noCapture)
	case !validLevel(level):
		return fail(l, "bad log level: "+strconv.Itoa(level))
	}
	c.logs.setFilter(log.Level(level))
	return ret(l, lua.LTrue)
}

// defaultLogs is how many lines get_logs returns that is not told.
const defaultLogs = 10

// getLogs is get_logs(max?, result?): it takes the oldest lines, and returns level, time and text of each.
func getLogs(c *Ctx, l *lua.LState) int {
	most := defaultLogs
	if lua.LVAsBool(l.Get(1)) {
		most = vm.CheckInt(l, 1)
	}
	if c.logs == nil {
		return fail(l, noCapture)
	}
	t, ok := l.Get(2).(*lua.LTable)
	if !ok {
		t = vm.NewTable(0, 4)
	}
	n := 0
	for i := 0; i < most; i++ {
		level, at, line, ok := c.logs.next()
		if !ok {
			break
		}
		t.RawSetInt(n+1, lua.LNumber(level))
		t.RawSetInt(n+2, lua.LNumber(at))
		t.RawSetInt(n+3, lua.LString(line))
		n += 3
	}
	if most > 0 {
		t.RawSetInt(n+1, lua.LNil)
	}
	return ret(l, t)
}

// rawLog is raw_log(level, message), which is logged as it is.
func rawLog(c *Ctx, l *lua.LState) int {
	level, ok := l.Get(1).(lua.LNumber)
	if !ok {
		vm.Errorf(l, "bad argument #1 to 'raw_log' (must be a number)")
	}
	msg, ok := l.Get(2).(lua.LString)
	switch {
	case !ok:
		vm.Errorf(l, "bad argument #2 to 'raw_log' (must be a string)")
	case !validLevel(int(level)):
		vm.Errorf(l, "bad log level")
	}
	c.logText(log.Level(level), string(msg))
	return 0
}
