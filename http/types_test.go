package http

import (
	"testing"
)

var typesComplaints = []says{
	{`types { text/html html htm; text/x HTML; }`,
		`warn duplicate extension "html", content type: "text/x", previous content type: "text/html"`, ""},
	{`types { a a; } types { b a; }`, `warn duplicate extension "a", content type: "b", previous content type: "a"`, ""},
	{`types { a { } }`, `unexpected "{"`, ""},
	{`types { include a b; }`, `invalid number of arguments in "include" directive`, ""},
	{`some_types a/b A/B; some_types * c/d; some_types a/b;`, `warn duplicate MIME type "a/b"`, "with some_types"},
	{`some_types text/html;`, `warn duplicate MIME type "text/html"`, "with some_types"},
	{`types x { }`, `invalid number of arguments in "types" directive`, ""},
}

// TestContentType looks extensions up in the table of the location.
func TestContentType(t *testing.T) {
	m := mustLoad(t, `types { text/a a; } types { text/b B; } default_type x/y;
		server { listen 80; location /own { types { text/c c; } } location /none { types { } } location /same { default_type z/z; } }
		`)
	r := testRequest(t, m)
	for uri, want := range map[string]string{
		"/x.a": "text/a", "/x.A": "text/a", "/x.b": "text/b", "/x.c": "x/y", "/x": "x/y", "/.a": "x/y", "/x.": "x/y",
		"/own.c": "text/c", "/own.a": "x/y", "/none.a": "x/y", "/same.b": "text/b", "/same": "z/z",
	} {
		r.Out.ContentType = ""
		route(r, uri)
		r.SetContentType()
		if r.Out.ContentType != want {
			t.Errorf("%s: %q, want %q", uri, r.Out.ContentType, want)
		}
	}
	r.SetContentType()
	if def := testRequest(t, mustLoad(t, `server { listen 80; }`)).Core.Types.Lookup("HTML"); def != "text/html" {
		t.Errorf("default: %q", def)
	}
	if n := testing.AllocsPerRun(100, func() { r.Core.Types.Lookup("Html") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTypeSet is what gzip_types and its like do.
func TestTypeSet(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80;
		location /some { some_types text/Plain; some_types a/b text/html; location /some/inherited { } }
		location /all { some_types *; } }`))
	set := func(uri string) *TypeSet {
		route(r, uri)
		return testSlot.Of(r.Scope).types.V
	}
	def, some, inherited, all := set("/"), set("/some"), set("/some/inherited"), set("/all")
	for _, test := range []struct {
		set  *TypeSet
		typ  string
		want bool
	}{
		{def, "text/html", true}, {def, "text/css", true}, {def, "text/plain", false}, {def, "", false},
		{some, "text/html", true}, {some, "TEXT/plain", true}, {some, "a/b", true}, {some, "text/css", false},
		{some, "text/plain; charset=x", true}, {some, "text/plain; q=1", false}, {some, "text/plain;a=b; Charset=x", false},
		{all, "x/y", true}, {inherited, "a/b", true}, {inherited, "text/css", false},
	} {
		if test.set.Has(test.typ) != test.want {
			t.Errorf("%q: %v", test.typ, !test.want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { some.Has("Text/Html; charset=utf-8") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
