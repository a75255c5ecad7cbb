package vm

import (
	"context"
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// This file is the only one that looks inside gopher-lua's types. Protected calls have to unwind its stacks (its own
// PCall closes the upvalues of frames that survive the error), tracebacks and messages need its frames, and tables have
// to forget deleted keys, which its own never do. The version is pinned, and newLayout stops the program at its start
// when a field is not where it is expected.

// frame is lua.callFrame: one active call.
type frame struct {
	Idx        int
	Fn         *lua.LFunction
	Parent     *frame
	Pc         int // of the next instruction
	Base       int // register of the function called
	LocalBase  int
	ReturnBase int
	NArgs      int
	NRet       int
	TailCall   int
}

// openUpvalue is lua.Upvalue.
type openUpvalue struct {
	next   *openUpvalue
	reg    *registers
	index  int
	value  lua.LValue
	closed bool
}

// registers is lua.registry.
type registers struct {
	array   []lua.LValue
	top     int
	growBy  int
	maxSize int            //lint:ignore U1000 keeps the others where they are
	alloc   unsafe.Pointer //lint:ignore U1000 keeps the others where they are
	handler iface
}

// table is lua.LTable.
type table struct {
	Metatable lua.LValue
	array     []lua.LValue
	dict      map[lua.LValue]lua.LValue
	strdict   map[string]lua.LValue
	keys      []lua.LValue
	k2i       map[lua.LValue]int
}

// offsets of the fields of lua.LState.
type stateLayout struct {
	reg, stack, currentFrame, uvcache, hasErrorFunc, ctx, mainLoop uintptr
}

var layout = newLayout()

func newLayout() stateLayout {
	ls := reflect.TypeFor[lua.LState]()
	field := func(name string) reflect.StructField {
		f, ok := ls.FieldByName(name)
		if !ok {
			panic("vm: lua.LState has no " + name + ": unknown version of gopher-lua")
		}
		return f
	}
	reg, stack, cur, uv := field("reg"), field("stack"), field("currentFrame"), field("uvcache")
	sameLayout(reflect.TypeFor[registers](), reg.Type.Elem())
	sameLayout(reflect.TypeFor[frame](), cur.Type.Elem())
	sameLayout(reflect.TypeFor[openUpvalue](), uv.Type.Elem())
	sameLayout(reflect.TypeFor[table](), reflect.TypeFor[lua.LTable]())
	sameLayout(reflect.TypeFor[frameStack](), stackType(stack))
	return stateLayout{
		reg: reg.Offset, stack: stack.Offset, currentFrame: cur.Offset, uvcache: uv.Offset,
		hasErrorFunc: field("hasErrorFunc").Offset, ctx: field("ctx").Offset, mainLoop: field("mainLoop").Offset,
	}
}

// stackType is the type that the call stack of a state made with MinimizeStackMemory has.
func stackType(field reflect.StructField) reflect.Type {
	l := lua.NewState(lua.Options{MinimizeStackMemory: true, CallStackSize: 1, RegistrySize: 1, SkipOpenLibs: true})
	return reflect.ValueOf(l).Elem().FieldByIndex(field.Index).Elem().Type().Elem()
}

// sameLayout checks that a type of ours is one of theirs, field by field.
func sameLayout(ours, theirs reflect.Type) {
	if ours.Size() != theirs.Size() || ours.NumField() != theirs.NumField() {
		panic("vm: " + theirs.String() + " is not as expected: unknown version of gopher-lua")
	}
	for i := range ours.NumField() {
		a, b := ours.Field(i), theirs.Field(i)
		opaque := a.Type.Kind() == reflect.UnsafePointer || a.Type == reflect.TypeFor[iface]() && b.Type.Kind() == reflect.Interface
		if a.Name != b.Name || a.Offset != b.Offset || a.Type.Size() != b.Type.Size() || a.Type.Kind() != b.Type.Kind() && !opaque {
			panic("vm: " + theirs.String() + "." + b.Name + " is not as expected: unknown version of gopher-lua")
		}
	}
}

func at[T any](l *lua.LState, offset uintptr) *T {
	return (*T)(unsafe.Add(unsafe.Pointer(l), offset))
}

func currentFrame(l *lua.LState) *frame       { return *at[*frame](l, layout.currentFrame) }
func setCurrentFrame(l *lua.LState, f *frame) { *at[*frame](l, layout.currentFrame) = f }

func regs(l *lua.LState) *registers { return *at[*registers](l, layout.reg) }

// setStacks gives a state that is a copy of another one registers and a call stack of its own.
func setStacks(l *lua.LState, rg *registers, frames *frameStack) {
	rg.handler.word = unsafe.Pointer(l)
	*at[*registers](l, layout.reg) = rg
	at[iface](l, layout.stack).word = unsafe.Pointer(frames)
}

// setMainLoop has a state run its Lua functions with loop.
func setMainLoop(l *lua.LState, loop func(*lua.LState, *frame)) {
	*at[func(*lua.LState, *frame)](l, layout.mainLoop) = loop
}

// instructions are gopher-lua's, by operation. They want the frame's Pc behind the instruction, and return 1 when the
// loop is to end.
//
//go:linkname instructions github.com/yuin/gopher-lua.jumpTable
var instructions [lua.OP_NOP + 1]func(*lua.LState, uint32, *frame) int

func upvalueOf(fn *lua.LFunction, i uintptr) *openUpvalue {
	return (*openUpvalue)(unsafe.Pointer(fn.Upvalues[i]))
}

// setContext attaches ctx to a state without switching it to the interpreter loop that polls the context.
func setContext(l *lua.LState, ctx context.Context) { *at[context.Context](l, layout.ctx) = ctx }

// keepUpvalues stops gopher-lua from closing the upvalues of every frame when it raises an error.
func keepUpvalues(l *lua.LState) { *at[bool](l, layout.hasErrorFunc) = true }

// closeUpvalues closes the upvalues that live in register index and above.
func closeUpvalues(l *lua.LState, index int) {
	head := at[*openUpvalue](l, layout.uvcache)
	for *head != nil && (*head).index < index {
		head = &(*head).next
	}
	uv := *head
	*head = nil
	for ; uv != nil; uv = uv.next {
		(*lua.Upvalue)(unsafe.Pointer(uv)).Close()
	}
}

func inside(t *lua.LTable) *table { return (*table)(unsafe.Pointer(t)) }
