package geo_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moongate/http/httptest"
	"moongate/http/modules/geo"
	"moongate/http/modules/rewrite"
)

const server = `server { listen 80; location / { set $got $value; return 204; } }`

// TestRanges compares ranges with looking at every one of them.
func TestRanges(t *testing.T) {
	type interval struct{ start, end uint32 }
	addr := func(n uint32) string {
		var ip [4]byte
		binary.BigEndian.PutUint32(ip[:], n)
		return netip.AddrFrom4(ip).String()
	}
	rapid.Check(t, func(rt *rapid.T) {
		// Ranges in rising order, across the bounds of the upper half.
		var text strings.Builder
		var all []interval
		at := uint32(0x0a00fff0)
		for i := range rapid.IntRange(0, 8).Draw(rt, "ranges") {
			at += uint32(rapid.IntRange(1, 8).Draw(rt, "gap"))
			end := at + uint32(rapid.SampledFrom([]int{0, 1, 7, 0x1000a, 0x20000}).Draw(rt, "size"))
			all = append(all, interval{at, end})
			fmt.Fprintf(&text, "%s-%s %d;\n", addr(at), addr(end), i)
			at = end
		}
		site := httptest.New(t, "geo $arg_a $value { ranges; default none;\n"+text.String()+"}\n"+server, geo.Module, rewrite.Module)
		n, want := uint32(rapid.IntRange(0x0a00ffe0, 0x0a100000).Draw(rt, "address")), "none"
		if len(all) > 0 && rapid.Bool().Draw(rt, "edge") {
			n = rapid.SampledFrom(all).Draw(rt, "range").end + uint32(rapid.IntRange(0, 1).Draw(rt, "next"))
		}
		for i, r := range all {
			if n >= r.start && n <= r.end {
				want = fmt.Sprint(i)
			}
		}
		if got := site.Value("got", "/?a="+addr(n)); got != want {
			rt.Fatalf("%s: %q, want %q\n%s", addr(n), got, want, text.String())
		}
	})
}

func TestAllocations(t *testing.T) {
	for _, block := range []string{
		"geo $value { default none; 127.0.0.0/8 loop; 10.0.0.0/8 ten; }",
		"geo $value { ranges; default none; 127.0.0.0-127.255.255.255 loop; }",
		"geo $value { proxy 127.0.0.1; proxy_recursive; default none; 10.0.0.0/8 loop; }",
	} {
		site := httptest.New(t, block+server, geo.Module, rewrite.Module)
		forwarded := "X-Forwarded-For: 10.0.0.1, 127.0.0.1"
		if got := site.Value("got", "/", forwarded); got != "loop" {
			t.Errorf("%s: %q", block, got)
		}
		bare := testing.AllocsPerRun(100, func() { site.Get("/none", forwarded).Free() })
		if n := testing.AllocsPerRun(100, func() { site.Status(site.Get("/", forwarded)) }); n > bare {
			t.Errorf("%s: %v allocations", block, n-bare)
		}
	}
}
