package vm

import (
	lua "github.com/yuin/gopher-lua"
)

// Status of a coroutine or light thread, in the words of coroutine.status.
type Status string

// The states of a coroutine.
const (
	Suspended Status = "suspended"
	Running   Status = "running"
	Normal    Status = "normal" // it has resumed another one
	Dead      Status = "dead"
)

// maxResumes is how many coroutines may wait one for the other (LUAI_MAXCCALLS).
const maxResumes = 200

// coroutine is what a Thread has in addition when it is one.
type coroutine struct {
	fn      *lua.LFunction
	status  Status
	task    Task    // its fiber, nil before it starts and after it ends
	resumer *Thread // who waits for it
	values  []lua.LValue
	err     *Error
	trace   string // where it failed
	depth   int    // coroutines that wait for it, one for the other
	back    bool   // control went back to the resumer
	killed  bool
	root    *Thread // the main thread whose children list it is in, at slot
	slot    int
	light   bool          // a light thread: nobody resumes it
	done    func(*Thread) // told of the end of a light thread
}

// Status is the state of a thread; a request's main thread always runs.
func (t *Thread) Status() Status {
	if t.co == nil {
		return Running
	}
	return t.co.status
}

// Parent is the thread that created this one, nil for a request's main thread.
func (t *Thread) Parent() *Thread { return t.parent }

// NewCoroutine makes a suspended coroutine of fn, a child of t.
func (t *Thread) NewCoroutine(fn *lua.LFunction) *Thread {
	v := t.vm
	c := v.newThread(coroutineDepth)
	c.L.Env = t.L.Env
	c.Data, c.parent, c.used = t.Data, t, true
	c.co = &coroutine{fn: fn, status: Suspended}
	return c
}

// start gives a coroutine its fiber.
func (c *Thread) start() {
	root := c.parent
	for root.parent != nil {
		root = root.parent
	}
	c.co.root, c.co.slot = root, len(root.children)
	root.children = append(root.children, c)
	c.co.task = c.vm.sched.GoNext(c.body)
}

// body is what the fiber of a coroutine does.
func (c *Thread) body() {
	co := c.co
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			co.values = co.values[:0]
		}
		c.end()
	}()
	if co.killed {
		return
	}
	c.L.Push(co.fn)
	for _, v := range co.values {
		c.L.Push(v)
	}
	n := len(co.values)
	co.err = c.Call(n, lua.MultRet)
	co.values = co.values[:0]
	if co.err == nil {
		co.values = appendStack(co.values, c.L)
	}
}

// appendStack appends all values of the current frame.
func appendStack(values []lua.LValue, l *lua.LState) []lua.LValue {
	for i, n := 1, l.GetTop(); i <= n; i++ {
		values = append(values, l.Get(i))
	}
	return values
}

// end hands control back for the last time.
func (c *Thread) end() {
	co := c.co
	co.status, co.task, co.fn = Dead, nil, nil
	c.L.Dead = true
	co.root.dropChild(co.slot)
	co.root = nil
	if co.light {
		if co.done != nil && !co.killed {
			co.done(c)
		}
		return
	}
	c.giveBack()
}

// dropChild forgets the coroutine at a place of the list.
func (t *Thread) dropChild(slot int) {
	last := len(t.children) - 1
	c := t.children[last]
	t.children[slot] = c
	c.co.slot = slot
	t.children[last] = nil
	t.children = t.children[:last]
}

func (c *Thread) giveBack() {
	co := c.co
	if r := co.resumer; r != nil {
		co.resumer, co.back = nil, true
		r.task().ReadyNext()
	}
}

// task is the fiber the thread runs on: known for coroutines, the current one for main threads as they resume.
func (t *Thread) task() Task {
	if t.co != nil {
		return t.co.task
	}
	return t.waiting
}

// resume runs c with the given values until it yields or ends, and tells whether it ended with an error. The values
// it hands over are c.co.values.
func (t *Thread) resume(c *Thread) *Error {
	co := c.co
	co.resumer, co.back, co.status, co.depth = t, false, Running, 1
	if t.co != nil {
		t.co.status = Normal
		co.depth = t.co.depth + 1
	}
	me := t.vm.sched.Current()
	outer := t.waiting
	t.waiting = me
	if co.task == nil {
		c.start()
	} else {
		co.task.ReadyNext()
	}
	for !co.back {
		if !me.Park() && !co.back {
			co.resumer = nil
			c.Kill()
			panic(killed{})
		}
	}
	t.waiting = outer
	t.checkKilled()
	if t.co != nil {
		t.co.status = Running
	}
	if co.status == Dead {
		err := co.err
		co.err = nil
		return err
	}
	return nil
}

// yield hands the values on l's stack to the resumer and waits to be resumed.
func (c *Thread) yield() {
	co := c.co
	co.values = appendStack(co.values[:0], c.L)
	co.status = Suspended
	task := co.task
	c.giveBack()
	for co.status == Suspended {
		if !task.Park() {
			co.killed = true
			break
		}
	}
	c.checkKilled()
}

func (t *Thread) checkKilled() {
	if t.exited || t.co != nil && t.co.killed {
		panic(killed{})
	}
}

// Kill ends a coroutine or light thread: its fiber unwinds the next time it could run, and no Lua code runs in it any
// more. A thread must not kill itself.
func (c *Thread) Kill() {
	co := c.co
	if co == nil || co.status == Dead || co.killed {
		return
	}
	co.killed = true
	if co.task == nil {
		co.status = Dead
		c.L.Dead = true
		return
	}
	co.status = Running // out of the loop of yield
	co.task.Cancel()
}

// Killed tells whether the thread was killed; API functions that parked must call Check when it was.
func (t *Thread) Killed() bool { return t.co != nil && t.co.killed }

// Doomed tells whether the thread, or one that waits for it, was killed: it runs no more Lua code.
func (t *Thread) Doomed() bool {
	for ; t != nil && t.co != nil; t = t.co.resumer {
		if t.co.killed {
			return true
		}
	}
	return false
}

// Check unwinds the running thread when it was killed while it was parked. Functions of the API that park call it when
// they run again.
func (t *Thread) Check() { t.checkKilled() }

// killChildren ends the coroutines of a request that still hold a fiber.
func (t *Thread) killChildren() {
	for _, c := range t.children {
		c.Kill()
	}
}

// Spawn starts a light thread that runs fn with args in a fiber of its own, as soon as the current one parks. done is
// told of its end unless it was killed; then Results has what it returned.
func (t *Thread) Spawn(fn *lua.LFunction, args []lua.LValue, done func(*Thread)) *Thread {
	c := t.NewCoroutine(fn)
	c.co.light, c.co.done = true, done
	c.co.values = append(c.co.values, args...)
	c.co.status = Running
	c.start()
	return c
}

// Results is what a dead light thread returned or failed with.
func (t *Thread) Results() ([]lua.LValue, *Error) { return t.co.values, t.co.err }
