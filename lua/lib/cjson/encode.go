package cjson

import (
	"fmt"
	"math"
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// encoder writes one text.
type encoder struct {
	*config
	l *lua.LState
	b []byte
}

// maxKept is the size of the largest buffer that is kept, in bytes.
const maxKept = 1 << 20

// encode is cjson.encode(value).
func (c *config) encode(l *lua.LState) (lua.LValue, error) {
	e := encoder{config: c, l: l, b: c.buffer[:0]}
	c.buffer = nil // a metamethod may encode as well
	_, err := e.value(l.Get(1), 0)
	var text lua.LValue
	if err == nil {
		text = lua.LString(e.b)
	}
	if cap(e.b) <= maxKept {
		c.buffer = e.b
	}
	return text, err
}

func cannot(v lua.LValue, reason string) error {
	return errorText("Cannot serialise " + vm.TypeName(v) + ": " + reason)
}

// value writes a value; skipped tells that there was nothing to write.
func (e *encoder) value(v lua.LValue, depth int) (skipped bool, err error) {
	switch v := v.(type) {
	case lua.LString:
		e.text(string(v))
		return false, nil
	case lua.LNumber:
		return false, e.number(v)
	case lua.LBool:
		e.b = strconv.AppendBool(e.b, bool(v))
		return false, nil
	case *lua.LTable:
		return false, e.table(v, depth+1)
	case *lua.LNilType:
		e.b = append(e.b, "null"...)
		return false, nil
	case *lua.LUserData:
		switch v {
		case vm.Null:
			e.b = append(e.b, "null"...)
			return false, nil
		case emptyArray:
			e.b = append(e.b, "[]"...)
			return false, nil
		}
	}
	if e.skipUnsupported {
		return true, nil
	}
	return false, cannot(v, "type not supported")
}

const hexDigits = "0123456789abcdef"

// escapes has what is written after a backslash for a byte, 'u' for its number in hex, 0 for bytes that stand for
// themselves.
var escapes = func() (t [256]byte) {
	for i := range 32 {
		t[i] = 'u'
	}
	t[127] = 'u'
	for c, esc := range map[byte]byte{'\b': 'b', '\t': 't', '\n': 'n', '\f': 'f', '\r': 'r', '"': '"', '\\': '\\', '/': '/'} {
		t[c] = esc
	}
	return t
}()

func (e *encoder) text(s string) {
	b := append(e.b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		esc := escapes[c]
		if esc == 0 || c == '/' && !e.escapeSlash {
			continue
		}
		b = append(append(b, s[from:i]...), '\\', esc)
		if esc == 'u' {
			b = append(b, '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		from = i + 1
	}
	e.b = append(append(b, s[from:]...), '"')
}

func (e *encoder) number(v lua.LNumber) error {
	n := float64(v)
	if math.IsInf(n, 0) || math.IsNaN(n) {
		switch {
		case e.encodeInvalid == 0:
			return cannot(v, "must not be NaN or Infinity")
		case e.encodeInvalid == 2:
			e.b = append(e.b, "null"...)
		case math.IsNaN(n):
			e.b = append(e.b, "NaN"...)
		case n < 0:
			e.b = append(e.b, "-Infinity"...)
		default:
			e.b = append(e.b, "Infinity"...)
		}
		return nil
	}
	const luaPrecision = 14
	if e.precision == luaPrecision {
		e.b = vm.AppendNumber(e.b, n)
	} else {
		e.b = strconv.AppendFloat(e.b, n, 'g', e.precision, 64)
	}
	return nil
}

func (e *encoder) table(t *lua.LTable, depth int) error {
	if depth > min(e.encodeDepth, maxDepth) {
		return errorText(fmt.Sprintf("Cannot serialise, excessive nesting (%d)", depth))
	}
	mt, _ := t.Metatable.(*lua.LTable)
	if mt != nil {
		if mt == e.arrayMeta {
			return e.array(t, t.Len(), depth, true)
		}
		if f := mt.RawGetString("__len"); f != lua.LNil {
			n, err := e.length(t, f)
			if err != nil {
				return err
			}
			return e.array(t, n, depth, false)
		}
	}
	n, err := e.arrayLength(t)
	switch {
	case err != nil:
		return err
	case n > 0 || n == 0 && !e.emptyAsObject:
		return e.array(t, n, depth, mt == nil)
	case mt != nil && mt == e.emptyArrayMeta:
		return e.array(t, t.Len(), depth, true)
	}
	return e.object(t, depth)
}

// length calls the metamethod __len.
func (e *encoder) length(t *lua.LTable, f lua.LValue) (int, error) {
	l := e.l
	l.Push(f)
	l.Push(t)
	if err := vm.ThreadOf(l).VM().PCall(l, 1, 1, nil); err != nil {
		return 0, err
	}
	n, _ := vm.ToNumber(l.Get(-1))
	l.Pop(1)
	return int(n), nil
}

// arrayLength is the greatest index of an array, -1 for a table that is none.
func (e *encoder) arrayLength(t *lua.LTable) (int, error) {
	length, items := t.Len(), 0
	if length > 0 && vm.OnlyArray(t) {
		for i := 1; i <= length; i++ {
			if t.RawGetInt(i) != lua.LNil {
				items++
			}
		}
		return e.sparse(t, length, items)
	}
	length = 0
	for k := range vm.Pairs(t) {
		n, ok := k.(lua.LNumber)
		if !ok || n < 1 || math.Floor(float64(n)) != float64(n) {
			return -1, nil
		}
		length = max(length, int(n))
		items++
	}
	return e.sparse(t, length, items)
}

// sparse decides about arrays with many holes.
func (e *encoder) sparse(t *lua.LTable, length, items int) (int, error) {
	if e.sparseRatio == 0 || length <= e.sparseSafe || length <= items*e.sparseRatio {
		return length, nil
	}
	if !e.sparseConvert {
		return 0, cannot(t, "excessively sparse array")
	}
	return -1, nil
}

func (e *encoder) newline(depth int) {
	if e.indent == "" {
		return
	}
	e.b = append(e.b, '\n')
	for range depth {
		e.b = append(e.b, e.indent...)
	}
}

func (e *encoder) array(t *lua.LTable, n, depth int, raw bool) error {
	e.b = append(e.b, '[')
	first := true
	for i := 1; i <= n; i++ {
		start := len(e.b)
		if !first {
			e.b = append(e.b, ',')
		}
		e.newline(depth)
		var v lua.LValue
		if raw {
			v = t.RawGetInt(i)
		} else {
			v = e.l.GetTable(t, lua.LNumber(i))
		}
		skipped, err := e.value(v, depth)
		if err != nil {
			return err
		}
		if skipped {
			e.b = e.b[:start]
			continue
		}
		first = false
	}
	if n > 0 {
		e.newline(depth - 1)
	}
	e.b = append(e.b, ']')
	return nil
}

func (e *encoder) object(t *lua.LTable, depth int) error {
	e.b = append(e.b, '{')
	first, items := true, false
	for k, v := range vm.Pairs(t) {
		items = true
		start := len(e.b)
		if !first {
			e.b = append(e.b, ',')
		}
		e.newline(depth)
		if err := e.key(k); err != nil {
			return err
		}
		skipped, err := e.value(v, depth)
		if err != nil {
			return err
		}
		if skipped {
			e.b = e.b[:start]
			continue
		}
		first = false
	}
	if items {
		e.newline(depth - 1)
	}
	e.b = append(e.b, '}')
	return nil
}

func (e *encoder) key(k lua.LValue) error {
	switch k := k.(type) {
	case lua.LString:
		e.text(string(k))
	case lua.LNumber:
		e.b = append(e.b, '"')
		if err := e.number(k); err != nil {
			return err
		}
		e.b = append(e.b, '"')
	default:
		return cannot(k, "table key must be a number or string")
	}
	e.b = append(e.b, ':')
	if e.indent != "" {
		e.b = append(e.b, ' ')
	}
	return nil
}
