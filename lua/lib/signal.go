package lib

import (
	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/lua/vm"
)

// openSignal makes resty.signal: kill(pid, signal) and signum(name).
func openSignal(l *lua.LState) int {
	l.Push(module(l, "0.04", map[string]lua.LGFunction{"kill": signalKill, "signum": signalNumber}))
	return 1
}

// signalOf is the number of the signal at argument n: "NONE" is 0, "TERM" and "SIGTERM" are the same.
func signalOf(l *lua.LState, n int) (unix.Signal, bool) {
	switch v := l.Get(n).(type) {
	case lua.LNumber:
		return unix.Signal(v), true
	case lua.LString:
		if v == "NONE" {
			return 0, true
		}
		name := string(v)
		if len(name) < 3 || name[:3] != "SIG" {
			name = "SIG" + name
		}
		s := unix.SignalNum(name)
		return s, s != 0
	}
	return 0, false
}

func signalNumber(l *lua.LState) int {
	s, ok := signalOf(l, 1)
	if !ok {
		return failure(l, "unknown signal name: "+l.Get(1).String())
	}
	l.Push(lua.LNumber(s))
	return 1
}

func signalKill(l *lua.LState) int {
	pid, ok := vm.ToNumber(l.Get(1))
	if !ok || pid < 0 {
		return failure(l, "invalid pid")
	}
	s, ok := signalOf(l, 2)
	if !ok {
		return failure(l, "unknown signal name: "+l.Get(2).String())
	}
	if err := unix.Kill(int(pid), s); err != nil {
		return failure(l, log.Strerror(err.(unix.Errno)))
	}
	l.Push(lua.LTrue)
	return 1
}
