package vm

import lua "github.com/yuin/gopher-lua"

// Exit ends the running thread: its Lua code is unwound, protected calls and to-be-resumed coroutines included, as
// ngx.exit wants it. RunExit tells who started the thread.
func (t *Thread) Exit() {
	for x := t; x != nil; x = x.co.resumer {
		x.exited = true
		if x.co == nil {
			break
		}
	}
	panic(killed{})
}

// Abandon has another thread, a main one, unwind at its next Check.
func (t *Thread) Abandon() { t.exited = true }

// RunExit is Run for threads that may Exit: exited tells that the chunk did not come to its end.
func (t *Thread) RunExit(proto *lua.FunctionProto, nargs, nret int) (err *Error, exited bool) {
	defer t.caught(&exited)
	return t.Run(proto, nargs, nret), false
}

// CallExit is Call for threads that may Exit.
func (t *Thread) CallExit(nargs, nret int) (err *Error, exited bool) {
	defer t.caught(&exited)
	return t.Call(nargs, nret), false
}

func (t *Thread) caught(exited *bool) {
	if r := recover(); r != nil {
		if _, ok := r.(killed); !ok {
			panic(r)
		}
		*exited = true
	}
}

// KillChildren kills the coroutines and light threads of a main thread and returns how many of them still hold a
// fiber: these unwind as soon as they run.
func (t *Thread) KillChildren() int {
	t.killChildren()
	return len(t.children)
}

// NewLocalScheduler is the scheduler of a VM without one: for code that runs before there is an event loop.
func NewLocalScheduler() Scheduler { return newLocalScheduler() }

// IsLight tells light threads from coroutines.
func (t *Thread) IsLight() bool { return t.co != nil && t.co.light }
