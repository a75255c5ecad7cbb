package vm

import (
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestInterleaving lets many requests wait at every depth of Lua calls while the others go on in the same VM.
func TestInterleaving(t *testing.T) {
	v := New(Options{CodeCache: true})
	defer v.Close()
	s := v.sched.(*localScheduler)
	var waiting []*localTask
	v.Globals().RawSetString("sleep", v.L.NewFunction(func(l *lua.LState) int {
		task := v.sched.Current().(*localTask)
		waiting = append(waiting, task)
		task.Park()
		return 0
	}))
	proto, err := v.LoadString(`
		local id = ...
		local log = {}
		local function say(x) sleep() log[#log + 1] = x end
		pcall(function() say("pcall") error("x") end)
		local t = setmetatable({}, {__index = function(_, k) say("index") return k end, __concat = function(a, b) say("concat") return b end})
		assert(t.foo == "foo") local _ = t .. "x"
		table.sort({2, 1}, function(a, b) say("sort") return a < b end)
		string.gsub("a", ".", function() say("gsub") end)
		for x in function(_, i) say("iter") if not i then return 1 end end do end
		local co = coroutine.wrap(function() for i = 1, 2 do say("co") coroutine.yield(i) end end)
		assert(co() == 1 and co() == 2)
		assert(xpcall(function() say("xpcall") end, print))
		id_global = id sleep() assert(id_global == id)
		return table.concat(log, " ") .. " " .. id`, "=job")
	if err != nil {
		t.Fatal(err)
	}
	const jobs = 100
	const want = "pcall index concat sort gsub iter iter co co xpcall "
	ended := 0
	for i := range jobs {
		s.GoNext(func() {
			th := v.GetThread()
			th.L.Push(lua.LNumber(i))
			if err := th.Run(proto, 1, 1); err != nil {
				t.Error(err, err.Traceback)
			} else if got := th.L.Get(-1).String(); got != want+fmt.Sprint(i) {
				t.Errorf("job %d: %s", i, got)
			}
			th.L.SetTop(0)
			v.PutThread(th)
			ended++
		})
	}
	for ended < jobs {
		for len(s.queue) > 0 {
			s.step()
		}
		woken := waiting
		waiting = nil
		for i := range woken {
			woken[(i*7)%len(woken)].ReadyNext()
		}
		for _, task := range woken {
			task.ReadyNext()
		}
	}
}

// TestLightThread spawns a thread, waits for it and kills another.
func TestLightThread(t *testing.T) {
	v := New(Options{})
	defer v.Close()
	var ended []string
	var spawned []*Thread
	v.Globals().RawSetString("spawn", v.L.NewFunction(func(l *lua.LState) int {
		c := ThreadOf(l).Spawn(CheckFunction(l, 1), []lua.LValue{l.Get(2)}, func(c *Thread) {
			values, err := c.Results()
			ended = append(ended, fmt.Sprint(values, err))
		})
		spawned = append(spawned, c)
		return 0
	}))
	v.Globals().RawSetString("forever", v.L.NewFunction(func(l *lua.LState) int {
		for v.sched.Current().Park() {
		}
		ThreadOf(l).Check()
		return 0
	}))
	v.Globals().RawSetString("turn", v.L.NewFunction(func(*lua.LState) int {
		v.drain()
		return 0
	}))
	if got := eval(t, v, `spawn(function(a) return a + 1 end, 1) spawn(function() error("e") end)
		spawn(function() pcall(forever) error("not killed") end) turn()`); got != "" {
		t.Fatal(got)
	}
	if got := strings.Join(ended, ";"); !strings.Contains(got, "[2] <nil>") || !strings.Contains(got, "t:1: e") || strings.Contains(got, "killed") {
		t.Errorf("ended: %s", got)
	}
	for _, c := range spawned {
		if c.Status() != Dead {
			t.Errorf("status %s", c.Status())
		}
	}
}

// TestRecursion runs into every recursion that goes through Go: each must end in a Lua error.
func TestRecursion(t *testing.T) {
	const meta = `local mt = {} local t, u = setmetatable({}, mt), setmetatable({}, mt) `
	v := New(Options{MaxString: 1 << 20})
	defer v.Close()
	for _, src := range []string{
		meta + `mt.__index = function(t, k) return t[k + 1] end return pcall(function() return t[1] end)`,
		meta + `mt.__tostring = function(s) return tostring(s) end return pcall(tostring, t)`,
		meta + `mt.__concat = function(a, b) return a .. b end return pcall(function() return t .. "x" end)`,
		meta + `mt.__eq = function(a, b) return a == b end return pcall(function() return t == u end)`,
		meta + `mt.__lt = function(a, b) return a < b end return pcall(function() return t < u end)`,
		meta + `mt.__call = function(self, ...) return 1 + self() end return pcall(t)`,
		`local function s() table.sort({3, 2, 1}, function(a, b) s() return a < b end) end return pcall(s)`,
		`local function g() return (("x"):gsub("x", g)) end return pcall(g)`,
		`local function co() return coroutine.wrap(co)() end return pcall(co)`,
		`local function r() return 1 + r() end return xpcall(r, function(m) return m end)`,
		`return pcall(string.rep, "x", 1e10)`,
		`return pcall(function() local s = "x" while true do s = s .. s end end)`,
		`local s = ("a"):rep(300) return pcall(string.find, s, (".-"):rep(250) .. "b")`,
	} {
		got := eval(t, v, src)
		if !strings.HasPrefix(got, "false,") || strings.Contains(got, "internal error") {
			t.Errorf("%s\n%s", src, got)
		}
	}
}
