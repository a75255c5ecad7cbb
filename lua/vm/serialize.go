package vm

import (
	"encoding/binary"
	"math"

	lua "github.com/yuin/gopher-lua"
)

// This file is the serialization of LuaJIT's string buffers, in its format (doc/ext_buffer.html, "Serialization Format
// Specification"): what OpenResty wrote into a cache can be read here, and the other way round. Cdata is not there.

// Tags of values. A length or an index follows as bytes of a variable number, see appendSize.
const (
	tagNil       = 0x00
	tagFalse     = 0x01
	tagTrue      = 0x02
	tagNull      = 0x03
	tagInt       = 0x06 // 4 bytes
	tagNumber    = 0x07 // 8 bytes
	tagTable     = 0x08 // and the bits below
	tabHash      = 0x01 // pairs of keys and values
	tabArray     = 0x02 // values, the first of them at 0
	tabArray1    = 0x04 // values, the first of them at 1
	tagMetatable = 0x0e
	tagDictItem  = 0x0f
	tagString    = 0x20 // and the length
)

const (
	serializeDepth = 100  // how deep tables may be nested
	roomAhead      = 1024 // values to make room for on the word of the data alone
)

// bufferOptions are the options dict and metatable of buffer.new: strings and metatables that both sides know.
type bufferOptions struct {
	strings    []lua.LValue
	stringAt   map[lua.LValue]int
	metatables []lua.LValue
	metaAt     map[lua.LValue]int
}

// bufferNew is buffer.new([size] [, options]).
func bufferNew(l *lua.LState, mt *lua.LTable) int {
	s := &stringBuffer{}
	for n := 1; n <= 2; n++ {
		if t, ok := l.Get(n).(*lua.LTable); ok {
			s.strings, s.stringAt = bufferDict(l, t, "dict")
			s.metatables, s.metaAt = bufferDict(l, t, "metatable")
		}
	}
	ud := l.NewUserData()
	ud.Value, ud.Metatable = s, mt
	l.Push(ud)
	return 1
}

// bufferDict reads the array that is one of the options.
func bufferDict(l *lua.LState, options *lua.LTable, name string) (list []lua.LValue, at map[lua.LValue]int) {
	value := options.RawGetString(name)
	if isNil(value) {
		return nil, nil
	}
	t, ok := value.(*lua.LTable)
	if !ok {
		Errorf(l, "bad options table")
	}
	at = map[lua.LValue]int{}
	for i := 1; i <= length(t); i++ {
		item := rawGetInt(t, i)
		if isNil(item) {
			break
		}
		at[item] = len(list)
		list = append(list, item)
	}
	return list, at
}

// bufferEncode is buf:encode(value).
func (v *VM) bufferEncode(l *lua.LState) int {
	s := bufferArg(l, 1)
	s.b = v.serialize(l, s.b, CheckAny(l, 2), &s.bufferOptions, 0)
	l.SetTop(1)
	return 1
}

// bufferDecode is buf:decode(), which takes one value.
func (v *VM) bufferDecode(l *lua.LState) int {
	s := bufferArg(l, 1)
	d := decoder{v: v, l: l, b: s.rest(), bufferOptions: &s.bufferOptions}
	value := d.value(0)
	s.take(len(s.rest()) - len(d.b))
	l.Push(value)
	return 1
}

// encode is buffer.encode(value).
func (v *VM) encode(l *lua.LState) int {
	l.Push(lua.LString(v.serialize(l, nil, CheckAny(l, 1), &bufferOptions{}, 0)))
	return 1
}

// decode is buffer.decode(text).
func (v *VM) decode(l *lua.LState) int {
	d := decoder{v: v, l: l, b: []byte(CheckString(l, 1)), bufferOptions: &bufferOptions{}}
	value := d.value(0)
	if len(d.b) > 0 {
		Errorf(l, "left-over data in buffer")
	}
	l.Push(value)
	return 1
}

// appendSize appends n in one, two or five bytes.
func appendSize(b []byte, n int) []byte {
	switch {
	case n < 0xe0:
		return append(b, byte(n))
	case n < 0x1fe0:
		n -= 0xe0
		return append(b, byte(0xe0|n>>8), byte(n))
	}
	return binary.LittleEndian.AppendUint32(append(b, 0xff), uint32(n))
}

// serialize appends a value. Numbers are written as LuaJIT for 64 bits has them, all as doubles.
func (v *VM) serialize(l *lua.LState, b []byte, value lua.LValue, o *bufferOptions, depth int) []byte {
	v.checkSize(l, len(b))
	switch value := value.(type) {
	case *lua.LNilType:
		return append(b, tagNil)
	case lua.LBool:
		if value {
			return append(b, tagTrue)
		}
		return append(b, tagFalse)
	case lua.LNumber:
		return binary.LittleEndian.AppendUint64(append(b, tagNumber), math.Float64bits(float64(value)))
	case lua.LString:
		return append(appendSize(b, tagString+len(value)), value...)
	case *lua.LUserData:
		if value == Null {
			return append(b, tagNull)
		}
	case *lua.LTable:
		if depth >= serializeDepth {
			Errorf(l, "too deep to serialize")
		}
		return v.serializeTable(l, b, value, o, depth+1)
	}
	Errorf(l, "cannot serialize '%s'", value.Type())
	return nil
}

// serializeTable appends a table: its array up to the last value that is there, if it is not too empty, then all other
// entries.
func (v *VM) serializeTable(l *lua.LState, b []byte, t *lua.LTable, o *bufferOptions, depth int) []byte {
	if at, ok := o.metaAt[t.Metatable]; ok {
		b = appendSize(append(b, tagMetatable), at)
	}
	in := inside(t)
	array := in.array
	for len(array) > 0 && isNil(array[len(array)-1]) {
		array = array[:len(array)-1]
	}
	fields := len(in.strdict) + len(in.dict)
	used := 0
	for _, item := range array {
		if !isNil(item) {
			used++
		}
	}
	if used <= len(array)/2 { // LuaJIT has no array that empty
		array = nil
		fields += used
	}
	first, fromZero := in.dict[zero]
	fromZero = fromZero && len(array) > 0
	if fromZero {
		fields--
	}
	tag := byte(tagTable)
	if fields > 0 {
		tag |= tabHash
	}
	switch {
	case fromZero:
		tag |= tabArray
	case len(array) > 0:
		tag |= tabArray1
	}
	b = append(b, tag)
	if len(array) > 0 {
		b = appendSize(b, len(array)+1)
	}
	if fields > 0 {
		b = appendSize(b, fields)
	}
	if fromZero {
		b = v.serialize(l, b, first, o, depth)
	}
	for _, item := range array {
		b = v.serialize(l, b, item, o, depth)
	}
	for key, item := range Pairs(t) {
		if n, ok := arrayIndex(key); ok && n <= len(array) || fromZero && key == zero {
			continue
		}
		if at, ok := o.stringAt[key]; ok {
			b = appendSize(append(b, tagDictItem), at)
		} else {
			b = v.serialize(l, b, key, o, depth)
		}
		b = v.serialize(l, b, item, o, depth)
	}
	return b
}

// decoder takes values from the front of b.
type decoder struct {
	v *VM
	l *lua.LState
	b []byte
	*bufferOptions
}

// next takes n bytes.
func (d *decoder) next(n int) []byte {
	if n > len(d.b) {
		Errorf(d.l, "unexpected end of buffer")
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken
}

// size takes what appendSize writes.
func (d *decoder) size() int {
	n := int(d.next(1)[0])
	switch {
	case n < 0xe0:
		return n
	case n == 0xff:
		return int(binary.LittleEndian.Uint32(d.next(4)))
	}
	return 0xe0 + (n&0x1f)<<8 + int(d.next(1)[0])
}

// value takes a value.
func (d *decoder) value(depth int) lua.LValue {
	if len(d.b) > 0 && d.b[0] >= tagString {
		return Text(d.next(d.size() - tagString))
	}
	switch tag := d.next(1)[0]; tag {
	case tagNil:
		return lua.LNil
	case tagFalse, tagTrue:
		return lua.LBool(tag == tagTrue)
	case tagNull:
		return Null
	case tagInt:
		return Number(int32(binary.LittleEndian.Uint32(d.next(4))))
	case tagNumber:
		return Number(math.Float64frombits(binary.LittleEndian.Uint64(d.next(8))))
	case tagMetatable:
		mt := d.item(d.metatables)
		tag = d.next(1)[0]
		if tag < tagTable || tag >= tagMetatable {
			d.badTag(tag)
		}
		t := d.table(tag, depth)
		t.Metatable = mt
		return t
	case tagDictItem:
		return d.item(d.strings)
	default:
		if tag < tagTable || tag >= tagMetatable {
			d.badTag(tag)
		}
		return d.table(tag, depth)
	}
}

func (d *decoder) badTag(tag byte) { Errorf(d.l, "cannot deserialize tag 0x%02x", tag) }

// item takes an index of one of the options.
func (d *decoder) item(list []lua.LValue) lua.LValue {
	n := d.size()
	if n >= len(list) {
		Errorf(d.l, "cannot deserialize dictionary index %d", n+1)
	}
	return list[n]
}

// table takes what follows the tag of a table.
func (d *decoder) table(tag byte, depth int) *lua.LTable {
	if depth >= serializeDepth {
		Errorf(d.l, "too deep to serialize")
	}
	items, fields := 0, 0
	if tag&(tabArray|tabArray1) != 0 {
		items = d.size()
	}
	if tag&tabHash != 0 {
		fields = d.size()
	}
	if items > len(d.b)+1 || fields > len(d.b)/2 { // each takes one byte at least
		Errorf(d.l, "unexpected end of buffer")
	}
	t := NewTable(min(items, roomAhead), min(fields, roomAhead))
	n := 0
	if tag&tabArray1 != 0 {
		n = 1
	}
	for ; n < items; n++ {
		if item := d.value(depth + 1); !isNil(item) {
			SetIndex(t, n, item)
		}
	}
	for range fields {
		key := d.value(depth + 1)
		if k, ok := key.(lua.LNumber); isNil(key) || ok && k != k || !isNil(t.RawGet(key)) {
			Errorf(d.l, "duplicate table key")
		}
		d.v.store(t, key, d.value(depth+1))
	}
	return t
}
