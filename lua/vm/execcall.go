package vm

import (
	lua "github.com/yuin/gopher-lua"
)

// Call calls the function that lies below nargs arguments on top of the registers, as lua_call: its nret results, all of
// them with lua.MultRet, take their place. It is LState.Call without detours.
func Call(l *lua.LState, nargs, nret int) {
	rg := regs(l)
	at := rg.top - nargs - 1
	fn, ok := rg.array[at].(*lua.LFunction)
	if !ok {
		l.Call(nargs, nret)
		return
	}
	t := ThreadOf(l)
	f := t.push(currentFrame(l), fn, at, nargs, nret)
	if fn.IsG {
		setCurrentFrame(l, f)
		t.finishGo(f, fn.GFunction(l))
		return
	}
	t.enter(f)
	setCurrentFrame(l, f)
	execute(t, f, f)
}

// pop takes the value on top of the registers.
func pop(l *lua.LState) lua.LValue {
	rg := regs(l)
	rg.top--
	return rg.array[rg.top]
}

// pushCall puts fn and its arguments on top of the registers and adds the frame of the call by parent.
func (t *Thread) pushCall(parent *frame, fn *lua.LFunction, args []lua.LValue, nret int) *frame {
	rg := &t.regs
	at := rg.top
	end := at + 1 + len(args)
	if end > len(rg.array) {
		t.growRegisters(end)
	}
	to := rg.array[at:end]
	to[0] = fn
	for i, arg := range args { // few: cheaper than a copy that tells the collector
		to[i+1] = arg
	}
	rg.top = end
	return t.push(parent, fn, at, len(args), nret)
}

// call is what fn returns first when it is called with args: callbacks and metamethods.
func (t *Thread) call(fn *lua.LFunction, args ...lua.LValue) lua.LValue {
	f := t.pushCall(currentFrame(t.L), fn, args, 1)
	if fn.IsG {
		setCurrentFrame(t.L, f)
		t.finishGo(f, fn.GFunction(t.L))
	} else {
		t.enter(f)
		setCurrentFrame(t.L, f)
		execute(t, f, f)
	}
	return pop(t.L)
}

// handle begins the call of fn, an __index or __newindex, for an instruction of frame cf, which takes nret results into its
// register r. It returns the frame to go on with: that of fn, or when fn is a Go function, which is then over, cf.
func (t *Thread) handle(cf *frame, fn *lua.LFunction, r, nret int, args ...lua.LValue) *frame {
	at := t.regs.top
	f := t.pushCall(cf, fn, args, nret)
	f.ReturnBase = cf.LocalBase + r
	setCurrentFrame(t.L, f)
	if fn.IsG {
		t.finishGo(f, fn.GFunction(t.L))
		t.regs.top = at
		return cf
	}
	t.enter(f)
	return f
}

// finishGo takes the n values that the Go function of frame f has left on top of the registers to where its caller
// wants them, and ends the frame.
func (t *Thread) finishGo(f *frame, n int) {
	rg := regs(t.L)
	t.high = max(t.high, rg.top)
	want := f.NRet
	if want == lua.MultRet {
		want = n
	}
	from := rg.top - n
	t.frames.pop()
	setCurrentFrame(t.L, f.Parent)
	t.moveResults(f.ReturnBase, from, n, want)
}

// leave ends the Lua frame f, which returns n values from register from on. It reports whether its caller takes any
// number of them: then they end at the top of the registers.
func (t *Thread) leave(f *frame, from, n int) bool {
	want, open := f.NRet, false
	if want == lua.MultRet {
		want, open = n, true
	}
	t.frames.pop()
	setCurrentFrame(t.L, f.Parent)
	t.moveResults(f.ReturnBase, from, n, want)
	return open
}

// moveResults moves n values down to register to, where want are expected, and sets the top behind them.
func (t *Thread) moveResults(to, from, n, want int) {
	rg := regs(t.L)
	if want == 1 && n > 0 {
		rg.array[to] = rg.array[from]
		rg.top = to + 1
		return
	}
	if to+want > len(rg.array) {
		t.setTop(to + want)
	}
	if n > want {
		n = want
	}
	copy(rg.array[to:to+n], rg.array[from:from+n])
	for i := to + n; i < to+want; i++ {
		rg.array[i] = lua.LNil
	}
	rg.top = to + want
}

// enter prepares the registers of a frame whose function and arguments are in place.
func (t *Thread) enter(f *frame) {
	rg := regs(t.L)
	p := f.Fn.Proto
	np := int(p.NumParameters)
	if p.IsVarArg&lua.VarArgIsVarArg != 0 {
		t.enterVararg(f)
		return
	}
	top := f.LocalBase + int(p.NumUsedRegisters)
	if top > len(rg.array) {
		rg.top = f.LocalBase + f.NArgs
		t.setTop(top)
	}
	for i := f.LocalBase + f.NArgs; i < f.LocalBase+np; i++ {
		rg.array[i] = lua.LNil
	}
	rg.top = top
	if top > t.high {
		t.high = top
	}
}

// enterVararg moves the parameters behind the arguments, which stay for OP_VARARG.
func (t *Thread) enterVararg(f *frame) {
	rg := regs(t.L)
	p := f.Fn.Proto
	np := int(p.NumParameters)
	n := max(f.NArgs, np)
	first := f.LocalBase
	top := first + n + int(p.NumUsedRegisters)
	rg.top = first + f.NArgs
	if top > len(rg.array) {
		t.setTop(top)
	}
	for i := first + f.NArgs; i < first+n; i++ {
		rg.array[i] = lua.LNil
	}
	for i := range np {
		rg.array[first+n+i] = rg.array[first+i]
		rg.array[first+i] = lua.LNil
	}
	f.LocalBase = first + n
	rg.top = top
	t.high = max(t.high, top)
}

// spreadVararg puts the first n variable arguments of frame f into its registers from a on, nil for those that are not
// there. gopher-lua's instruction takes the registers behind them for unused, but in `a, b = 1, ...` with locals there may
// be live ones.
func spreadVararg(rg *registers, f *frame, a, n int) {
	to := rg.array[f.LocalBase+a : f.LocalBase+a+n]
	np := int(f.Fn.Proto.NumParameters)
	copied := 0
	if f.NArgs > np {
		copied = copy(to, rg.array[f.Base+1+np:f.Base+1+f.NArgs])
	}
	for i := copied; i < n; i++ {
		to[i] = lua.LNil
	}
}

// spreadAll puts all variable arguments of frame f into its registers from a on, up to the top.
func (t *Thread) spreadAll(f *frame, a int) {
	rg := &t.regs
	n := max(f.NArgs-int(f.Fn.Proto.NumParameters), 0)
	end := f.LocalBase + a + n
	if end > len(rg.array) {
		t.growRegisters(end)
	}
	rg.top = end
	t.high = max(t.high, end)
	spreadVararg(rg, f, a, n)
}

// tailCall makes frame f that of fn, which is in register at with nargs arguments behind it.
func (t *Thread) tailCall(f *frame, fn *lua.LFunction, at, nargs int) {
	rg := regs(t.L)
	if len(f.Fn.Proto.FunctionPrototypes) > 0 {
		closeUpvalues(t.L, f.LocalBase)
	}
	copy(rg.array[f.Base:f.Base+nargs+1], rg.array[at:at+nargs+1])
	f.Fn, f.Pc, f.NArgs = fn, 0, nargs
	f.LocalBase = f.Base + 1
	f.TailCall++
	t.enter(f)
}

// insertSelf makes the value in register at, which has a metamethod __call, the first of the arguments behind it.
func (t *Thread) insertSelf(at, nargs int) {
	rg := regs(t.L)
	rg.top = at + 1 + nargs
	t.setTop(at + 2 + nargs)
	copy(rg.array[at+1:at+2+nargs], rg.array[at:at+1+nargs])
}
