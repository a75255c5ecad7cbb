package http

import (
	"testing"

	"moongate/conf"
)

var typesComplaints = []says{
	{`types { text/html html htm; text/x HTML; }`,
		`warn duplicate extension "html", content type: "text/x", previous content type: "text/html"`, ""},
	{`types { a a; } types { b a; }`, `warn duplicate extension "a", content type: "b", previous content type: "a"`, ""},
	{`types { a { } }`, `unexpected "{"`, ""},
	{`types { include a b; }`, `invalid number of arguments in "include" directive`, ""},
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
	type c struct{ types conf.Opt[*TypeSet] }
	slot := &conf.Slot[c]{Level: conf.LevelLocation}
	mod := &conf.Module{Name: "t", Family: conf.HTTP, Slots: []conf.AnySlot{slot}, Directives: []conf.Directive{
		TypesDirective(slot, "some_types", conf.HTTPAny, func(c *c) *conf.Opt[*TypeSet] { return &c.types }, "text/html", "text/html", "text/css"),
	}}
	reg := conf.NewRegistry(mod)
	read := func(outer *conf.Scope, lines ...[]string) (*TypeSet, *conf.Scope) {
		sc := reg.NewScope(conf.HTTP, nil, conf.LevelLocation)
		for _, args := range lines {
			d := slot.Of(sc)
			if !d.types.Set {
				d.types.Put(&TypeSet{types: map[string]bool{"text/html": true}})
			}
			d.types.V.add(&conf.Conf{Args: args, Cycle: &conf.Cycle{Log: func(conf.LogLevel, string) {}}})
		}
		if err := reg.Merge(&conf.Conf{}, conf.LevelLocation, outer, sc); err != nil {
			t.Fatal(err)
		}
		return slot.Of(sc).types.V, sc
	}
	none := reg.NewScope(conf.HTTP, nil, conf.LevelLocation)
	def, _ := read(none)
	some, scope := read(none, []string{"text/Plain"}, []string{"a/b", "text/html"})
	all, _ := read(none, []string{"*"})
	inherited, _ := read(scope)
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
