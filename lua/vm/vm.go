// Package vm runs Lua as OpenResty's LuaJIT understands it, on top of gopher-lua: states and threads for the requests of
// one worker, a loader with a code cache, coroutines that may wait for I/O at any depth, and the standard library in
// LuaJIT's words. It knows nothing of HTTP; lua/phase and lua/api sit on it.
//
// Everything of one VM runs on one goroutine at a time: the fibers of a worker take turns.
package vm

import (
	"math/rand/v2"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/compile"
	"moongate/lua/vm/pattern"
)

// Options configure a VM. The zero value works: a VM without cache whose coroutines run on goroutines of its own.
type Options struct {
	// PackagePath and PackageCPath are the initial package.path and package.cpath; ";;" in them stands for the default:
	// EnvPath and EnvCPath, which are the variables LUA_PATH and LUA_CPATH, whose ";;" stands for LuaJIT's own paths.
	PackagePath, PackageCPath string
	EnvPath, EnvCPath         string
	// SharedGlobals has all threads use the globals of the VM; otherwise each thread of GetThread has its own, which
	// inherit from those.
	SharedGlobals bool
	// CodeCache keeps compiled chunks; without it files are read anew each time.
	CodeCache bool
	// Scheduler runs the fibers of coroutines and light threads; nil for one of the VM's own.
	Scheduler Scheduler
	// IdleThreads is how many threads PutThread keeps for GetThread; 0 for 1,024, negative for none.
	IdleThreads int
	// MaxString is the longest string, in bytes, the library builds before it raises "not enough memory"; 0 for 256 MB.
	MaxString int
	// MaxMemory is how large the live heap of the process may be, in bytes, for code to go on that makes values: beyond
	// it raises "not enough memory". 0 for a quarter of the memory of the machine, from 256 MB to 4 GB.
	MaxMemory uint64
	// Now is the time that the program sees by its clocks, which may stand still while it runs; nil for the system's.
	Now func() time.Time
	// OnPanic is told of a Go panic that was turned into a Lua error, with the Go stack. It may be nil.
	OnPanic func(value any, stack []byte)
}

const (
	defaultMaxString   = 256 << 20
	defaultIdleThreads = 1024
)

const (
	maxArrayIndex    = 1 << 22 // larger integer keys go to the hash part: gopher-lua would fill an array up to them
	traversalHistory = 64
)

// VM is one Lua world: its globals, loaded modules and compiled chunks.
type VM struct {
	L *lua.LState // the main thread, for loading and configuration; requests use threads

	opts       Options
	sched      Scheduler
	main       *Thread
	globals    *lua.LTable
	envMeta    *lua.LTable // {__index = _G}, the metatable of per-request globals
	loaded     *lua.LTable // package.loaded
	pkg        *lua.LTable
	preload    *lua.LTable
	stringMeta *lua.LTable // of strings, nil for none
	numberMeta bool        // debug.setmetatable was called for numbers
	nextFn     *lua.LFunction
	ipairsIter *lua.LFunction
	intrinsics compile.Intrinsics

	matchers []*pattern.Matcher
	random   *rand.Rand

	dumps   dumps
	chunks  map[string]*lua.FunctionProto
	sources map[string]string // "@file" by short chunk name
	natives map[string]lua.LGFunction

	free     []*Thread
	original *lua.LState // which the states of threads are copies of; it runs nothing

	deleting  [traversalHistory]*lua.LTable // tables whose traversal began last: their keys may not be forgotten
	deletingN int
	walk      walk
	numbers   numbers
	scratch   []byte // of string.format
	ceiling   ceiling
}

// Now is the time by Options.Now.
func (v *VM) Now() time.Time { return v.opts.Now() }

// New makes a VM with all libraries open.
func New(opts Options) *VM {
	// gopher-lua has these for the whole process. CompatVarArg allocates an `arg` table for each call of a vararg
	// function, which LuaJIT does not have.
	lua.CompatVarArg = false
	lua.MaxArrayIndex = maxArrayIndex
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxString <= 0 {
		opts.MaxString = defaultMaxString
	}
	if opts.MaxMemory == 0 {
		opts.MaxMemory = defaultMaxMemory()
	}
	if opts.IdleThreads == 0 {
		opts.IdleThreads = defaultIdleThreads
	}
	v := &VM{
		opts: opts, sched: opts.Scheduler,
		numbers: numbers{used: page},
		chunks:  map[string]*lua.FunctionProto{}, sources: map[string]string{}, natives: map[string]lua.LGFunction{},
	}
	if v.sched == nil {
		v.sched = newLocalScheduler()
	}
	v.original = lua.NewState(lua.Options{
		CallStackSize: firstFrames, RegistrySize: registerCount, RegistryMaxSize: registerMax,
		MinimizeStackMemory: true, SkipOpenLibs: true,
	})
	v.globals = v.original.G.Global
	v.main = v.newThread(callDepth)
	v.L = v.main.L
	v.L.G.MainThread, v.L.G.CurrentThread = v.L, v.L // gopher-lua would take the first thread that makes a call
	v.envMeta = NewTable(0, 4)
	v.envMeta.RawSetString("__index", v.globals)
	v.intrinsics = compile.Intrinsics{
		Concat: &lua.LFunction{IsG: true, GFunction: v.concat},
		Delete: &lua.LFunction{IsG: true, GFunction: v.deleteField},
	}
	setLeaf(v.intrinsics.Concat, concatLeaf)
	v.openLibs()
	v.ceiling.limit = opts.MaxMemory
	v.ceiling.watch()
	return v
}

// Close ends the coroutines that still live and frees the VM's tables.
func (v *VM) Close() {
	v.main.killChildren()
	v.drain()
	v.chunks, v.free = nil, nil
	v.ceiling.closed.Store(true)
}

// Main is the thread whose globals are _G itself: for code that runs before any request. It is never put into the pool.
func (v *VM) Main() *Thread { return v.main }

// Globals is the table _G of the VM, which the globals of all requests inherit from.
func (v *VM) Globals() *lua.LTable { return v.globals }

// Loaded is package.loaded.
func (v *VM) Loaded() *lua.LTable { return v.loaded }

// isIntrinsic tells the functions that compiled code calls in place of instructions: they have no environment.
func isIntrinsic(fn *lua.LFunction) bool { return fn.IsG && fn.Env == nil }

// register puts functions into a table.
func (v *VM) register(t *lua.LTable, funcs map[string]lua.LGFunction) {
	for name, fn := range funcs {
		t.RawSetString(name, v.L.NewFunction(fn))
	}
}

// library makes or finds a global table and package.loaded[name], with functions in it.
func (v *VM) library(name string, funcs map[string]lua.LGFunction) *lua.LTable {
	t, ok := v.globals.RawGetString(name).(*lua.LTable)
	if !ok {
		t = NewTable(0, len(funcs))
		v.globals.RawSetString(name, t)
	}
	v.loaded.RawSetString(name, t)
	v.register(t, funcs)
	return t
}
