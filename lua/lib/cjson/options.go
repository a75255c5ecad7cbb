package cjson

import (
	"fmt"
	"math"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// The functions that read and change options take nil for no change and return the option's value.

// atMost raises an error for more than n arguments.
func atMost(l *lua.LState, n int) {
	if l.GetTop() > n {
		vm.ArgError(l, n+1, "found too many arguments")
	}
}

func integer(option *int, low, high int) lua.LGFunction {
	return func(l *lua.LState) int {
		atMost(l, 1)
		return integerAt(l, 1, option, low, high)
	}
}

func integerAt(l *lua.LState, n int, option *int, low, high int) int {
	if l.Get(n) != lua.LNil {
		v := vm.CheckInt(l, n)
		if v < low || v > high {
			vm.ArgError(l, 1, fmt.Sprintf("expected integer between %d and %d", low, high))
		}
		*option = v
	}
	l.Push(vm.Number(*option))
	return 1
}

func boolean(option *bool) lua.LGFunction {
	return func(l *lua.LState) int {
		atMost(l, 1)
		return booleanAt(l, 1, option)
	}
}

func booleanAt(l *lua.LState, n int, option *bool) int {
	switch v := l.Get(n).(type) {
	case *lua.LNilType:
	case lua.LBool:
		*option = bool(v)
	default:
		*option = vm.CheckOption(l, n, "", "off", "on") == 1
	}
	l.Push(lua.LBool(*option))
	return 1
}

// setSparse is encode_sparse_array(convert, ratio, safe).
func (c *config) setSparse(l *lua.LState) int {
	atMost(l, 3)
	l.SetTop(3)
	booleanAt(l, 1, &c.sparseConvert)
	integerAt(l, 2, &c.sparseRatio, 0, math.MaxInt32)
	integerAt(l, 3, &c.sparseSafe, 0, math.MaxInt32)
	return 3
}

// setEncodeInvalid is encode_invalid_numbers(false, true or "null").
func (c *config) setEncodeInvalid(l *lua.LState) int {
	atMost(l, 1)
	switch v := l.Get(1).(type) {
	case *lua.LNilType:
	case lua.LBool:
		c.encodeInvalid = 0
		if v {
			c.encodeInvalid = 1
		}
	default:
		c.encodeInvalid = vm.CheckOption(l, 1, "", "off", "on", "null")
	}
	if c.encodeInvalid == 2 {
		l.Push(lua.LString("null"))
	} else {
		l.Push(lua.LBool(c.encodeInvalid == 1))
	}
	return 1
}

// setIndent is encode_indent(text).
func (c *config) setIndent(l *lua.LState) int {
	atMost(l, 1)
	if l.Get(1) != lua.LNil {
		c.indent = vm.CheckString(l, 1)
	}
	l.Push(lua.LString(c.indent))
	return 1
}
