package vm

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// arithmetic is what the operators do once both operands are numbers.
var arithmetic = map[string]func(a, b float64) float64{
	"__add": func(a, b float64) float64 { return a + b },
	"__sub": func(a, b float64) float64 { return a - b },
	"__mul": func(a, b float64) float64 { return a * b },
	"__div": func(a, b float64) float64 { return a / b },
	"__mod": modulo,
	"__pow": math.Pow,
}

// modulo is a - floor(a/b)*b without its rounding errors.
func modulo(a, b float64) float64 {
	r := math.Mod(a, b)
	if r != 0 && (r < 0) != (b < 0) {
		r += b
	}
	return r
}

// stringArith is a metamethod of strings: gopher-lua would read "010" as octal and "1_0" as a number. An operand that is
// no number may have a metamethod of its own.
func stringArith(event string, op func(a, b float64) float64) lua.LGFunction {
	return func(l *lua.LState) int {
		a, ok1 := ToNumber(l.Get(1))
		b, ok2 := ToNumber(l.Get(2))
		if ok1 && ok2 {
			l.Push(Number(op(a, b)))
			return 1
		}
		for i := 1; i <= 2; i++ {
			operand := l.Get(i)
			if _, ok := operand.(lua.LString); ok {
				continue
			}
			if mm := l.GetMetaField(operand, event); mm != lua.LNil {
				l.Push(mm)
				l.Push(l.Get(1))
				l.Push(l.Get(2))
				Call(l, 2, 1)
				return 1
			}
		}
		bad := 2
		if !ok1 {
			bad = 1
		}
		stringOperand(l, bad)
		return 0
	}
}

func stringUnm(l *lua.LState) int {
	a, ok := ToNumber(l.Get(1))
	if !ok {
		stringOperand(l, 1)
	}
	l.Push(Number(-a))
	return 1
}

// stringOperand raises the error of operand n of the instruction that called the metamethod.
func stringOperand(l *lua.LState, n int) {
	kind, name := "", ""
	if f := currentFrame(l).Parent; f != nil && !f.Fn.IsG {
		kind, name = operandName(f, n)
	}
	Raise(l, lua.LString(where(l, 1)+describe("perform arithmetic on", kind, name, TypeName(l.Get(n)))))
}
