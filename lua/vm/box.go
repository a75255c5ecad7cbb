package vm

import (
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// iface is an interface value in memory. Type tables are not on the heap.
type iface struct {
	tab  uintptr
	word unsafe.Pointer
}

// same tells that two values are the same word for word; equal ones need not be.
func same(a, b lua.LValue) bool {
	return *(*iface)(unsafe.Pointer(&a)) == *(*iface)(unsafe.Pointer(&b))
}

// stringTab is the type of strings in their values.
var stringTab = func() uintptr {
	var v lua.LValue = lua.LString("s")
	return (*iface)(unsafe.Pointer(&v)).tab
}()

// boxString is the value whose string p points to.
func boxString(p *string) (value lua.LValue) {
	v := (*iface)(unsafe.Pointer(&value))
	v.word = unsafe.Pointer(p)
	v.tab = stringTab
	return value
}

// Short strings lie in one piece of memory with their header. The sizes are those of Go's allocator, less a header.
type (
	text8 struct {
		s string
		b [8]byte
	}
	text16 struct {
		s string
		b [16]byte
	}
	text32 struct {
		s string
		b [32]byte
	}
	text64 struct {
		s string
		b [64]byte
	}
	text112 struct {
		s string
		b [112]byte
	}
)

// roomFor is the memory of a string of at most n bytes, and its header, which the caller sets with finish.
func roomFor(n int) (*string, []byte) {
	switch {
	case n <= 8:
		p := new(text8)
		return &p.s, p.b[:0]
	case n <= 16:
		p := new(text16)
		return &p.s, p.b[:0]
	case n <= 32:
		p := new(text32)
		return &p.s, p.b[:0]
	case n <= 64:
		p := new(text64)
		return &p.s, p.b[:0]
	case n <= 112:
		p := new(text112)
		return &p.s, p.b[:0]
	}
	return new(string), make([]byte, 0, n)
}

// finish makes b, for which roomFor made room, the string of its header.
func finish(header *string, b []byte) lua.LValue {
	*header = unsafe.String(unsafe.SliceData(b), len(b))
	return boxString(header)
}

// Text is a copy of s as a value.
func Text[T ~string | ~[]byte](s T) lua.LValue {
	header, b := roomFor(len(s))
	return finish(header, append(b, s...))
}

// singles are the strings of one byte, as values.
var singles = func() (t [256]lua.LValue) {
	for i := range t {
		t[i] = lua.LString([]byte{byte(i)})
	}
	return t
}()

var emptyString lua.LValue = lua.LString("")

// part is a piece of a longer string as a value. It shares the memory of the string unless it is short.
func part(s string) lua.LValue {
	const short = 32
	switch n := len(s); {
	case n == 0:
		return emptyString
	case n == 1:
		return singles[s[0]]
	case n <= short:
		return Text(s)
	}
	return lua.LString(s)
}

// numberTab is the type of numbers in their values.
var numberTab = func() uintptr {
	var v lua.LValue = lua.LNumber(0.5)
	return (*iface)(unsafe.Pointer(&v)).tab
}()

// smallNumbers is the end of the whole numbers, from 1 on, that need no memory. 0 does, for it could be -0.
const smallNumbers = 8192

var small = func() (t [smallNumbers]float64) {
	for i := range t {
		t[i] = float64(i)
	}
	return t
}()

// page is how many numbers are allocated at once. As long as one of them is in use, all are.
const page = 32

// numbers hands out memory for numbers.
type numbers struct {
	page *[page]float64
	used uint
}

// setNumber stores a number in a register.
func (v *VM) setNumber(r *lua.LValue, n float64) {
	p := (*iface)(unsafe.Pointer(r))
	if i := int(n); uint(i-1) < smallNumbers-1 && float64(i) == n {
		p.word = unsafe.Pointer(&small[i])
	} else {
		p.word = v.numbers.put(n)
	}
	p.tab = numberTab
}

// Number is a number as a value; small whole ones take no memory.
func Number[T ~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~uintptr | ~float64](n T) lua.LValue {
	if i := int(n); uint(i-1) < smallNumbers-1 && T(i) == n {
		return numberAt(&small[i])
	}
	return lua.LNumber(n)
}

// numberAt is the value whose number p points to.
func numberAt(p *float64) (value lua.LValue) {
	v := (*iface)(unsafe.Pointer(&value))
	v.word = unsafe.Pointer(p)
	v.tab = numberTab
	return value
}

// number is a number as a value.
func (v *VM) number(n float64) (value lua.LValue) {
	v.setNumber(&value, n)
	return value
}

// ownNumber is a number in memory of its own.
func (v *VM) ownNumber(n float64) (value lua.LValue) {
	p := (*iface)(unsafe.Pointer(&value))
	p.word = v.numbers.put(n)
	p.tab = numberTab
	return value
}

func (a *numbers) put(n float64) unsafe.Pointer {
	if a.used >= page {
		a.page, a.used = new([page]float64), 0
	}
	p := &a.page[a.used]
	a.used++
	*p = n
	return unsafe.Pointer(p)
}
