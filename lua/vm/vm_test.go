package vm

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// eval runs src in a thread and returns its results as tostring shows them, joined by commas, or "error: " and the
// message.
func eval(t testing.TB, v *VM, src string) string {
	t.Helper()
	proto, err := v.LoadString(src, "=t")
	if err != nil {
		return "load: " + err.Error()
	}
	th := v.GetThread()
	defer v.PutThread(th)
	if err := th.Run(proto, 0, lua.MultRet); err != nil {
		return "error: " + err.Error()
	}
	var out []string
	for i := 1; i <= th.L.GetTop(); i++ {
		out = append(out, v.Display(th.L, th.L.Get(i)))
	}
	return strings.Join(out, ",")
}

// cases runs a table of programs and what they return.
func cases(t *testing.T, table [][2]string) {
	t.Helper()
	v := New(Options{CodeCache: true})
	defer v.Close()
	for _, c := range table {
		if got := eval(t, v, c[0]); got != c[1] {
			t.Errorf("%s\n got %s\nwant %s", c[0], got, c[1])
		}
	}
}

func TestBase(t *testing.T) {
	cases(t, [][2]string{
		{`return 1 .. "", 1/3 .. "", 1e15 .. "", 2^53 .. "", -0 .. ""`, "1,0.33333333333333,1e+15,9.007199254741e+15,-0"},
		{`return tostring(1e14), tostring(123456789012345), tostring(1/0), tostring(-1/0)`, "1e+14,1.2345678901235e+14,inf,-inf"},
		{`return tonumber("0x10"), tonumber(" 10 "), tonumber("1e1"), tonumber("z", 36), tonumber("8", 8), tonumber("")`, "16,10,10,35,nil,nil"},
		{`local t, x = {}, 3; t.a = x > 0 and x or nil; t.b = x < 0 and x or nil; t.c = x or nil; return t.a, t.b, t.c`, "3,nil,3"},
		{`return pcall(error, {1}) , select("#", pcall(error))`, "false,2"},
		{`return pcall(error, "m")`, "false,m"},
		{`return pcall(function() error("m") end)`, "false,t:1: m"},
		{`return pcall(function() error("m", 0) end)`, "false,m"},
		{`local x; return pcall(function() local y = nil; y.z = 1 end)`, "false,t:1: attempt to index local 'y' (a nil value)"},
		{`return pcall(function() return foo.bar.baz end)`, "false,t:1: attempt to index global 'foo' (a nil value)"},
		{`local t = {} return pcall(function() return t.bar.baz end)`, "false,t:1: attempt to index field 'bar' (a nil value)"},
		{`local t return pcall(function() return t.bar end)`, "false,t:1: attempt to index upvalue 't' (a nil value)"},
		{`local t = {} return pcall(function() t.foo() end)`, "false,t:1: attempt to call field 'foo' (a nil value)"},
		{`local t = {} return pcall(function() t:foo() end)`, "false,t:1: attempt to call method 'foo' (a nil value)"},
		{`return pcall(function() local a = {} return a + 1 end)`, "false,t:1: attempt to perform arithmetic on local 'a' (a table value)"},
		{`return pcall(function() local a = {} return 1 + a end)`, "false,t:1: attempt to perform arithmetic on local 'a' (a table value)"},
		{`return pcall(function() local a = {} return "x" .. a end)`, "false,t:1: attempt to concatenate local 'a' (a table value)"},
		{`return pcall(function() return "x" .. nil end)`, "false,t:1: attempt to concatenate a nil value"},
		{`return pcall(function() return nil < nil end)`, "false,t:1: attempt to compare two nil values"},
		{`return pcall(function() return 1 < "x" end)`, "false,t:1: attempt to compare number with string"},
		{`return pcall(function() local n return #n end)`, "false,t:1: attempt to get length of local 'n' (a nil value)"},
		{`return pcall(function() local n return -n end)`, "false,t:1: attempt to perform arithmetic on local 'n' (a nil value)"},
		{`return pcall(function() for i = "a", 2 do end end)`, "false,t:1: 'for' initial value must be a number"},
		{`return pcall(function() local n for i = 1, n do end end)`, "false,t:1: 'for' limit must be a number"},
		{`return pcall(function() for i = 1, 2, {} do end end)`, "false,t:1: 'for' step must be a number"},
		{`local s, n, by = 0, "3", " 0x1 " for i = "1", n, by do s = s + i end return s, type(n)`, "6,string"},
		{`return pcall(function() setmetatable(1) end)`, "false,t:1: bad argument #1 to 'setmetatable' (table expected, got number)"},
		{`local n = 0 local function inc() n = n + 1 end pcall(error, "x") pcall(function() local x = nil; x() end) inc() return n`, "1"},
		{`local fns = {} pcall(function() local x = 5 fns[1] = function() x = x + 1 return x end error("e") end) return fns[1](), fns[1]()`, "6,7"},
		{`local d = 0 local function f() d = d + 1 return 1 + f() end local ok, e = pcall(f) return ok, e, d > 5000`, "false,t:1: stack overflow,true"},
		{`local function f() return pcall(f) end return (f())`, "true"},
		{`return xpcall(function(a, b) return a + b end, print, 1, 2)`, "true,3"},
		{`return xpcall(function() error("a") end, function(m) return m .. "!" end)`, "false,t:1: a!"},
		{`return xpcall(function() error("a") end, function(m) error("b") end)`, "false,error in error handling"},
		{`return select(-1, 1, 2, 3), select(2, "a", "b")`, "3,b"},
		{`local t = {} for i = 1, 10 do t[i] = i end for i = 1, 5 do t[#t] = nil end return #t`, "5"},
		{`local t = {} for i = 1, 1000 do t["k" .. i] = i; t["k" .. i] = nil end t.a = 1 local n = 0 for k in pairs(t) do n = n + 1 end return n`, "1"},
		{`local t = {} for i = 1, 100 do t["k" .. i] = i end for k in pairs(t) do t[k] = nil end return next(t)`, "nil"},
		{`return require("nope")`, "error: module 'nope' not found:\n\tno field package.preload['nope']\n\tno file './nope.lua'\n\tno file '/usr/local/share/luajit-2.1/nope.lua'\n\tno file '/usr/local/share/lua/5.1/nope.lua'\n\tno file '/usr/local/share/lua/5.1/nope/init.lua'\n\tno file './nope.so'\n\tno file '/usr/local/lib/lua/5.1/nope.so'\n\tno file '/usr/local/lib/lua/5.1/loadall.so'"},
		{`x = 1 return rawget(_G, "x"), getfenv().x`, "1,1"},
		{`return x`, "nil"},
		{`return load("return 1 +", "=c")`, "nil,c:1: unexpected symbol near '<eof>'"},
		{`return type(load(function() end))`, "function"},
	})
}

func TestCoroutines(t *testing.T) {
	cases(t, [][2]string{
		{`local co = coroutine.create(function(a) local b = coroutine.yield(a + 1) return b * 2 end)
		  local r = {coroutine.resume(co, 1)} local s = {coroutine.resume(co, 10)}
		  return r[1], r[2], s[1], s[2], coroutine.status(co), coroutine.resume(co)`,
			"true,2,true,20,dead,false,cannot resume dead coroutine"},
		{`local co = coroutine.wrap(function() pcall(function() coroutine.yield(1) error("x") end) coroutine.yield(2) end)
		  return co(), co()`, "1,2"},
		{`local t = setmetatable({}, {__index = function(t, k) return coroutine.yield(k) end})
		  local co = coroutine.wrap(function() return t.foo end) return co(), co("v")`, "foo,v"},
		{`local co = coroutine.wrap(function() table.sort({3, 2, 1}, function(a, b) coroutine.yield(a) return a < b end) return "end" end)
		  local n = 0 while co() ~= "end" do n = n + 1 end return n > 1`, "true"},
		{`local co co = coroutine.create(function() return coroutine.resume(co) end) return coroutine.resume(co)`,
			"true,false,cannot resume non-suspended coroutine"},
		{`local co = coroutine.wrap(function() error({}) end) local ok, e = pcall(co) return ok, type(e)`, "false,table"},
		{`local n = 0 for i in coroutine.wrap(function() for i = 1, 100 do coroutine.yield(i) end end) do n = n + i end return n`, "5050"},
		{`return pcall(coroutine.yield, 1)`, "false,attempt to yield across C-call boundary"},
		{`local function gen(n) return coroutine.wrap(function() for i = 1, n do coroutine.yield(i) end end) end
		  local s = 0 for a in gen(3) do for b in gen(a) do s = s + b end end return s`, "10"},
		{`coroutine.wrap(function() coroutine.yield() end)() return "left"`, "left"},
	})
}

// TestHandlers runs __index and __newindex functions, which the loop calls as it calls those of the program.
func TestHandlers(t *testing.T) {
	cases(t, [][2]string{
		{`local t = setmetatable({}, {__index = function() end}) local a, b, c = 1, t.x, 3 return a, b, c`, "1,nil,3"},
		{`local t = setmetatable({}, {__index = function(t, k) return k, 2, 3 end}) local l = {t.y, t[1]} return t.x, l[1], #l`, "x,y,2"},
		{`local t = setmetatable({}, {__index = function(t, k) return tostring(k) end}) return t[1] .. t.x`, "1x"},
		{`local function up(t, k) return k:upper() end
		  local t = setmetatable({}, {__index = function(t, k) return up(t, k) end}) local a, b = "a", t.b return a, b`, "a,B"},
		{`local t = setmetatable({}, {__index = rawequal}) return pcall(function() return t.x end)`, "true,false"},
		{`local t = setmetatable({n = 2}, {__index = function(t, k) return function(self, a) return k, self.n + a end end}) return t:f(3)`, "f,5"},
		{`setfenv(1, setmetatable({}, {__index = function(t, k) return k end})) return a, b, (function(...) return ... end)(c, d)`, "a,b,c,d"},
		{`local s, g = "", getfenv() setfenv(1, setmetatable({}, {__newindex = function(t, k, v) s = s .. k .. v return 1, 2 end}))
		  a = 1 b = 2 return s`, "a1b2"},
		{`local t = setmetatable({}, {__newindex = function(t, k, v) rawset(t, k, v + 1) end}) t.x = 1 t[1] = 2 return t.x, t[1]`, "2,3"},
		{`local t = setmetatable({}, {__newindex = rawset}) t.x = 1 local a = t.x return a`, "1"},
		{`local t = setmetatable({}, {__newindex = function(t, k, v) coroutine.yield(k) rawset(t, k, v) end})
		  local co = coroutine.wrap(function() local a, b = 1, 2 t.x = 3 return a, b, t.x end) return co(), co()`, "x,1,2,3"},
		{`local fs = setmetatable({}, {__index = function(t, k) local n = k return function() n = n + 1 return n end end})
		  local f, g = fs[1], fs[5] return f(), g(), f(), g()`, "2,6,3,7"},
		{`local t = setmetatable({}, {__index = function(t, k) error("no " .. k, 2) end})
		  return pcall(function()
		    return t.x
		  end)`, "false,t:3: no x"},
		{`local t = setmetatable({}, {__index = function(t, k) return select("#", unpack({}, 1, k)) end}) return t[200], t[1000], t[3]`, "200,1000,3"},
		{`local function f(...) return select("#", ...), ... end return f(unpack({}, 1, 300))`, "300" + strings.Repeat(",nil", 300)},
		{`local function f(a, ...) local t = {a, ...} return #t, select("#", ...), ... end return f(1, 2, 3), f()`, "3,0,0"},
	})
}

func TestKill(t *testing.T) {
	v := New(Options{})
	for range 100 {
		if got := eval(t, v, `local co = coroutine.wrap(function() while true do pcall(coroutine.yield, 1) end end) return co(), co()`); got != "1,1" {
			t.Fatal(got)
		}
	}
	v.Close()
}

// TestLibraries has results that luajit gives too.
func TestLibraries(t *testing.T) {
	cases(t, [][2]string{
		{`return string.format("%.2f %.0f %5.1f|%-8.3s|%+d|% d|%05d|%x|%#x|%o|%c|%e|%g|%a", 0.125, 0.5, 0.25, "abcdef", 5, 5, 42, 255, 255, 8, 65, 12345.678, 1e20, 1)`,
			"0.13 1   0.3|abc     |+5| 5|00042|ff|0xff|10|A|1.234568e+04|1e+20|0x1p+0"},
		{`return string.format("%q", 'a"b\\c\nd\0e\r\t\1272')`, `"a\"b\\c\` + "\n" + `d\0e\13\9\1272"`},
		{`return pcall(string.format, "%d", "x")`, "false,bad argument #2 to '?' (number expected, got string)"},
		{`return pcall(string.format, "%y", 1)`, "false,invalid option '%y' to 'format'"},
		{`return 12345678901234.5, 1234567890123.25, 5e-324, 0/0, -(0/0)`, "12345678901235,1234567890123.3,4.9406564584125e-324,nan,nan"},
		{`return ("hello"):sub(2, -2), ("hello"):sub(-100, 2), ("hello"):byte(-1), ("x"):rep(3, ",")`, "ell,he,111,x,x,x"},
		{`return ("THE (quick) fox"):find("%((%a+)%)")`, "5,11,quick"},
		{`return ("THE (quick) fox"):gsub("%f[%a]%a+", string.lower)`, "the (quick) fox,3"},
		{`return ("abc"):gsub("", "-")`, "-a-b-c-,4"},
		{`return ("hello"):gsub("(l)(l)", "%2%1%0")`, "hellllo,1"},
		{`return pcall(string.gsub, "x", "x", "%2")`, "false,invalid capture index"},
		{`return pcall(string.find, "a", "[a")`, "false,malformed pattern (missing ']')"},
		{`return pcall(string.find, "a", "(a")`, "false,unfinished capture"},
		{`return pcall(string.find, "a", "%f")`, "false,missing '[' after '%f' in pattern"},
		{`return "10" + 5, "0x10" * 2, "010" + 0, -"2", " 5 " + 1`, "15,32,10,-2,6"},
		{`return pcall(function() local s = "abc" return 1 + s end)`, "false,t:1: attempt to perform arithmetic on local 's' (a string value)"},
		{`local t = setmetatable({}, {__add = function(a, b) return "mm" end}) return "5" + t, t + "5"`, "mm,mm"},
		{`return table.concat({1.5, "x", 1e15}, " "), pcall(table.concat, {1, {}})`, "1.5 x 1e+15,false,invalid value (table) at index 2 in table for 'concat'"},
		{`return pcall(table.sort, {1,2,3,4,5,6,7,8,9,10}, function() return true end)`, "false,invalid order function for sorting"},
		{`return pcall(unpack, {}, 1, 1e7)`, "false,too many results to unpack"},
		{`return bit.tobit(0xffffffff), bit.tohex(255, -4), bit.bswap(0x12345678), bit.rol(0x12345678, 12), bit.lshift(1, 31), bit.arshift(-256, 4)`,
			"-1,00FF,2018915346,1164411171,-2147483648,-16"},
		{`return os.date("!%Y-%m-%d %H:%M:%S %j %U %w", 1e9), os.time({year = 2020, month = 1, day = 1, hour = 12}) % 3600`, "2001-09-09 01:46:40 252 36 0,0"},
		{`return math.floor(-3.5), math.fmod(-7, 3), -7 % 3, math.modf(-3.7)`, "-4,-1,2,-3,-0.7"},
		{`return require("table.new")(1, 2) ~= nil, table.nkeys({1, 2, a = 3}), table.isempty({}), table.isarray({a = 1})`, "true,3,true,false"},
		{`local b = require("string.buffer").new() b:put("a", 1, "b"):putf("%02d", 5) return b:get(2), tostring(b), #b`, "a1,b05,3"},
		{`local ffi = require("ffi") ffi.cdef("char **ngx_argv;") return ffi.string(ffi.C.ngx_argv[0]) ~= ""`, "true"},
		{`return pcall(require("ffi").cdef, "int x;")`, "false,ffi.cdef: the FFI is not available: this server runs Lua without LuaJIT's C interface"},
		{`return pcall(next, {}, "nokey")`, "false,invalid key to 'next'"},
		{`local function f(a, ...) local b = 1 local n, v = debug.getlocal(1, 1) return n, v end return f(7)`, "a,7"},
		{`local function f() local i = debug.getinfo(1, "nSl") return i end local i = f() return i.name, i.short_src, i.currentline, i.what`, "f,t,1,Lua"},
		{`local function lvl() return (debug.traceback("m")) end local s = lvl() return s`,
			"m\nstack traceback:\n\tt:1: in function 'lvl'\n\tt:1: in main chunk"},
		{`return coroutine.resume(coroutine.create(function() local x = nil; x.y = 1 end))`, "false,t:1: attempt to index local 'x' (a nil value)"},
		{`return #setmetatable({}, {__len = function() return 3 end})`, "3"},
		{`local t = {} for i = 1, 3 do t[i] = i end t[3] = nil t[2] = nil t[5] = 1 return #t == 1 or #t == 5`, "true"},
	})
}
