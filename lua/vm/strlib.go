package vm

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

func (v *VM) openString() {
	t := v.library("string", map[string]lua.LGFunction{
		"len": strLen, "sub": strSub, "upper": strUpper, "lower": strLower, "reverse": strReverse, "rep": v.strRep,
		"byte": strByte, "char": strChar, "dump": v.strDump, "format": v.strFormat,
		"find": v.strFind, "match": v.strMatch, "gmatch": v.strGmatch, "gsub": v.strGsub,
	})
	setLeaves(t, stringLeaves)
	t.RawSetString("gfind", t.RawGetString("gmatch"))
	mt := NewTable(0, 8)
	mt.RawSetString("__index", t)
	for event, op := range arithmetic {
		mt.RawSetString(event, v.L.NewFunction(stringArith(event, op)))
	}
	mt.RawSetString("__unm", v.L.NewFunction(stringUnm))
	v.stringMeta = mt
	v.L.SetMetatable(lua.LString(""), mt)
}

// slice turns the indexes i, j of string functions, from 1 or negative from the end, into a range of 0..n.
func slice(i, j, n int) (from, to int) {
	if i < 0 {
		i = max(n+i+1, 1)
	} else if i == 0 {
		i = 1
	}
	if j < 0 {
		j = n + j + 1
	} else if j > n {
		j = n
	}
	if i > j {
		return 0, 0
	}
	return i - 1, j
}

func strLen(l *lua.LState) int {
	l.Push(Number(len(CheckString(l, 1))))
	return 1
}

func strSub(l *lua.LState) int {
	s := CheckString(l, 1)
	from, to := slice(CheckInt(l, 2), OptInt(l, 3, -1), len(s))
	l.Push(part(s[from:to]))
	return 1
}

// swapCase changes the case of the letters between from and to, ASCII ones only: the C locale.
func swapCase(s string, from, to byte) lua.LValue {
	header, b := roomFor(len(s))
	b = append(b, s...)
	for i, c := range b {
		if c >= from && c <= to {
			b[i] = c ^ 0x20
		}
	}
	return finish(header, b)
}

func strUpper(l *lua.LState) int {
	l.Push(swapCase(CheckString(l, 1), 'a', 'z'))
	return 1
}

func strLower(l *lua.LState) int {
	l.Push(swapCase(CheckString(l, 1), 'A', 'Z'))
	return 1
}

func strReverse(l *lua.LState) int {
	s := CheckString(l, 1)
	header, b := roomFor(len(s))
	for i := len(s) - 1; i >= 0; i-- {
		b = append(b, s[i])
	}
	l.Push(finish(header, b))
	return 1
}

func (v *VM) strRep(l *lua.LState) int {
	s, n := CheckString(l, 1), CheckInt(l, 2)
	sep := OptString(l, 3, "")
	if n <= 0 || len(s)+len(sep) == 0 {
		l.Push(lua.LString(""))
		return 1
	}
	if n > v.opts.MaxString || (len(s)+len(sep))*n > v.opts.MaxString {
		raiseMemory(l)
	}
	if sep != "" {
		s = strings.Repeat(s+sep, n-1) + s
	} else {
		s = strings.Repeat(s, n)
	}
	l.Push(lua.LString(s))
	return 1
}

func strByte(l *lua.LState) int {
	s := CheckString(l, 1)
	i := OptInt(l, 2, 1)
	from, to := slice(i, OptInt(l, 3, i), len(s))
	if to-from > maxResults {
		Errorf(l, "string slice too long")
	}
	for _, c := range []byte(s[from:to]) {
		l.Push(Number(c))
	}
	return to - from
}

func strChar(l *lua.LState) int {
	n := l.GetTop()
	header, b := roomFor(n)
	for i := range n {
		c := CheckInt(l, i+1)
		if c < 0 || c > 255 {
			ArgError(l, i+1, "invalid value")
		}
		b = append(b, byte(c))
	}
	l.Push(finish(header, b))
	return 1
}
