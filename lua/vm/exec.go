package vm

import (
	"unsafe"

	lua "github.com/yuin/gopher-lua"
)

// This file is the instruction loop. It executes the prototypes of package compile over gopher-lua's values, tables,
// registers and call frames, and leaves everything rare (most metamethods, errors, closures) to
// gopher-lua's own instructions, which find the state as their loop would have it.
//
// Two things differ from gopher-lua's loop. The top of the registers stays at the end of the running function's
// registers, as in PUC Lua, instead of following each store; only instructions with an open number of values move it.
// And registers behind the top are not cleared at each return: Thread.high tells PutThread how far to clear.

// Decoding of instructions; see compile/code.go.
const (
	opShift   = 26
	valueSize = unsafe.Sizeof(lua.LValue(nil))
	constBit  = 1 << 8
	maxSbx    = 1<<17 - 1
)

func argA(i uint32) uintptr { return uintptr(i>>18) & 0xff }
func argB(i uint32) uintptr { return uintptr(i & 0x1ff) }
func argC(i uint32) uintptr { return uintptr(i>>9) & 0x1ff }
func argSbx(i uint32) int   { return int(i&(1<<18-1)) - maxSbx }

// reg is a register of the running function.
func reg(base unsafe.Pointer, i uintptr) *lua.LValue {
	return (*lua.LValue)(unsafe.Add(base, i*valueSize))
}

// rk is a register or, with constBit, a constant.
func rk(base, consts unsafe.Pointer, i uintptr) lua.LValue {
	if i&constBit != 0 {
		base = consts
	}
	return *(*lua.LValue)(unsafe.Add(base, (i&0xff)*valueSize))
}

// instruction is the one at a place of the code.
func instruction(code unsafe.Pointer, pc int) uint32 {
	return *(*uint32)(unsafe.Add(code, uintptr(pc)*4))
}

func falsy(v lua.LValue) bool {
	switch v := v.(type) {
	case *lua.LNilType:
		return true
	case lua.LBool:
		return !bool(v)
	}
	return false
}

func isNil(v lua.LValue) bool {
	_, ok := v.(*lua.LNilType)
	return ok
}

// mainLoop is the mainLoop of the states of this package: it runs the frame on top of the call stack until bottom, the
// frame that the caller has pushed, returns.
func mainLoop(l *lua.LState, bottom *frame) {
	t := ThreadOf(l)
	cf := t.frames.last()
	setCurrentFrame(l, cf)
	t.keepRoom()
	if cf.Fn.IsG {
		t.finishGo(cf, cf.Fn.GFunction(l))
		return
	}
	t.high = max(t.high, t.regs.top)
	execute(t, cf, bottom)
}

// execute runs the Lua frame cf, which is the current one, until bottom returns.
func execute(t *Thread, cf, bottom *frame) {
	l, v, rg, stack := t.L, t.vm, &t.regs, &t.frames
	current := at[*frame](l, layout.currentFrame)
	var (
		proto              *lua.FunctionProto
		base, code, consts unsafe.Pointer
		pc, top            int
		i                  uint32
	)
enter: // cf is another Lua frame
	proto = cf.Fn.Proto
	code = unsafe.Pointer(unsafe.SliceData(proto.Code))
	consts = unsafe.Pointer(unsafe.SliceData(proto.Constants))
	pc = cf.Pc
	top = cf.LocalBase + int(proto.NumUsedRegisters)
moved: // the registers may have moved
	base = unsafe.Pointer(&rg.array[cf.LocalBase])
	for {
		i = instruction(code, pc)
		pc++
		switch int(i >> opShift) {
		case lua.OP_MOVE:
			*reg(base, argA(i)) = *reg(base, argB(i))
			continue
		case lua.OP_MOVEN:
			*reg(base, argA(i)) = *reg(base, argB(i))
			for n := argC(i); n > 0; n-- {
				i = instruction(code, pc)
				pc++
				*reg(base, argA(i)) = *reg(base, argB(i))
			}
			continue
		case lua.OP_LOADK:
			*reg(base, argA(i)) = *reg(consts, uintptr(i&(1<<18-1)))
			continue
		case lua.OP_LOADBOOL:
			*reg(base, argA(i)) = lua.LBool(argB(i) != 0)
			if argC(i) != 0 {
				pc++
			}
			continue
		case lua.OP_LOADNIL:
			for r := argA(i); r <= argB(i); r++ {
				*reg(base, r) = lua.LNil
			}
			continue
		case lua.OP_GETUPVAL:
			if u := upvalueOf(cf.Fn, argB(i)); u.closed || u.reg == nil {
				*reg(base, argA(i)) = u.value
			} else {
				*reg(base, argA(i)) = u.reg.array[u.index]
			}
			continue
		case lua.OP_SETUPVAL:
			if u := upvalueOf(cf.Fn, argB(i)); u.closed || u.reg == nil {
				u.value = *reg(base, argA(i))
			} else {
				u.reg.array[u.index] = *reg(base, argA(i))
			}
			continue
		case lua.OP_GETGLOBAL:
			if s, ok := (*reg(consts, uintptr(i&(1<<18-1)))).(lua.LString); ok {
				value, from := indexString(cf.Fn.Env, string(s))
				if from == nil {
					*reg(base, argA(i)) = value
					continue
				}
				if fn, ok := value.(*lua.LFunction); ok {
					cf.Pc = pc
					cf = t.handle(cf, fn, int(argA(i)), 1, from, *reg(consts, uintptr(i&(1<<18-1))))
					goto enter
				}
			}
		case lua.OP_GETTABLE:
			if tb, ok := (*reg(base, argB(i))).(*lua.LTable); ok {
				key := rk(base, consts, argC(i))
				value, from := index(tb, key)
				if from == nil {
					*reg(base, argA(i)) = value
					continue
				}
				if fn, ok := value.(*lua.LFunction); ok {
					cf.Pc = pc
					cf = t.handle(cf, fn, int(argA(i)), 1, from, key)
					goto enter
				}
			}
		case lua.OP_GETTABLEKS:
			if tb, ok := (*reg(base, argB(i))).(*lua.LTable); ok {
				key := rk(base, consts, argC(i))
				if s, ok := key.(lua.LString); ok {
					value, from := indexString(tb, string(s))
					if from == nil {
						*reg(base, argA(i)) = value
						continue
					}
					if fn, ok := value.(*lua.LFunction); ok {
						cf.Pc = pc
						cf = t.handle(cf, fn, int(argA(i)), 1, from, key)
						goto enter
					}
				}
			}
		case lua.OP_SELF:
			key := rk(base, consts, argC(i))
			if s, ok := key.(lua.LString); ok {
				self := *reg(base, argB(i))
				tb, ok := self.(*lua.LTable)
				if !ok {
					tb = v.methods(self)
				}
				if tb != nil {
					value, from := indexString(tb, string(s))
					if from == nil {
						*reg(base, argA(i)) = value
						*reg(base, argA(i)+1) = self
						continue
					}
					if fn, ok := value.(*lua.LFunction); ok {
						*reg(base, argA(i)+1) = self
						cf.Pc = pc
						cf = t.handle(cf, fn, int(argA(i)), 1, from, key)
						goto enter
					}
				}
			}
		case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
			if tb, ok := (*reg(base, argA(i))).(*lua.LTable); ok {
				key, value := rk(base, consts, argB(i)), rk(base, consts, argC(i))
				if v.store(tb, key, value) {
					if v.ceiling.over.Load() {
						v.outOfMemory(l)
					}
					continue
				}
				if fn := newIndex(tb); fn != nil {
					cf.Pc = pc
					cf = t.handle(cf, fn, 0, 0, tb, key, value)
					goto enter
				}
			}
		case lua.OP_NEWTABLE:
			*reg(base, argA(i)) = NewTable(int(argB(i)), int(argC(i)))
			if v.ceiling.over.Load() {
				v.outOfMemory(l)
			}
			continue
		case lua.OP_ADD:
			if a, ok := rk(base, consts, argB(i)).(lua.LNumber); ok {
				if b, ok := rk(base, consts, argC(i)).(lua.LNumber); ok {
					v.setNumber(reg(base, argA(i)), float64(a+b))
					continue
				}
			}
		case lua.OP_SUB:
			if a, ok := rk(base, consts, argB(i)).(lua.LNumber); ok {
				if b, ok := rk(base, consts, argC(i)).(lua.LNumber); ok {
					v.setNumber(reg(base, argA(i)), float64(a-b))
					continue
				}
			}
		case lua.OP_MUL:
			if a, ok := rk(base, consts, argB(i)).(lua.LNumber); ok {
				if b, ok := rk(base, consts, argC(i)).(lua.LNumber); ok {
					v.setNumber(reg(base, argA(i)), float64(a*b))
					continue
				}
			}
		case lua.OP_DIV:
			if a, ok := rk(base, consts, argB(i)).(lua.LNumber); ok {
				if b, ok := rk(base, consts, argC(i)).(lua.LNumber); ok {
					v.setNumber(reg(base, argA(i)), float64(a/b))
					continue
				}
			}
		case lua.OP_MOD:
			if a, ok := rk(base, consts, argB(i)).(lua.LNumber); ok {
				if b, ok := rk(base, consts, argC(i)).(lua.LNumber); ok {
					v.setNumber(reg(base, argA(i)), remainder(float64(a), float64(b)))
					continue
				}
			}
		case lua.OP_UNM:
			if a, ok := rk(base, consts, argB(i)).(lua.LNumber); ok {
				v.setNumber(reg(base, argA(i)), -float64(a))
				continue
			}
		case lua.OP_NOT:
			*reg(base, argA(i)) = lua.LBool(falsy(*reg(base, argB(i))))
			continue
		case lua.OP_LEN:
			switch a := rk(base, consts, argB(i)).(type) {
			case lua.LString:
				v.setNumber(reg(base, argA(i)), float64(len(a)))
				continue
			case *lua.LTable:
				if isNil(a.Metatable) {
					v.setNumber(reg(base, argA(i)), float64(length(a)))
					continue
				}
			}
		case lua.OP_JMP:
			pc += argSbx(i)
			continue
		case lua.OP_EQ:
			if yes, ok := equal(rk(base, consts, argB(i)), rk(base, consts, argC(i))); ok {
				if yes == (argA(i) != 0) { // the jump that follows
					pc += argSbx(instruction(code, pc))
				}
				pc++
				continue
			}
		case lua.OP_LT:
			if yes, ok := less(rk(base, consts, argB(i)), rk(base, consts, argC(i))); ok {
				if yes == (argA(i) != 0) {
					pc += argSbx(instruction(code, pc))
				}
				pc++
				continue
			}
		case lua.OP_LE:
			if yes, ok := lessEqual(rk(base, consts, argB(i)), rk(base, consts, argC(i))); ok {
				if yes == (argA(i) != 0) {
					pc += argSbx(instruction(code, pc))
				}
				pc++
				continue
			}
		case lua.OP_TEST:
			if falsy(*reg(base, argA(i))) != (argC(i) != 0) {
				pc += argSbx(instruction(code, pc))
			}
			pc++
			continue
		case lua.OP_TESTSET:
			if value := *reg(base, argB(i)); falsy(value) != (argC(i) != 0) {
				*reg(base, argA(i)) = value
				pc += argSbx(instruction(code, pc))
			}
			pc++
			continue
		case lua.OP_CALL, lua.OP_TAILCALL:
			at := cf.LocalBase + int(argA(i)) // of the function
			nargs := int(argB(i)) - 1
			if nargs < 0 {
				nargs = rg.top - at - 1
			}
			cf.Pc = pc
			fn, ok := (*reg(base, argA(i))).(*lua.LFunction)
			if !ok {
				if fn, ok = l.GetMetaField(*reg(base, argA(i)), "__call").(*lua.LFunction); !ok {
					break
				}
				t.insertSelf(at, nargs)
				nargs++
			}
			if fn.IsG {
				if v.ceiling.over.Load() {
					v.outOfMemory(l)
				}
				// A tail call of a Go function is a call with all its results, which the next instruction returns.
				nret := int(argC(i)) - 1
				if int(i>>opShift) == lua.OP_TAILCALL {
					nret = lua.MultRet
				}
				if call := leafOf(fn); call != nil {
					if value, n := call(v, rg.array[at+1:at+1+nargs]); n != other {
						takeLeaf(rg, at, value, n, nret)
						continue
					}
				}
				rg.top = at + 1 + nargs
				f := t.push(cf, fn, at, nargs, nret)
				*current = f
				t.finishGo(f, fn.GFunction(l))
				if nret != lua.MultRet {
					rg.top = top
				}
				goto moved
			}
			if int(i>>opShift) == lua.OP_TAILCALL {
				t.tailCall(cf, fn, at, nargs)
				goto enter
			}
			f := t.push(cf, fn, at, nargs, int(argC(i))-1)
			t.enter(f)
			*current = f
			cf = f
			goto enter
		case lua.OP_RETURN:
			if len(proto.FunctionPrototypes) > 0 {
				closeUpvalues(l, cf.LocalBase)
			}
			n := int(argB(i)) - 1
			from := cf.LocalBase + int(argA(i))
			if n < 0 {
				n = rg.top - from
			}
			if parent := cf.Parent; n == 1 && cf.NRet == 1 && cf != bottom && !parent.Fn.IsG { // the most frequent case
				rg.array[cf.ReturnBase] = rg.array[from]
				stack.pop()
				cf = parent
				*current = cf
				rg.top = cf.LocalBase + int(cf.Fn.Proto.NumUsedRegisters)
				goto enter
			}
			open := t.leave(cf, from, n)
			if cf == bottom {
				return
			}
			cf = cf.Parent
			if cf == nil || cf.Fn.IsG {
				return
			}
			if !open {
				rg.top = cf.LocalBase + int(cf.Fn.Proto.NumUsedRegisters)
			}
			goto enter
		case lua.OP_FORPREP:
			cf.Pc = pc
			start, step := forRange(l, reg(base, argA(i)))
			// The loop counts in place: nobody else sees this number.
			*reg(base, argA(i)) = v.ownNumber(start - step)
			pc += argSbx(i)
			continue
		case lua.OP_FORLOOP:
			r := reg(base, argA(i))
			limit, _ := (*reg(base, argA(i)+1)).(lua.LNumber)
			step, _ := (*reg(base, argA(i)+2)).(lua.LNumber)
			count := (*float64)((*iface)(unsafe.Pointer(r)).word)
			n := *count + float64(step)
			if step > 0 && n <= float64(limit) || step <= 0 && n >= float64(limit) {
				*count = n
				v.setNumber(reg(base, argA(i)+3), n)
				pc += argSbx(i)
			}
			continue
		case lua.OP_TFORLOOP:
			if v.iterate(l, reg(base, argA(i)), int(argC(i))) {
				if key := *reg(base, argA(i)+3); !isNil(key) {
					*reg(base, argA(i)+2) = key
					pc += argSbx(instruction(code, pc))
				}
				pc++
				continue
			}
		case lua.OP_SETLIST:
			if n := argB(i); n > 0 && argC(i) > 0 {
				tb := (*reg(base, argA(i))).(*lua.LTable)
				first := (int(argC(i)) - 1) * lua.FieldsPerFlush
				for j := 1; j <= int(n); j++ {
					storeInt(tb, first+j, *reg(base, argA(i)+uintptr(j)))
				}
				continue
			}
		case lua.OP_VARARG:
			if b := argB(i); b != 0 {
				spreadVararg(rg, cf, int(argA(i)), int(b)-1)
				continue
			}
			t.spreadAll(cf, int(argA(i)))
			goto moved
		case lua.OP_NOP:
			continue
		}

		// The rest is gopher-lua's.
		op := int(i >> opShift)
		cf.Pc = pc
		if v.ceiling.over.Load() { // closures, above all
			v.outOfMemory(l)
		}
		instructions[op](l, i, bottom)
		pc = cf.Pc
		t.high = max(t.high, rg.top)
		rg.top = top
		goto moved
	}
}
