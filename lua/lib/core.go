package lib

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// coreVersion is the version of lua-resty-core stood for.
const coreVersion = "0.1.32"

// coreParts are the parts of resty.core, which bring their functions into the ngx table: here they are there already.
// Those with functions of their own are in the map of the function below.
var coreParts = []string{
	"base64", "coroutine", "ctx", "exit", "hash", "misc", "ndk", "param", "phase", "regex", "request", "response",
	"shdict", "socket", "time", "uri", "utils", "var", "worker",
}

// coreFuncs are the functions that applications call in parts of resty.core.
var coreFuncs = map[string]map[string]lua.LGFunction{
	"regex": {
		"set_buf_grow_ratio":   func(*lua.LState) int { return 0 },
		"is_regex_cache_empty": func(l *lua.LState) int { l.Push(lua.LTrue); return 1 },
	},
	"utils": {"str_replace_char": replaceChar},
	"time": {
		"monotonic_msec": func(l *lua.LState) int { l.Push(vm.Number(monotonic() / time.Millisecond)); return 1 },
		"monotonic_time": func(l *lua.LState) int { l.Push(vm.Number(monotonic().Seconds())); return 1 },
	},
}

// preloadCore has resty.core loaded from the start, as lua-nginx-module does for every VM. What it replaces in OpenResty
// is native here.
func preloadCore(v *vm.VM) {
	core := vm.NewTable(0, 1)
	core.RawSetString("version", lua.LString(coreVersion))
	v.Loaded().RawSetString("resty.core", core)
	v.Preload("resty.core", func(l *lua.LState) int { l.Push(core); return 1 }, true)
}

// openCore makes a part of resty.core.
func openCore(part string) lua.LGFunction {
	return func(l *lua.LState) int {
		t := native.Module(l, coreVersion, coreFuncs[part])
		t.RawSetString("version", lua.LString(coreVersion))
		t.RawSetString("no_pcre", lua.LFalse)
		l.Push(t)
		return 1
	}
}

func monotonic() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // every Linux has this clock
	return time.Duration(ts.Nano())
}

// replaceChar is str_replace_char(s, from, to), for single bytes.
func replaceChar(l *lua.LState) int {
	s, from, to := vm.CheckString(l, 1), vm.CheckString(l, 2), vm.CheckString(l, 3)
	if len(from) == 1 && len(to) == 1 {
		s = strings.ReplaceAll(s, from, to)
	}
	l.Push(lua.LString(s))
	return 1
}
