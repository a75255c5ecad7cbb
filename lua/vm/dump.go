package vm

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"strings"
	"unsafe"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/compile"
)

// dumpMark begins what string.dump makes, as it begins LuaJIT's bytecode.
const dumpMark = "\x1bLJ\x02"

// maxDumps bounds the functions that a VM keeps for their dumps.
const maxDumps = 4096

// dumps are the functions that string.dump was called for. Bytecode of others could not be run without checking every
// instruction of it, so a dump is no more than a name of the function's code, good in the VM that made it: for copies of
// functions with upvalues of their own, which is what programs dump them for. The oldest are forgotten.
type dumps struct {
	key    string // is in each dump, so that one of another VM is told from them
	next   uint64
	number map[*lua.FunctionProto]uint64
	protos map[uint64]*lua.FunctionProto
}

// dump makes the dump of a function's code. The same code gives the same dump.
func (d *dumps) dump(p *lua.FunctionProto) string {
	if d.number == nil {
		d.number, d.protos, d.key = map[*lua.FunctionProto]uint64{}, map[uint64]*lua.FunctionProto{}, rand.Text()
	}
	n, ok := d.number[p]
	if !ok {
		if old := d.protos[d.next-maxDumps]; old != nil {
			delete(d.protos, d.next-maxDumps)
			delete(d.number, old)
		}
		n = d.next
		d.next++
		d.number[p], d.protos[n] = n, p
	}
	return string(binary.BigEndian.AppendUint64([]byte(dumpMark+d.key), n))
}

// load finds the code of a dump, nil if it is none of this VM.
func (d *dumps) load(s string) *lua.FunctionProto {
	rest, ok := strings.CutPrefix(s, dumpMark+d.key)
	if !ok || d.key == "" || len(rest) != 8 {
		return nil
	}
	return d.protos[binary.BigEndian.Uint64([]byte(rest))]
}

// strDump is string.dump(function).
func (v *VM) strDump(l *lua.LState) int {
	fn := CheckFunction(l, 1)
	if fn.IsG {
		Errorf(l, "unable to dump given function")
	}
	l.Push(lua.LString(v.dumps.dump(fn.Proto)))
	return 1
}

// loadDump gives the code of a dump.
func (v *VM) loadDump(src, chunkname string) (*lua.FunctionProto, error) {
	if p := v.dumps.load(src); p != nil {
		return p, nil
	}
	return nil, errors.New(compile.Short(chunkname) + ": cannot load incompatible bytecode")
}

// ownUpvalues gives a function of a dump upvalues of its own, which are nil.
func ownUpvalues(fn *lua.LFunction) {
	for i := range fn.Upvalues {
		fn.Upvalues[i] = (*lua.Upvalue)(unsafe.Pointer(&openUpvalue{value: lua.LNil, closed: true}))
	}
}
