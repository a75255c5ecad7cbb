package lib

import (
	"testing"

	"pgregory.net/rapid"

	lua "github.com/yuin/gopher-lua"
)

// TestChashHistory checks that a ring is what its weights make it, however they came about.
func TestChashHistory(t *testing.T) {
	v := newVM(t)
	run(t, v, `
		ring = require "resty.chash":new{ a = 1 }
		weights = { a = 1 }
		function same()
			local other = require "resty.chash":new(weights)
			for i = 0, 50 do
				if ring:find("key" .. i) ~= other:find("key" .. i) then return "other at " .. i end
			end
		end`)
	rapid.Check(t, func(rt *rapid.T) {
		id := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(rt, "id")
		weight := rapid.IntRange(0, 4).Draw(rt, "weight")
		v.Globals().RawSetString("id", lua.LString(id))
		v.Globals().RawSetString("weight", lua.LNumber(weight))
		if got := run(t, v, `
			ring:set(id, weight)
			weights[id] = weight > 0 and weight or nil
			return tostring(next(weights) == nil or same())`); got != "nil" && got != "true" {
			rt.Fatal(got)
		}
	})
}

func BenchmarkChashFind(b *testing.B) {
	v := newVM(b)
	v.Globals().RawSetString("n", lua.LNumber(b.N))
	b.ReportAllocs()
	run(b, v, `
		local ring = require "resty.chash":new{ a = 5, b = 5, c = 5 }
		for i = 1, n do ring:find("some key") end`)
}
