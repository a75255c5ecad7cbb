package vm

import (
	"math"
	"math/rand/v2"

	lua "github.com/yuin/gopher-lua"
)

// mathOne are the functions of one number.
var mathOne = map[string]func(float64) float64{
	"abs": math.Abs, "ceil": math.Ceil, "floor": math.Floor, "sqrt": math.Sqrt, "exp": math.Exp, "log10": math.Log10,
	"sin": math.Sin, "cos": math.Cos, "tan": math.Tan, "asin": math.Asin, "acos": math.Acos, "atan": math.Atan,
	"sinh": math.Sinh, "cosh": math.Cosh, "tanh": math.Tanh,
	"deg": func(x float64) float64 { return x * (180 / math.Pi) },
	"rad": func(x float64) float64 { return x * (math.Pi / 180) },
}

// mathTwo are the functions of two numbers.
var mathTwo = map[string]func(a, b float64) float64{"atan2": math.Atan2, "fmod": math.Mod, "pow": math.Pow}

func (v *VM) openMath() {
	v.random = rand.New(rand.NewPCG(0, 0))
	t := v.library("math", map[string]lua.LGFunction{
		"log": mathLog, "modf": mathModf, "frexp": mathFrexp, "ldexp": mathLdexp, "min": mathMin, "max": mathMax,
		"random": v.mathRandom, "randomseed": v.mathRandomSeed,
	})
	for name, f := range mathOne {
		t.RawSetString(name, v.L.NewFunction(func(l *lua.LState) int {
			l.Push(Number(f(CheckNumber(l, 1))))
			return 1
		}))
		setLeaves(t, map[string]leaf{name: numberLeaf(f)})
	}
	setLeaves(t, map[string]leaf{"min": foldLeaf(leastOf), "max": foldLeaf(greatestOf)})
	for name, f := range mathTwo {
		t.RawSetString(name, v.L.NewFunction(func(l *lua.LState) int {
			a := CheckNumber(l, 1)
			l.Push(Number(f(a, CheckNumber(l, 2))))
			return 1
		}))
	}
	t.RawSetString("pi", lua.LNumber(math.Pi))
	t.RawSetString("huge", lua.LNumber(math.Inf(1)))
}

func mathLog(l *lua.LState) int {
	x := math.Log(CheckNumber(l, 1))
	if l.Get(2) != lua.LNil {
		x /= math.Log(CheckNumber(l, 2))
	}
	l.Push(Number(x))
	return 1
}

func mathModf(l *lua.LState) int {
	x := CheckNumber(l, 1)
	whole := math.Trunc(x)
	frac := math.Copysign(0, x)
	if !math.IsInf(x, 0) {
		frac = math.Copysign(x-whole, x)
	}
	l.Push(Number(whole))
	l.Push(Number(frac))
	return 2
}

func mathFrexp(l *lua.LState) int {
	m, e := math.Frexp(CheckNumber(l, 1))
	l.Push(Number(m))
	l.Push(Number(e))
	return 2
}

func mathLdexp(l *lua.LState) int {
	l.Push(Number(math.Ldexp(CheckNumber(l, 1), CheckInt(l, 2))))
	return 1
}

func mathMin(l *lua.LState) int {
	r := CheckNumber(l, 1)
	for i, n := 2, l.GetTop(); i <= n; i++ {
		if x := CheckNumber(l, i); x < r {
			r = x
		}
	}
	l.Push(Number(r))
	return 1
}

func mathMax(l *lua.LState) int {
	r := CheckNumber(l, 1)
	for i, n := 2, l.GetTop(); i <= n; i++ {
		if x := CheckNumber(l, i); x > r {
			r = x
		}
	}
	l.Push(Number(r))
	return 1
}

func (v *VM) mathRandom(l *lua.LState) int {
	r := v.random.Float64()
	if l.GetTop() == 0 {
		l.Push(Number(r))
		return 1
	}
	low, high := 1.0, math.Floor(CheckNumber(l, 1))
	if l.GetTop() > 1 {
		low, high = high, math.Floor(CheckNumber(l, 2))
	}
	l.Push(Number(math.Floor(r*(high-low+1)) + low))
	return 1
}

func (v *VM) mathRandomSeed(l *lua.LState) int {
	seed := math.Float64bits(CheckNumber(l, 1))
	v.random = rand.New(rand.NewPCG(seed, ^seed))
	return 0
}
