package vm

import (
	"iter"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// Tables are gopher-lua's, but stored to and walked over here: its own methods make room for 32 entries in every table,
// and keep the order of keys in a map that only a traversal needs. Here that map, k2i, is filled when a traversal first
// asks for a key it did not just get. Until then it has fewer entries than keys, and a key that one of gopher-lua's
// methods stores may be listed twice; arrange sorts that out. LTable.Next must not be used.

// least is how many values the first growth of an array or a list of keys makes room for. Up to fast values an array
// grows to four times its size.
const (
	least = 4
	fast  = 64
)

// NewTable makes a table with room for so many array items and named fields.
func NewTable(items, fields int) *lua.LTable {
	t := &lua.LTable{Metatable: lua.LNil}
	in := inside(t)
	if items > 0 {
		in.array = make([]lua.LValue, 0, items)
	}
	if fields > 0 {
		in.strdict = make(map[string]lua.LValue, fields)
		in.keys = make([]lua.LValue, 0, fields)
		in.k2i = map[lua.LValue]int{}
	}
	return t
}

// Object is a table that holds something of the program at index 1, in one piece of memory with it when it is a field of
// that. A socket is one.
type Object struct {
	table lua.LTable
	array [1]lua.LValue
	data  lua.LUserData
}

// Init makes the table, with its metatable.
func (o *Object) Init(holds any, metatable lua.LValue) *lua.LTable {
	o.data = lua.LUserData{Value: holds, Metatable: lua.LNil}
	o.array[0] = &o.data
	o.table.Metatable = metatable
	inside(&o.table).array = o.array[:]
	return &o.table
}

// SetString stores a value that is not nil under a string, without metamethods.
func SetString(t *lua.LTable, key string, value lua.LValue) {
	in := inside(t)
	if in.putString(key, value) {
		in.list(lua.LString(key))
	}
}

// SetField is SetString for a string that is a value already.
func SetField(t *lua.LTable, key, value lua.LValue) {
	in := inside(t)
	if in.putString(string(key.(lua.LString)), value) {
		in.list(key)
	}
}

// SetIndex stores a value that is not nil under a whole number, without metamethods.
func SetIndex(t *lua.LTable, n int, value lua.LValue) {
	if n >= 1 && n < maxArrayIndex {
		storeInt(t, n, value)
	} else {
		inside(t).putHashed(lua.LNumber(n), value)
	}
}

// Append stores a value that is not nil behind the last one of the array.
func Append(t *lua.LTable, value lua.LValue) {
	in := inside(t)
	if n := len(in.array); n > 0 && isNil(in.array[n-1]) {
		t.Append(value)
		return
	}
	in.append(value)
}

func (t *table) append(value lua.LValue) {
	if n := len(t.array); n == cap(t.array) && n <= fast {
		t.array = slices.Grow(t.array, max(least, 3*n))
	}
	t.array = append(t.array, value)
}

// putString stores under a string and reports whether the key is new and has to be listed.
func (t *table) putString(key string, value lua.LValue) bool {
	if t.strdict == nil {
		t.strdict = make(map[string]lua.LValue)
	}
	n := len(t.strdict)
	t.strdict[key] = value
	return len(t.strdict) != n
}

// list appends a key that was just stored for the first time, or again after a deletion, to the order of keys.
func (t *table) list(key lua.LValue) {
	if t.keys == nil {
		t.keys = make([]lua.LValue, 0, least)
		t.k2i = map[lua.LValue]int{}
	}
	n := len(t.keys)
	if n != len(t.strdict)+len(t.dict)-1 { // some of the keys listed are deleted: it may be one of them
		t.arrange()
		if _, ok := t.k2i[key]; ok {
			return
		}
		n = len(t.keys)
	}
	if n > 0 && len(t.k2i) == n {
		t.k2i[key] = n
	}
	t.keys = append(t.keys, key)
}

// arrange makes k2i complete.
func (t *table) arrange() {
	if len(t.k2i) == len(t.keys) {
		return
	}
	clear(t.k2i)
	keys := t.keys[:0]
	for _, k := range t.keys {
		if _, ok := t.k2i[k]; !ok {
			t.k2i[k] = len(keys)
			keys = append(keys, k)
		}
	}
	clear(t.keys[len(keys):])
	t.keys = keys
}

// hashed is the value of a key outside of the array.
func (t *table) hashed(key lua.LValue) (lua.LValue, bool) {
	if s, ok := key.(lua.LString); ok {
		v, ok := t.strdict[string(s)]
		return v, ok
	}
	v, ok := t.dict[key]
	return v, ok
}

// maxChain is how many tables one leads to the other by __index.
const maxChain = 100

// indexString is a field of a table, found in it or in the tables that __index leads to. With from, value is a handler
// that is none of these: it is to be asked for the field of from. It is nil at the end of a chain that is too long.
func indexString(t *lua.LTable, key string) (value lua.LValue, from *lua.LTable) {
	for range maxChain {
		if value, ok := inside(t).strdict[key]; ok {
			return value, nil
		}
		handler := behind(t)
		if handler == nil {
			return lua.LNil, nil
		}
		next, ok := handler.(*lua.LTable)
		if !ok {
			return handler, t
		}
		t = next
	}
	return nil, t
}

// behind is what __index of t is, nil for nothing.
func behind(t *lua.LTable) lua.LValue {
	if mt, ok := t.Metatable.(*lua.LTable); ok {
		return inside(mt).strdict["__index"]
	}
	return nil
}

// index is indexString for any key.
func index(t *lua.LTable, key lua.LValue) (value lua.LValue, from *lua.LTable) {
	switch k := key.(type) {
	case lua.LNumber:
		n := int(k)
		if in := inside(t); uint(n-1) < uint(len(in.array)) && lua.LNumber(n) == k {
			if value = in.array[n-1]; !isNil(value) {
				return value, nil
			}
		}
	case lua.LString:
		return indexString(t, string(k))
	}
	for range maxChain {
		if value = t.RawGet(key); !isNil(value) {
			return value, nil
		}
		handler := behind(t)
		if handler == nil {
			return lua.LNil, nil
		}
		next, ok := handler.(*lua.LTable)
		if !ok {
			return handler, t
		}
		t = next
	}
	return nil, t
}

// plain tells that storing a new key into a table asks no metamethod.
func plain(t *lua.LTable) bool {
	mt, ok := t.Metatable.(*lua.LTable)
	if !ok {
		return isNil(t.Metatable)
	}
	_, ok = inside(mt).strdict["__newindex"]
	return !ok
}

// newIndex is the function that __newindex of t is, nil for none.
func newIndex(t *lua.LTable) *lua.LFunction {
	if mt, ok := t.Metatable.(*lua.LTable); ok {
		fn, _ := inside(mt).strdict["__newindex"].(*lua.LFunction)
		return fn
	}
	return nil
}

// storeString stores a field; boxed is the key as a value. It reports false when a metamethod is to be asked.
func (v *VM) storeString(t *lua.LTable, key string, boxed, value lua.LValue) bool {
	in := inside(t)
	if isNil(value) {
		if !isNil(t.Metatable) {
			if _, ok := in.strdict[key]; !ok && !plain(t) {
				return false
			}
		}
		v.forgetKey(t, boxed)
		return true
	}
	if in.putString(key, value) {
		if !isNil(t.Metatable) && !plain(t) { // the key is looked for once only, as most keys are there already
			delete(in.strdict, key)
			return false
		}
		in.list(boxed)
	}
	return true
}

// store stores under any key. It reports false when a metamethod is to be asked, and for what cannot be a key.
func (v *VM) store(t *lua.LTable, key, value lua.LValue) bool {
	switch k := key.(type) {
	case lua.LString:
		return v.storeString(t, string(k), key, value)
	case lua.LNumber:
		n := int(k)
		in := inside(t)
		if lua.LNumber(n) != k || n < 1 || n >= maxArrayIndex {
			break
		}
		if n <= len(in.array) {
			if isNil(t.Metatable) || !isNil(in.array[n-1]) || plain(t) {
				if in.array[n-1] = value; isNil(value) {
					v.forgetKey(t, key)
				}
				return true
			}
			return false
		}
		if !isNil(t.Metatable) && !plain(t) {
			return false
		}
		if !isNil(value) {
			storeInt(t, n, value)
		}
		return true
	case *lua.LNilType:
		return false
	}
	if k, ok := key.(lua.LNumber); ok && k != k || !isNil(t.Metatable) && isNil(t.RawGetH(key)) && !plain(t) {
		return false
	}
	if isNil(value) {
		v.forgetKey(t, key)
	} else {
		inside(t).putHashed(key, value)
	}
	return true
}

// storeInt stores under an index from 1 on and below maxArrayIndex.
func storeInt(t *lua.LTable, n int, value lua.LValue) {
	in := inside(t)
	if n == len(in.array)+1 {
		in.append(value)
		return
	}
	t.RawSetInt(n, value)
}

// putHashed stores a value that is not nil under a key that is neither a string nor an index of the array.
func (t *table) putHashed(key, value lua.LValue) {
	if t.dict == nil {
		t.dict = make(map[lua.LValue]lua.LValue)
	}
	n := len(t.dict)
	t.dict[key] = value
	if len(t.dict) != n {
		t.list(key)
	}
}

// length is #t without __len. When the array ends with nil it is the border that LuaJIT's search finds, which is not
// always the last one.
func length(t *lua.LTable) int {
	array := inside(t).array
	n := len(array)
	if n == 0 || !isNil(array[n-1]) {
		return n
	}
	low, high := 0, n
	for high-low > 1 {
		if middle := (low + high) / 2; isNil(array[middle-1]) {
			high = middle
		} else {
			low = middle
		}
	}
	return low
}

// walk is where the last step of a traversal was.
type walk struct {
	t *lua.LTable
	i int // in keys
}

// zero is the key that LuaJIT keeps in front of the array. Programs with tables from 0 on see that a traversal meets it
// first, so it does here.
var zero lua.LValue = lua.LNumber(0)

// nextKey is the entry of t after key, nil at the end; ok is false for a key that is not there.
func (v *VM) nextKey(t *lua.LTable, key lua.LValue, value *lua.LValue) (next lua.LValue, ok bool) {
	in := inside(t)
	i := 0
	if in.dict != nil && isNil(key) {
		if x, ok := in.dict[zero]; ok {
			*value = x
			return zero, true
		}
	}
	if n, ok := arrayIndex(key); ok || isNil(key) || key == zero {
		for ; n < len(in.array); n++ {
			if x := in.array[n]; !isNil(x) {
				*value = x
				return v.number(float64(n + 1)), true
			}
		}
		if len(in.keys) != len(in.strdict)+len(in.dict) {
			in.arrange()
		}
	} else if i = v.walk.i; v.walk.t == t && i < len(in.keys) && same(in.keys[i], key) {
		i++
	} else {
		in.arrange()
		if i, ok = in.k2i[key]; !ok {
			return nil, false
		}
		i++
	}
	for ; i < len(in.keys); i++ {
		if x, ok := in.hashed(in.keys[i]); ok && in.keys[i] != zero {
			v.walk = walk{t, i}
			*value = x
			return in.keys[i], true
		}
	}
	*value = lua.LNil
	return lua.LNil, true
}

// Pairs is all entries of a table, as pairs without metamethods. The table must not get new keys meanwhile.
func Pairs(t *lua.LTable) iter.Seq2[lua.LValue, lua.LValue] {
	return func(yield func(k, v lua.LValue) bool) {
		in := inside(t)
		if x, ok := in.dict[zero]; ok && !yield(zero, x) {
			return
		}
		for i, x := range in.array {
			if !isNil(x) && !yield(lua.LNumber(i+1), x) {
				return
			}
		}
		if len(in.keys) != len(in.strdict)+len(in.dict) {
			in.arrange()
		}
		for _, k := range in.keys {
			if x, ok := in.hashed(k); ok && k != zero && !yield(k, x) {
				return
			}
		}
	}
}

// Sequence is the length of a table that has nothing but an array without holes at its end; ok is false for others.
func Sequence(t *lua.LTable) (n int, ok bool) {
	array := inside(t).array
	n = len(array)
	return n, OnlyArray(t) && (n == 0 || !isNil(array[n-1]))
}

// OnlyArray tells that a table has no keys outside of its array.
func OnlyArray(t *lua.LTable) bool {
	in := inside(t)
	return len(in.strdict)+len(in.dict) == 0
}
