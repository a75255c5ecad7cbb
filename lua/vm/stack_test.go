package vm

import (
	"runtime"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestThreadMemory bounds what a thread takes that waits in its first calls.
func TestThreadMemory(t *testing.T) {
	v := New(Options{SharedGlobals: true})
	defer v.Close()
	const (
		threads = 500
		most    = 2560
	)
	keep := make([]*Thread, 0, threads)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range threads {
		keep = append(keep, v.GetThread())
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / threads; n > most {
		t.Errorf("a thread takes %d bytes, more than %d", n, most)
	}
	runtime.KeepAlive(keep)
}

// TestStacksGrow has the calls of Lua and those that gopher-lua makes for metamethods use up the frames.
func TestStacksGrow(t *testing.T) {
	cases(t, [][2]string{
		{`local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(15000)`, "15000"},
		{`local mt = {} mt.__add = function(a, n) if n == 0 then return 0 end return 1 + (a + (n - 1)) end
		  return setmetatable({}, mt) + 2500`, "2500"},
		{`local mt = {} mt.__lt = function(a, b) b.n = b.n - 1 return b.n == 0 or a < b end
		  local x, y = setmetatable({}, mt), setmetatable({n = 2500}, mt) return x < y`, "true"},
		{`local mt = {} mt.__eq = function(a, b) b.n = b.n - 1 return b.n == 0 or a == b end
		  local x, y = setmetatable({}, mt), setmetatable({n = 2500}, mt) return x == y`, "true"},
		{`local mt = {} mt.__unm = function(a) a.n = a.n - 1 return a.n == 0 and 1 or 1 + -a end
		  return -setmetatable({n = 2500}, mt)`, "2500"},
		{`local function f(n) if n == 0 then return 0 end local ok, d = pcall(f, n - 1) return d + 1 end return f(2500)`, "2500"},
		{`local co = coroutine.wrap(function() local function f(n) return n == 0 and 0 or 1 + f(n - 1) end return f(3900) end) return co()`, "3900"},
		{`local function f(...) local n = ... if n == 0 then return select("#", ...) end return f(n - 1, ...) end return f(200)`, "201"},
		{`local t = {} for i = 1, 2500 do t[i] = i end return select("#", unpack(t)), (select(2500, unpack(t)))`, "2500,2500"},
	})
}

func TestIdleThreads(t *testing.T) {
	v := New(Options{IdleThreads: 1})
	defer v.Close()
	proto, err := v.LoadString(`local function f(n) if n == 0 then return 0 end return 1 + f(n - 1) end return f(10000)`, "=t")
	if err != nil {
		t.Fatal(err)
	}
	a, b := v.GetThread(), v.GetThread()
	if err := a.Run(proto, 0, lua.MultRet); err != nil {
		t.Fatal(err)
	}
	v.PutThread(a)
	v.PutThread(b)
	if c := v.GetThread(); c != a || len(c.regs.array) > idleRegisters || len(c.frames.segments) > idleFrames/framesPerSegment {
		t.Errorf("the pooled thread keeps %d registers and %d segments", len(c.regs.array), len(c.frames.segments))
	}
	if d := v.GetThread(); d == b {
		t.Error("two threads were kept")
	}

	none := New(Options{IdleThreads: -1})
	defer none.Close()
	a = none.GetThread()
	none.PutThread(a)
	if none.GetThread() == a {
		t.Error("a thread was kept")
	}
}
