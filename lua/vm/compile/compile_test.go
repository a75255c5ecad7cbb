package compile_test

import (
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/compile"
)

// run executes src in a bare gopher-lua state and returns its results, joined by commas, or its error.
func run(t *testing.T, src string) string {
	t.Helper()
	lua.CompatVarArg = false
	l := lua.NewState()
	defer l.Close()
	concat := l.NewFunction(func(l *lua.LState) int {
		var b strings.Builder
		for i := 1; i <= l.GetTop(); i++ {
			b.WriteString(lua.LVAsString(l.Get(i)))
		}
		l.Push(lua.LString(b.String()))
		return 1
	})
	proto, err := compile.Compile(src, "=t", compile.Intrinsics{Concat: concat})
	if err != nil {
		return err.Error()
	}
	l.Push(l.NewFunctionFromProto(proto))
	if err := l.PCall(0, lua.MultRet, nil); err != nil {
		return err.(*lua.ApiError).Object.String()
	}
	var out []string
	for i := 1; i <= l.GetTop(); i++ {
		out = append(out, l.Get(i).String())
	}
	return strings.Join(out, ",")
}

func TestPrograms(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`return 1, "a", nil, true, false`, "1,a,nil,true,false"},
		{`local a, b = 1, 2; a, b = b, a; return a, b`, "2,1"},
		{`local t, i = {}, 1; i, t[i] = i + 1, 20; return i, t[1], t[2]`, "2,20,nil"},
		{`local a = {1}; a[1], a = 2, nil; return a`, "nil"},
		{`local a = {}; local b = a; a.x, a = 1, 5; return b.x, a`, "1,5"},
		{`local x = 1; local x = x + 1; return x`, "2"},
		{`local function f(a) a = tostring(a) return a end return f(5)`, "5"},
		{`local tostring = function(x) return tostring(x) end return tostring(5)`, "5"},
		{`local n = 0; local function inc() n = n + 1 end
		  for i = 1, 3 do if i == 2 then goto continue end inc() ::continue:: end return n`, "2"},
		{`local fns = {}; for i = 1, 3 do local x = i * 10 fns[i] = function() return x end if i == 2 then break end end
		  local clobber1, clobber2 = 7, 8 return fns[1](), fns[2]()`, "10,20"},
		{`local f; for i = 1, 3 do if true then local x = i; f = function() return x end; break end end
		  local a, b, c, d, e, g = 1, 2, 3, 4, 5, 6; return f()`, "1"},
		{`local f = {} ; local i = 1
		  repeat local x = i; f[i] = function() return x end; i = i + 1 until x >= 3 return f[1](), f[2](), f[3]()`, "1,2,3"},
		{`return nil and 1, false and 1, 1 and 2, nil or 3, false or nil, 1 or 2, not nil, not 1`,
			"nil,false,2,3,nil,1,true,false"},
		{`local a, b = 1; return a == 1 and b == nil, a ~= 1 or b, a < 2, a > 2, a <= 1, a >= 2`,
			"true,nil,true,false,true,false"},
		{`return (function(...) return select('#', ...) end)(nil, nil)`, "2"},
		{`local t = {1, 2, 3, x = 4, ["y"] = 5, [6] = 7; (function() return 8, 9 end)()} return #t, t.x, t.y, t[4], t[5], t[6]`,
			"6,4,5,8,9,7"},
		{`return "a" .. "b" .. 1 .. "c"`, "ab1c"},
		{`local s = "x" s = s .. s .. (s .. "y") return s`, "xxxy"},
		{`local t = {n = "v"} return "k=" .. t.n .. ";" .. #t.n`, "k=v;1"},
		{`return 2^3^2, -2^2, 2^-1, 1 + 2 * 3 - 4 / 2, 7 % 3, -7 % 3`, "512,-4,0.5,5,1,2"},
		{`return "\x41\65\u{48}\z
		     b\
c"`, "AAHb\nc"},
		{`return 0x10, 0x.8p1, 1e2, .5, 3., 0xA.8`, "16,1,100,0.5,3,10.5"},
		{`goto done; do return "no" end ::done:: return "yes"`, "yes"},
		{`local i = 1 ::top:: if i < 5 then i = i + 1 goto top end return i`, "5"},
		{`for i = 1, 3 do for j = 1, 3 do if j == 2 then goto next end end ::next:: end return "ok"`, "ok"},
		{`do local k = 0 for i = 3, 1, -1 do k = k * 10 + i end return k end`, "321"},
		{`local s = 0 for k, v in pairs({a = 1, b = 2, 3}) do s = s + v end return s`, "6"},
		{`local t = {} function t.a() return 1 end function t:b(x) return self == t, x end return t.a(), t:b(2)`, "1,true,2"},
		{`local o = {v = 1} function o:get() return self.v end return o:get(), ("x"):rep(3)`, "1,xxx"},
		{`while true do break end repeat break until false return 1`, "1"},
		{`local a <b> = 1`, "t:1: unexpected symbol near '<'"},
		{`return [==[
a]]b]==], [[x]]`, "a]]b,x"},
		{`--[[ c ]] --[==[ d
		]==] return 1 -- e`, "1"},
		{`local function f(...) local a, b = ... return a, b, (...) end return f(1, 2)`, "1,2,1"},
		{`return 1 / (-0)`, "-Inf"},
		{`local x = 0 local function g() x = x + 1 return x end local t = {g(), g(), g()} return t[1], t[2], t[3]`, "1,2,3"},
	} {
		if got := run(t, c.src); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{"x =", "t:1: unexpected symbol near '<eof>'"},
		{"x = = 1", "t:1: unexpected symbol near '='"},
		{"if x then\n\ny", "t:3: '=' expected near '<eof>'"},
		{"if x then\n\ny()", "t:3: 'end' expected (to close 'if' at line 1) near '<eof>'"},
		{"for", "t:1: '<name>' expected near '<eof>'"},
		{"for x do", "t:1: '=' or 'in' expected near 'do'"},
		{"break", "t:1: no loop to break"},
		{"local goto = 1", "t:1: '<name>' expected near 'goto'"},
		{"goto x", "t:1: undefined label 'x'"},
		{"::x:: ::x::", "t:1: duplicate label 'x'"},
		{"goto x; local a; ::x:: a = 1", "t:1: <goto x> jumps into the scope of local 'a'"},
		{"function f() return ... end", "t:1: cannot use '...' outside a vararg function near '...'"},
		{"x = 'abc", "t:1: unfinished string near '<eof>'"},
		{"x = 'abc\n'", "t:1: unfinished string near ''abc'"},
		{`x = "a\q"`, `t:1: invalid escape sequence near '"a'`},
		{"x = 3x", "t:1: malformed number near '3x'"},
		{"x = [=a", "t:1: invalid long string delimiter near '[='"},
		{"x = [[a", "t:1: unfinished long string near '<eof>'"},
		{"--[[a", "t:1: unfinished long comment near '<eof>'"},
		{"f", "t:1: '=' expected near '<eof>'"},
		{"f(", "t:1: unexpected symbol near '<eof>'"},
		{"a.b:c = 1", "t:1: function arguments expected near '='"},
		{"x = }", "t:1: unexpected symbol near '}'"},
		{"x = 1 1", "t:1: unexpected symbol near '1'"},
		{"return 1 x", "t:1: '<eof>' expected near 'x'"},
		{"f() = 1", "t:1: unexpected symbol near '='"},
		{"(f) = 1", "t:1: syntax error near '='"},
		{"function f(a,) end", "t:1: <name> or '...' expected near ')'"},
	} {
		if got := run(t, c.src); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

func TestBigTable(t *testing.T) {
	src := "local t = {" + strings.Repeat("1,", 60000) + "2} local function f(a, b) return b, a end return #t, t[60001], t[25551], f(1, 2)"
	if got, want := run(t, src), "60001,2,1,2,1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNesting(t *testing.T) {
	for _, unit := range []string{"(", "{", "-", "not ", "f(", "do ", "function() ", "a[", "2^", "1..(", "if a then ", "::l::"} {
		src := "x = " + strings.Repeat(unit, 100000)
		if unit == "do " || unit == "if a then " || unit == "::l::" {
			src = strings.Repeat(unit, 100000)
		}
		got := run(t, src)
		if !strings.HasPrefix(got, "t:1: ") {
			t.Errorf("%q: %.100s", unit, got)
		}
	}
}

func FuzzCompile(f *testing.F) {
	for _, s := range []string{"a,b = b,a", "for i=1,2 do goto x ::x:: end", `x = "\u{1}"`, "return {1,...,f()}", "a.b.c:d'x'"} {
		f.Add(s)
	}
	concat := &lua.LFunction{IsG: true, GFunction: func(*lua.LState) int { return 0 }}
	f.Fuzz(func(t *testing.T, src string) {
		_, err := compile.Compile(src, "=f", compile.Intrinsics{Concat: concat})
		if err != nil && !strings.HasPrefix(err.Error(), "f:") {
			t.Error(fmt.Sprint(err))
		}
	})
}
