package cjson

import (
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

func newVM(t testing.TB) *vm.VM {
	t.Helper()
	v := vm.New(vm.Options{CodeCache: true})
	v.Preload("cjson", Open, true)
	v.Preload("cjson.safe", OpenSafe, true)
	t.Cleanup(v.Close)
	return v
}

// eval runs a chunk that returns one value and gives its text.
func eval(t testing.TB, v *vm.VM, src string) string {
	t.Helper()
	proto, err := v.LoadString(`local cjson, safe = require "cjson", require "cjson.safe" `+src, "=t")
	if err != nil {
		t.Fatal(err)
	}
	th := v.GetThread()
	defer v.PutThread(th)
	if err := th.Run(proto, 0, 1); err != nil {
		return "error: " + err.Error()
	}
	s := v.Display(th.L, th.L.Get(-1))
	th.L.SetTop(0)
	return s
}

var encodings = []struct{ src, want string }{
	{`return cjson.encode({1,2,"x",true,cjson.null})`, `[1,2,"x",true,null]`},
	{`return cjson.encode({a=1.5})`, `{"a":1.5}`},
	{`return cjson.encode({})`, `{}`},
	{`return cjson.encode(cjson.empty_array)`, `[]`},
	{`return cjson.encode(setmetatable({}, cjson.empty_array_mt))`, `[]`},
	{`return cjson.encode(setmetatable({a=1,2}, cjson.array_mt))`, `[2]`},
	{`return cjson.encode("a/b\"\\\n\t\1\127\195\164")`, `"a\/b\"\\\n\t\u0001\u007f` + "\u00e4" + `"`},
	{`local c = cjson.new() c.encode_escape_forward_slash(false) return c.encode("/")`, `"/"`},
	{`return cjson.encode({[1]=1,[3]=3})`, `[1,null,3]`},
	{`return cjson.encode({[1]=1,[100]=3})`, `error: Cannot serialise table: excessively sparse array`},
	{`local c = cjson.new() c.encode_sparse_array(true) return c.encode({[100]=3})`, `{"100":3}`},
	{`return cjson.encode(0/0)`, `error: Cannot serialise number: must not be NaN or Infinity`},
	{`local c = cjson.new() c.encode_invalid_numbers(true) return c.encode({-1/0,1/0})`, `[-Infinity,Infinity]`},
	{`local c = cjson.new() c.encode_invalid_numbers("null") return c.encode({0/0})`, `[null]`},
	{`return cjson.encode(print)`, `error: Cannot serialise function: type not supported`},
	{`return cjson.encode({[true]=1})`, `error: Cannot serialise boolean: table key must be a number or string`},
	{`local s = cjson.encode(print) return s`, `error: t:1: Cannot serialise function: type not supported`},
	{`return select(2, safe.encode(print))`, `Cannot serialise function: type not supported`},
	{`local t = {} t.t = t return cjson.encode(t)`, `error: Cannot serialise, excessive nesting (1001)`},
	{`local c = cjson.new() c.encode_max_depth(2147483647) local t = {} t.t = t return select(2, pcall(c.encode, t))`,
		`Cannot serialise, excessive nesting (8001)`},
	{`local c = cjson.new() c.encode_number_precision(3) return c.encode(1/3)`, `0.333`},
	{`return cjson.encode(1/3)`, `0.33333333333333`},
	{`return cjson.encode(1e15) .. cjson.encode(-0.5) .. cjson.encode(1e100)`, `1e+15-0.51e+100`},
	{`local c = cjson.new() c.encode_empty_table_as_object(false) return c.encode({})`, `[]`},
	{`return cjson.encode(setmetatable({}, {__len = function() return 2 end, __index = function(_, i) return i end}))`, `[1,2]`},
	{`local c = cjson.new() c.encode_skip_unsupported_value_types(true) return c.encode({print, 1})`, `[1]`},
	{`local c = cjson.new() c.encode_indent(" ") return c.encode({{a=1}})`, "[\n {\n  \"a\": 1\n }\n]"},
	{`return cjson.encode()`, `error: bad argument #1 to '?' (expected 1 argument)`},
	{`return cjson.encode_max_depth(0)`, `error: bad argument #1 to '?' (expected integer between 1 and 2147483647)`},
}

func TestEncode(t *testing.T) {
	v := newVM(t)
	for _, c := range encodings {
		got := eval(t, v, c.src)
		if got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.src, got, c.want)
		}
	}
}

var decodings = []struct{ json, want string }{
	{`[1,2.5,"x",true,null,{"a":[]}]`, `[1,2.5,"x",true,null,{"a":{}}]`},
	{` { "a" : 1 } `, `{"a":1}`},
	{`"\u00e4\ud83d\ude00\/\n"`, "\"\u00e4\U0001f600\\/\\n\""},
	{`-0`, `0`},
	{`12345678901234567890`, `9.2233720368548e+18`},
	{`0x1F`, `31`},
	{`+5`, `5`},
	{`1e3`, `1000`},
	{`.5`, `Expected value but found invalid token at character 1`},
	{`{"a":1,}`, `Expected object key string but found T_OBJ_END at character 8`},
	{`[1,]`, `Expected value but found T_ARR_END at character 4`},
	{`[1 2]`, `Expected comma or array end but found T_INTEGER at character 4`},
	{`{"a" 1}`, `Expected colon but found T_INTEGER at character 6`},
	{`{"a":1 "b"}`, `Expected comma or object end but found T_STRING at character 8`},
	{``, `Expected value but found T_END at character 1`},
	{`1 2`, `Expected the end but found T_INTEGER at character 3`},
	{`"abc`, `Expected value but found unexpected end of string at character 5`},
	{`"a\x"`, `Expected value but found invalid escape code at character 3`},
	{`"\ud800"`, `Expected value but found invalid unicode escape code at character 2`},
	{`tru`, `Expected value but found invalid token at character 1`},
	{`-`, `Expected value but found invalid number at character 1`},
	{strings.Repeat("[", 1001), `Found too many nested data structures (1001) at character 1001`},
	{"\x00\x00", `JSON parser does not support UTF-16 or UTF-32`},
}

func TestDecode(t *testing.T) {
	v := newVM(t)
	for _, c := range decodings {
		v.Globals().RawSetString("text", lua.LString(c.json))
		got := eval(t, v, `local x, err = safe.decode(text) return x == nil and err or cjson.encode(x)`)
		if got != c.want {
			t.Errorf("%.40s\n got %s\nwant %s", c.json, got, c.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, c := range decodings {
		f.Add(c.json)
	}
	v := newVM(f)
	f.Fuzz(func(t *testing.T, text string) {
		v.Globals().RawSetString("text", lua.LString(text))
		got := eval(t, v, `local c = cjson.new() c.decode_allow_comment(true) c.encode_invalid_numbers(true) c.encode_sparse_array(true)
			local ok, x = pcall(c.decode, text) if not ok then return "" end
			local s = c.encode(x) local again = c.encode(c.decode(s)) return (again == s or s:find("-0", 1, true)) and "" or s .. " then " .. again`)
		if got != "" && !strings.Contains(got, "nesting") && !strings.Contains(got, "\"nan\"") {
			t.Error(got)
		}
	})
}

func benchmark(b *testing.B, src string) {
	v := newVM(b)
	proto, err := v.LoadString(`local cjson = require "cjson" `+src, "=t")
	if err != nil {
		b.Fatal(err)
	}
	th := v.GetThread()
	defer v.PutThread(th)
	b.ReportAllocs()
	for b.Loop() {
		if err := th.Run(proto, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}

const sample = `[=[{"id":12345,"name":"Moongate","tags":["a","b","c"],"nested":{"x":1.5,"y":[1,2,3,4,5,6,7,8,9,10],"s":"some longer text here"},"ok":true,"no":false,"nothing":null,"list":[{"k":"v1","n":1},{"k":"v2","n":2},{"k":"v3","n":3},{"k":"v4","n":4}]}]=]`

func BenchmarkDecode(b *testing.B) { benchmark(b, `cjson.decode(`+sample+`)`) }

func BenchmarkRoundTrip(b *testing.B) { benchmark(b, `cjson.encode(cjson.decode(`+sample+`))`) }
