package compile

import lua "github.com/yuin/gopher-lua"

// Symbol names the value that register reg holds when the instruction at pc runs: kind is "local", "upvalue",
// "global", "field" or "method", or empty when nothing is known (lj_debug_slotname).
func Symbol(p *lua.FunctionProto, pc, reg int) (kind, name string) {
	if name := localName(p, pc, reg); name != "" {
		return "local", name
	}
	at := lastSet(p, pc, reg)
	if at < 0 {
		return "", ""
	}
	i := p.Code[at]
	switch opOf(i) {
	case lua.OP_MOVE, lua.OP_MOVEN:
		if argB(i) < argA(i) {
			return Symbol(p, at, argB(i))
		}
	case lua.OP_GETUPVAL:
		if n := argB(i); n < len(p.DbgUpvalues) {
			return "upvalue", p.DbgUpvalues[n]
		}
	case lua.OP_GETGLOBAL:
		return "global", p.Constants[i&maxBx].String()
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS:
		if s, ok := constString(p, argC(i)); ok {
			return "field", s
		}
	case lua.OP_SELF:
		if s, ok := constString(p, argC(i)); ok && reg == argA(i) {
			return "method", s
		}
	}
	return "", ""
}

// Operand is register or constant rk of an instruction: its name as in Symbol and, for constants, their value.
func Operand(p *lua.FunctionProto, pc, rk int) (kind, name string, constant lua.LValue) {
	if rk&rkConst != 0 {
		return "", "", p.Constants[rk&^rkConst]
	}
	kind, name = Symbol(p, pc, rk)
	return kind, name, nil
}

// Instruction takes apart the instruction at pc.
func Instruction(p *lua.FunctionProto, pc int) (op, a, b, c int) {
	i := p.Code[pc]
	return opOf(i), argA(i), argB(i), argC(i)
}

func constString(p *lua.FunctionProto, rk int) (string, bool) {
	if rk&rkConst == 0 {
		return "", false
	}
	s, ok := p.Constants[rk&^rkConst].(lua.LString)
	return string(s), ok
}

// localName is the local variable in register reg at pc.
func localName(p *lua.FunctionProto, pc, reg int) string {
	for _, d := range p.DbgLocals {
		if d.StartPc >= pc {
			break
		}
		if pc < d.EndPc {
			if reg == 0 {
				return d.Name
			}
			reg--
		}
	}
	return ""
}

// lastSet finds the last instruction before pc, in the order of the code, that sets reg.
func lastSet(p *lua.FunctionProto, pc, reg int) int {
	last := -1
	for at := 0; at < pc; at++ {
		i := p.Code[at]
		a := argA(i)
		set := false
		switch opOf(i) {
		case lua.OP_LOADNIL:
			set = a <= reg && reg <= argB(i)
		case lua.OP_SELF:
			set = reg == a || reg == a+1
		case lua.OP_CALL, lua.OP_TAILCALL, lua.OP_VARARG:
			set = reg >= a
		case lua.OP_TFORLOOP:
			set = reg >= a+3
		case lua.OP_FORLOOP, lua.OP_FORPREP:
			set = reg >= a && reg <= a+3
		case lua.OP_SETLIST:
			if argC(i) == 0 {
				at++
			}
		case lua.OP_CLOSURE:
			set = reg == a
			if set {
				last = at
			}
			at += int(p.FunctionPrototypes[i&maxBx].NumUpvalues)
			continue
		case lua.OP_SETGLOBAL, lua.OP_SETUPVAL, lua.OP_SETTABLE, lua.OP_SETTABLEKS, lua.OP_JMP, lua.OP_EQ, lua.OP_LT,
			lua.OP_LE, lua.OP_TEST, lua.OP_RETURN, lua.OP_CLOSE, lua.OP_NOP:
		default:
			set = reg == a
		}
		if set {
			last = at
		}
	}
	return last
}
