package compile

import (
	lua "github.com/yuin/gopher-lua"
)

// parser reads statements and expressions and emits their code as it goes.
type parser struct {
	lex        lexer
	fn         *function
	labels     []label
	gotos      []label
	levels     int
	callee     string // name of what the last suffixed expression ends in, for messages about calls
	intrinsics Intrinsics
}

// chunk compiles a whole source text.
func (p *parser) chunk() *lua.FunctionProto {
	f := p.openFunction(0)
	f.vararg = true
	f.openBlock(false)
	p.lex.next()
	p.block()
	if p.lex.tok.kind != tEOF {
		p.lex.failTok("'%s' expected", tEOF)
	}
	f.proto.LastLineDefined = p.lex.line
	return p.closeFunction()
}

// enter counts nesting, which is recursion of this parser.
func (p *parser) enter() {
	if p.levels++; p.levels > maxLevels {
		p.lex.fail("chunk has too many syntax levels")
	}
}

func (p *parser) leave() { p.levels-- }

func (p *parser) accept(t token) bool {
	if p.lex.tok.kind != t {
		return false
	}
	p.lex.next()
	return true
}

func (p *parser) expect(t token) {
	if !p.accept(t) {
		p.lex.failTok("'%s' expected", t)
	}
}

// expectClose expects the token that ends what `open` began at line.
func (p *parser) expectClose(t, open token, line int) {
	if p.accept(t) {
		return
	}
	if line == p.lex.line {
		p.lex.failTok("'%s' expected", t)
	}
	p.lex.failTok("'%s' expected (to close '%s' at line %d)", t, open, line)
}

// name reads an identifier.
func (p *parser) name() string {
	if p.lex.tok.kind != tName {
		p.lex.failTok("'%s' expected", tName)
	}
	s := p.lex.tok.text
	p.lex.next()
	return s
}

func (p *parser) atBlockEnd() bool {
	switch p.lex.tok.kind {
	case tElse, tElseif, tEnd, tUntil, tEOF:
		return true
	}
	return false
}

// block reads statements up to the end of their block.
func (p *parser) block() {
	p.enter()
	for !p.atBlockEnd() {
		last := p.statement()
		p.accept(';')
		p.fn.free = len(p.fn.active)
		if last {
			break
		}
	}
	p.leave()
}

// scopedBlock reads a block with a scope of its own.
func (p *parser) scopedBlock() {
	p.fn.openBlock(false)
	p.block()
	p.fn.closeBlock()
}

// statement reads one statement and tells whether it must be the last of its block.
func (p *parser) statement() bool {
	line := p.lex.line
	switch p.lex.tok.kind {
	case ';':
	case tIf:
		p.ifStatement(line)
	case tWhile:
		p.whileStatement(line)
	case tDo:
		p.lex.next()
		p.scopedBlock()
		p.expectClose(tEnd, tDo, line)
	case tFor:
		p.forStatement(line)
	case tRepeat:
		p.repeatStatement(line)
	case tFunction:
		p.functionStatement(line)
	case tLocal:
		p.lex.next()
		if p.accept(tFunction) {
			p.localFunction(line)
		} else {
			p.localStatement()
		}
	case tReturn:
		p.returnStatement()
		return true
	case tBreak:
		p.lex.next()
		p.breakStatement(line)
	case tLabel:
		p.labelStatement()
	case tGoto:
		p.lex.next()
		p.emitGoto(p.name(), line)
	default:
		p.expressionStatement()
	}
	return false
}

func (p *parser) breakStatement(line int) {
	for b := p.fn.block; b != nil; b = b.parent {
		if b.loop {
			p.emitGoto(breakName, line)
			return
		}
	}
	p.lex.line = line
	p.lex.fail("no loop to break")
}

// labelStatement reads ::name::. Labels at the end of a block count as outside the scope of its locals.
func (p *parser) labelStatement() {
	f := p.fn
	p.enter()
	p.lex.next()
	line := p.lex.line
	name := p.name()
	for _, l := range p.labels[f.block.firstLabel:] {
		if l.name == name {
			p.lex.fail("duplicate label '%s'", name)
		}
	}
	p.expect(tLabel)
	l := len(p.labels)
	p.labels = append(p.labels, label{name: name, pc: f.label(), line: line, active: len(f.active)})
	for {
		if p.lex.tok.kind == tLabel {
			p.labelStatement()
		} else if !p.accept(';') {
			break
		}
	}
	if p.atBlockEnd() && p.lex.tok.kind != tUntil {
		p.labels[l].active = f.block.active
	}
	p.resolveGotos(l)
	p.leave()
}

// condition reads an expression and returns the list of jumps taken when it is false.
func (p *parser) condition() int {
	e := p.expr()
	if e.kind == kNil {
		e.kind = kFalse
	}
	p.fn.goIfTrue(&e)
	return e.f
}

func (p *parser) ifStatement(line int) {
	f := p.fn
	out := noJump
	next := p.thenBlock()
	for p.lex.tok.kind == tElseif {
		f.concat(&out, f.jump())
		f.patchToHere(next)
		next = p.thenBlock()
	}
	if p.lex.tok.kind == tElse {
		f.concat(&out, f.jump())
		f.patchToHere(next)
		p.lex.next()
		p.scopedBlock()
	} else {
		f.concat(&out, next)
	}
	f.patchToHere(out)
	p.expectClose(tEnd, tIf, line)
}

// thenBlock reads a condition and its block, from the keyword before the condition.
func (p *parser) thenBlock() int {
	p.lex.next()
	exit := p.condition()
	p.expect(tThen)
	p.scopedBlock()
	return exit
}

func (p *parser) whileStatement(line int) {
	f := p.fn
	p.lex.next()
	start := f.label()
	exit := p.condition()
	f.openBlock(true)
	p.expect(tDo)
	p.scopedBlock()
	f.patchList(f.jump(), start)
	p.expectClose(tEnd, tWhile, line)
	f.patchToHere(exit)
	f.closeBlock()
}

func (p *parser) repeatStatement(line int) {
	f := p.fn
	start := f.label()
	f.openBlock(true)
	inner := f.openBlock(false)
	p.lex.next()
	p.block()
	p.expectClose(tUntil, tRepeat, line)
	exit := p.condition()
	if !inner.captured {
		f.closeBlock()
		f.patchList(exit, start)
	} else {
		p.emitGoto(breakName, p.lex.lastLine) // the condition holds: leave, closing the upvalues
		f.patchToHere(exit)
		f.closeBlock()
		f.patchList(f.jump(), start)
	}
	f.closeBlock()
}

func (p *parser) forStatement(line int) {
	f := p.fn
	f.openBlock(true)
	p.lex.next()
	name := p.name()
	switch p.lex.tok.kind {
	case '=':
		p.numericFor(name, line)
	case ',', tIn:
		p.genericFor(name)
	default:
		p.lex.failTok("'=' or 'in' expected")
	}
	p.expectClose(tEnd, tFor, line)
	f.closeBlock()
}

func (p *parser) numericFor(name string, line int) {
	f := p.fn
	base := f.free
	p.lex.next()
	p.exprToNextReg()
	p.expect(',')
	p.exprToNextReg()
	if p.accept(',') {
		p.exprToNextReg()
	} else {
		f.emitABx(lua.OP_LOADK, f.free, f.numberConst(1))
		f.reserve(1)
	}
	f.declare("(for index)", "(for limit)", "(for step)")
	p.expect(tDo)
	prep := f.emitABx(lua.OP_FORPREP, base, 0)
	f.fixLine(line)
	p.forBody([]string{name})
	f.fixJump(prep, f.pc())
	f.dischargeJumps()
	end := f.emitRaw(abx(lua.OP_FORLOOP, base, 0), line)
	f.fixJump(end, prep+1)
	f.target = f.pc()
}

func (p *parser) genericFor(first string) {
	f := p.fn
	names := []string{first}
	base := f.free
	for p.accept(',') {
		names = append(names, p.name())
	}
	line := p.lex.line
	p.expect(tIn)
	p.adjust(3, p.exprList())
	f.checkStack(3) // to call the iterator
	f.declare("(for generator)", "(for state)", "(for control)")
	p.expect(tDo)
	prep := f.jump()
	p.forBody(names)
	f.patchToHere(prep)
	f.emitABC(lua.OP_TFORLOOP, base, 0, len(names))
	f.fixLine(line)
	back := f.jump()
	f.fixLine(line)
	f.patchList(back, prep+1)
}

// forBody reads the body of a loop with its visible variables in scope.
func (p *parser) forBody(names []string) {
	f := p.fn
	f.openBlock(false)
	f.declare(names...)
	f.reserve(len(names))
	p.block()
	f.closeBlock()
}

func (p *parser) functionStatement(line int) {
	f := p.fn
	p.lex.next()
	v := f.variable(p.name())
	method := false
	for p.lex.tok.kind == '.' {
		p.field(&v)
	}
	if p.lex.tok.kind == ':' {
		method = true
		p.field(&v)
	}
	body := p.functionBody(method, line)
	f.store(&v, &body)
	f.fixLine(line)
}

func (p *parser) localFunction(line int) {
	f := p.fn
	f.declare(p.name())
	v := newExp(kLocal, f.free)
	f.reserve(1)
	body := p.functionBody(false, line)
	f.store(&v, &body)
	f.proto.DbgLocals[f.active[len(f.active)-1]].StartPc = f.pc() - 1
}

func (p *parser) localStatement() {
	f := p.fn
	var names []string
	for {
		names = append(names, p.name())
		f.limit(len(f.active)+len(names), maxLocals, "local variables")
		if !p.accept(',') {
			break
		}
	}
	l := exprs{e: newExp(kVoid, 0)}
	if p.accept('=') {
		l = p.exprList()
	}
	p.adjust(len(names), l)
	f.declare(names...)
}

func (p *parser) returnStatement() {
	f := p.fn
	p.lex.next()
	if p.atBlockEnd() || p.lex.tok.kind == ';' {
		f.emitReturn(0, 0)
		return
	}
	l := p.exprList()
	e := &l.e
	switch {
	case e.isMulti():
		f.setReturns(e, lua.MultRet)
		if e.kind == kCall && l.n == 1 {
			i := &f.code[e.info]
			*i = abc(lua.OP_TAILCALL, argA(*i), argB(*i), argC(*i))
		}
		f.emitReturn(len(f.active), lua.MultRet)
	case l.n == 1:
		f.emitReturn(f.toAnyReg(e), 1)
	default:
		f.toNextReg(e)
		f.emitReturn(len(f.active), l.n)
	}
}

// exprs is a list of expressions: all but the last are in registers.
type exprs struct {
	e exp
	n int
}

func (p *parser) exprList() exprs {
	l := exprs{e: p.expr(), n: 1}
	for p.accept(',') {
		p.fn.toNextReg(&l.e)
		l.e = p.expr()
		l.n++
	}
	return l
}

// adjust brings a list of expressions to n values in the next registers.
func (p *parser) adjust(n int, l exprs) {
	f := p.fn
	extra := n - l.n
	if l.e.isMulti() {
		extra = max(extra+1, 0)
		f.setReturns(&l.e, extra)
		if extra > 1 {
			f.reserve(extra - 1)
		}
		return
	}
	if l.e.kind != kVoid {
		f.toNextReg(&l.e)
	}
	if extra > 0 {
		r := f.free
		f.reserve(extra)
		f.emitNil(r, extra)
	}
}

// expressionStatement reads a call or an assignment.
func (p *parser) expressionStatement() {
	e := p.suffixed()
	if e.kind == kCall {
		setC(&p.fn.code[e.info], 1) // no results
		return
	}
	p.assignment(&target{e: e}, 1)
}

// target is one variable on the left of an assignment, with those before it.
type target struct {
	e    exp
	prev *target
}

// assignment reads the rest of an assignment whose first n variables are read.
func (p *parser) assignment(t *target, n int) {
	f := p.fn
	if t.e.kind < kLocal || t.e.kind > kIndexed {
		p.lex.failTok("syntax error")
	}
	if p.accept(',') {
		next := &target{prev: t, e: p.suffixed()}
		if next.e.kind == kLocal {
			p.protect(t, next.e.info)
		}
		if n > maxLevels {
			p.lex.fail("chunk has too many syntax levels")
		}
		p.assignment(next, n+1)
	} else {
		p.expect('=')
		l := p.exprList()
		if l.n == n {
			f.setOneReturn(&l.e)
			f.store(&t.e, &l.e)
			return
		}
		p.adjust(n, l)
		if l.n > n {
			f.free -= l.n - n
		}
	}
	e := newExp(kReg, f.free-1)
	f.store(&t.e, &e)
}

// protect copies a local that is about to be assigned when earlier variables of the assignment index with it.
func (p *parser) protect(t *target, local int) {
	f := p.fn
	safe := f.free
	conflict := false
	for ; t != nil; t = t.prev {
		if t.e.kind != kIndexed {
			continue
		}
		if t.e.info == local {
			conflict = true
			t.e.info = safe
		}
		if t.e.aux == local {
			conflict = true
			t.e.aux = safe
		}
	}
	if conflict {
		f.emitABC(lua.OP_MOVE, safe, local, 0)
		f.reserve(1)
	}
}
