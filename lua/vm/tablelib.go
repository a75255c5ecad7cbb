package vm

import (
	"slices"

	lua "github.com/yuin/gopher-lua"
)

func (v *VM) openTable() {
	t := v.library("table", map[string]lua.LGFunction{
		"insert": v.tableInsert, "remove": v.tableRemove, "concat": v.tableConcat, "sort": v.tableSort,
		"maxn": tableMaxn, "getn": tableGetn, "foreach": tableForeach, "foreachi": tableForeachi,
		"pack": tablePack, "unpack": tableUnpack, "move": v.tableMove,
	})
	setLeaves(t, map[string]leaf{"insert": insertLeaf})
	// LuaJIT and OpenResty's branch of it: the functions are fields of table and modules of their own.
	extra := map[string]lua.LGFunction{
		"new": tableNew, "clear": tableClear, "nkeys": tableNkeys, "isempty": tableIsEmpty, "isarray": tableIsArray,
		"clone": tableClone,
	}
	for name, fn := range extra {
		f := v.L.NewFunction(fn)
		t.RawSetString(name, f)
		v.preload.RawSetString("table."+name, v.L.NewFunction(func(l *lua.LState) int {
			l.Push(f)
			return 1
		}))
	}
}

func (v *VM) tableInsert(l *lua.LState) int {
	t := CheckTable(l, 1)
	n := length(t)
	switch l.GetTop() {
	case 2:
		value := l.Get(2)
		if in := inside(t); n == len(in.array) && n+1 < maxArrayIndex && !isNil(value) {
			in.append(value)
			return 0
		}
		v.rawSet(l, t, lua.LNumber(n+1), value)
		return 0
	case 3:
	default:
		Errorf(l, "wrong number of arguments to 'insert'")
	}
	pos, value := CheckInt(l, 2), l.Get(3)
	in := inside(t)
	if pos >= 1 && pos <= n && n <= len(in.array) {
		in.array = slices.Insert(in.array[:n], pos-1, value)
		return 0
	}
	for i := n + 1; i > pos; i-- {
		t.RawSet(lua.LNumber(i), rawGetInt(t, i-1))
	}
	v.rawSet(l, t, lua.LNumber(pos), value)
	return 0
}

func (v *VM) tableRemove(l *lua.LState) int {
	t := CheckTable(l, 1)
	n := length(t)
	if l.Get(2) == lua.LNil {
		if n == 0 {
			return 0
		}
		l.Push(rawGetInt(t, n))
		v.forgetKey(t, v.number(float64(n)))
		return 1
	}
	pos := CheckInt(l, 2)
	if pos < 1 || pos > n {
		return 0
	}
	l.Push(rawGetInt(t, pos))
	if in := inside(t); n <= len(in.array) {
		copy(in.array[pos-1:], in.array[pos:n])
		v.forgetKey(t, lua.LNumber(n))
		return 1
	}
	for ; pos < n; pos++ {
		t.RawSet(lua.LNumber(pos), rawGetInt(t, pos+1))
	}
	v.forgetKey(t, lua.LNumber(n))
	return 1
}

func (v *VM) tableConcat(l *lua.LState) int {
	t := CheckTable(l, 1)
	sep := OptString(l, 2, "")
	i := OptInt(l, 3, 1)
	j := 0
	if l.Get(4) == lua.LNil {
		j = length(t)
	} else {
		j = CheckInt(l, 4)
	}
	if array := inside(t).array; i >= 1 && j <= len(array) && i <= j {
		if s, ok := v.joinStrings(array[i-1:j], sep); ok {
			l.Push(s)
			return 1
		}
	}
	size := 0
	for k := i; k <= j; k++ {
		switch s := rawGetInt(t, k).(type) {
		case lua.LString:
			size += len(s) + len(sep)
		case lua.LNumber:
			size += numberRoom(s) + len(sep)
		default:
			Errorf(l, "invalid value (%s) at index %d in table for 'concat'", TypeName(s), k)
		}
		if size > v.opts.MaxString {
			raiseMemory(l)
		}
	}
	header, b := roomFor(size)
	for k := i; k <= j; k++ {
		switch s := rawGetInt(t, k).(type) {
		case lua.LString:
			b = append(b, s...)
		case lua.LNumber:
			b = AppendNumber(b, float64(s))
		}
		if k < j {
			b = append(b, sep...)
		}
	}
	l.Push(finish(header, b))
	return 1
}

func tableMaxn(l *lua.LState) int {
	t := CheckTable(l, 1)
	best := 0.0
	for k := range Pairs(t) {
		if n, ok := k.(lua.LNumber); ok {
			best = max(best, float64(n))
		}
	}
	l.Push(Number(best))
	return 1
}

func tableGetn(l *lua.LState) int {
	l.Push(Number(CheckTable(l, 1).Len()))
	return 1
}

func tableForeach(l *lua.LState) int {
	t, f := CheckTable(l, 1), CheckFunction(l, 2)
	for k, v := range Pairs(t) {
		if found := callback(l, f, k, v); found {
			return 1
		}
	}
	return 0
}

func tableForeachi(l *lua.LState) int {
	t, f := CheckTable(l, 1), CheckFunction(l, 2)
	for i, n := 1, length(t); i <= n; i++ {
		if found := callback(l, f, lua.LNumber(i), rawGetInt(t, i)); found {
			return 1
		}
	}
	return 0
}

// callback calls f(k, v) and leaves its result on the stack when it is not nil.
func callback(l *lua.LState, f *lua.LFunction, k, v lua.LValue) bool {
	l.Push(f)
	l.Push(k)
	l.Push(v)
	Call(l, 2, 1)
	if l.Get(-1) != lua.LNil {
		return true
	}
	l.Pop(1)
	return false
}

func tablePack(l *lua.LState) int {
	n := l.GetTop()
	t := NewTable(n, 1)
	for i := 1; i <= n; i++ {
		t.RawSetInt(i, l.Get(i))
	}
	t.RawSetString("n", lua.LNumber(n))
	l.Push(t)
	return 1
}

// tableMove is table.move(from, first, last, to [, target]) of Lua 5.3, with metamethods.
func (v *VM) tableMove(l *lua.LState) int {
	from := CheckTable(l, 1)
	f, e, t := CheckInt(l, 2), CheckInt(l, 3), CheckInt(l, 4)
	target := from
	if l.Get(5) != lua.LNil {
		target = CheckTable(l, 5)
	}
	if e >= f {
		d := t - f
		if t > e || t <= f || target != from {
			for i := f; i <= e; i++ {
				l.SetTable(target, lua.LNumber(i+d), l.GetTable(from, lua.LNumber(i)))
			}
		} else {
			for i := e; i >= f; i-- {
				l.SetTable(target, lua.LNumber(i+d), l.GetTable(from, lua.LNumber(i)))
			}
		}
	}
	l.Push(target)
	return 1
}

func tableNew(l *lua.LState) int {
	const most = 1 << 20 // hints beyond are not trusted
	l.Push(NewTable(min(max(CheckInt(l, 1), 0), most), min(max(CheckInt(l, 2), 0), most)))
	return 1
}

func tableClear(l *lua.LState) int {
	in := inside(CheckTable(l, 1))
	clear(in.array)
	in.array = in.array[:0]
	clear(in.dict)
	clear(in.strdict)
	clear(in.keys)
	in.keys = in.keys[:0]
	clear(in.k2i)
	return 0
}

func tableNkeys(l *lua.LState) int {
	in := inside(CheckTable(l, 1))
	n := len(in.dict) + len(in.strdict)
	for _, v := range in.array {
		if v != lua.LNil {
			n++
		}
	}
	l.Push(Number(n))
	return 1
}

func tableIsEmpty(l *lua.LState) int {
	empty := true
	for range Pairs(CheckTable(l, 1)) {
		empty = false
		break
	}
	l.Push(lua.LBool(empty))
	return 1
}

func tableIsArray(l *lua.LState) int {
	in := inside(CheckTable(l, 1))
	l.Push(lua.LBool(len(in.dict)+len(in.strdict) == 0))
	return 1
}

func tableClone(l *lua.LState) int {
	t := CheckTable(l, 1)
	in := inside(t)
	c := NewTable(len(in.array), len(in.strdict))
	for k, v := range Pairs(t) {
		c.RawSet(k, v)
	}
	c.Metatable = t.Metatable
	l.Push(c)
	return 1
}
