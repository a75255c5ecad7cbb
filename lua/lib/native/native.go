// Package native is how the modules of package lib that are written in Go make their tables: modules of functions, and
// objects that stand for a Go value.
package native

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// Class is the kind of objects of one Go type in a VM.
type Class struct {
	Methods *lua.LTable
	meta    *lua.LTable
}

// Init gives a class its methods. They are not a parameter of the making for their functions use the class.
func (c *Class) Init(methods *lua.LTable) {
	c.Methods, c.meta = methods, vm.NewTable(0, 1)
	c.meta.RawSetString("__index", methods)
}

// Meta sets a metamethod.
func (c *Class) Meta(l *lua.LState, name string, f lua.LGFunction) {
	c.meta.RawSetString(name, l.NewFunction(f))
}

// New makes an object of the class.
func (c *Class) New(value any) *lua.LTable {
	t := vm.NewTable(1, 0)
	t.RawSetInt(1, &lua.LUserData{Value: value, Metatable: lua.LNil})
	t.Metatable = c.meta
	return t
}

// Value is what an object stands for; ok is false for any other value.
func Value[T any](v lua.LValue) (value T, ok bool) {
	if t, is := v.(*lua.LTable); is {
		if u, is := t.RawGetInt(1).(*lua.LUserData); is {
			value, ok = u.Value.(T)
		}
	}
	return value, ok
}

// Self is the Go value of the object at argument 1.
func Self[T any](l *lua.LState) T {
	value, ok := Value[T](vm.CheckTable(l, 1))
	if !ok {
		vm.ArgError(l, 1, "bad object")
	}
	return value
}

// Module makes a module table of functions, with the field _VERSION if version is not "".
func Module(l *lua.LState, version string, funcs map[string]lua.LGFunction) *lua.LTable {
	t := vm.NewTable(0, len(funcs)+1)
	for name, fn := range funcs {
		t.RawSetString(name, l.NewFunction(fn))
	}
	if version != "" {
		t.RawSetString("_VERSION", lua.LString(version))
	}
	return t
}

// Return returns one value.
func Return(l *lua.LState, v lua.LValue) int {
	l.Push(v)
	return 1
}

// Fail returns nil and a message.
func Fail(l *lua.LState, msg string) int {
	l.Push(lua.LNil)
	l.Push(lua.LString(msg))
	return 2
}
