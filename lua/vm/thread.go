package vm

import (
	"context"
	"slices"

	lua "github.com/yuin/gopher-lua"
)

// Thread is one Lua thread: the main one of a request, a coroutine or a light thread.
type Thread struct {
	L *lua.LState
	// Data belongs to the user of the package: lua/phase keeps the request here. Coroutines and light threads inherit
	// the Data of the thread that created them.
	Data any
	// Yield, when not nil, is what coroutine.yield does in a thread that is not a coroutine. It gets the yielded values
	// on the stack and returns like any Lua function.
	Yield lua.LGFunction

	carrier carrier

	vm       *VM
	high     int // registers from here on are clear
	env      *lua.LTable
	handlers int                                      // message handlers running
	tracer   func(*lua.LState, lua.LValue) lua.LValue // keepTrace
	trace    string                                   // of the error that leaves Call
	args     []lua.LValue                             // of the Go function that raised it
	carried  string                                   // the traceback of the error being handled, if it came out of a coroutine

	used bool // code was loaded with env: closures may keep it
	// exited: Exit or Abandon ended the thread.
	exited bool

	co       *coroutine // nil for the main thread of a request
	parent   *Thread    // created this coroutine
	children []*Thread  // of a main thread: coroutines that were started
	waiting  Task       // the fiber of a main thread while it resumes a coroutine

	// What L consists of; see stack.go.
	state    lua.LState
	regs     registers
	frames   frameStack
	depth    int // how many frames there may be
	segments [firstFrames / framesPerSegment]*segment
	segment  segment
}

// carrier lets a state lead to its Thread: it is the state's context.
type carrier struct {
	context.Context
	t *Thread
}

// newThread makes a thread with the globals of the VM that may have depth calls under way.
func (v *VM) newThread(depth int) *Thread {
	t := &Thread{vm: v, env: v.globals, depth: depth, state: *v.original}
	l := &t.state
	t.L = l
	t.makeStacks(regs(v.original))
	setMainLoop(l, mainLoop)
	t.tracer = t.keepTrace
	l.Panic = raiseTop
	keepUpvalues(l)
	t.carrier = carrier{context.Background(), t}
	setContext(l, &t.carrier)
	return t
}

// ThreadOf is the Thread that runs on a state of this package.
func ThreadOf(l *lua.LState) *Thread { return l.Context().(*carrier).t }

// raiseTop is what gopher-lua calls to raise the value on top of the stack.
func raiseTop(l *lua.LState) {
	panic(&lua.ApiError{Type: lua.ApiErrorRun, Object: l.Get(-1)})
}

// VM is the thread's VM.
func (t *Thread) VM() *VM { return t.vm }

// Env is the thread's table of globals.
func (t *Thread) Env() *lua.LTable { return t.env }

// GetThread takes a thread with an empty table of globals from the pool.
func (v *VM) GetThread() *Thread {
	if n := len(v.free); n > 0 {
		t := v.free[n-1]
		v.free = v.free[:n-1]
		return t
	}
	t := v.newThread(callDepth)
	t.newEnv()
	return t
}

func (t *Thread) newEnv() {
	if t.vm.opts.SharedGlobals {
		t.env, t.L.Env = t.vm.globals, t.vm.globals
		return
	}
	t.env = NewTable(0, 4)
	t.env.RawSetString("_G", t.env)
	t.env.Metatable = t.vm.envMeta
	t.L.Env = t.env
	t.used = false
}

// pristine tells whether the globals are as newEnv made them.
func (t *Thread) pristine() bool {
	if t.vm.opts.SharedGlobals {
		return true
	}
	e := inside(t.env)
	return !t.used && len(e.keys) == 1 && len(e.strdict) == 1 && len(e.array) == 0 && e.Metatable == t.vm.envMeta &&
		e.strdict["_G"] == t.env
}

// FreeThreads is how many threads are in the pool.
func (v *VM) FreeThreads() int { return len(v.free) }

// PutThread ends a thread of GetThread: its coroutines are killed, and it goes back to the pool.
func (v *VM) PutThread(t *Thread) {
	t.killChildren()
	v.drain()
	t.Data, t.Yield, t.exited = nil, nil, false
	v.forgetTraversals()
	if currentFrame(t.L) != nil || len(v.free) >= v.opts.IdleThreads {
		return
	}
	t.clearStacks()
	if t.L.Env != t.env || !t.pristine() {
		t.newEnv()
	}
	v.free = append(v.free, t)
}

// Run executes a compiled chunk with the thread's globals, as lua_pcall of nargs values on top of the stack, which it
// takes, and nret results. The error carries a traceback.
func (t *Thread) Run(proto *lua.FunctionProto, nargs, nret int) *Error {
	l := t.L
	fn := &lua.LFunction{Env: l.Env, Proto: proto}
	if nargs == 0 {
		l.Push(fn)
	} else {
		l.Insert(fn, l.GetTop()-nargs+1)
	}
	return t.Call(nargs, nret)
}

// Call is Run for a function that lies below its arguments.
func (t *Thread) Call(nargs, nret int) *Error {
	err := t.vm.PCall(t.L, nargs, nret, t.tracer)
	if err != nil {
		err.Traceback, err.Args = t.trace, t.args
		t.trace, t.args = "", nil
	}
	return err
}

// keepTrace is the message handler of Call.
func (t *Thread) keepTrace(l *lua.LState, value lua.LValue) lua.LValue {
	switch {
	case !t.concurrent():
		t.trace = Traceback(l, 0)
	case t.carried != "":
		t.trace = t.carried
	default:
		t.trace = t.traceback()
	}
	if t.co != nil {
		t.co.trace = Traceback(l, 0)
	}
	if f := level(l, 0); f != nil && f.Fn.IsG {
		t.args = slices.Clone(regs(l).array[f.LocalBase : f.LocalBase+f.NArgs])
	}
	return value
}

// concurrent tells threads of code that may wait: coroutines are OpenResty's own there, not Lua's.
func (t *Thread) concurrent() bool {
	for t.parent != nil {
		t = t.parent
	}
	return t.Yield != nil
}
