package headersmore

import (
	"testing"

	"moongate/http"
	"moongate/http/wire"
)

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		name, field string
		want        bool
	}{
		{"X-A", "x-a", true},
		{"X-A", "x-ab", false},
		{"X-*", "x-", true},
		{"X-*", "X-Anything", true},
		{"X-*", "X", false},
		{"X-A*", "X-B", false},
	} {
		f := &field{name: c.name, wildcard: c.name[len(c.name)-1] == '*'}
		if f.matches(c.field) != c.want {
			t.Errorf("%s and %s: %v", c.name, c.field, !c.want)
		}
	}
}

func TestCharsetOf(t *testing.T) {
	for value, want := range map[string]string{
		"text/html": "-", "": "-", "text/html; charset=utf-8": "utf-8", `a/b;Charset="koi8-r"`: "koi8-r", "a/b; x=y": "-",
		"a/b; x=y; charset=z": "z", "a/b; charset=": "", "a/b;": "-",
	} {
		got, ok := charsetOf(value)
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

func TestSetListed(t *testing.T) {
	names := func(o *http.HeadersOut) (s string) {
		for _, h := range o.List {
			if !h.Off {
				s += h.Name + "=" + h.Value + " "
			}
		}
		return s
	}
	for _, c := range []struct{ name, value, want string }{
		{"X-A", "new", "X-a=new X-B=2 Server=s "},
		{"X-A", "", "X-B=2 Server=s "},
		{"X-*", "", "Server=s "},
		{"X-*", "one", "X-a=one Server=s "},
		{"SERVER", "t", "X-a=1 X-B=2 x-A=3 SERVER=t "},
		{"New", "n", "X-a=1 X-B=2 x-A=3 Server=s New=n "},
		{"New", "", "X-a=1 X-B=2 x-A=3 Server=s "},
	} {
		var o http.HeadersOut
		for _, h := range [][2]string{{"X-a", "1"}, {"X-B", "2"}, {"x-A", "3"}, {"Server", "s"}} {
			o.Add(h[0], h[1])
		}
		f := &field{name: c.name, wildcard: c.name[len(c.name)-1] == '*', id: wire.LookupHeader(c.name)}
		f.setListed(&o, c.value)
		if got := names(&o); got != c.want {
			t.Errorf("%s: %q gives %s, want %s", c.name, c.value, got, c.want)
		}
	}
}
