package vm

import (
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// tableSort is table.sort: the elements are sorted aside and stored back, so that a comparator that fails or waits
// finds the table as it was.
func (v *VM) tableSort(l *lua.LState) int {
	t := CheckTable(l, 1)
	s := sorter{l: l, t: ThreadOf(l)}
	if l.Get(2) != lua.LNil {
		s.less = CheckFunction(l, 2)
	}
	n := length(t)
	list := make([]lua.LValue, n)
	if array := inside(t).array; n <= len(array) {
		copy(list, array)
	} else {
		for i := range list {
			list[i] = rawGetInt(t, i+1)
		}
	}
	if s.less != nil || !sortPlain(list) {
		s.list = list
		s.sort(0, n-1)
	}
	if array := inside(t).array; n <= len(array) {
		copy(array, list)
		return 0
	}
	for i, value := range list { // the comparator made the table shorter
		t.RawSetInt(i+1, value)
	}
	return 0
}

// sortPlain sorts lists of nothing but numbers or nothing but strings.
func sortPlain(list []lua.LValue) bool {
	if len(list) == 0 {
		return true
	}
	switch list[0].(type) {
	case lua.LNumber:
		for _, v := range list {
			if n, ok := v.(lua.LNumber); !ok || n != n {
				return false
			}
		}
		slices.SortFunc(list, func(a, b lua.LValue) int {
			x, y := a.(lua.LNumber), b.(lua.LNumber)
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		return true
	case lua.LString:
		for _, v := range list {
			if _, ok := v.(lua.LString); !ok {
				return false
			}
		}
		slices.SortFunc(list, func(a, b lua.LValue) int {
			x, y := a.(lua.LString), b.(lua.LString)
			switch {
			case x < y:
				return -1
			case x > y:
				return 1
			}
			return 0
		})
		return true
	}
	return false
}

// sorter is the quicksort of Lua, which tells when a comparator is no order.
type sorter struct {
	l    *lua.LState
	t    *Thread
	less *lua.LFunction
	list []lua.LValue
}

func (s *sorter) lt(a, b lua.LValue) bool {
	if s.less == nil {
		if yes, ok := less(a, b); ok {
			return yes
		}
		return s.l.LessThan(a, b)
	}
	return !falsy(s.t.call(s.less, a, b))
}

// order swaps the elements at i < j when they are in the wrong order.
func (s *sorter) order(i, j int) {
	if s.lt(s.list[j], s.list[i]) {
		s.list[i], s.list[j] = s.list[j], s.list[i]
	}
}

// sort sorts list[lo:hi+1]; it recurses into the smaller part only.
func (s *sorter) sort(lo, hi int) {
	for lo < hi {
		s.order(lo, hi)
		if hi-lo == 1 {
			return
		}
		mid := int(uint(lo+hi) >> 1)
		s.order(lo, mid)
		s.order(mid, hi)
		if hi-lo == 2 {
			return
		}
		i := s.partition(lo, mid, hi)
		if i-lo < hi-i {
			s.sort(lo, i-1)
			lo = i + 1
		} else {
			s.sort(i+1, hi)
			hi = i - 1
		}
	}
}

// partition puts the pivot, at mid, in its place. list[lo] <= pivot <= list[hi] holds.
func (s *sorter) partition(lo, mid, hi int) int {
	list := s.list
	pivot := list[mid]
	list[mid], list[hi-1] = list[hi-1], pivot
	i, j := lo, hi-1
	for {
		for i++; s.lt(list[i], pivot); i++ {
			if i >= hi {
				s.invalid()
			}
		}
		for j--; s.lt(pivot, list[j]); j-- {
			if j <= lo {
				s.invalid()
			}
		}
		if j < i {
			break
		}
		list[i], list[j] = list[j], list[i]
	}
	list[hi-1], list[i] = list[i], list[hi-1]
	return i
}

func (s *sorter) invalid() { Errorf(s.l, "invalid order function for sorting") }
