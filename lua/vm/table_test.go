package vm

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	lua "github.com/yuin/gopher-lua"
	"pgregory.net/rapid"
)

// TestTableOrder stores and deletes by this package's functions and gopher-lua's in turns: a traversal visits every
// entry once, in the order in which the keys that live came.
func TestTableOrder(t *testing.T) {
	v := New(Options{})
	defer v.Close()
	rapid.Check(t, func(t *rapid.T) {
		tb := NewTable(rapid.IntRange(0, 3).Draw(t, "items"), rapid.IntRange(0, 3).Draw(t, "fields"))
		want := map[lua.LValue]lua.LValue{}
		key := rapid.OneOf(
			rapid.Map(rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}), func(s string) lua.LValue { return lua.LString(s) }),
			rapid.Map(rapid.IntRange(1, 5), func(i int) lua.LValue { return lua.LNumber(i) }),
			rapid.Map(rapid.SampledFrom([]float64{-1, 0, 0.5, 1e9}), func(n float64) lua.LValue { return lua.LNumber(n) }),
			rapid.Map(rapid.Bool(), func(b bool) lua.LValue { return lua.LBool(b) }),
		)
		for n := range rapid.IntRange(0, 40).Draw(t, "steps") {
			k := key.Draw(t, "key")
			var value lua.LValue = lua.LNumber(n)
			switch rapid.IntRange(0, 5).Draw(t, "step") {
			case 0:
				tb.RawSet(k, value)
			case 1, 2:
				if !v.store(tb, k, value) {
					t.Fatalf("key %v not stored", k)
				}
			case 3:
				value = lua.LNil
				v.rawSet(v.L, tb, k, value)
			case 4:
				value = lua.LNil
				v.store(tb, k, value)
			case 5:
				tb, k, value = copyByNext(t, v, tb), lua.LNil, lua.LNil
			}
			if delete(want, k); value != lua.LNil {
				want[k] = value
			}
		}
		got, walked := map[lua.LValue]lua.LValue{}, 0
		for k, x := range Pairs(tb) {
			got[k] = x
			walked++
		}
		if d := cmp.Diff(want, got); d != "" || walked != len(want) {
			t.Fatalf("%d entries (-want +got):\n%s", walked, d)
		}
		for k, x := range want {
			if found, from := index(tb, k); from != nil || found != x {
				t.Fatalf("index %v: %v", k, found)
			}
		}
	})
}

// copyByNext copies a table entry by entry and checks that next finds its way from keys it was not asked for last.
func copyByNext(t *rapid.T, v *VM, tb *lua.LTable) *lua.LTable {
	c := NewTable(0, 0)
	var k, value lua.LValue = lua.LNil, nil
	for n := 0; ; n++ {
		if rapid.Bool().Draw(t, "forget") {
			v.walk = walk{}
		}
		next, ok := v.nextKey(tb, k, &value)
		if !ok || n > 100 {
			t.Fatalf("next of %v: step %d, found %t", k, n, ok)
		}
		if k = next; k == lua.LNil {
			return c
		}
		v.store(c, k, value)
	}
}

func TestNumbersInPlace(t *testing.T) {
	v := New(Options{})
	defer v.Close()
	for src, want := range map[string]string{
		`local t = {} for i = 2000, 2003 do t[#t+1] = i end return table.concat(t, " ")`:                   "2000 2001 2002 2003",
		`local t = {} for i = 1, 3 do t[i] = function() i = i + 1 return i end end return t[1]() + t[3]()`: "6",
		`local s = "" for i = 3, 1, -1 do local j = i i = 9 s = s .. j end return s`:                       "321",
		`return 1 / (0 * -1)`:      "-inf",
		`return tostring(-0 + -0)`: "-0",
		`local ok, e = pcall(function() for i = 1, "x" do end end) return e`:                                                    "b:1: 'for' limit must be a number",
		`return 7 % 3 .. -7 % 3 .. 7 % -3 .. 5.5 % 2`:                                                                           "12-21.5",
		`local t = setmetatable({}, {__call = function(self, ...) return select("#", ...), ... end}) return (t(nil, nil))`:      "2",
		`local t = setmetatable({}, {__call = function(self, a) return a end}) local function f() return t("x") end return f()`: "x",
		`local t = setmetatable({}, {__call = print}) local ok, e = pcall(function() return (nil)() end) return e`:              "b:1: attempt to call a nil value",
	} {
		proto, err := v.LoadString(src, "=b")
		if err != nil {
			t.Fatal(err)
		}
		th := v.GetThread()
		if err := th.Run(proto, 0, 1); err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := v.Display(th.L, th.L.Get(-1)); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
		th.L.SetTop(0)
		v.PutThread(th)
	}
}
