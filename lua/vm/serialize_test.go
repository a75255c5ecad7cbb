package vm

import (
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// deserialize is buffer.decode; ok is false when it raises an error.
func deserialize(v *VM, text []byte) (value lua.LValue, ok bool) {
	l := v.L
	top := l.GetTop()
	defer l.SetTop(top)
	l.Push(l.NewFunction(v.decode))
	l.Push(lua.LString(text))
	if err := v.PCall(l, 1, 1, nil); err != nil {
		return nil, false
	}
	return l.Get(-1), true
}

// FuzzSerialize decodes anything, and whatever that is survives another turn unchanged.
func FuzzSerialize(f *testing.F) {
	for _, seed := range []string{
		"", "\x00", "\x01\x01", "\x06\x01\x02\x03\x04", "\x07\x00\x00\x00\x00\x00\x00\xf8\x3f", "\x23abc", "\x0d\x02\x01\x21a\x21k\x01",
		"\x09\xff\xff\xff\xff\x7f", "\x0a\x02\x21z\x21a", "\x0e\x00\x08", "\x0f\x00", "\xe0\x00", "\x0c\x02\x0c\x02\x0c\x02\x08",
	} {
		f.Add([]byte(seed))
	}
	v := New(Options{})
	defer v.Close()
	f.Fuzz(func(t *testing.T, text []byte) {
		value, ok := deserialize(v, text)
		if !ok {
			return
		}
		once := v.serialize(v.L, nil, value, &bufferOptions{}, 0)
		again, ok := deserialize(v, once)
		if !ok {
			t.Fatalf("%q came to %q, which cannot be read", text, once)
		}
		if twice := v.serialize(v.L, nil, again, &bufferOptions{}, 0); string(once) != string(twice) {
			t.Fatalf("%q came to %q and then to %q", text, once, twice)
		}
	})
}
