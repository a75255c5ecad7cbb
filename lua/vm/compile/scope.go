package compile

import (
	lua "github.com/yuin/gopher-lua"
)

// block is a scope of local variables.
type block struct {
	parent     *block
	firstLabel int // labels and pending gotos from here on belong to the block
	firstGoto  int
	active     int  // locals in scope outside
	captured   bool // some local of the block is an upvalue of a closure
	loop       bool
}

// label is a place to jump to; gotos wait in the same form until their label is known.
type label struct {
	name   string
	pc     int // of a goto: its JMP, which follows a NOP that may have to close upvalues
	line   int
	active int
}

// breakName is the label of a loop's end, which no program can write.
const breakName = "break"

func (p *parser) openFunction(line int) *function {
	f := &function{
		p: p, parent: p.fn, slots: 2, target: -1, jumps: noJump,
		consts: map[constKey]int{},
		proto:  &lua.FunctionProto{SourceName: p.lex.chunk, LineDefined: line},
	}
	p.fn = f
	return f
}

func (p *parser) closeFunction() *lua.FunctionProto {
	f := p.fn
	f.emitReturn(0, 0)
	f.closeBlock()
	p.fn = f.parent
	return f.finish()
}

func (f *function) openBlock(loop bool) *block {
	b := &block{
		parent: f.block, firstLabel: len(f.p.labels), firstGoto: len(f.p.gotos), active: len(f.active), loop: loop,
	}
	f.block = b
	return b
}

func (f *function) closeBlock() {
	b := f.block
	p := f.p
	if b.parent != nil && b.captured {
		f.emitABC(lua.OP_CLOSE, b.active, 0, 0)
	}
	if b.loop {
		p.placeLabel(breakName, p.lex.lastLine)
	}
	f.block = b.parent
	f.endLocals(b.active)
	f.free = len(f.active)
	p.labels = p.labels[:b.firstLabel]
	if b.parent != nil {
		p.moveGotosOut(b)
		return
	}
	if len(p.gotos) > b.firstGoto {
		g := p.gotos[b.firstGoto]
		p.lex.line = g.line
		if g.name == breakName {
			p.lex.fail("no loop to break")
		}
		p.lex.fail("undefined label '%s'", g.name)
	}
}

// declare brings locals into scope: they are the values in the next registers. gopher-lua counts a local as live after
// StartPc, so that is one less than the pc.
func (f *function) declare(names ...string) {
	f.limit(len(f.active)+len(names), maxLocals, "local variables")
	for _, n := range names {
		f.active = append(f.active, len(f.proto.DbgLocals))
		f.proto.DbgLocals = append(f.proto.DbgLocals, &lua.DbgLocalInfo{Name: n, StartPc: f.pc() - 1})
	}
}

func (f *function) endLocals(level int) {
	for _, i := range f.active[level:] {
		f.proto.DbgLocals[i].EndPc = f.pc()
	}
	f.active = f.active[:level]
}

// local finds the register of a name in scope, -1 when there is none.
func (f *function) local(name string) int {
	for r := len(f.active) - 1; r >= 0; r-- {
		if f.proto.DbgLocals[f.active[r]].Name == name {
			return r
		}
	}
	return -1
}

// variable resolves a name: local, upvalue or global.
func (f *function) variable(name string) exp {
	if r := f.local(name); r >= 0 {
		return newExp(kLocal, r)
	}
	if u := f.upvalue(name); u >= 0 {
		return newExp(kUpvalue, u)
	}
	return newExp(kGlobal, f.stringConst(name))
}

// upvalue finds or makes the upvalue of a name, -1 when no enclosing function has such a local.
func (f *function) upvalue(name string) int {
	for i := range f.upvalues {
		if f.upvalues[i].name == name && f.sameVariable(f.upvalues[i], name) {
			return i
		}
	}
	if f.parent == nil {
		return -1
	}
	u := upvalue{name: name}
	if r := f.parent.local(name); r >= 0 {
		u.local, u.index = true, r
		f.parent.capture(r)
	} else if u.index = f.parent.upvalue(name); u.index < 0 {
		return -1
	}
	f.limit(len(f.upvalues)+1, maxUpvalues, "upvalues")
	f.upvalues = append(f.upvalues, u)
	return len(f.upvalues) - 1
}

// sameVariable tells whether an upvalue still is what its name means: nothing can come into the scope of the enclosing
// function while this one is compiled.
func (f *function) sameVariable(u upvalue, name string) bool {
	if f.parent == nil {
		return false
	}
	if r := f.parent.local(name); r >= 0 {
		return u.local && u.index == r
	}
	return !u.local
}

// capture notes that the local in register r outlives its block.
func (f *function) capture(r int) {
	b := f.block
	for b != nil && b.active > r {
		b = b.parent
	}
	if b != nil {
		b.captured = true
	}
}

// emitGoto emits a jump to a label and, in front of it, room to close upvalues.
func (p *parser) emitGoto(name string, line int) {
	f := p.fn
	f.emitABC(lua.OP_NOP, 0, 0, 0)
	j := f.jump()
	p.gotos = append(p.gotos, label{name: name, pc: j, line: line, active: len(f.active)})
	p.findLabel(len(p.gotos) - 1)
}

// placeLabel puts a label here and sends the waiting gotos of the block to it.
func (p *parser) placeLabel(name string, line int) int {
	f := p.fn
	p.labels = append(p.labels, label{name: name, pc: f.label(), line: line, active: len(f.active)})
	l := len(p.labels) - 1
	p.resolveGotos(l)
	return l
}

// resolveGotos sends the gotos that wait in the current block to label l.
func (p *parser) resolveGotos(l int) {
	for g := p.fn.block.firstGoto; g < len(p.gotos); {
		if p.gotos[g].name == p.labels[l].name {
			p.closeGoto(g, l)
		} else {
			g++
		}
	}
}

// closeGoto resolves goto g to label l and forgets it.
func (p *parser) closeGoto(g, l int) {
	gt, lb := p.gotos[g], p.labels[l]
	f := p.fn
	if gt.active < lb.active {
		local := f.proto.DbgLocals[f.active[gt.active]].Name
		p.lex.line = gt.line
		p.lex.fail("<goto %s> jumps into the scope of local '%s'", gt.name, local)
	}
	f.patchList(gt.pc, lb.pc)
	p.gotos = append(p.gotos[:g], p.gotos[g+1:]...)
}

// closeUpvaluesAt turns the room before a goto's jump into the closing of upvalues from register level on.
func (f *function) closeUpvaluesAt(jump, level int) {
	f.code[jump-1] = abc(lua.OP_CLOSE, level, 0, 0)
}

// findLabel resolves goto g when its label is already known in the current block.
func (p *parser) findLabel(g int) bool {
	f := p.fn
	b := f.block
	for l := b.firstLabel; l < len(p.labels); l++ {
		if p.labels[l].name != p.gotos[g].name {
			continue
		}
		if p.gotos[g].active > p.labels[l].active {
			// A jump back out of the scope of locals: any of them may be captured further down.
			f.closeUpvaluesAt(p.gotos[g].pc, p.labels[l].active)
		}
		p.closeGoto(g, l)
		return true
	}
	return false
}

// moveGotosOut hands the waiting gotos of a closed block to the block around it.
func (p *parser) moveGotosOut(b *block) {
	for g := b.firstGoto; g < len(p.gotos); {
		gt := &p.gotos[g]
		if gt.active > b.active {
			if b.captured {
				p.fn.closeUpvaluesAt(gt.pc, b.active)
			}
			gt.active = b.active
		}
		if !p.findLabel(g) {
			g++
		}
	}
}
