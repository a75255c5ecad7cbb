package vm

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// runaways are scripts without end that keep what they make.
var runaways = map[string]string{
	"numbers":    `local t = {} while true do t[#t + 1] = #t + 0.5 end`,
	"fields":     `local t, n = {}, 0 while true do n = n + 1 t["k" .. n] = n end`,
	"chain":      `local t while true do t = {t} end`,
	"closures":   `local f while true do local g = f f = function() return g end end`,
	"strings":    `local t = {} while true do t[#t + 1] = ("x"):rep(1e5) end`,
	"insert":     `local t = {} while true do table.insert(t, "x" .. #t) end`,
	"coroutines": `local t = {} while true do t[#t + 1] = coroutine.create(function() end) end`,
	"caught":     `local t = {} local function grow() while true do t[#t + 1] = {} end end pcall(grow) grow()`,
	"functions":  `local t = {} while true do t[#t + 1] = loadstring("return 1") end`,
}

// TestMemoryCeiling ends scripts that would take all memory, and runs others behind them.
func TestMemoryCeiling(t *testing.T) {
	const limit = 24 << 20
	for name, src := range runaways {
		t.Run(name, func(t *testing.T) {
			v := New(Options{MaxMemory: limit})
			defer v.Close()
			if got := eval(t, v, src); !strings.HasSuffix(got, "not enough memory") {
				t.Errorf("it ended with %s", got)
			}
			if got := eval(t, v, `local t = {} for i = 1, 1e4 do t[i] = {i} end return #t`); got != "10000" {
				t.Errorf("behind it another script gave %s", got)
			}
		})
	}
}

// TestLongStrings: no function makes a string beyond Options.MaxString.
func TestLongStrings(t *testing.T) {
	v := New(Options{MaxString: 1 << 20})
	defer v.Close()
	for _, src := range []string{
		`return ("x"):rep(1e9)`, `return ("x"):rep(2^53)`, `return ("ab"):rep(1e6, ",")`, `return (""):rep(1e9, "x")`,
		`local s = "x" while true do s = s .. s end`,
		`local s = "x" while true do s = s .. s .. s .. "y" end`,
		`local t = {} for i = 1, 2000 do t[i] = ("x"):rep(1000) end return table.concat(t)`,
		`local t = {} for i = 1, 2000 do t[i] = i end return table.concat(t, ("x"):rep(1000))`,
		`return (("x"):rep(1e5):gsub("x", ("y"):rep(100)))`,
		`return (("x"):rep(1e4):gsub("x", function() return ("y"):rep(1000) end))`,
		`return (("x"):rep(1e5):gsub("x", "%0%0%0%0%0%0%0%0%0%0%0%0%0%0%0%0"))`,
		`return ("%s%s"):format(("x"):rep(6e5), ("x"):rep(6e5))`,
		`return ("%s"):rep(1e5):format(unpack({}))`,
		`local b = require("string.buffer").new() while true do b:put("0123456789") end`,
		`local s = setmetatable({}, {__concat = function(a, b) return ("x"):rep(1e6) .. ("x"):rep(1e5) end}) return s .. 1`,
	} {
		if got := eval(t, v, src); !strings.HasSuffix(got, "not enough memory") && !strings.Contains(got, "bad argument") {
			t.Errorf("%s\n got %.100s", src, got)
		}
	}
}

// TestDeepRecursion: whatever calls itself for ever ends with an error of Lua, and its thread can be used again.
func TestDeepRecursion(t *testing.T) {
	v := New(Options{})
	defer v.Close()
	for _, c := range [][2]string{
		{`local function f() return 1 + f() end f()`, "stack overflow"},
		{`local function f(...) return 1 + f(1, ...) end f()`, "stack overflow"},
		{`local t = setmetatable({}, {__index = function(t, k) return t[k .. "x"] .. "" end}) return t.a`, ""},
		{`local t = setmetatable({}, {__index = function(t, k) return t[k] end}) return t.a`, "stack overflow"},
		{`local t = setmetatable({}, {__newindex = function(t, k, v) t[k] = v end}) t.a = 1`, "stack overflow"},
		{`local t = setmetatable({}, {}) getmetatable(t).__index = t return t.a`, "loop in gettable"},
		{`local t = setmetatable({}, {}) getmetatable(t).__newindex = t t.a = 1`, "loop in settable"},
		{`local t = setmetatable({}, {__add = function(a, b) return a + b end}) return t + 1`, "stack overflow"},
		{`local t = setmetatable({}, {__concat = function(a, b) return a .. b end}) return t .. "x"`, "stack overflow"},
		{`local t = setmetatable({}, {__lt = function(a, b) return a < b end}) return t < t`, "stack overflow"},
		{`local t = setmetatable({}, {__call = function(self) return 1 + self() end}) return t()`, "stack overflow"},
		{`local t = setmetatable({}, {__tostring = function(t) return tostring(t) .. "" end}) return tostring(t)`, "stack overflow"},
		{`local t = setmetatable({}, {__tostring = function(t) return ("%s"):format(t) end}) return ("%s"):format(t)`, "stack overflow"},
		{`local function f(s) return (s:gsub(".", f)) .. "" end return f("x")`, "stack overflow"},
		{`local function f() table.sort({1, 2, 3}, f) return true end f()`, "stack overflow"},
		{`local function f() for _ in function() f() end do end end f()`, "stack overflow"},
		{`local function f() return pcall(f) end return select("#", f())`, ""},
		{`local function f() local ok, e = pcall(f) error(e, 0) end f()`, "stack overflow"},
		{`local function f() return xpcall(f, f) end return (f())`, ""},
		{`local function f() return assert(loadstring("return ..."))(f()) end f()`, ""},
		{`local function f() return coroutine.wrap(f)() end f()`, "stack overflow"},
		{`local function f() local co = coroutine.create(f) local ok, e = coroutine.resume(co) error(e, 0) end f()`, "stack overflow"},
		{`local function f() return 1 + select(2, pcall(string.gsub, "x", "x", f)) end return pcall(f)`, ""},
		{`return loadstring(("("):rep(1e5) .. "1" .. (")"):rep(1e5))`, ""},
		{`return loadstring(("{"):rep(1e5) .. ("}"):rep(1e5))`, ""},
		{`return loadstring("return " .. ("not "):rep(1e5) .. "1")`, ""},
		{`return loadstring("return " .. ("-"):rep(3) .. ("1 .. "):rep(1e5) .. "1")`, ""},
		{`return loadstring(("do "):rep(1e5) .. ("end "):rep(1e5))`, ""},
		{`return loadstring(("function f() "):rep(1e4) .. ("end "):rep(1e4))`, ""},
	} {
		got := eval(t, v, c[0])
		if want := c[1]; want != "" && (!strings.HasPrefix(got, "error: ") || !strings.HasSuffix(got, want)) {
			t.Errorf("%s\n got %.200s", c[0], got)
		}
		if strings.Contains(got, "internal error") || strings.Contains(got, "runtime error") {
			t.Errorf("%s\n got a panic: %.300s", c[0], got)
		}
		if got := eval(t, v, `return 1 + 1`); got != "2" {
			t.Fatalf("behind %s\n 1 + 1 is %s", c[0], got)
		}
	}
}

// TestWildPatterns: matches that LuaJIT would not end either, or give up.
func TestWildPatterns(t *testing.T) {
	cases(t, [][2]string{
		{`return pcall(string.match, ("x"):rep(40), ("(x)"):rep(40))`, "false,too many captures"},
		{`return (("a"):rep(3000):find(".-b"))`, "nil"},
		{`return pcall(string.find, ("a"):rep(1000), ("a?"):rep(250) .. "b")`, "false,pattern too complex"},
		{`return pcall(string.find, "a", "%")`, "false,malformed pattern (ends with '%')"},
		{`return (("x"):rep(100000):find("^x*$"))`, "1"},
	})
}

// TestPanics: a Go panic of a function is an error of its caller and nobody else's.
func TestPanics(t *testing.T) {
	told := 0
	v := New(Options{OnPanic: func(any, []byte) { told++ }})
	defer v.Close()
	v.Globals().RawSetString("broken", v.L.NewFunction(func(*lua.LState) int { panic("broken") }))
	v.Globals().RawSetString("beyond", v.L.NewFunction(func(l *lua.LState) int { return []int{}[l.GetTop()] }))
	for src, want := range map[string]string{
		`broken()`:             "error: t:1: internal error: broken",
		`return pcall(beyond)`: "false,internal error: runtime error: index out of range [0] with length 0",
		`return coroutine.resume(coroutine.create(broken))`:       "false,internal error: broken",
		`local t = {3, 2, 1} return pcall(table.sort, t, broken)`: "false,internal error: broken",
	} {
		if got := eval(t, v, src); got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
	}
	if told != 4 {
		t.Errorf("OnPanic was told of %d panics", told)
	}
}
