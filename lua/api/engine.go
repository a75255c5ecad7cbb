package api

import (
	"fmt"
	"os"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/lua/lib"
	"moongate/lua/vm"
)

// Engine is the Lua side of a process: the VM of a worker and what its requests share. The master has one as well, for
// init_by_lua.
type Engine struct {
	Cycle *process.Cycle
	Main  *MainConf
	HTTP  *http.MainConf
	VM    *vm.VM
	// Worker and Loop are nil until the worker has started, and in the master.
	Worker *http.Worker
	Loop   *event.Loop
	// Init runs init_by_lua in a VM of its own that a request got with lua_code_cache off. It may be nil.
	Init func(c *Ctx) error

	// masterPID is the process that started this one; agent the privileged agent that init_by_lua asked for.
	masterPID int
	agent     *process.Helper

	refs     map[*vm.VM]int // of VMs that are a request's own
	free     []*Ctx
	captures map[*http.Request]*capture
	sched    *scheduler
	timers   timers
	sockets  sockets
	procs    map[int]*pipeProc // of ngx.pipe that have not ended
	jobs     workerThreads
	regex    regexes
	peers    map[peerAddress]upstream.Addr
	logs     *logRing // lua_capture_error_log's, nil without
	base     *Ctx     // of the code that runs without request or timer
}

// NewEngine makes the VM of a process.
func NewEngine(cycle *process.Cycle, m *MainConf, main *http.MainConf) *Engine {
	e := &Engine{
		Cycle: cycle, Main: m, HTTP: main, masterPID: os.Getppid(),
		captures: map[*http.Request]*capture{}, refs: map[*vm.VM]int{}, peers: map[peerAddress]upstream.Addr{},
	}
	e.sched = &scheduler{e: e, local: vm.NewLocalScheduler()}
	e.VM = e.newVM(true)
	e.base = &Ctx{Engine: e, VM: e.VM, Phase: Init}
	vm.ThreadOf(e.VM.L).Data = e.base
	return e
}

// Start puts the engine on the loop of a worker.
func (e *Engine) Start(w *http.Worker) {
	e.Worker, e.Loop = w, w.Loop
	e.CaptureLog(true)
}

// Base is the Ctx of code that runs for the process itself, in that phase.
func (e *Engine) Base(p Phase) *Ctx {
	e.base.Phase = p
	return e.base
}

func (e *Engine) newVM(cache bool) *vm.VM {
	o := e.options()
	o.CodeCache, o.Scheduler, o.Now = cache, e.sched, e.now
	o.OnPanic = func(value any, stack []byte) {
		e.Cycle.Log().Log(log.Alert, nil, "panic: %v\n%s", value, stack)
	}
	v := vm.New(o)
	e.openNDK(v)
	openThreads(v)
	e.guardGlobals(v)
	v.Preload("ngx.semaphore", openSemaphore, true)
	openPipe(v)
	e.preload(v)
	lib.Open(v)
	e.open(v)
	return v
}

// privateVM makes the VM of one request. init_by_lua runs in it as in any other.
func (e *Engine) privateVM(c *Ctx) *vm.VM {
	v := e.newVM(false)
	e.refs[v] = 1
	vm.ThreadOf(v.L).Data = c
	if e.Init == nil {
		return v
	}
	c.VM, c.Phase = v, Init
	if err := e.Init(c); err != nil {
		c.Logf(log.Error, "%s", err)
		e.unref(v, c.entryLog())
		return nil
	}
	return v
}

// ref keeps the VM of a request alive for a timer; that of the worker lives on anyway.
func (e *Engine) ref(v *vm.VM) {
	if v != e.VM {
		e.refs[v]++
	}
}

// unref closes the VM of a request when the request and its timers are over.
func (e *Engine) unref(v *vm.VM, l log.Entry) {
	if v == e.VM {
		return
	}
	l.Log(log.DebugHTTP, nil, "decrementing the reference count for Lua VM: %d", e.refs[v])
	if e.refs[v]--; e.refs[v] == 0 {
		delete(e.refs, v)
		l.Log(log.DebugHTTP, nil, "lua close the global Lua VM %p", v)
		v.Close()
	}
}

// scheduler gives the coroutines of a VM fibers of the event loop. Before the loop runs, and on the loop itself, where
// nothing can wait, coroutines take turns on their own.
type scheduler struct {
	e     *Engine
	local vm.Scheduler
}

// task is a fiber as package vm sees it.
type task struct{ f *event.Fiber }

func (s *scheduler) fiber() *event.Fiber {
	if s.e.Loop == nil {
		return nil
	}
	return s.e.Loop.Current()
}

// GoNext implements vm.Scheduler.
func (s *scheduler) GoNext(f func()) vm.Task {
	if s.fiber() == nil {
		return s.local.GoNext(f)
	}
	return task{s.e.Loop.GoNext(f)}
}

// Current implements vm.Scheduler.
func (s *scheduler) Current() vm.Task {
	if f := s.fiber(); f != nil {
		return task{f}
	}
	return s.local.Current()
}

// errKilled ends the waits of light threads that nobody wants any more.
var errKilled = fmt.Errorf("lua thread killed")

// Park implements vm.Task.
func (t task) Park() bool {
	t.f.Park()
	return t.f.Err() == nil
}

// ReadyNext implements vm.Task.
func (t task) ReadyNext() { t.f.ReadyNext() }

// Cancel implements vm.Task. What is in the middle of sending is let come to its end.
func (t task) Cancel() {
	if t.f.Data != busy {
		t.f.Cancel(errKilled)
	}
}

// busy marks a fiber that must not be cut short: the connection would not survive it.
var busy any = new(int)

// undisturbed runs f, which may wait, without being cut short by the end of the light thread it runs in.
func (c *Ctx) undisturbed(f func() http.Verdict) http.Verdict {
	fiber := c.Loop.Current()
	if fiber == nil {
		return f()
	}
	outer := fiber.Data
	fiber.Data = busy
	v := f()
	fiber.Data = outer
	return v
}
