package lib

import (
	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/log"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// openSignal makes resty.signal: kill(pid, signal) and signum(name).
func openSignal(l *lua.LState) int {
	l.Push(native.Module(l, "0.04", map[string]lua.LGFunction{"kill": signalKill, "signum": signalNumber}))
	return 1
}

// signalOf is the number of the signal at argument n: a number, or a name without SIG; "NONE" is 0.
func signalOf(l *lua.LState, n int) (unix.Signal, bool) {
	switch v := l.Get(n).(type) {
	case lua.LNumber:
		return unix.Signal(v), true
	case lua.LString:
		if v == "NONE" {
			return 0, true
		}
		s := unix.SignalNum("SIG" + string(v))
		return s, s != 0
	}
	return 0, false
}

const unknownSignal = "unknown signal name"

func signalNumber(l *lua.LState) int {
	s, ok := signalOf(l, 1)
	if !ok {
		return native.Fail(l, unknownSignal)
	}
	l.Push(vm.Number(s))
	return 1
}

// signalKill is kill(pid, signal). As in C a pid of 0 is this process group, and a negative one another.
func signalKill(l *lua.LState) int {
	if !lua.LVAsBool(l.Get(2)) {
		vm.Errorf(l, "assertion failed!")
	}
	s, ok := signalOf(l, 2)
	if !ok {
		return native.Fail(l, unknownSignal)
	}
	pid := vm.CheckInt(l, 1)
	if err := unix.Kill(pid, s); err != nil {
		return native.Fail(l, log.Strerror(err.(unix.Errno)))
	}
	l.Push(lua.LTrue)
	return 1
}
