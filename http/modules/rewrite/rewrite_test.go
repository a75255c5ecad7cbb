package rewrite_test

import (
	"testing"

	"moongate/http"
	"moongate/http/httptest"
	"moongate/http/modules/rewrite"
)

// TestScript runs what the specifications cannot see from outside: statements
// of other modules among its own.
func TestScript(t *testing.T) {
	site := httptest.New(t, `server { listen 80;
		location /verdict { set $a 1; set $b 2; return 201; }
		location /end { if ($arg_x) { return 403; } set $a 3; break; set $a 4; }
	}`, rewrite.Module)
	if got := site.Status(site.Get("/verdict")); got != 201 {
		t.Errorf("status %d", got)
	}
	if got := site.Value("a", "/end"); got != "3" {
		t.Errorf("$a is %q", got)
	}
}

// TestAllocations: scripts allocate nothing.
func TestAllocations(t *testing.T) {
	site := httptest.New(t, `server { listen 80;
		set $server 1;
		rewrite ^/old/(.*)$ /new/$1?from=$1;
		location /new/ {
			if ($arg_from = "") { return 404; }
			if ($uri ~ ^/new/(\w+)) { set $first $1; }
			set $text "$first-$server-$args";
			rewrite ^/new/(.*)$ /last/$1 last;
		}
		location /last/ { return 204; }
	}`, rewrite.Module)
	run := func() {
		r := site.Get("/old/page")
		r.Run()
		if r.Out.Status != int(http.StatusNoContent) {
			t.Fatalf("status %d", r.Out.Status)
		}
		r.Free()
	}
	run()
	if n := testing.AllocsPerRun(100, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
