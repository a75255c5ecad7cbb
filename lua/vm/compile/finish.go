package compile

import (
	"reflect"
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// stringConstants is the place of FunctionProto's private copy of its string constants, from which gopher-lua's
// GETGLOBAL, GETTABLEKS, SETTABLEKS and SELF read. Only its own compiler can fill it, so this one writes it through its
// offset; the version of gopher-lua is pinned, and a change of the field stops the program at its start.
var stringConstants = func() uintptr {
	field, ok := reflect.TypeFor[lua.FunctionProto]().FieldByName("stringConstants")
	if !ok || field.Type != reflect.TypeFor[[]string]() {
		panic("compile: lua.FunctionProto has no stringConstants: unknown version of gopher-lua")
	}
	return field.Offset
}()

// finish completes the prototype of a compiled function.
func (f *function) finish() *lua.FunctionProto {
	p := f.proto
	p.Code, p.DbgSourcePositions = f.code, f.lines
	p.NumUsedRegisters = uint8(f.slots)
	p.NumUpvalues = uint8(len(f.upvalues))
	for _, u := range f.upvalues {
		p.DbgUpvalues = append(p.DbgUpvalues, u.name)
	}
	if f.vararg {
		p.IsVarArg = lua.VarArgIsVarArg
	}
	strs := make([]string, len(p.Constants))
	for i, c := range p.Constants {
		if s, ok := c.(lua.LString); ok {
			strs[i] = string(s)
		}
	}
	*(*[]string)(unsafe.Add(unsafe.Pointer(p), stringConstants)) = strs
	joinMoves(p)
	return p
}

// joinMoves lets runs of MOVE execute as one instruction. Those after the first stay as they are, so that jumps into
// the run still work.
func joinMoves(p *lua.FunctionProto) {
	for pc := 0; pc < len(p.Code); pc++ {
		switch i := p.Code[pc]; opOf(i) {
		case lua.OP_CLOSURE: // followed by one pseudo-instruction for each upvalue
			pc += int(p.FunctionPrototypes[i&maxBx].NumUpvalues)
		case lua.OP_SETLIST: // followed by the number of the batch
			if argC(i) == 0 {
				pc++
			}
		case lua.OP_MOVE:
			n := 1
			for pc+n < len(p.Code) && opOf(p.Code[pc+n]) == lua.OP_MOVE {
				n++
			}
			if n > 1 && n < 1<<9 {
				p.Code[pc] = abc(lua.OP_MOVEN, argA(i), argB(i), n-1)
			}
			pc += n - 1
		}
	}
}
