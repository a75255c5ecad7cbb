package mapvar_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moongate/http/httptest"
	"moongate/http/modules/mapvar"
	"moongate/http/modules/rewrite"
)

const server = `server { listen 80; location / { set $got $value; return 204; } }`

func TestAllocations(t *testing.T) {
	site := httptest.New(t, `
		map $arg_a $value {
			hostnames;
			default none;
			example.com exact;
			*.example.org wild;
			~^re(?<rest>.*)$ regex-$rest;
		}`+server, mapvar.Module, rewrite.Module)
	for arg, want := range map[string]string{
		"EXAMPLE.com": "exact", "www.example.org": "wild", "rest": "regex-st", "other": "none",
	} {
		if got := site.Value("got", "/?a="+arg); got != want {
			t.Errorf("%s: %q, want %q", arg, got, want)
		}
		if n := testing.AllocsPerRun(100, func() { site.Status(site.Get("/?a=" + arg)) }); n > 1 { // the target
			t.Errorf("%s: %v allocations", arg, n)
		}
	}
}

// TestManyKeys: a hundred thousand keys are read in less than a second, and
// found at once.
func TestManyKeys(t *testing.T) {
	const keys = 100_000
	var text strings.Builder
	text.WriteString("map $arg_a $value {\n")
	for i := range keys {
		fmt.Fprintf(&text, "key%d value%d;\n", i, i%10)
	}
	text.WriteString("}\n" + server)
	start := time.Now()
	site := httptest.New(t, text.String(), mapvar.Module, rewrite.Module)
	// A third of a second where nothing else runs; the bound leaves room for the race detector on a busy machine.
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("read in %s", d)
	}
	if got := site.Value("got", "/?a=key99999"); got != "value9" {
		t.Error(got)
	}
}

func BenchmarkMap(b *testing.B) {
	var text strings.Builder
	text.WriteString("map $arg_a $value {\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "key%d value;\n", i)
	}
	site := httptest.New(b, text.String()+"}\n"+server, mapvar.Module, rewrite.Module)
	b.ReportAllocs()
	for b.Loop() {
		site.Status(site.Get("/?a=key5000"))
	}
}
