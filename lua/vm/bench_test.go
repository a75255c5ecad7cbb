package vm

import (
	"testing"

	lua "github.com/yuin/gopher-lua"
)

func BenchmarkRequest(b *testing.B) {
	v := New(Options{CodeCache: true})
	defer v.Close()
	proto, err := v.LoadString("return 1", "=b")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		t := v.GetThread()
		if err := t.Run(proto, 0, 1); err != nil {
			b.Fatal(err)
		}
		t.L.Pop(1)
		v.PutThread(t)
	}
}

func TestRequestAllocs(t *testing.T) {
	v := New(Options{CodeCache: true})
	defer v.Close()
	proto, err := v.LoadString("return 1", "=b")
	if err != nil {
		t.Fatal(err)
	}
	const most = 1
	if n := testing.AllocsPerRun(100, func() {
		th := v.GetThread()
		if err := th.Run(proto, 0, 1); err != nil {
			t.Fatal(err)
		}
		th.L.Pop(1)
		v.PutThread(th)
	}); n > most {
		t.Errorf("%v allocations, want at most %d", n, most)
	}
}

// benchPrograms are run by BenchmarkPrograms and, for comparison, by luajit -joff outside of the tests.
var benchPrograms = map[string]string{
	"fib":     `local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end return fib(27)`,
	"strings": `local t = {} for i = 1, 100000 do t[#t + 1] = "item" .. i .. "," end return #table.concat(t)`,
	"sort": `local t, x = {}, 42 for i = 1, 50000 do x = (x * 16807) % 2147483647 t[i] = x end
		table.sort(t, function(a, b) return a < b end) return t[1]`,
	"closures": `local function counter() local n = 0 return function() n = n + 1 return n end end
		local s = 0 for i = 1, 20000 do local c = counter() for j = 1, 10 do s = s + c() end end return s`,
	"pairs": `local t = {} for i = 1, 1000 do t["k" .. i] = i end local s = 0
		for r = 1, 100 do for k, v in pairs(t) do s = s + v end end return s`,
	"pcall": `local f = function() end for i = 1, 200000 do pcall(f) end`,
	"index": `local env = setmetatable({}, {__index = function(t, k) return _G[k] end})
		setfenv(1, env) for i = 1, 20000 do local s = tostring end`,
	"vararg": `local function f(...) return ... end local function g(...) return f(...) end
		for i = 1, 50000 do g(i, 2, 3) end`,
	"words": `local s, n = ("some words, 12 of them; "):rep(20), 0
		for r = 1, 50 do local at = 1 while true do
			local from, to, word = string.find(s, "^[ ,;]*([%a%d_]+)", at) if not from then break end
			n, at = n + #string.sub(s, from, to), to + 1 end end return n`,
	"objects": `local Account = {} Account.__index = Account
		function Account:deposit(n) self.balance = self.balance + n self.count = self.count + 1 end
		local s = 0 for i = 1, 200 do local a = setmetatable({ balance = 0, count = 0, owner = "x" }, Account)
		for j = 1, 50 do a:deposit(j) end s = s + a.balance end return s`,
	"bytes": `local s, n, floor, band = ("0123456789abcdef"):rep(10), 0, math.floor, bit.band
		for r = 1, 50 do for i = 1, #s do n = n + band(s:byte(i), 15) + floor(#s:sub(i, i + 3) / 2) end end return n`,
	"coroutine": `local co = coroutine.wrap(function() while true do coroutine.yield(1) end end)
		for i = 1, 50000 do co() end`,
}

func BenchmarkPrograms(b *testing.B) {
	for name, src := range benchPrograms {
		b.Run(name, func(b *testing.B) {
			v := New(Options{CodeCache: true})
			defer v.Close()
			proto, err := v.LoadString(src, "=b")
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				t := v.GetThread()
				if err := t.Run(proto, 0, lua.MultRet); err != nil {
					b.Fatal(err)
				}
				t.L.SetTop(0)
				v.PutThread(t)
			}
		})
	}
}
