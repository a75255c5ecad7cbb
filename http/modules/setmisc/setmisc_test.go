package setmisc

import (
	"encoding/base64"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"moongate/core/buf"
	"moongate/http"
)

// newRequest is a request with nothing but memory.
func newRequest() *http.Request {
	r := &http.Request{}
	r.Pool = &buf.Arena{}
	return r
}

// apply runs a function of one value outside of a server.
func apply(t interface{ Fatal(...any) }, f http.SetFunc, value string) string {
	s, ok := f(newRequest(), []string{value})
	if !ok {
		t.Fatal("no value")
	}
	return s
}

func TestUnescapeURI(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "a+b": "a b", "%41%4a%4A": "AJJ", "%": "", "%4": "", "a%": "a", "%zz": "zz", "%4z": "", "%%41": "%41", "a%2fb%00": "a/b\x00",
	} {
		if got := apply(t, unescapeURI, in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestEscapeURIComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))
		escaped := apply(t, escapeURI, s)
		if back := apply(t, unescapeURI, escaped); back != s {
			t.Fatalf("%q was escaped as %q, which is %q", s, escaped, back)
		}
		if back, err := url.PathUnescape(escaped); err != nil || back != s {
			t.Fatalf("%q was escaped as %q, which others read as %q", s, escaped, back)
		}
	})
}

func TestQuotedIsOneLiteral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := string(rapid.SliceOf(rapid.Byte()).Draw(t, "value"))
		for quote, f := range map[byte]http.SetFunc{'\'': quoteSQL, '"': quoteJSON} {
			q := apply(t, f, s)
			if s == "" {
				continue
			}
			if q[0] != quote || q[len(q)-1] != quote {
				t.Fatalf("%q", q)
			}
			for i := 1; i < len(q)-1; i++ {
				switch q[i] {
				case '\\':
					i++
				case quote, '\n', '\r', 0:
					t.Fatalf("%q has a bare %q", q, q[i])
				}
			}
		}
		if q := apply(t, quotePgSQL, s); utf8.ValidString(s) && s != "" && q != "E"+apply(t, quoteSQL, s) {
			t.Fatalf("%q", q)
		}
	})
}

func TestDecode64(t *testing.T) {
	r := newRequest()
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "value")
		if s := apply(t, decodeBase64, base64.StdEncoding.EncodeToString(b)); s != string(b) {
			t.Fatalf("%q", s)
		}
		if s := apply(t, decodeBase64URL, base64.RawURLEncoding.EncodeToString(b)); s != string(b) {
			t.Fatalf("%q", s)
		}
	})
	for _, s := range []string{"YWJj\n", "YW\rJj", "Y", "YWJj!"} {
		if _, ok := decodeBase64(r, []string{s}); ok {
			t.Errorf("%q was decoded", s)
		}
	}
}

func TestPick(t *testing.T) {
	list := []string{"a", "b", "b", "c"}
	for key, want := range map[string]string{"": "a", "a": "b", "A": "b", "b": "b", "c": "c"} {
		if got := pick(list, key); got != want {
			t.Errorf("%q: %s, want %s", key, got, want)
		}
	}
	if pick(nil, "a") != "" || pick(list[:1], "x") != "a" {
		t.Error("lists without a choice")
	}
}

func TestNoAllocations(t *testing.T) {
	r := newRequest()
	values := []string{"some <value> with \"quotes\" and ümlauts%20+"}
	for name, f := range setVars {
		if strings.HasPrefix(name, "set_decode") || strings.HasSuffix(name, "base32") || strings.HasPrefix(name, "set_secure") {
			continue // these need a location, or other values
		}
		n := testing.AllocsPerRun(100, func() {
			f(r, values)
			r.Pool.Reset(1)
		})
		if n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func FuzzUnescapeURI(f *testing.F) {
	f.Add("a%2Fb+c%")
	r := newRequest()
	f.Fuzz(func(t *testing.T, s string) {
		if got, ok := unescapeURI(r, []string{s}); !ok || len(got) > len(s) {
			t.Errorf("%q", got)
		}
		r.Pool.Reset(1)
	})
}
