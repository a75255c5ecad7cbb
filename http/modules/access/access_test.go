package access_test

import (
	"testing"

	"moongate/http/httptest"
	"moongate/http/modules/access"
	"moongate/http/modules/rewrite"
)

func TestAddresses(t *testing.T) {
	site := httptest.New(t, `server { listen 80;
		location / { allow 10.0.0.0/8; deny 2001:db8::/32; allow ::1; deny 127.0.0.1; }
		location /all { deny all; }
	}`, access.Module, rewrite.Module)
	for _, c := range []struct {
		from, uri string
		want      int
	}{
		{"10.1.2.3:1", "/x", 404},
		{"[::ffff:10.1.2.3]:1", "/x", 404},
		{"127.0.0.1:1", "/x", 403},
		{"[2001:db8::1]:1", "/x", 403},
		{"[::1]:1", "/x", 404},
		{"8.8.8.8:1", "/x", 404},
		{"8.8.8.8:1", "/all", 403},
		{"[::1]:1", "/all", 403},
	} {
		site.From(c.from)
		if got := site.Status(site.Get(c.uri)); got != c.want {
			t.Errorf("%s %s: %d, want %d", c.from, c.uri, got, c.want)
		}
	}
}

func TestAllocations(t *testing.T) {
	site := httptest.New(t, `server { listen 80; location / { allow 10.0.0.0/8; allow ::1; allow 127.0.0.1; deny all; } }`, access.Module)
	if n := testing.AllocsPerRun(100, func() { site.Status(site.Get("/x")) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
