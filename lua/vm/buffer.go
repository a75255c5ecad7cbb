package vm

import (
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// stringBuffer is a buffer of LuaJIT's string.buffer module: bytes are put at its end and taken from its start.
type stringBuffer struct {
	b    []byte
	read int // bytes taken already
	bufferOptions
}

func (s *stringBuffer) rest() []byte { return s.b[s.read:] }

// openBuffer offers the module string.buffer.
func (v *VM) openBuffer() {
	v.Preload("string.buffer", func(l *lua.LState) int {
		mt, methods := NewTable(0, 4), NewTable(0, 4)
		v.register(methods, map[string]lua.LGFunction{
			"put": v.bufferPut, "putf": v.bufferPutf, "get": bufferGet, "tostring": bufferToString, "reset": bufferReset,
			"free": bufferReset, "set": bufferSet, "skip": bufferSkip,
			"encode": v.bufferEncode, "decode": v.bufferDecode,
		})
		mt.RawSetString("__index", methods)
		v.register(mt, map[string]lua.LGFunction{"__tostring": bufferToString, "__len": bufferLen, "__concat": v.bufferConcat})
		mt.RawSetString("__metatable", lua.LString("buffer"))
		mod := NewTable(0, 4)
		v.register(mod, map[string]lua.LGFunction{
			"new": func(l *lua.LState) int { return bufferNew(l, mt) }, "encode": v.encode, "decode": v.decode,
		})
		l.Push(mod)
		return 1
	}, true)
}

func bufferArg(l *lua.LState, n int) *stringBuffer {
	if ud, ok := l.Get(n).(*lua.LUserData); ok {
		if s, ok := ud.Value.(*stringBuffer); ok {
			return s
		}
	}
	TypeError(l, n, "buffer")
	return nil
}

func (v *VM) bufferPut(l *lua.LState) int {
	s := bufferArg(l, 1)
	for i, n := 2, l.GetTop(); i <= n; i++ {
		value := l.Get(i)
		if text, ok := ToString(value); ok {
			s.b = append(s.b, text...)
		} else if l.GetMetaField(value, "__tostring") != lua.LNil {
			s.b = append(s.b, v.Display(l, value)...)
		} else {
			TypeError(l, i, "string/number/table/userdata")
		}
		v.checkSize(l, len(s.b))
	}
	l.SetTop(1)
	return 1
}

func (v *VM) checkSize(l *lua.LState, n int) {
	if n > v.opts.MaxString {
		raiseMemory(l)
	}
}

func (v *VM) bufferPutf(l *lua.LState) int {
	s := bufferArg(l, 1)
	s.b = append(s.b, v.format(l, nil, CheckString(l, 2), 2)...)
	v.checkSize(l, len(s.b))
	l.SetTop(1)
	return 1
}

// take removes n bytes from the start.
func (s *stringBuffer) take(n int) string {
	n = min(max(n, 0), len(s.rest()))
	text := string(s.b[s.read : s.read+n])
	if s.read += n; s.read == len(s.b) {
		s.b, s.read = s.b[:0], 0
	}
	return text
}

func bufferGet(l *lua.LState) int {
	s := bufferArg(l, 1)
	n := l.GetTop()
	if n < 2 {
		l.Push(lua.LString(s.take(len(s.rest()))))
		return 1
	}
	for i := 2; i <= n; i++ {
		l.Push(lua.LString(s.take(OptInt(l, i, len(s.rest())))))
	}
	return n - 1
}

func bufferToString(l *lua.LState) int {
	l.Push(lua.LString(bufferArg(l, 1).rest()))
	return 1
}

func bufferLen(l *lua.LState) int {
	l.Push(Number(len(bufferArg(l, 1).rest())))
	return 1
}

func bufferReset(l *lua.LState) int {
	s := bufferArg(l, 1)
	s.b, s.read = s.b[:0], 0
	l.SetTop(1)
	return 1
}

func bufferSet(l *lua.LState) int {
	s := bufferArg(l, 1)
	s.b, s.read = append(s.b[:0:0], CheckString(l, 2)...), 0
	l.SetTop(1)
	return 1
}

func bufferSkip(l *lua.LState) int {
	s := bufferArg(l, 1)
	s.take(CheckInt(l, 2))
	l.SetTop(1)
	return 1
}

func (v *VM) bufferConcat(l *lua.LState) int {
	var b strings.Builder
	for i := 1; i <= 2; i++ {
		b.WriteString(v.Display(l, l.Get(i)))
	}
	l.Push(lua.LString(b.String()))
	return 1
}
