package compile

import (
	"math"

	lua "github.com/yuin/gopher-lua"
)

// expKind says where the value of an expression is.
type expKind int

const (
	kVoid    expKind = iota // nowhere: an empty list
	kNil                    //
	kTrue                   //
	kFalse                  //
	kNumber                 // num
	kConst                  // info = index of the constant
	kLocal                  // info = register
	kUpvalue                // info = index
	kGlobal                 // info = index of the name's constant
	kIndexed                // info = register of the table, aux = register or constant of the key
	kJump                   // info = pc of a jump taken when the comparison holds
	kReloc                  // info = pc of an instruction whose A is still open
	kReg                    // info = register
	kCall                   // info = pc
	kVararg                 // info = pc
)

// exp describes an expression. t and f are the lists of jumps that leave it when it is true and when it is false.
type exp struct {
	kind      expKind
	info, aux int
	num       float64
	str       bool // kIndexed: the key is a constant string that fits the short instruction
	t, f      int
}

func newExp(kind expKind, info int) exp { return exp{kind: kind, info: info, t: noJump, f: noJump} }

func (e *exp) set(kind expKind, info int) { e.kind, e.info = kind, info }
func (e *exp) hasJumps() bool             { return e.t != e.f }
func (e *exp) isNumeral() bool            { return e.kind == kNumber && !e.hasJumps() }
func (e *exp) isMulti() bool              { return e.kind == kCall || e.kind == kVararg }

// setReturns fixes how many values a call or ... yields; -1 for all.
func (f *function) setReturns(e *exp, n int) {
	switch e.kind {
	case kCall:
		setC(&f.code[e.info], n+1)
	case kVararg:
		setB(&f.code[e.info], n+1)
		setA(&f.code[e.info], f.free)
		f.reserve(1)
	}
}

func (f *function) setOneReturn(e *exp) {
	switch e.kind {
	case kCall:
		e.set(kReg, argA(f.code[e.info]))
	case kVararg:
		setB(&f.code[e.info], 2)
		e.kind = kReloc
	}
}

// dischargeVars turns a variable into the value it has.
func (f *function) dischargeVars(e *exp) {
	switch e.kind {
	case kLocal:
		e.kind = kReg
	case kUpvalue:
		e.set(kReloc, f.emitABC(lua.OP_GETUPVAL, 0, e.info, 0))
	case kGlobal:
		e.set(kReloc, f.emitABx(lua.OP_GETGLOBAL, 0, e.info))
	case kIndexed:
		op := lua.OP_GETTABLE
		if e.str {
			op = lua.OP_GETTABLEKS
		}
		f.freeReg(e.aux)
		f.freeReg(e.info)
		e.set(kReloc, f.emitABC(op, 0, e.info, e.aux))
	case kCall, kVararg:
		f.setOneReturn(e)
	}
}

func (f *function) dischargeToReg(e *exp, reg int) {
	f.dischargeVars(e)
	switch e.kind {
	case kNil:
		f.emitNil(reg, 1)
	case kFalse:
		f.emitABC(lua.OP_LOADBOOL, reg, 0, 0)
	case kTrue:
		f.emitABC(lua.OP_LOADBOOL, reg, 1, 0)
	case kConst:
		f.emitABx(lua.OP_LOADK, reg, e.info)
	case kNumber:
		f.emitABx(lua.OP_LOADK, reg, f.numberConst(e.num))
	case kReloc:
		setA(&f.code[e.info], reg)
	case kReg:
		if reg != e.info {
			f.emitABC(lua.OP_MOVE, reg, e.info, 0)
		}
	default:
		return // kVoid and kJump: nothing to do
	}
	e.set(kReg, reg)
}

func (f *function) dischargeToAnyReg(e *exp) {
	if e.kind != kReg {
		f.reserve(1)
		f.dischargeToReg(e, f.free-1)
	}
}

func (f *function) loadBool(reg, b, skip int) int {
	f.label() // these instructions may be jump targets
	return f.emitABC(lua.OP_LOADBOOL, reg, b, skip)
}

// toReg brings the value into reg, with the true and false of its jumps.
func (f *function) toReg(e *exp, reg int) {
	f.dischargeToReg(e, reg)
	if e.kind == kJump {
		f.concat(&e.t, e.info)
	}
	if e.hasJumps() {
		posFalse, posTrue := noJump, noJump
		if f.needValue(e.t) || f.needValue(e.f) {
			over := noJump
			if e.kind != kJump {
				over = f.jump()
			}
			posFalse = f.loadBool(reg, 0, 1)
			posTrue = f.loadBool(reg, 1, 0)
			f.patchToHere(over)
		}
		final := f.label()
		f.patchListTo(e.f, final, reg, posFalse)
		f.patchListTo(e.t, final, reg, posTrue)
	}
	e.f, e.t = noJump, noJump
	e.set(kReg, reg)
}

func (f *function) toNextReg(e *exp) {
	f.dischargeVars(e)
	f.freeExp(e)
	f.reserve(1)
	f.toReg(e, f.free-1)
}

func (f *function) toAnyReg(e *exp) int {
	f.dischargeVars(e)
	if e.kind == kReg {
		if !e.hasJumps() {
			return e.info
		}
		if e.info >= len(f.active) { // not a local: it may be overwritten
			f.toReg(e, e.info)
			return e.info
		}
	}
	f.toNextReg(e)
	return e.info
}

func (f *function) toValue(e *exp) {
	if e.hasJumps() {
		f.toAnyReg(e)
	} else {
		f.dischargeVars(e)
	}
}

// toRK makes the value an operand: a constant where it is one with a small index, otherwise a register.
func (f *function) toRK(e *exp) int {
	f.toValue(e)
	switch e.kind {
	case kNil, kTrue, kFalse, kNumber:
		if len(f.proto.Constants) > maxRK {
			return f.toAnyReg(e)
		}
		e.set(kConst, f.simpleConst(e))
		fallthrough
	case kConst:
		if e.info <= maxRK {
			return e.info | rkConst
		}
	}
	return f.toAnyReg(e)
}

// simpleConst is the constant of nil, a boolean or a number.
func (f *function) simpleConst(e *exp) int {
	switch e.kind {
	case kNil:
		return f.constant(constKey{kind: '0'}, lua.LNil)
	case kTrue:
		return f.constant(constKey{kind: '1'}, lua.LTrue)
	case kFalse:
		return f.constant(constKey{kind: '2'}, lua.LFalse)
	}
	return f.numberConst(e.num)
}

func (f *function) freeExp(e *exp) {
	if e.kind == kReg {
		f.freeReg(e.info)
	}
}

// store assigns e to a variable.
func (f *function) store(v, e *exp) {
	switch v.kind {
	case kLocal:
		f.freeExp(e)
		f.toReg(e, v.info)
		return
	case kUpvalue:
		f.emitABC(lua.OP_SETUPVAL, f.toAnyReg(e), v.info, 0)
	case kGlobal:
		f.emitABx(lua.OP_SETGLOBAL, f.toAnyReg(e), v.info)
	case kIndexed:
		if e.kind == kNil && !e.hasJumps() && f.p.intrinsics.Delete != nil {
			f.callIntrinsic(f.p.intrinsics.Delete, v.info, v.aux)
			return
		}
		op := lua.OP_SETTABLE
		if v.str {
			op = lua.OP_SETTABLEKS
		}
		f.emitABC(op, v.info, v.aux, f.toRK(e))
	}
	f.freeExp(e)
}

// callIntrinsic calls fn with operands that are registers or constants, for no result.
func (f *function) callIntrinsic(fn *lua.LFunction, operands ...int) {
	base := f.free
	f.reserve(1 + len(operands))
	f.emitABx(lua.OP_LOADK, base, f.funcConst(fn))
	for i, rk := range operands {
		if rk&rkConst != 0 {
			f.emitABx(lua.OP_LOADK, base+1+i, rk&^rkConst)
		} else {
			f.emitABC(lua.OP_MOVE, base+1+i, rk, 0)
		}
	}
	f.emitABC(lua.OP_CALL, base, len(operands)+1, 1)
	f.free = base
}

// self prepares a method call: function and object in two new registers.
func (f *function) self(e, key *exp) {
	f.toAnyReg(e)
	f.freeExp(e)
	fn := f.free
	f.reserve(2)
	f.emitABC(lua.OP_SELF, fn, e.info, f.toRK(key))
	f.freeExp(key)
	e.set(kReg, fn)
}

func (f *function) invertJump(e *exp) {
	i := f.control(e.info)
	setA(i, 1-argA(*i))
}

// jumpOnCond jumps when e is cond.
func (f *function) jumpOnCond(e *exp, cond bool) int {
	if e.kind == kReloc && opOf(f.code[e.info]) == lua.OP_NOT {
		operand := argB(f.code[e.info])
		f.code, f.lines = f.code[:f.pc()-1], f.lines[:f.pc()-1] // the NOT itself
		return f.condJump(lua.OP_TEST, operand, 0, b2i(!cond))
	}
	f.dischargeToAnyReg(e)
	f.freeExp(e)
	return f.condJump(lua.OP_TESTSET, noReg, e.info, b2i(cond))
}

func (f *function) condJump(op, a, b, c int) int {
	f.emitABC(op, a, b, c)
	return f.jump()
}

// goIfTrue goes on when e is true and leaves by a jump otherwise.
func (f *function) goIfTrue(e *exp) {
	f.dischargeVars(e)
	pc := noJump
	switch e.kind {
	case kConst, kNumber, kTrue:
	case kFalse:
		pc = f.jump()
	case kJump:
		f.invertJump(e)
		pc = e.info
	default:
		pc = f.jumpOnCond(e, false)
	}
	f.concat(&e.f, pc)
	f.patchToHere(e.t)
	e.t = noJump
}

func (f *function) goIfFalse(e *exp) {
	f.dischargeVars(e)
	pc := noJump
	switch e.kind {
	case kNil, kFalse:
	case kTrue:
		pc = f.jump()
	case kJump:
		pc = e.info
	default:
		pc = f.jumpOnCond(e, true)
	}
	f.concat(&e.t, pc)
	f.patchToHere(e.f)
	e.f = noJump
}

func (f *function) not(e *exp) {
	f.dischargeVars(e)
	switch e.kind {
	case kNil, kFalse:
		e.kind = kTrue
	case kConst, kNumber, kTrue:
		e.kind = kFalse
	case kJump:
		f.invertJump(e)
	default:
		f.dischargeToAnyReg(e)
		f.freeExp(e)
		e.set(kReloc, f.emitABC(lua.OP_NOT, 0, e.info, 0))
	}
	e.f, e.t = e.t, e.f
	f.removeValues(e.f)
	f.removeValues(e.t)
}

// indexed makes e the element of table e under key.
func (f *function) indexed(e, key *exp) {
	isString := key.kind == kConst // numbers are kNumber until here
	e.aux = f.toRK(key)
	e.str = isString && e.aux&rkConst != 0
	e.kind = kIndexed
}

// fold computes an operation on two numerals, unless its result is one that constants cannot say plainly.
func fold(op int, a, b *exp) bool {
	if !a.isNumeral() || !b.isNumeral() {
		return false
	}
	x, y := a.num, b.num
	var r float64
	switch op {
	case lua.OP_ADD:
		r = x + y
	case lua.OP_SUB:
		r = x - y
	case lua.OP_MUL:
		r = x * y
	case lua.OP_DIV:
		r = x / y
	case lua.OP_POW:
		r = math.Pow(x, y)
	case lua.OP_UNM:
		r = -x
	default:
		return false
	}
	if math.IsNaN(r) || r == 0 {
		return false
	}
	a.num = r
	return true
}

func (f *function) arith(op int, e1, e2 *exp) {
	if fold(op, e1, e2) {
		return
	}
	o2 := 0
	if op != lua.OP_UNM && op != lua.OP_LEN {
		o2 = f.toRK(e2)
	}
	o1 := f.toRK(e1)
	if o1 > o2 {
		f.freeExp(e1)
		f.freeExp(e2)
	} else {
		f.freeExp(e2)
		f.freeExp(e1)
	}
	e1.set(kReloc, f.emitABC(op, 0, o1, o2))
}

// compare emits a comparison whose jump is taken when it equals cond.
func (f *function) compare(op int, cond bool, e1, e2 *exp) {
	o1, o2 := f.toRK(e1), f.toRK(e2)
	f.freeExp(e2)
	f.freeExp(e1)
	if !cond && op != lua.OP_EQ { // a > b is b < a
		o1, o2 = o2, o1
		cond = true
	}
	e1.set(kJump, f.condJump(op, b2i(cond), o1, o2))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}
