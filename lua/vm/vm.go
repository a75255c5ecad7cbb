// Package vm runs Lua as OpenResty's LuaJIT understands it, on top of gopher-lua: states and threads for the requests of
// one worker, a loader with a code cache, coroutines that may wait for I/O at any depth, and the standard library in
// LuaJIT's words. It knows nothing of HTTP; lua/phase and lua/api sit on it.
//
// Everything of one VM runs on one goroutine at a time: the fibers of a worker take turns.
package vm

import (
	"math/rand/v2"

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
	// MaxString is the longest string, in bytes, the library builds before it raises "not enough memory"; 0 for 256 MB.
	MaxString int
	// OnPanic is told of a Go panic that was turned into a Lua error, with the Go stack. It may be nil.
	OnPanic func(value any, stack []byte)
}

const defaultMaxString = 256 << 20

// Sizes of a Lua thread. A call frame limit of callDepth lets Lua functions recurse as deep as LuaJIT's default stack
// does for small functions; the Go stack of that many nested pcalls stays far below Go's limit of 1 GB.
const (
	callDepth        = 16000
	coroutineDepth   = 4000
	registerCount    = 128
	registerStep     = 512
	registerMax      = 1 << 16 // LUAI_MAXSTACK is 65500
	maxArrayIndex    = 1 << 22 // larger integer keys go to the hash part: gopher-lua would fill an array up to them
	pooledThreads    = 256
	pooledRegisters  = 8192 // threads whose registers grew beyond this are not pooled
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
	stringMeta *lua.LTable
	nextFn     *lua.LFunction
	ipairsIter *lua.LFunction
	intrinsics compile.Intrinsics

	matchers []*pattern.Matcher
	random   *rand.Rand

	chunks  map[string]*lua.FunctionProto
	sources map[string]string // "@file" by short chunk name
	natives map[string]lua.LGFunction

	free         []*Thread
	threadParent *lua.LState // carries the options of request threads
	coParent     *lua.LState // carries the options of coroutine states

	deleting  [traversalHistory]*lua.LTable // tables whose traversal began last: their keys may not be forgotten
	deletingN int
	walk      walk
	numbers   numbers
}

// New makes a VM with all libraries open.
func New(opts Options) *VM {
	// gopher-lua has these for the whole process. CompatVarArg allocates an `arg` table for each call of a vararg
	// function, which LuaJIT does not have.
	lua.CompatVarArg = false
	lua.MaxArrayIndex = maxArrayIndex
	if opts.MaxString <= 0 {
		opts.MaxString = defaultMaxString
	}
	v := &VM{
		opts: opts, sched: opts.Scheduler,
		numbers: numbers{used: page},
		chunks:  map[string]*lua.FunctionProto{}, sources: map[string]string{}, natives: map[string]lua.LGFunction{},
	}
	if v.sched == nil {
		v.sched = newLocalScheduler()
	}
	v.L = lua.NewState(lua.Options{
		CallStackSize: callDepth, RegistrySize: registerCount, RegistryMaxSize: registerMax,
		RegistryGrowStep: registerStep, MinimizeStackMemory: true, SkipOpenLibs: true,
	})
	v.globals = v.L.G.Global
	// Threads are made from states that have no Thread themselves: children of a state with a context would run in
	// gopher-lua's slower loop.
	v.threadParent, _ = v.L.NewThread()
	v.coParent, _ = v.L.NewThread()
	v.coParent.Options.CallStackSize = coroutineDepth
	v.coParent.Options.RegistrySize = 128
	v.main = v.adopt(v.L)
	v.L.G.MainThread, v.L.G.CurrentThread = v.L, v.L // gopher-lua would take the first thread that makes a call
	v.envMeta = NewTable(0, 4)
	v.envMeta.RawSetString("__index", v.globals)
	v.intrinsics = compile.Intrinsics{
		Concat: &lua.LFunction{IsG: true, GFunction: v.concat},
		Delete: &lua.LFunction{IsG: true, GFunction: v.deleteField},
	}
	v.openLibs()
	return v
}

// Close ends the coroutines that still live and frees the VM's tables.
func (v *VM) Close() {
	v.main.killChildren()
	v.drain()
	v.chunks, v.free = nil, nil
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
