package referer_test

import (
	"strings"
	"testing"

	"moongate/http/httptest"
	"moongate/http/modules/referer"
	"moongate/http/modules/rewrite"
)

func TestAllocations(t *testing.T) {
	site := httptest.New(t, `server { listen 80;
		valid_referers blocked example.com *.example.org path.com/sub/ ~\.google\.;
		location / { set $got $invalid_referer; return 204; }
	}`, referer.Module, rewrite.Module)
	for value, want := range map[string]string{
		"http://EXAMPLE.com:80/":                     "",
		"https://www.example.org/x":                  "",
		"http://path.com/sub/x":                      "",
		"http://path.com/":                           "1",
		"http://www.google.com/":                     "",
		"secret":                                     "",
		"http://other.com/":                          "1",
		"http://" + strings.Repeat("a.", 4096) + "b": "1",
	} {
		field := "Referer: " + value
		if got := site.Value("got", "/", field); got != want {
			t.Errorf("%s: %q, want %q", value, got, want)
		}
		bare := testing.AllocsPerRun(100, func() { site.Get("/", field).Free() })
		if n := testing.AllocsPerRun(100, func() { site.Status(site.Get("/", field)) }); n > bare {
			t.Errorf("%s: %v allocations", value, n-bare)
		}
	}
}
