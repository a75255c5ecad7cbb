package vm

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/strftime"
)

func (v *VM) openOS() {
	v.library("os", map[string]lua.LGFunction{
		"clock": osClock, "time": osTime, "date": osDate, "difftime": osDiffTime, "getenv": osGetenv,
		"remove": osRemove, "rename": osRename, "tmpname": osTmpName, "exit": osExit, "execute": osExecute,
		"setlocale": osSetLocale,
	})
}

// osClock is the processor time of the process in seconds.
func osClock(l *lua.LState) int {
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		l.Push(Number(-1))
		return 1
	}
	l.Push(Number(time.Duration(ru.Utime.Nano() + ru.Stime.Nano()).Seconds()))
	return 1
}

// timeField reads a field of the table of os.time; def < 0 means it must be there.
func timeField(l *lua.LState, t *lua.LTable, key string, def int) int {
	n, ok := ToNumber(l.GetField(t, key))
	if ok {
		return ToInt(n)
	}
	if def < 0 {
		Errorf(l, "field '%s' missing in date table", key)
	}
	return def
}

func osTime(l *lua.LState) int {
	if l.Get(1) == lua.LNil {
		l.Push(Number(time.Now().Unix()))
		return 1
	}
	t := CheckTable(l, 1)
	sec, mins, hour := timeField(l, t, "sec", 0), timeField(l, t, "min", 0), timeField(l, t, "hour", 12)
	day, month, year := timeField(l, t, "day", -1), timeField(l, t, "month", -1), timeField(l, t, "year", -1)
	when := time.Date(year, time.Month(month), day, hour, mins, sec, 0, time.Local)
	if dst, ok := l.GetField(t, "isdst").(lua.LBool); ok && bool(dst) != when.IsDST() {
		if dst {
			when = when.Add(-time.Hour)
		} else {
			when = when.Add(time.Hour)
		}
	}
	l.Push(Number(when.Unix()))
	return 1
}

func osDate(l *lua.LState) int {
	format := OptString(l, 1, "%c")
	when := time.Now()
	if l.Get(2) != lua.LNil {
		when = time.Unix(int64(CheckNumber(l, 2)), 0)
	}
	when = when.Local()
	if f, ok := strings.CutPrefix(format, "!"); ok {
		format, when = f, when.UTC()
	}
	if !strings.HasPrefix(format, "*t") {
		l.Push(lua.LString(strftime.Append(nil, format, when)))
		return 1
	}
	t := NewTable(0, 9)
	for key, n := range map[string]int{
		"sec": when.Second(), "min": when.Minute(), "hour": when.Hour(), "day": when.Day(), "month": int(when.Month()),
		"year": when.Year(), "wday": int(when.Weekday()) + 1, "yday": when.YearDay(),
	} {
		t.RawSetString(key, lua.LNumber(n))
	}
	t.RawSetString("isdst", lua.LBool(when.IsDST()))
	l.Push(t)
	return 1
}

func osDiffTime(l *lua.LState) int {
	l.Push(Number(CheckNumber(l, 1) - OptNumber(l, 2, 0)))
	return 1
}

func osGetenv(l *lua.LState) int {
	if s, ok := os.LookupEnv(CheckString(l, 1)); ok {
		l.Push(lua.LString(s))
	} else {
		l.Push(lua.LNil)
	}
	return 1
}

// pushResult pushes true, or nil, a message and the error number, as most functions of os and io return.
func pushResult(l *lua.LState, err error, name string) int {
	if err == nil {
		l.Push(lua.LTrue)
		return 1
	}
	msg := errnoText(err)
	if name != "" {
		msg = name + ": " + msg
	}
	l.Push(lua.LNil)
	l.Push(lua.LString(msg))
	l.Push(Number(errnoOf(err)))
	return 3
}

func osRemove(l *lua.LState) int {
	name := CheckString(l, 1)
	return pushResult(l, os.Remove(name), name)
}

func osRename(l *lua.LState) int {
	name := CheckString(l, 1)
	return pushResult(l, os.Rename(name, CheckString(l, 2)), name)
}

func osTmpName(l *lua.LState) int {
	f, err := os.CreateTemp("", "lua_")
	if err != nil {
		Errorf(l, "unable to generate a unique filename")
	}
	f.Close()
	l.Push(lua.LString(f.Name()))
	return 1
}

// osExit is os.exit: the whole worker ends, as in LuaJIT.
func osExit(l *lua.LState) int {
	code := 0
	switch c := l.Get(1).(type) {
	case lua.LBool:
		if !c {
			code = 1
		}
	case *lua.LNilType:
	default:
		code = CheckInt(l, 1)
	}
	os.Exit(code)
	return 0
}

// osExecute runs a command and waits for it: the worker stands still, as in LuaJIT.
func osExecute(l *lua.LState) int {
	if l.Get(1) == lua.LNil {
		l.Push(lua.LTrue)
		return 1
	}
	cmd := exec.Command("/bin/sh", "-c", CheckString(l, 1))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		return pushResult(l, err, "")
	}
	return pushExit(l, cmd.ProcessState)
}

// pushExit is how Lua 5.2 says that a command has ended: true or nil, "exit" or "signal", and which.
func pushExit(l *lua.LState, state *os.ProcessState) int {
	what, code := "exit", state.ExitCode()
	if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		what, code = "signal", int(ws.Signal())
	}
	if code == 0 {
		l.Push(lua.LTrue)
	} else {
		l.Push(lua.LNil)
	}
	l.Push(lua.LString(what))
	l.Push(Number(code))
	return 3
}

// osSetLocale knows the C locale only.
func osSetLocale(l *lua.LState) int {
	switch OptString(l, 1, "C") {
	case "", "C", "POSIX":
		l.Push(lua.LString("C"))
	default:
		l.Push(lua.LNil)
	}
	return 1
}
