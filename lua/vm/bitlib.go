package vm

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

var bitFolds = map[string]func(a, b uint32) uint32{
	"band": func(a, b uint32) uint32 { return a & b },
	"bor":  func(a, b uint32) uint32 { return a | b },
	"bxor": func(a, b uint32) uint32 { return a ^ b },
}

var bitShifts = map[string]func(x uint32, n int) uint32{
	"lshift":  func(x uint32, n int) uint32 { return x << n },
	"rshift":  func(x uint32, n int) uint32 { return x >> n },
	"arshift": func(x uint32, n int) uint32 { return uint32(int32(x) >> n) },
	"rol":     bits.RotateLeft32,
	"ror":     func(x uint32, n int) uint32 { return bits.RotateLeft32(x, -n) },
}

// openBit opens LuaJIT's bit module: everything happens on signed 32-bit integers.
func (v *VM) openBit() {
	t := v.library("bit", map[string]lua.LGFunction{
		"tobit": bitOne(func(x uint32) uint32 { return x }),
		"bnot":  bitOne(func(x uint32) uint32 { return ^x }),
		"bswap": bitOne(bits.ReverseBytes32),
		"tohex": bitToHex,
	})
	for name, f := range bitFolds {
		t.RawSetString(name, v.L.NewFunction(bitFold(f)))
		setLeaves(t, map[string]leaf{name: bitLeaf(f)})
	}
	for name, f := range bitShifts {
		t.RawSetString(name, v.L.NewFunction(bitShift(f)))
		setLeaves(t, map[string]leaf{name: shiftLeaf(f)})
	}
}

// ToBit is bit.tobit: rounded to even and taken modulo 2^32.
func ToBit(n float64) uint32 {
	if i := int64(n); float64(i) == n {
		return uint32(i)
	}
	if n != n || math.IsInf(n, 0) {
		return 0
	}
	return uint32(int64(math.Mod(math.RoundToEven(n), 1<<32)))
}

func bitArg(l *lua.LState, n int) uint32 { return ToBit(CheckNumber(l, n)) }

func pushBit(l *lua.LState, x uint32) int {
	l.Push(Number(int32(x)))
	return 1
}

func bitOne(f func(uint32) uint32) lua.LGFunction {
	return func(l *lua.LState) int { return pushBit(l, f(bitArg(l, 1))) }
}

func bitFold(f func(a, b uint32) uint32) lua.LGFunction {
	return func(l *lua.LState) int {
		x := bitArg(l, 1)
		for i, n := 2, l.GetTop(); i <= n; i++ {
			x = f(x, bitArg(l, i))
		}
		return pushBit(l, x)
	}
}

func bitShift(f func(x uint32, n int) uint32) lua.LGFunction {
	return func(l *lua.LState) int {
		x := bitArg(l, 1)
		return pushBit(l, f(x, int(bitArg(l, 2)&31)))
	}
}

func bitToHex(l *lua.LState) int {
	x := bitArg(l, 1)
	n := 8
	if l.Get(2) != lua.LNil {
		n = int(int32(bitArg(l, 2)))
	}
	upper := n < 0
	n = min(max(n, -n), 8)
	s := strconv.FormatUint(uint64(x)|1<<32, 16)[1:]
	s = s[8-n:]
	if upper {
		s = strings.ToUpper(s)
	}
	l.Push(lua.LString(s))
	return 1
}
