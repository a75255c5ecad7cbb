package api

import (
	"runtime"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/lua/lib"
	"moongate/lua/vm"
)

// workerThreadFuncs start functions on threads beside the event loop (ngx_http_lua_worker_thread.c).
var workerThreadFuncs = []Func{{"run_worker_thread", yieldable, runWorkerThread}}

// workerThreads are the VMs and threads of ngx.run_worker_thread. All fields belong to the loop; a VM belongs to the
// goroutine of its job while one runs.
type workerThreads struct {
	made  int64 // VMs, of which free ones wait
	free  []*vm.VM
	pools map[*process.ThreadPool]*jobQueue
}

// jobQueue are the jobs of a thread_pool.
type jobQueue struct {
	running int64
	waiting []*threadJob
}

// threadJob is one call on its way.
type threadJob struct {
	e            *Engine
	pool         *process.ThreadPool
	v            *vm.VM
	module, name string
	args         []lua.LValue
	bad          string // why an argument cannot be copied
	ok, done     bool
	results      []lua.LValue
	message      lua.LString
	fiber        event.FiberRef // who waits
}

// runWorkerThread is ngx.run_worker_thread(pool, module, function, …): true and what the function returns, or false and
// why not.
func runWorkerThread(c *Ctx, l *lua.LState) int {
	n := l.GetTop()
	if n < 3 {
		return refuseThread(l, "expecting at least 3 arguments")
	}
	name, ok := vm.ToString(l.Get(1))
	if !ok {
		return refuseThread(l, "threadpool should be a string")
	}
	pool := process.ThreadPoolOf(c.Cycle.Conf, name)
	if pool == nil {
		return refuseThread(l, "thread pool "+name+" not found")
	}
	j := &threadJob{e: c.Engine, pool: pool, fiber: c.Loop.Current().Ref()}
	if j.module, ok = vm.ToString(l.Get(2)); !ok {
		return refuseThread(l, "module name should be a string")
	}
	if j.name, ok = vm.ToString(l.Get(3)); !ok {
		return refuseThread(l, "function name should be a string")
	}
	if j.v = c.threadVM(); j.v == nil {
		return refuseThread(l, "no available Lua vm")
	}
	for i := 4; i <= n && j.bad == ""; i++ {
		v, bad := copyValue(l.Get(i), true, 1)
		j.args, j.bad = append(j.args, v), bad
	}
	if !c.postJob(j) {
		c.jobs.free = append(c.jobs.free, j.v)
		return refuseThread(l, "ngx_thread_task_post failed")
	}
	for !j.done {
		c.wait(l, func() { c.Loop.Current().Park() })
	}
	return j.push(l)
}

// refuseThread returns false and a message.
func refuseThread(l *lua.LState, msg string) int {
	l.Push(lua.LFalse)
	l.Push(lua.LString(msg))
	return 2
}

// threadVM takes a VM from the pool, or makes one as long as lua_worker_thread_vm_pool_size allows it.
func (e *Engine) threadVM() *vm.VM {
	w := &e.jobs
	if n := len(w.free); n > 0 {
		v := w.free[n-1]
		w.free = w.free[:n-1]
		return v
	}
	if w.made >= e.Main.WorkerThreadPool.V {
		return nil
	}
	w.made++
	// A thread that computes must not take the loop's processor: the kernel shares them better than the runtime does.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	return e.newThreadVM()
}

// newThreadVM makes a VM that shares nothing with the worker's but the shared dictionaries. It has the functions that
// need no request: those about strings, ngx.config and ngx.shared.
func (e *Engine) newThreadVM() *vm.VM {
	o := e.options()
	o.CodeCache = true
	o.OnPanic = func(value any, stack []byte) {
		e.Loop.Post(func() { e.Cycle.Log().Log(log.Alert, nil, "panic: %v\n%s", value, stack) })
	}
	v := vm.New(o)
	// The clock, the log and the memory of the worker are the loop's.
	apart := &Engine{Cycle: e.Cycle, Main: e.Main, HTTP: e.HTTP, masterPID: e.masterPID}
	vm.ThreadOf(v.L).Data = &Ctx{Engine: apart, VM: v, Phase: Timer, log: log.New(e.Cycle.LogEnv()).With(nil, 0)}
	ngx := vm.NewTable(0, 4)
	v.Globals().RawSetString("ngx", ngx)
	v.Loaded().RawSetString("ngx", ngx)
	openFamilies(v, ngx, escapeFuncs, codecFuncs, digestFuncs, configFuncs)
	openConstants(v, ngx)
	openConfig(v, ngx)
	apart.openShared(v, ngx, true)
	lib.Open(v)
	return v
}

// postJob has a job run on a thread of its pool, when one is free. It fails when too many jobs wait.
func (c *Ctx) postJob(j *threadJob) bool {
	w := &c.jobs
	q := w.pools[j.pool]
	if q == nil {
		if w.pools == nil {
			w.pools = map[*process.ThreadPool]*jobQueue{}
		}
		q = &jobQueue{}
		w.pools[j.pool] = q
	}
	switch {
	case q.running < j.pool.Threads:
		q.running++
		go j.run()
	case int64(len(q.waiting)) >= j.pool.MaxQueue:
		c.Cycle.Log().Log(log.Error, nil, `thread pool "%s" queue overflow: %d tasks waiting`, j.pool.Name, len(q.waiting))
		return false
	default:
		q.waiting = append(q.waiting, j)
	}
	return true
}

// run does the job on a goroutine of its own and then hands it to the loop.
func (j *threadJob) run() {
	j.call()
	j.v.L.SetTop(0)
	j.e.Loop.Post(j.finish)
}

// finish wakes who waits for the job, if somebody still does, and starts the next one.
func (j *threadJob) finish() {
	w := &j.e.jobs
	w.free = append(w.free, j.v)
	j.done = true
	if f := j.fiber.Fiber(); f != nil {
		f.Ready()
	}
	q := w.pools[j.pool]
	if len(q.waiting) == 0 {
		q.running--
		return
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	go next.run()
}

// call requires the module, calls the function and copies what it returns.
func (j *threadJob) call() {
	l := j.v.L
	t := j.v.Main()
	l.Push(j.v.Globals().RawGetString("require"))
	l.Push(lua.LString(j.module))
	if err := t.Call(1, 1); err != nil {
		j.fail(err)
		return
	}
	module, ok := l.Get(-1).(*lua.LTable)
	if !ok {
		j.message = "invalid lua module"
		return
	}
	fn, ok := l.GetField(module, j.name).(*lua.LFunction)
	switch {
	case !ok:
		j.message = "invalid function"
		return
	case j.bad != "":
		j.message = lua.LString(j.bad + " in the argument")
		return
	}
	l.SetTop(0)
	l.Push(fn)
	for _, v := range j.args {
		l.Push(v)
	}
	if err := t.Call(len(j.args), lua.MultRet); err != nil {
		j.fail(err)
		return
	}
	for i := 1; i <= l.GetTop(); i++ {
		v, bad := copyValue(l.Get(i), true, 1)
		if bad != "" {
			j.message = lua.LString(bad + " in the return value")
			return
		}
		j.results = append(j.results, v)
	}
	j.ok = true
}

// fail takes the message of an error; objects that are no strings do not come across.
func (j *threadJob) fail(err *vm.Error) {
	s, _ := vm.ToString(err.Value)
	j.message = lua.LString(s)
}

// push returns the outcome.
func (j *threadJob) push(l *lua.LState) int {
	l.Push(lua.LBool(j.ok))
	if !j.ok {
		l.Push(j.message)
		return 2
	}
	for _, v := range j.results {
		l.Push(v)
	}
	return len(j.results) + 1
}

// maxCopyDepth is how deep tables may be inside each other to be copied between VMs.
const maxCopyDepth = 100

// copyValue copies a value for another VM: metatables and identities are lost. bad is not empty when it cannot be done.
func copyValue(v lua.LValue, allowNil bool, depth int) (_ lua.LValue, bad string) {
	switch v := v.(type) {
	case lua.LBool, lua.LNumber, lua.LString:
		return v, ""
	case *lua.LTable:
		return copyTable(v, depth)
	case *lua.LNilType:
		if allowNil {
			return v, ""
		}
		return nil, "unsupported Lua type: LUA_TNIL"
	case *lua.LFunction:
		return nil, "unsupported Lua type: LUA_TFUNCTION"
	case *lua.LState:
		return nil, "unsupported Lua type: LUA_TTHREAD"
	}
	if isNull(v) {
		return v, "" // a light userdata
	}
	return nil, "unsupported Lua type: LUA_TUSERDATA"
}

func copyTable(t *lua.LTable, depth int) (_ lua.LValue, bad string) {
	if depth >= maxCopyDepth {
		return nil, "suspicious circular references, table depth exceed max depth: 100"
	}
	to := vm.NewTable(0, 0)
	for k, v := range vm.Pairs(t) {
		key, bad := copyValue(k, false, depth+1)
		if bad != "" {
			return nil, bad
		}
		value, bad := copyValue(v, false, depth+1)
		if bad != "" {
			return nil, bad
		}
		to.RawSet(key, value)
	}
	return to, ""
}
