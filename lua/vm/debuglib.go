package vm

import (
	"strings"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

func (v *VM) openDebug() {
	v.library("debug", map[string]lua.LGFunction{
		"traceback": debugTraceback, "getinfo": v.debugGetInfo,
		"getlocal": debugGetLocal, "setlocal": debugSetLocal,
		"getupvalue": debugGetUpvalue, "setupvalue": debugSetUpvalue, "upvalueid": debugUpvalueID,
		"upvaluejoin":  debugUpvalueJoin,
		"getmetatable": v.debugGetMetatable, "setmetatable": debugSetMetatable,
		"getregistry": debugGetRegistry, "getfenv": debugGetFEnv, "setfenv": debugSetFEnv,
		"sethook": debugSetHook, "gethook": debugGetHook,
		"getuservalue": debugGetFEnv, "setuservalue": debugSetFEnv,
	})
}

// threadArg is the thread an optional first argument of a debug function means, and how many places it takes.
func threadArg(l *lua.LState) (*lua.LState, int) {
	if t, ok := l.Get(1).(*lua.LState); ok {
		return t, 1
	}
	return l, 0
}

func debugTraceback(l *lua.LState) int {
	t, shift := threadArg(l)
	msg := l.Get(1 + shift)
	text, ok := ToString(msg)
	if !ok && msg != lua.LNil {
		l.Push(msg)
		return 1
	}
	def := 1
	if t != l {
		def = 0
	}
	trace := Traceback(t, OptInt(l, 2+shift, def))
	if co := ThreadOf(t).co; co != nil && co.trace != "" {
		trace = co.trace
	}
	if ok {
		trace = text + "\n" + trace
	}
	l.Push(lua.LString(trace))
	return 1
}

// debugGetInfo is debug.getinfo([thread,] function or level [, what]).
func (v *VM) debugGetInfo(l *lua.LState) int {
	t, shift := threadArg(l)
	what := OptString(l, 2+shift, "flnSu")
	var fr *frame
	fn, ok := l.Get(1 + shift).(*lua.LFunction)
	if !ok {
		n := CheckInt(l, 1+shift)
		if n >= 0 {
			fr = level(t, n)
		}
		if fr == nil {
			l.Push(lua.LNil)
			return 1
		}
		fn = fr.Fn
	}
	info := NewTable(0, 12)
	for _, c := range what {
		switch c {
		case 'S':
			v.sourceInfo(info, fn)
		case 'l':
			line := -1
			if fr != nil && !fn.IsG {
				line = fr.line()
			}
			info.RawSetString("currentline", lua.LNumber(line))
		case 'u':
			info.RawSetString("nups", lua.LNumber(len(fn.Upvalues)))
			nparams, vararg := 0, true
			if !fn.IsG {
				nparams, vararg = int(fn.Proto.NumParameters), fn.Proto.IsVarArg != 0
			}
			info.RawSetString("nparams", lua.LNumber(nparams))
			info.RawSetString("isvararg", lua.LBool(vararg))
		case 'n':
			kind, name := funcName(fr)
			info.RawSetString("namewhat", lua.LString(kind))
			if name != "" {
				info.RawSetString("name", lua.LString(name))
			}
		case 'f':
			info.RawSetString("func", fn)
		case 'L':
			if !fn.IsG {
				lines := NewTable(0, 4)
				for _, n := range fn.Proto.DbgSourcePositions {
					lines.RawSet(lua.LNumber(n), lua.LTrue)
				}
				info.RawSetString("activelines", lines)
			}
		case '>':
		default:
			ArgError(l, 2+shift, "invalid option")
		}
	}
	l.Push(info)
	return 1
}

func (v *VM) sourceInfo(info *lua.LTable, fn *lua.LFunction) {
	source, short, what, first, last := "=[C]", "[C]", "C", -1, -1
	if !fn.IsG {
		p := fn.Proto
		short, first, last = p.SourceName, p.LineDefined, p.LastLineDefined
		if source = v.sources[short]; source == "" {
			source = sourceOf(short)
		}
		what = "Lua"
		if first == 0 {
			what = "main"
		}
	}
	info.RawSetString("source", lua.LString(source))
	info.RawSetString("short_src", lua.LString(short))
	info.RawSetString("what", lua.LString(what))
	info.RawSetString("linedefined", lua.LNumber(first))
	info.RawSetString("lastlinedefined", lua.LNumber(last))
}

// sourceOf is the chunk name a short name was made from. Of texts compiled from memory the first line is all there is.
func sourceOf(short string) string {
	if text, ok := strings.CutPrefix(short, `[string "`); ok {
		return strings.TrimSuffix(text, `"]`)
	}
	return "=" + short
}

// localVar is the name and the register of local n of a frame; negative n are the extra arguments of a vararg function.
func (f *frame) localVar(l *lua.LState, n int) (name string, reg int) {
	if n < 0 {
		if f.Fn.IsG {
			return "", 0
		}
		nparams := int(f.Fn.Proto.NumParameters)
		if f.Fn.Proto.IsVarArg == 0 || -n > f.NArgs-nparams {
			return "", 0
		}
		return "(*vararg)", f.Base + nparams - n
	}
	if n == 0 {
		return "", 0
	}
	if name, ok := f.Fn.LocalName(n, f.Pc-1); ok {
		return name, f.LocalBase + n - 1
	}
	top := regs(l).top
	if f != currentFrame(l) {
		for g := currentFrame(l); g != nil; g = g.Parent {
			if g.Parent == f {
				top = g.Base
			}
		}
	}
	if reg := f.LocalBase + n - 1; reg < top {
		return "(*temporary)", reg
	}
	return "", 0
}

// localArg finds the local variable the arguments of getlocal and setlocal mean.
func localArg(l *lua.LState) (t *lua.LState, shift int, name string, reg int) {
	t, shift = threadArg(l)
	f := level(t, CheckInt(l, 1+shift))
	if f == nil {
		ArgError(l, 1+shift, "level out of range")
	}
	name, reg = f.localVar(t, CheckInt(l, 2+shift))
	return t, shift, name, reg
}

func debugGetLocal(l *lua.LState) int {
	if fn, ok := l.Get(1).(*lua.LFunction); ok { // names of parameters
		n := CheckInt(l, 2)
		if !fn.IsG && n >= 1 && n <= int(fn.Proto.NumParameters) {
			l.Push(lua.LString(fn.Proto.DbgLocals[n-1].Name))
		} else {
			l.Push(lua.LNil)
		}
		return 1
	}
	t, _, name, reg := localArg(l)
	if name == "" {
		l.Push(lua.LNil)
		return 1
	}
	value := regs(t).array[reg]
	if value == nil {
		value = lua.LNil
	}
	l.Push(lua.LString(name))
	l.Push(value)
	return 2
}

func debugSetLocal(l *lua.LState) int {
	t, shift, name, reg := localArg(l)
	value := CheckAny(l, 3+shift)
	if name == "" {
		l.Push(lua.LNil)
		return 1
	}
	regs(t).array[reg] = value
	l.Push(lua.LString(name))
	return 1
}

// upvalueArg is the function and the index, from 0, of an upvalue; index -1 when there is none such.
func upvalueArg(l *lua.LState, arg int) (*lua.LFunction, int) {
	fn := CheckFunction(l, arg)
	n := CheckInt(l, arg+1)
	if fn.IsG || n < 1 || n > len(fn.Upvalues) {
		return fn, -1
	}
	return fn, n - 1
}

func debugGetUpvalue(l *lua.LState) int {
	fn, i := upvalueArg(l, 1)
	if i < 0 {
		return 0
	}
	l.Push(lua.LString(fn.Proto.DbgUpvalues[i]))
	l.Push(fn.Upvalues[i].Value())
	return 2
}

func debugSetUpvalue(l *lua.LState) int {
	value := CheckAny(l, 3)
	fn, i := upvalueArg(l, 1)
	if i < 0 {
		return 0
	}
	fn.Upvalues[i].SetValue(value)
	l.Push(lua.LString(fn.Proto.DbgUpvalues[i]))
	return 1
}

func debugUpvalueID(l *lua.LState) int {
	fn, i := upvalueArg(l, 1)
	if i < 0 {
		ArgError(l, 2, "invalid upvalue index")
	}
	l.Push(Number(uintptr(unsafe.Pointer(fn.Upvalues[i]))))
	return 1
}

func debugUpvalueJoin(l *lua.LState) int {
	a, i := upvalueArg(l, 1)
	b, j := upvalueArg(l, 3)
	if i < 0 {
		ArgError(l, 2, "invalid upvalue index")
	}
	if j < 0 {
		ArgError(l, 4, "invalid upvalue index")
	}
	a.Upvalues[i] = b.Upvalues[j]
	return 0
}

// debugGetMetatable does not look at __metatable.
func (v *VM) debugGetMetatable(l *lua.LState) int {
	switch value := CheckAny(l, 1).(type) {
	case *lua.LTable:
		l.Push(value.Metatable)
	case *lua.LUserData:
		l.Push(value.Metatable)
	default:
		l.Push(l.GetMetatable(value))
	}
	return 1
}

func debugSetMetatable(l *lua.LState) int {
	value, mt := CheckAny(l, 1), l.Get(2)
	if _, ok := mt.(*lua.LTable); !ok && mt != lua.LNil {
		ArgError(l, 2, "nil or table expected")
	}
	l.SetMetatable(value, mt)
	switch value.(type) {
	case lua.LNumber:
		ThreadOf(l).vm.numberMeta = true
	case lua.LString:
		ThreadOf(l).vm.stringMeta, _ = mt.(*lua.LTable)
	}
	l.SetTop(1)
	return 1
}

func debugGetRegistry(l *lua.LState) int {
	l.Push(l.G.Registry)
	return 1
}

func debugGetFEnv(l *lua.LState) int {
	l.Push(l.GetFEnv(CheckAny(l, 1)))
	return 1
}

func debugSetFEnv(l *lua.LState) int {
	env := CheckTable(l, 2)
	switch l.Get(1).(type) {
	case *lua.LFunction, *lua.LUserData, *lua.LState:
	default:
		Errorf(l, "'setfenv' cannot change environment of given object")
	}
	l.SetFEnv(l.Get(1), env)
	l.SetTop(1)
	return 1
}

// debugSetHook takes hooks and never calls them: gopher-lua's interpreter has no place for them.
func debugSetHook(*lua.LState) int { return 0 }

func debugGetHook(l *lua.LState) int {
	l.Push(lua.LNil)
	l.Push(lua.LString(""))
	l.Push(Number(0))
	return 3
}
