package vm

import (
	"math"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// remainder is a % b as gopher-lua has it.
func remainder(a, b float64) float64 {
	const exact = 1 << 53
	if a >= 0 && b > 0 && a < exact && b < exact {
		if x, y := int64(a), int64(b); float64(x) == a && float64(y) == b {
			return float64(x % y)
		}
	}
	r := math.Mod(a, b)
	if b > 0 && r < 0 || b < 0 && r > 0 {
		r += b
	}
	return r
}

// equal compares without metamethods; ok is false when one has to be asked.
func equal(a, b lua.LValue) (yes, ok bool) {
	switch x := a.(type) {
	case lua.LNumber:
		y, ok := b.(lua.LNumber)
		return ok && x == y, true
	case lua.LString:
		y, ok := b.(lua.LString)
		return ok && x == y, true
	case *lua.LNilType:
		return isNil(b), true
	case lua.LBool:
		y, ok := b.(lua.LBool)
		return ok && x == y, true
	case *lua.LTable:
		y, ok := b.(*lua.LTable)
		if !ok || x == y {
			return ok, true
		}
		return false, isNil(x.Metatable) || isNil(y.Metatable)
	}
	return false, false
}

// less compares numbers and strings.
func less(a, b lua.LValue) (yes, ok bool) {
	switch x := a.(type) {
	case lua.LNumber:
		y, ok := b.(lua.LNumber)
		return x < y, ok
	case lua.LString:
		y, ok := b.(lua.LString)
		return x < y, ok
	}
	return false, false
}

// lessEqual compares numbers and strings.
func lessEqual(a, b lua.LValue) (yes, ok bool) {
	switch x := a.(type) {
	case lua.LNumber:
		y, ok := b.(lua.LNumber)
		return x <= y, ok
	case lua.LString:
		y, ok := b.(lua.LString)
		return x <= y, ok
	}
	return false, false
}

// forRange makes numbers of the start, the limit and the step of a numeric for, in registers r and on.
func forRange(l *lua.LState, r *lua.LValue) (start, step float64) {
	var n [3]float64
	for i, what := range [...]string{"initial value", "limit", "step"} {
		p := reg(unsafe.Pointer(r), uintptr(i))
		if number, ok := (*p).(lua.LNumber); ok {
			n[i] = float64(number)
			continue
		}
		number, ok := ToNumber(*p)
		if !ok {
			Raise(l, lua.LString(where(l, 0)+"'for' "+what+" must be a number"))
		}
		n[i], *p = number, lua.LNumber(number)
	}
	return n[0], n[2]
}

// methods is the table that indexing a string leads to, nil for other values.
func (v *VM) methods(self lua.LValue) *lua.LTable {
	if _, ok := self.(lua.LString); !ok || v.stringMeta == nil {
		return nil
	}
	tb, _ := inside(v.stringMeta).strdict["__index"].(*lua.LTable)
	return tb
}

// iterate steps a generic for over a table, whose iterator, table and control value are in registers r and on: the n
// results are stored in r+3 and on. It reports false for iterators that have to be called.
func (v *VM) iterate(l *lua.LState, r *lua.LValue, n int) bool {
	at := func(i uintptr) *lua.LValue { return reg(unsafe.Pointer(r), i) }
	fn, ok := (*r).(*lua.LFunction)
	if !ok || fn != v.nextFn && fn != v.ipairsIter {
		return false
	}
	tb, ok := (*at(1)).(*lua.LTable)
	if !ok {
		return false
	}
	var value lua.LValue = lua.LNil
	if fn == v.nextFn {
		key := *at(2)
		if isNil(key) {
			v.traversing(tb)
		}
		k, ok := v.nextKey(tb, key, &value)
		if !ok {
			return false // its error is raised by the function
		}
		*at(3) = k
	} else {
		count, ok := (*at(2)).(lua.LNumber)
		if !ok {
			return false
		}
		*at(3) = lua.LNil
		if array := inside(tb).array; count >= 0 && int(count) < len(array) {
			if value = array[int(count)]; !isNil(value) {
				v.setNumber(at(3), float64(int(count)+1))
			}
		}
	}
	if n >= 2 {
		*at(4) = value
	}
	for i := 2; i < n; i++ {
		*at(uintptr(3 + i)) = lua.LNil
	}
	return true
}
