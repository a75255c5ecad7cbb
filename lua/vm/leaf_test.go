package vm

import (
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestLeaves calls library functions as instructions do, with a leaf, and by pcall, which calls the functions
// themselves: both are to return the same, errors included.
func TestLeaves(t *testing.T) {
	v := New(Options{})
	defer v.Close()
	th := v.Main()
	proto, err := v.LoadString(`
		local cases = {
			["type"] = { {}, { nil }, { 1 }, { "x" }, { {} }, { newproxy() }, { print } },
			["tonumber"] = { { 1 }, { "0x10" }, { " 7 " }, { "x" }, { "10", 2 }, { nil }, { {} }, {} },
			["tostring"] = { { 1 }, { -0.5 }, { "s" }, { nil }, { true }, {} },
			["rawget"] = { { { 5 }, 1 }, { { a = 1 }, "a" }, { {}, nil }, { 1, 2 }, { {} } },
			["select"] = { { "#" }, { "#", 1, 2 }, { 1, "a", "b" }, { -1, "a", "b" }, { 0 }, {} },
			["setmetatable"] = { { {}, {} }, { {}, nil }, { 1, {} }, { setmetatable({}, { __metatable = 1 }), {} }, { {} } },
			["string.len"] = { { "abc" }, { 12 }, {}, { {} } },
			["string.sub"] = { { "abcdef", 2 }, { "abcdef", 2, 3 }, { "abcdef", -3, -2 }, { "abc", 9 }, { "abc", 0, 9 },
				{ "abc", "2" }, { 123, 2 }, { "abc", 1.9 }, { "abc" }, { "abc", {} }, { "abc", 1, 2, 3 }, {} },
			["string.byte"] = { { "abc" }, { "abc", 2 }, { "abc", -1 }, { "abc", 9 }, { "abc", 1, 3 }, { "" }, { 5 }, {} },
			["string.upper"] = { { "aBc1" }, { 1 }, {} },
			["string.lower"] = { { "aBc1" }, { 1 }, {} },
			["table.insert"] = { { { 1 }, 2 }, { {}, 1 }, { {}, nil }, { { 1, 2 }, 1, 0 }, { 1, 2 }, { {} } },
			["math.floor"] = { { 1.5 }, { -1.5 }, { "2.5" }, { "x" }, {} },
			["math.abs"] = { { -0.0 }, { -7 } },
			["math.min"] = { { 1 }, { 3, 1, 2 }, { 0/0, 1 }, { 1, 0/0 }, { "1", 2 }, {} },
			["math.max"] = { { 1 }, { 3, 1, 2 }, { 0/0, 1 }, { 1, 0/0 }, { 1, {} }, {} },
			["bit.band"] = { { 0xff }, { 0xff, 0x0f }, { -1, 0x80000000 }, { 2^40 + 3, 1 }, { "7", 3 }, {} },
			["bit.lshift"] = { { 1, 31 }, { 1, 33 }, { 1 }, { 1, 2, 3 } },
		}
		local function outcome(ok, ...)
			local out = { tostring(ok), select("#", ...) }
			for i = 1, select("#", ...) do
				local value = select(i, ...)
				out[#out + 1] = (ok and type(value) or value:gsub("^.-: ", "")) .. ":" ..
					(type(value) == "table" and #value or tostring(value):gsub("0x%x+", ""))
			end
			return table.concat(out, " ")
		end
		local function copy(args, n)
			local list = {}
			for i = 1, n do
				list[i] = type(args[i]) == "table" and debug.setmetatable({ unpack(args[i]) }, debug.getmetatable(args[i])) or args[i]
				if type(args[i]) == "table" then list[i].a = args[i].a end
			end
			return list
		end
		local differing = {}
		for name, list in pairs(cases) do
			local lib, field = name:match("^(%a+)%.(%a+)$")
			local f = lib and _G[lib][field] or _G[name]
			for i, args in ipairs(list) do
				local n = table.maxn(args)
				local a = copy(args, n)
				local leaf = outcome(pcall(function() return f(unpack(a, 1, n)) end))
				local b = copy(args, n)
				local function full() return outcome(pcall(f, unpack(b, 1, n))) end
				local whole = full()
				if leaf ~= whole then
					differing[#differing + 1] = name .. " " .. i .. ": " .. leaf .. " / " .. whole
				end
				-- None, one and more results than there are.
				if leaf:sub(1, 4) == "true" then
					local c = copy(args, n)
					f(unpack(c, 1, n))
					local x, y, z = f(unpack(copy(args, n), 1, n))
					local p, q, r = select(1, pcall(f, unpack(copy(args, n), 1, n)))
					if type(x) ~= type(q) or type(y) ~= type(r) then
						differing[#differing + 1] = name .. " " .. i .. ": results"
					end
				end
			end
		end
		debug.setmetatable(0, { __tostring = function() return "N" end })
		if tostring(5) ~= "N" then differing[#differing + 1] = "__tostring of numbers" end
		debug.setmetatable(0, nil)
		return table.concat(differing, "\n")`, "=leaves")
	if err != nil {
		t.Fatal(err)
	}
	if err := th.Run(proto, 0, 1); err != nil {
		t.Fatal(err.Value, err.Traceback)
	}
	if s := th.L.Get(-1); s != lua.LString("") {
		t.Error(s)
	}
}
