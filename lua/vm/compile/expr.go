package compile

import (
	lua "github.com/yuin/gopher-lua"
)

// binary describes the binary operators: priorities to the left and right, the instruction, and for comparisons the
// jump condition.
type binary struct {
	left, right int
	op          int
	compare     bool
	cond        bool
}

var binaries = map[token]binary{
	'+': {6, 6, lua.OP_ADD, false, false}, '-': {6, 6, lua.OP_SUB, false, false},
	'*': {7, 7, lua.OP_MUL, false, false}, '/': {7, 7, lua.OP_DIV, false, false},
	'%': {7, 7, lua.OP_MOD, false, false}, '^': {10, 9, lua.OP_POW, false, false},
	tConcat: {5, 5, lua.OP_CONCAT, false, false},
	tEq:     {3, 3, lua.OP_EQ, true, true}, tNe: {3, 3, lua.OP_EQ, true, false},
	'<': {3, 3, lua.OP_LT, true, true}, '>': {3, 3, lua.OP_LT, true, false},
	tLe: {3, 3, lua.OP_LE, true, true}, tGe: {3, 3, lua.OP_LE, true, false},
	tAnd: {2, 2, lua.OP_TEST, false, false}, tOr: {1, 1, lua.OP_TEST, false, false},
}

const unaryPriority = 8

func (p *parser) expr() exp { return p.subexpr(0) }

func (p *parser) exprToNextReg() {
	e := p.expr()
	p.fn.toNextReg(&e)
}

// subexpr reads an expression of operators that bind tighter than limit.
func (p *parser) subexpr(limit int) exp {
	p.enter()
	e := p.unary()
	for {
		b, ok := binaries[p.lex.tok.kind]
		if !ok || b.left <= limit {
			break
		}
		if b.op == lua.OP_CONCAT {
			p.concat(&e)
			continue
		}
		p.binary(&e, b)
	}
	p.leave()
	return e
}

func (p *parser) unary() exp {
	f := p.fn
	op := 0
	switch p.lex.tok.kind {
	case tNot:
		p.lex.next()
		e := p.subexpr(unaryPriority)
		f.not(&e)
		return e
	case '-':
		op = lua.OP_UNM
	case '#':
		op = lua.OP_LEN
	default:
		return p.simple()
	}
	p.lex.next()
	e := p.subexpr(unaryPriority)
	if op == lua.OP_LEN || !e.isNumeral() {
		f.toAnyReg(&e)
	}
	zero := newExp(kNumber, 0)
	f.arith(op, &e, &zero)
	return e
}

// binary reads an operator and its right operand; e is the left one and becomes the result.
func (p *parser) binary(e *exp, b binary) {
	f := p.fn
	op := p.lex.tok.kind
	p.lex.next()
	switch {
	case op == tAnd:
		f.goIfTrue(e)
	case op == tOr:
		f.goIfFalse(e)
	case b.compare:
		f.toRK(e)
	default:
		if !e.isNumeral() {
			f.toRK(e)
		}
	}
	r := p.subexpr(b.right)
	switch {
	case op == tAnd:
		f.dischargeVars(&r)
		f.concat(&r.f, e.f)
		*e = r
	case op == tOr:
		f.dischargeVars(&r)
		f.concat(&r.t, e.t)
		*e = r
	case b.compare:
		f.compare(b.op, b.cond, e, &r)
	default:
		f.arith(b.op, e, &r)
	}
}

// concat reads the operands of `e .. x .. y` and calls the Concat intrinsic with all of them: gopher-lua's instruction
// formats numbers in Go's way.
func (p *parser) concat(e *exp) {
	f := p.fn
	f.dischargeVars(e)
	var base int
	if e.hasJumps() || e.kind == kJump || e.kind == kReg && e.info >= len(f.active) {
		f.toNextReg(e) // its register is taken: the function goes below it
		base = f.free - 1
		f.reserve(1)
		f.emitABC(lua.OP_MOVE, base+1, base, 0)
		f.emitABx(lua.OP_LOADK, base, f.funcConst(p.intrinsics.Concat))
	} else {
		base = f.free
		f.reserve(1)
		f.emitABx(lua.OP_LOADK, base, f.funcConst(p.intrinsics.Concat))
		f.toNextReg(e)
	}
	n := 1
	for p.accept(tConcat) {
		r := p.subexpr(binaries[tConcat].left)
		f.toNextReg(&r)
		n++
	}
	f.emitABC(lua.OP_CALL, base, n+1, 2)
	f.free = base + 1
	*e = newExp(kReg, base)
}

func (p *parser) simple() exp {
	f := p.fn
	var e exp
	switch p.lex.tok.kind {
	case tNumber:
		e = newExp(kNumber, 0)
		e.num = p.lex.tok.num
	case tString:
		e = newExp(kConst, f.stringConst(p.lex.tok.text))
	case tNil:
		e = newExp(kNil, 0)
	case tTrue:
		e = newExp(kTrue, 0)
	case tFalse:
		e = newExp(kFalse, 0)
	case tDots:
		if !f.vararg {
			p.lex.failTok("cannot use '...' outside a vararg function")
		}
		p.lex.next()
		return newExp(kVararg, f.emitABC(lua.OP_VARARG, 0, 1, 0))
	case '{':
		return p.table()
	case tFunction:
		line := p.lex.line
		p.lex.next()
		return p.functionBody(false, line)
	default:
		return p.suffixed()
	}
	p.lex.next()
	return e
}

// primary reads a name or an expression in parentheses.
func (p *parser) primary() exp {
	f := p.fn
	switch p.lex.tok.kind {
	case '(':
		line := p.lex.line
		p.lex.next()
		e := p.expr()
		p.expectClose(')', '(', line)
		f.dischargeVars(&e)
		p.callee = "?"
		return e
	case tName:
		p.callee = p.name()
		return f.variable(p.callee)
	}
	p.lex.failTok("unexpected symbol")
	return exp{}
}

// suffixed reads a primary expression with its fields, indexes, method and function calls.
func (p *parser) suffixed() exp {
	f := p.fn
	e := p.primary()
	for {
		switch p.lex.tok.kind {
		case '.':
			p.field(&e)
		case '[':
			f.toAnyReg(&e)
			key := p.index()
			f.indexed(&e, &key)
			p.callee = "?"
		case ':':
			p.lex.next()
			p.callee = p.name()
			key := newExp(kConst, f.stringConst(p.callee))
			f.self(&e, &key)
			p.arguments(&e)
		case '(', tString, '{':
			f.toNextReg(&e)
			p.arguments(&e)
		default:
			return e
		}
	}
}

// field reads `.name` or `:name` and makes e that field.
func (p *parser) field(e *exp) {
	p.fn.toAnyReg(e)
	p.lex.next()
	p.callee = p.name()
	key := newExp(kConst, p.fn.stringConst(p.callee))
	p.fn.indexed(e, &key)
}

// index reads `[key]`.
func (p *parser) index() exp {
	p.lex.next()
	key := p.expr()
	p.fn.toValue(&key)
	p.expect(']')
	return key
}

// arguments reads the arguments of a call to e, which sits in the topmost register (a method has its object above).
func (p *parser) arguments(e *exp) {
	f := p.fn
	line := p.lex.line
	callee := p.callee
	var args exp
	switch p.lex.tok.kind {
	case '(':
		p.lex.next()
		if p.lex.tok.kind == ')' {
			args = newExp(kVoid, 0)
		} else {
			args = p.exprList().e
			if args.isMulti() {
				f.setReturns(&args, lua.MultRet)
			}
		}
		p.expectClose(')', '(', line)
	case '{':
		args = p.table()
	case tString:
		args = newExp(kConst, f.stringConst(p.lex.tok.text))
		p.lex.next()
	default:
		p.lex.failTok("function arguments expected")
	}
	base := e.info
	n := lua.MultRet
	if !args.isMulti() {
		if args.kind != kVoid {
			f.toNextReg(&args)
		}
		n = f.free - (base + 1)
	}
	*e = newExp(kCall, f.emitABC(lua.OP_CALL, base, n+1, 2))
	f.fixLine(line)
	f.free = base + 1
	f.proto.DbgCalls = append(f.proto.DbgCalls, lua.DbgCall{Name: callee, Pc: e.info})
	p.callee = "?"
}

// functionBody reads parameters and body of a function and emits its closure.
func (p *parser) functionBody(method bool, line int) exp {
	f := p.openFunction(line)
	f.openBlock(false)
	if method {
		f.declare("self")
	}
	p.expect('(')
	p.parameters()
	p.expect(')')
	f.reserve(len(f.active))
	p.block()
	f.proto.LastLineDefined = p.lex.line
	if p.lex.tok.kind != tEnd {
		p.expectClose(tEnd, tFunction, line)
	}
	p.lex.lastLine = p.lex.line // the final return belongs to the line of `end`
	proto := p.closeFunction()
	p.lex.next()
	return p.fn.closure(proto, f.upvalues)
}

func (p *parser) parameters() {
	f := p.fn
	for first := true; !first || p.lex.tok.kind != ')'; first = false {
		switch p.lex.tok.kind {
		case tName:
			f.declare(p.name())
		case tDots:
			p.lex.next()
			f.vararg = true
		default:
			p.lex.failTok("<name> or '...' expected")
		}
		if f.vararg || !p.accept(',') {
			break
		}
	}
	f.proto.NumParameters = uint8(len(f.active))
}

func (f *function) closure(proto *lua.FunctionProto, upvalues []upvalue) exp {
	f.limit(len(f.proto.FunctionPrototypes), maxBx, "functions")
	f.proto.FunctionPrototypes = append(f.proto.FunctionPrototypes, proto)
	e := newExp(kReloc, f.emitABx(lua.OP_CLOSURE, 0, len(f.proto.FunctionPrototypes)-1))
	for _, u := range upvalues {
		op := lua.OP_GETUPVAL
		if u.local {
			op = lua.OP_MOVE
		}
		f.emitABC(op, 0, u.index, 0)
	}
	return e
}

// constructor is a table being built: its list items wait in registers and are stored in batches.
type constructor struct {
	reg     int
	item    exp // the last list item, not yet in a register
	hash    int // fields with a key
	list    int // list items read
	pending int // list items in registers
}

// table reads a table constructor.
func (p *parser) table() exp {
	f := p.fn
	line := p.lex.line
	pc := f.emitABC(lua.OP_NEWTABLE, 0, 0, 0)
	e := newExp(kReloc, pc)
	f.toNextReg(&e)
	c := constructor{reg: e.info, item: newExp(kVoid, 0)}
	p.expect('{')
	for p.lex.tok.kind != '}' {
		p.flushItem(&c)
		switch {
		case p.lex.tok.kind == '[':
			key := p.index()
			p.keyed(&c, &key)
		case p.lex.tok.kind == tName && p.lex.peek() == '=':
			key := newExp(kConst, f.stringConst(p.name()))
			p.keyed(&c, &key)
		default:
			c.item = p.expr()
			c.list++
			c.pending++
		}
		if !p.accept(',') && !p.accept(';') {
			break
		}
	}
	p.expectClose('}', '{', line)
	p.flushLast(&c)
	const maxHint = 1<<9 - 1
	setB(&f.code[pc], min(c.list, maxHint))
	setC(&f.code[pc], min(c.hash, maxHint))
	return e
}

// keyed reads `= value` and stores it under key.
func (p *parser) keyed(c *constructor, key *exp) {
	f := p.fn
	free := f.free
	t := newExp(kReg, c.reg)
	f.indexed(&t, key)
	p.expect('=')
	value := p.expr()
	op := lua.OP_SETTABLE
	if t.str {
		op = lua.OP_SETTABLEKS
	}
	f.emitABC(op, c.reg, t.aux, f.toRK(&value))
	f.free = free
	c.hash++
}

// flushItem moves the last list item to its register, and a full batch into the table.
func (p *parser) flushItem(c *constructor) {
	if c.item.kind == kVoid {
		return
	}
	p.fn.toNextReg(&c.item)
	c.item.kind = kVoid
	if c.pending == lua.FieldsPerFlush {
		p.fn.setList(c, c.pending)
	}
}

func (p *parser) flushLast(c *constructor) {
	f := p.fn
	switch {
	case c.pending == 0:
	case c.item.isMulti():
		f.setReturns(&c.item, lua.MultRet)
		f.setList(c, lua.MultRet)
		c.list--
	default:
		if c.item.kind != kVoid {
			f.toNextReg(&c.item)
		}
		f.setList(c, c.pending)
	}
}

// setList stores n items, all there are for MultRet, at the end of the list read so far.
func (f *function) setList(c *constructor, n int) {
	batch := (c.list-1)/lua.FieldsPerFlush + 1
	if n == lua.MultRet {
		n = 0
	}
	if batch < 1<<9 {
		f.emitABC(lua.OP_SETLIST, c.reg, n, batch)
	} else {
		f.emitABC(lua.OP_SETLIST, c.reg, n, 0)
		f.emitRaw(uint32(batch), f.p.lex.lastLine)
	}
	f.free = c.reg + 1
	c.pending = 0
}
