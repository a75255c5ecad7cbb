package vm

import (
	lua "github.com/yuin/gopher-lua"
)

// The Check and Opt functions read arguments of a Go function as luaL_check* and luaL_opt* do, with LuaJIT's messages.
// gopher-lua's own differ in texts, in what they convert and in how they write numbers.

// argument is L.Get of argument n, from 1 on, without its detours.
func argument(l *lua.LState, n int) lua.LValue {
	f := currentFrame(l)
	if f == nil {
		return l.Get(n)
	}
	rg := regs(l)
	if i := f.LocalBase + n - 1; i < rg.top {
		return rg.array[i]
	}
	return lua.LNil
}

// CheckAny raises an error when argument n is missing.
func CheckAny(l *lua.LState, n int) lua.LValue {
	if n > l.GetTop() {
		ArgError(l, n, "value expected")
	}
	return l.Get(n)
}

// CheckTable is argument n, which must be a table.
func CheckTable(l *lua.LState, n int) *lua.LTable {
	if t, ok := argument(l, n).(*lua.LTable); ok {
		return t
	}
	TypeError(l, n, "table")
	return nil
}

// CheckFunction is argument n, which must be a function.
func CheckFunction(l *lua.LState, n int) *lua.LFunction {
	if f, ok := l.Get(n).(*lua.LFunction); ok {
		return f
	}
	TypeError(l, n, "function")
	return nil
}

// CheckString is argument n, a string or a number.
func CheckString(l *lua.LState, n int) string {
	v := argument(l, n)
	if s, ok := v.(lua.LString); ok {
		return string(s)
	}
	s, ok := ToString(v)
	if !ok {
		TypeError(l, n, "string")
	}
	return s
}

// OptString is CheckString with a default for nil and none.
func OptString(l *lua.LState, n int, def string) string {
	if isNil(argument(l, n)) {
		return def
	}
	return CheckString(l, n)
}

// CheckNumber is argument n, a number or a numeric string.
func CheckNumber(l *lua.LState, n int) float64 {
	v := argument(l, n)
	if num, ok := v.(lua.LNumber); ok {
		return float64(num)
	}
	if num, ok := ToNumber(v); ok {
		return num
	}
	TypeError(l, n, "number")
	return 0
}

// OptNumber is CheckNumber with a default for nil and none.
func OptNumber(l *lua.LState, n int, def float64) float64 {
	if isNil(argument(l, n)) {
		return def
	}
	return CheckNumber(l, n)
}

// CheckInt is CheckNumber without the fraction, saturated to the range of int.
func CheckInt(l *lua.LState, n int) int { return ToInt(CheckNumber(l, n)) }

// OptInt is CheckInt with a default for nil and none.
func OptInt(l *lua.LState, n, def int) int {
	if isNil(argument(l, n)) {
		return def
	}
	return CheckInt(l, n)
}

// CheckOption is the index of argument n, a string, in options; def is its default unless empty.
func CheckOption(l *lua.LState, n int, def string, options ...string) int {
	s := def
	if def == "" || l.Get(n) != lua.LNil {
		s = CheckString(l, n)
	}
	for i, o := range options {
		if o == s {
			return i
		}
	}
	ArgError(l, n, "invalid option '"+s+"'")
	return 0
}
