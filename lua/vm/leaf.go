package vm

import (
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// A leaf is what a Go function of the libraries does for the arguments that it gets nearly always, without a frame of the
// call stack. It returns a value and 1, or 0 for no value. With other is for the function itself, above all the errors.
// It calls no Lua.
type leaf func(v *VM, args []lua.LValue) (value lua.LValue, n int)

const other = -1

// leafPlace is where a Go function has its leaf: behind its upvalues, of which there are none.
type leafPlace struct {
	upvalues [1]*lua.Upvalue
	call     leaf
}

// leafOf is the leaf of a Go function, nil for most.
func leafOf(fn *lua.LFunction) leaf {
	if len(fn.Upvalues) != 0 || cap(fn.Upvalues) != 1 {
		return nil
	}
	return (*leafPlace)(unsafe.Pointer(unsafe.SliceData(fn.Upvalues))).call
}

func setLeaf(fn *lua.LFunction, call leaf) { fn.Upvalues = (&leafPlace{call: call}).upvalues[:0] }

// setLeaves gives functions of a table their leaves.
func setLeaves(t *lua.LTable, leaves map[string]leaf) {
	for name, call := range leaves {
		setLeaf(t.RawGetString(name).(*lua.LFunction), call)
	}
}

// takeLeaf puts the n values of a leaf, none or one, where the instruction of a call wants them: into register at and,
// if there are to be more, those behind it. For any number of them the top is set.
func takeLeaf(rg *registers, at int, value lua.LValue, n, want int) {
	if n == 0 {
		value = lua.LNil
	}
	switch {
	case want == lua.MultRet:
		rg.array[at] = value
		rg.top = at + n
	case want > 0:
		rg.array[at] = value
		for i := at + 1; i < at+want; i++ {
			rg.array[i] = lua.LNil
		}
	}
}

// concatLeaf is the operator .. for strings and numbers.
func concatLeaf(v *VM, args []lua.LValue) (lua.LValue, int) {
	if s, ok := v.joinStrings(args, ""); ok {
		return s, 1
	}
	return nil, other
}

var baseLeaves = map[string]leaf{
	"type": func(_ *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) == 0 {
			return nil, other
		}
		if _, ok := args[0].(*lua.LUserData); ok {
			return nil, other
		}
		return typeNames[args[0].Type()], 1
	},
	"tonumber": func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) != 1 {
			return nil, other
		}
		if _, ok := args[0].(lua.LNumber); ok {
			return args[0], 1
		}
		if n, ok := ToNumber(args[0]); ok {
			return v.number(n), 1
		}
		return lua.LNil, 1
	},
	"tostring": func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) == 0 {
			return nil, other
		}
		switch x := args[0].(type) {
		case lua.LString:
			return x, 1
		case lua.LNumber:
			if v.numberMeta {
				return nil, other
			}
			header, b := roomFor(numberRoom(x))
			return finish(header, AppendNumber(b, float64(x))), 1
		}
		return nil, other
	},
	"rawget": func(_ *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) < 2 {
			return nil, other
		}
		t, ok := args[0].(*lua.LTable)
		if !ok {
			return nil, other
		}
		return t.RawGet(args[1]), 1
	},
	"select": func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) == 0 {
			return nil, other
		}
		if s, ok := args[0].(lua.LString); ok && len(s) > 0 && s[0] == '#' {
			return v.number(float64(len(args) - 1)), 1
		}
		return nil, other
	},
	"setmetatable": func(_ *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) < 2 {
			return nil, other
		}
		t, ok := args[0].(*lua.LTable)
		if _, isTable := args[1].(*lua.LTable); !ok || !isTable || !isNil(t.Metatable) {
			return nil, other
		}
		t.Metatable = args[1]
		return t, 1
	},
}

var stringLeaves = map[string]leaf{
	"len": func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) > 0 {
			if s, ok := args[0].(lua.LString); ok {
				return v.number(float64(len(s))), 1
			}
		}
		return nil, other
	},
	"sub": func(_ *VM, args []lua.LValue) (lua.LValue, int) {
		s, i, j, ok := rangeArgs(args, -1)
		if !ok || len(args) == 1 {
			return nil, other
		}
		from, to := slice(i, j, len(s))
		return part(s[from:to]), 1
	},
	"byte": func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) == 3 {
			return nil, other
		}
		s, i, _, ok := rangeArgs(args, 0)
		from, to := slice(i, i, len(s))
		if !ok || from == to {
			return nil, other
		}
		return v.number(float64(s[from])), 1
	},
	"upper": caseLeaf('a', 'z'),
	"lower": caseLeaf('A', 'Z'),
}

func caseLeaf(from, to byte) leaf {
	return func(_ *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) > 0 {
			if s, ok := args[0].(lua.LString); ok {
				return swapCase(string(s), from, to), 1
			}
		}
		return nil, other
	}
}

// rangeArgs are a string and one or two indexes, of which the first is 1 and the second def unless given.
func rangeArgs(args []lua.LValue, def int) (s string, i, j int, ok bool) {
	if len(args) == 0 || len(args) > 3 {
		return "", 0, 0, false
	}
	text, ok := args[0].(lua.LString)
	i, j = 1, def
	for k, v := range args[1:] {
		n, isNumber := v.(lua.LNumber)
		if !isNumber {
			return "", 0, 0, false
		}
		if k == 0 {
			i = ToInt(float64(n))
		} else {
			j = ToInt(float64(n))
		}
	}
	return string(text), i, j, ok
}

// insertLeaf is table.insert(t, value).
func insertLeaf(_ *VM, args []lua.LValue) (lua.LValue, int) {
	if len(args) != 2 || isNil(args[1]) {
		return nil, other
	}
	t, ok := args[0].(*lua.LTable)
	if !ok {
		return nil, other
	}
	in := inside(t)
	if n := len(in.array); n+1 >= maxArrayIndex || n > 0 && isNil(in.array[n-1]) || n == 0 && len(in.dict) > 0 {
		return nil, other
	}
	in.append(args[1])
	return nil, 0
}

// numberLeaf is a function of one number.
func numberLeaf(f func(float64) float64) leaf {
	return func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) > 0 {
			if n, ok := args[0].(lua.LNumber); ok {
				return v.number(f(float64(n))), 1
			}
		}
		return nil, other
	}
}

// foldLeaf is a function of numbers, at least one, each taken together with the result for those before it.
func foldLeaf(f func(a, b float64) float64) leaf {
	return func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) == 0 {
			return nil, other
		}
		var r float64
		for i, arg := range args {
			n, ok := arg.(lua.LNumber)
			switch {
			case !ok:
				return nil, other
			case i == 0:
				r = float64(n)
			default:
				r = f(r, float64(n))
			}
		}
		return v.number(r), 1
	}
}

// leastOf and greatestOf are what math.min and math.max fold with: the first operand unless the other is beyond it.
func leastOf(a, b float64) float64 {
	if b < a {
		return b
	}
	return a
}

func greatestOf(a, b float64) float64 {
	if b > a {
		return b
	}
	return a
}

// bitLeaf is foldLeaf of 32-bit integers, at least two.
func bitLeaf(f func(a, b uint32) uint32) leaf {
	fold := foldLeaf(func(a, b float64) float64 { return float64(int32(f(ToBit(a), ToBit(b)))) })
	return func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) < 2 {
			return nil, other
		}
		return fold(v, args)
	}
}

// shiftLeaf is a function of a 32-bit integer and a number of bits.
func shiftLeaf(f func(x uint32, n int) uint32) leaf {
	two := bitLeaf(func(a, b uint32) uint32 { return f(a, int(b&31)) })
	return func(v *VM, args []lua.LValue) (lua.LValue, int) {
		if len(args) != 2 {
			return nil, other
		}
		return two(v, args)
	}
}
