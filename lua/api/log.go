package api

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/lua/vm"
)

var logFuncs = []Func{
	{"log", anywhere, ngxLog},
}

// printFunc is the global function print.
var printFunc = Func{"print", anywhere, func(c *Ctx, l *lua.LState) int {
	c.logLine(l, log.Notice, 1)
	return 0
}}

// ngxLog is ngx.log(level, ...).
func ngxLog(c *Ctx, l *lua.LState) int {
	level := vm.CheckInt(l, 1)
	if !validLevel(level) {
		vm.ArgError(l, 1, "bad log level: "+strconv.Itoa(level))
	}
	c.logLine(l, log.Level(level), 2)
	return 0
}

// logLine logs the arguments from one on, with the place of the call (log_wrapper).
func (c *Ctx) logLine(l *lua.LState, level log.Level, first int) {
	if !c.entryLog().Enabled(level) || c.logged() && c.logs == nil {
		return
	}
	b := append(make([]byte, 0, 128), "[lua] "...)
	source, line, name := vm.Caller(l)
	b = append(b, source[strings.LastIndexByte(source, '/')+1:]...)
	b = strconv.AppendInt(append(b, ':'), int64(line), 10)
	b = append(b, ": "...)
	if name != "" {
		b = append(append(b, name...), "(): "...)
	}
	for i, n := first, l.GetTop(); i <= n; i++ {
		b = appendLogged(b, l, l.Get(i), i-first+1)
	}
	c.logText(level, string(b))
}

// logged tells that the master has logged what the code says: init_by_lua runs in each worker again.
func (c *Ctx) logged() bool { return c.Phase == Init && c.Cycle.Conf.Worker }

func (c *Ctx) logText(level log.Level, text string) {
	if c.logged() {
		c.entryLog().Capture(level, "%s", text)
		return
	}
	c.entryLog().Log(level, nil, "%s", text)
}

// appendLogged appends a value as ngx.log writes it.
func appendLogged(b []byte, l *lua.LState, v lua.LValue, arg int) []byte {
	if t, ok := v.(*lua.LTable); ok {
		s, ok := callToString(l, t)
		if !ok {
			vm.ArgError(l, arg, "expected table to have __tostring metamethod")
		}
		return append(b, s...)
	}
	if isNull(v) {
		return append(b, "null"...)
	}
	b, ok := appendScalar(b, v)
	if !ok {
		vm.ArgError(l, arg, "string, number, boolean, or nil expected, got "+vm.TypeName(v))
	}
	return b
}

// callToString is the text that a table's __tostring gives.
func callToString(l *lua.LState, t *lua.LTable) (string, bool) {
	mm := l.GetMetaField(t, "__tostring")
	if mm == lua.LNil {
		return "", false
	}
	l.Push(mm)
	l.Push(t)
	vm.Call(l, 1, 1)
	v := l.Get(-1)
	l.Pop(1)
	s, ok := vm.ToString(v)
	return s, ok
}
