package vm

import (
	"math"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// concat is what compiled code calls for `a .. b .. c`.
func (v *VM) concat(l *lua.LState) int {
	n := l.GetTop()
	total := 0
	for i := 1; i <= n; i++ {
		switch s := l.Get(i).(type) {
		case lua.LString:
			total += len(s)
		case lua.LNumber:
			total += 24
		default:
			return v.concatMeta(l, n)
		}
	}
	l.Push(v.join(l, 1, n, total))
	return 1
}

// joinStrings joins values with sep between them; ok is false when one is no string or number, and when the result
// would be too long.
func (v *VM) joinStrings(values []lua.LValue, sep string) (joined lua.LValue, ok bool) {
	total := len(sep) * (len(values) - 1)
	for _, value := range values {
		switch s := value.(type) {
		case lua.LString:
			total += len(s)
		case lua.LNumber:
			total += numberRoom(s)
		default:
			return nil, false
		}
	}
	if total > v.opts.MaxString {
		return nil, false
	}
	header, b := roomFor(total)
	for i, value := range values {
		if i > 0 {
			b = append(b, sep...)
		}
		switch s := value.(type) {
		case lua.LString:
			b = append(b, s...)
		case lua.LNumber:
			b = AppendNumber(b, float64(s))
		}
	}
	return finish(header, b), true
}

// numberRoom is how many bytes a number takes at most.
func numberRoom(n lua.LNumber) int {
	const all = 24
	switch i := int64(n); {
	case lua.LNumber(i) != n || n < 0:
		return all
	case i < 1e4:
		return 4
	case i < 1e8:
		return 8
	}
	return all
}

// join concatenates the strings and numbers at from..to of the stack, of about size bytes.
func (v *VM) join(l *lua.LState, from, to, size int) lua.LString {
	if size > v.opts.MaxString {
		raiseMemory(l)
	}
	b := make([]byte, 0, size)
	for i := from; i <= to; i++ {
		switch s := l.Get(i).(type) {
		case lua.LString:
			b = append(b, s...)
		case lua.LNumber:
			b = AppendNumber(b, float64(s))
		}
	}
	return lua.LString(unsafe.String(unsafe.SliceData(b), len(b)))
}

func raiseMemory(l *lua.LState) { Raise(l, lua.LString("not enough memory")) }

// concatMeta concatenates from right to left, with metamethods where an operand is neither string nor number.
func (v *VM) concatMeta(l *lua.LState, n int) int {
	acc := l.Get(n)
	for i := n - 1; i >= 1; i-- {
		left := l.Get(i)
		a, ok1 := ToString(left)
		b, ok2 := ToString(acc)
		if ok1 && ok2 {
			if len(a)+len(b) > v.opts.MaxString {
				raiseMemory(l)
			}
			acc = lua.LString(a + b)
			continue
		}
		mm := l.GetMetaField(left, "__concat")
		if mm == lua.LNil {
			mm = l.GetMetaField(acc, "__concat")
		}
		if mm == lua.LNil {
			v.badConcat(l, i, left, acc, ok1)
		}
		l.Push(mm)
		l.Push(left)
		l.Push(acc)
		Call(l, 2, 1)
		acc = l.Get(-1)
		l.Pop(1)
	}
	l.Push(acc)
	return 1
}

// badConcat raises the error of a pair that cannot be concatenated: the left operand is blamed unless it is a string.
func (v *VM) badConcat(l *lua.LState, i int, left, right lua.LValue, leftOK bool) {
	bad := left
	if leftOK {
		bad = right
		i++
	}
	kind, name := callArgument(l, i)
	if bad != l.Get(i) {
		kind, name = "", "" // the result of a metamethod
	}
	Raise(l, lua.LString(where(l, 1)+describe("concatenate", kind, name, TypeName(bad))))
}

// deleteField is what compiled code calls for `t[k] = nil`.
func (v *VM) deleteField(l *lua.LState) int {
	t, ok := l.Get(1).(*lua.LTable)
	key := l.Get(2)
	if !ok {
		if l.GetMetaField(l.Get(1), "__newindex") == lua.LNil {
			kind, name := callArgument(l, 1)
			Raise(l, lua.LString(where(l, 1)+describe("index", kind, name, TypeName(l.Get(1)))))
		}
		l.SetTable(l.Get(1), key, lua.LNil)
		return 0
	}
	if t.Metatable != lua.LNil && t.RawGet(key) == lua.LNil {
		l.SetTable(t, key, lua.LNil)
		return 0
	}
	v.rawSet(l, t, key, lua.LNil)
	return 0
}

// rawSet stores without metamethods and, for deletions, keeps the table's books short.
func (v *VM) rawSet(l *lua.LState, t *lua.LTable, key, value lua.LValue) {
	if n, ok := key.(lua.LNumber); ok && n != n {
		Errorf(l, "table index is NaN")
	} else if key == lua.LNil {
		Errorf(l, "table index is nil")
	}
	if isNil(value) {
		v.forgetKey(t, key)
		return
	}
	if s, ok := key.(lua.LString); ok {
		if in := inside(t); in.putString(string(s), value) {
			in.list(key)
		}
		return
	}
	if i, ok := arrayIndex(key); ok {
		storeInt(t, i, value)
		return
	}
	inside(t).putHashed(key, value)
}

// forgetKey deletes a key. gopher-lua never shrinks the array part, so that its length operator walks over all that was
// popped, and remembers the order of every key a table ever had, which is a leak in tables used as maps of short-lived
// keys.
func (v *VM) forgetKey(t *lua.LTable, key lua.LValue) {
	in := inside(t)
	if n, ok := key.(lua.LNumber); ok {
		if i := int(n); lua.LNumber(i) == n && i >= 1 && i <= len(in.array) {
			in.array[i-1] = lua.LNil
			last := len(in.array)
			for last > 0 && i == last && in.array[last-1] == lua.LNil {
				last--
				i--
			}
			in.array = in.array[:last]
			return
		}
		if math.Trunc(float64(n)) == float64(n) && n >= 1 && n < maxArrayIndex {
			return // beyond the array part: not there
		}
	}
	if s, ok := key.(lua.LString); ok {
		delete(in.strdict, string(s))
	} else {
		delete(in.dict, key)
	}
	const slack = 32
	if live := len(in.dict) + len(in.strdict); len(in.keys) > 2*live+slack && !v.traversed(t) {
		compact(in, live)
	}
}

// compact drops the deleted keys from a table's order.
func compact(in *table, live int) {
	in.arrange()
	keys := make([]lua.LValue, 0, live+live/2)
	for _, k := range in.keys {
		if _, present := in.hashed(k); present {
			keys = append(keys, k)
		}
	}
	clear(in.k2i)
	in.keys = keys
}

// traversing notes that a traversal of t begins: until it is over, deleted keys must stay where they are, for next has
// to find its way on from them. Ends are not known, so the last few traversals of the worker are remembered.
func (v *VM) traversing(t *lua.LTable) {
	v.deletingN++
	v.deleting[v.deletingN%traversalHistory] = t
}

// forgetTraversals ends all traversals.
func (v *VM) forgetTraversals() {
	if v.deletingN > 0 {
		clear(v.deleting[:min(v.deletingN+1, traversalHistory)])
		v.deletingN = 0
	}
	v.walk = walk{}
}

func (v *VM) traversed(t *lua.LTable) bool {
	for _, d := range v.deleting {
		if d == t {
			return true
		}
	}
	return false
}

// arrayIndex tells keys of the array part, which may have been cut since, from others.
func arrayIndex(key lua.LValue) (int, bool) {
	n, ok := key.(lua.LNumber)
	if !ok || n < 1 || n >= maxArrayIndex || n != lua.LNumber(int(n)) {
		return 0, false
	}
	return int(n), true
}
