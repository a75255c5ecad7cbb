package compile

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// An instruction is 6 bits of operation, 8 of A, 9 of C, 9 of B; Bx and sBx take the place of C and B. B and C may name
// a constant instead of a register: bit 8.
const (
	maxBx   = 1<<18 - 1
	maxSbx  = maxBx >> 1
	rkConst = 1 << 8
	maxRK   = rkConst - 1
	noJump  = -1 // end of a list of jumps
	noReg   = 255
)

func opOf(i uint32) int { return int(i >> 26) }
func argA(i uint32) int { return int(i>>18) & 0xff }
func argC(i uint32) int { return int(i>>9) & 0x1ff }
func argB(i uint32) int { return int(i & 0x1ff) }

func abc(op, a, b, c int) uint32 { return uint32(op)<<26 | uint32(a)<<18 | uint32(c)<<9 | uint32(b) }
func abx(op, a, bx int) uint32   { return uint32(op)<<26 | uint32(a)<<18 | uint32(bx) }

func setA(i *uint32, a int) { *i = *i&^(0xff<<18) | uint32(a)<<18 }
func setB(i *uint32, b int) { *i = *i&^0x1ff | uint32(b) }
func setC(i *uint32, c int) { *i = *i&^(0x1ff<<9) | uint32(c)<<9 }

// constKey identifies a constant: numbers by their bits, so that 0 and -0 differ and NaN equals itself.
type constKey struct {
	kind byte // 'n' number, 's' string, 'f' intrinsic, '0' nil, '1' true, '2' false
	num  uint64
	str  string
	fn   *lua.LFunction
}

// function is the state of one function being compiled.
type function struct {
	p      *parser
	parent *function
	proto  *lua.FunctionProto
	block  *block

	code   []uint32
	lines  []int
	consts map[constKey]int
	active []int // indexes in proto.DbgLocals of the locals in scope: their position is their register
	free   int   // first free register
	slots  int   // registers used
	target int   // pc of the last jump target: instructions before it may not be merged with later ones
	jumps  int   // jumps that wait for the next instruction

	upvalues []upvalue
	vararg   bool
}

type upvalue struct {
	name  string
	local bool // a register of the parent, not one of its upvalues
	index int
}

func (f *function) pc() int { return len(f.code) }

// emit appends an instruction for the line of the last token read.
func (f *function) emit(i uint32) int {
	f.dischargeJumps()
	return f.emitRaw(i, f.p.lex.lastLine)
}

// emitRaw appends without resolving the jumps that wait.
func (f *function) emitRaw(i uint32, line int) int {
	f.code = append(f.code, i)
	f.lines = append(f.lines, line)
	return len(f.code) - 1
}

func (f *function) emitABC(op, a, b, c int) int { return f.emit(abc(op, a, b, c)) }
func (f *function) emitABx(op, a, bx int) int   { return f.emit(abx(op, a, bx)) }

func (f *function) fixLine(line int) { f.lines[len(f.lines)-1] = line }

// limit fails when a function has too many of something.
func (f *function) limit(n, limit int, what string) {
	if n <= limit {
		return
	}
	if f.proto.LineDefined == 0 {
		f.p.lex.fail("main function has more than %d %s", limit, what)
	}
	f.p.lex.fail("function at line %d has more than %d %s", f.proto.LineDefined, limit, what)
}

func (f *function) constant(k constKey, v lua.LValue) int {
	if i, ok := f.consts[k]; ok {
		return i
	}
	i := len(f.proto.Constants)
	f.limit(i, maxBx, "constants")
	f.consts[k] = i
	f.proto.Constants = append(f.proto.Constants, v)
	return i
}

func (f *function) stringConst(s string) int {
	return f.constant(constKey{kind: 's', str: s}, lua.LString(s))
}

func (f *function) numberConst(n float64) int {
	return f.constant(constKey{kind: 'n', num: math.Float64bits(n)}, lua.LNumber(n))
}

func (f *function) funcConst(fn *lua.LFunction) int {
	return f.constant(constKey{kind: 'f', fn: fn}, fn)
}

// reserve takes n registers from the top.
func (f *function) reserve(n int) {
	f.checkStack(n)
	f.free += n
}

func (f *function) checkStack(n int) {
	if top := f.free + n; top > f.slots {
		if top > maxSlots {
			f.p.lex.fail("function or expression too complex")
		}
		f.slots = top
	}
}

// freeReg gives back a temporary register, which must be the topmost.
func (f *function) freeReg(r int) {
	if r < rkConst && r >= len(f.active) {
		f.free--
	}
}

// emitNil sets n registers from r to nil, together with a nil store just before where no jump can land between.
func (f *function) emitNil(r, n int) {
	if f.pc() > f.target && f.pc() > 0 && f.jumps == noJump {
		if last := &f.code[f.pc()-1]; opOf(*last) == lua.OP_LOADNIL {
			if from, to := argA(*last), argB(*last); from <= r && r <= to+1 {
				setB(last, max(to, r+n-1))
				return
			}
		}
	}
	f.emitABC(lua.OP_LOADNIL, r, r+n-1, 0)
}

func (f *function) emitReturn(first, n int) { f.emitABC(lua.OP_RETURN, first, n+1, 0) }

// jump emits a jump whose destination is still open; jumps waiting for "here" join its list.
func (f *function) jump() int {
	waiting := f.jumps
	f.jumps = noJump
	j := f.emit(abx(lua.OP_JMP, 0, noJump+maxSbx))
	f.concat(&j, waiting)
	return j
}

// label marks the current position as a jump target.
func (f *function) label() int {
	f.target = f.pc()
	return f.pc()
}

func (f *function) fixJump(pc, dest int) {
	offset := dest - (pc + 1)
	if offset > maxSbx || offset < -maxSbx {
		f.p.lex.fail("control structure too long")
	}
	f.code[pc] = f.code[pc]&^maxBx | uint32(offset+maxSbx)
}

// jumpDest follows one link of a list of open jumps; an open list ends in a jump to itself.
func (f *function) jumpDest(pc int) int {
	offset := int(f.code[pc]&maxBx) - maxSbx
	if offset == noJump {
		return noJump
	}
	return pc + 1 + offset
}

// concat appends the list of open jumps l2 to *l1.
func (f *function) concat(l1 *int, l2 int) {
	if l2 == noJump {
		return
	}
	if *l1 == noJump {
		*l1 = l2
		return
	}
	list := *l1
	for next := f.jumpDest(list); next != noJump; next = f.jumpDest(list) {
		list = next
	}
	f.fixJump(list, l2)
}

// control is the instruction that decides whether the jump at pc is taken: the test before it, if any.
func (f *function) control(pc int) *uint32 {
	if pc >= 1 {
		switch opOf(f.code[pc-1]) {
		case lua.OP_EQ, lua.OP_LT, lua.OP_LE, lua.OP_TEST, lua.OP_TESTSET, lua.OP_TFORLOOP:
			return &f.code[pc-1]
		}
	}
	return &f.code[pc]
}

// needValue tells whether some jump of the list does not bring a value along.
func (f *function) needValue(list int) bool {
	for ; list != noJump; list = f.jumpDest(list) {
		if opOf(*f.control(list)) != lua.OP_TESTSET {
			return true
		}
	}
	return false
}

// patchTest lets the test of a jump store its value in reg, or drop the store.
func (f *function) patchTest(node, reg int) bool {
	i := f.control(node)
	if opOf(*i) != lua.OP_TESTSET {
		return false
	}
	if reg != noReg && reg != argB(*i) {
		setA(i, reg)
	} else {
		*i = abc(lua.OP_TEST, argB(*i), 0, argC(*i))
	}
	return true
}

func (f *function) removeValues(list int) {
	for ; list != noJump; list = f.jumpDest(list) {
		f.patchTest(list, noReg)
	}
}

// patchListTo sends the jumps that bring a value in reg to withValue, the others to without.
func (f *function) patchListTo(list, withValue, reg, without int) {
	for list != noJump {
		next := f.jumpDest(list)
		if f.patchTest(list, reg) {
			f.fixJump(list, withValue)
		} else {
			f.fixJump(list, without)
		}
		list = next
	}
}

func (f *function) dischargeJumps() {
	f.patchListTo(f.jumps, f.pc(), noReg, f.pc())
	f.jumps = noJump
}

func (f *function) patchList(list, target int) {
	if target == f.pc() {
		f.patchToHere(list)
		return
	}
	f.patchListTo(list, target, noReg, target)
}

func (f *function) patchToHere(list int) {
	f.label()
	f.concat(&f.jumps, list)
}
