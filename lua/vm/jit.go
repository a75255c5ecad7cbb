package vm

import (
	"os"
	"runtime"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Version of LuaJIT that jit.version shows: programs compare jit.version_num.
const (
	jitVersion    = "LuaJIT 2.1.1734355927"
	jitVersionNum = 20199
)

// jitArch is LuaJIT's name of the processor.
func jitArch() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

// openJIT opens jit, whose compiler is always off, and the modules ffi and jit.*, of which those that watch the compiler
// (an installation has them in Lua, over jit.util) have nothing to say.
func (v *VM) openJIT() {
	nothing := func(*lua.LState) int { return 0 }
	t := v.library("jit", map[string]lua.LGFunction{
		"on": nothing, "off": nothing, "flush": nothing, "attach": nothing,
		"status": func(l *lua.LState) int {
			l.Push(lua.LFalse)
			return 1
		},
		"security": func(l *lua.LState) int {
			l.Push(Number(0))
			return 1
		},
	})
	t.RawSetString("version", lua.LString(jitVersion))
	t.RawSetString("version_num", lua.LNumber(jitVersionNum))
	t.RawSetString("os", lua.LString("Linux"))
	t.RawSetString("arch", lua.LString(jitArch()))
	opt := NewTable(0, 4)
	v.register(opt, map[string]lua.LGFunction{"start": nothing})
	t.RawSetString("opt", opt)
	v.loaded.RawSetString("jit.opt", opt)
	v.Preload("jit.opt", func(l *lua.LState) int { l.Push(opt); return 1 }, true)
	v.Preload("jit.util", func(l *lua.LState) int { l.Push(NewTable(0, 4)); return 1 }, true)
	for module, functions := range map[string][]string{
		"jit.v": {"on", "off", "start"}, "jit.dump": {"on", "off", "start"}, "jit.p": {"start", "stop"}, "jit.profile": {"start", "stop"},
	} {
		v.Preload(module, func(l *lua.LState) int {
			m := NewTable(0, len(functions))
			for _, name := range functions {
				m.RawSetString(name, l.NewFunction(nothing))
			}
			l.Push(m)
			return 1
		}, true)
	}
	v.Preload("ffi", v.openFFI, true)
}

// argvDeclaration declares nginx's own variable, through which scripts find the path of the binary that runs them.
const argvDeclaration = "char **ngx_argv;"

// openFFI makes the module ffi. There are no C calls and no cdata: the module can be required and asked about the
// platform and for nginx's argument vector (ffi.string(ffi.C.ngx_argv[0])), everything else raises an error that says so.
func (v *VM) openFFI(l *lua.LState) int {
	t := NewTable(0, 4)
	t.RawSetString("os", lua.LString("Linux"))
	t.RawSetString("arch", lua.LString(jitArch()))
	v.register(t, map[string]lua.LGFunction{
		"abi": func(l *lua.LState) int {
			switch CheckString(l, 1) {
			case "64bit", "le", "fpu", "hardfp", "gc64":
				l.Push(lua.LTrue)
			default:
				l.Push(lua.LFalse)
			}
			return 1
		},
		"cdef": func(l *lua.LState) int {
			if strings.Join(strings.Fields(CheckString(l, 1)), " ") != argvDeclaration {
				noFFI(l, "cdef")
			}
			return 0
		},
		"string": func(l *lua.LState) int {
			s, ok := l.Get(1).(lua.LString)
			if !ok {
				noFFI(l, "string")
			}
			l.Push(s)
			return 1
		},
		"istype": func(l *lua.LState) int {
			l.Push(lua.LFalse)
			return 1
		},
	})
	for _, name := range []string{
		"load", "new", "typeof", "cast", "metatype", "gc", "sizeof", "alignof", "offsetof", "errno", "copy", "fill",
	} {
		t.RawSetString(name, l.NewFunction(func(l *lua.LState) int { return noFFI(l, name) }))
	}
	argv := NewTable(0, len(os.Args))
	for i, arg := range os.Args {
		argv.RawSetInt(i, lua.LString(arg))
	}
	c, mt := NewTable(0, 4), NewTable(0, 4)
	c.RawSetString("ngx_argv", argv)
	v.register(mt, map[string]lua.LGFunction{"__index": func(l *lua.LState) int { return noFFI(l, "C."+l.ToString(2)) }})
	c.Metatable = mt
	t.RawSetString("C", c)
	l.Push(t)
	return 1
}

// noFFI raises the error about a part of the module ffi that is not there.
func noFFI(l *lua.LState, name string) int {
	Errorf(l, "ffi.%s: the FFI is not available: this server runs Lua without LuaJIT's C interface", name)
	return 0
}
