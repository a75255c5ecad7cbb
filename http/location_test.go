package http

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moongate/http/wire"
)

var locationComplaints = []says{
	{`server { listen 8080; location / { } location / { } }`, `duplicate location "/"`, ""},
	{`server { listen 8080; location = /a { } location =/a { } }`, `duplicate location "/a"`, ""},
	{`server { listen 8080; location ^~ /a { } location /a { } }`, `duplicate location "/a"`, ""},
	{`server { listen 8080; location = /a { } location /a { } }`, ``, ""},
	{`server { listen 8080; location @a { } location @a { } }`, ``, ""},
	{`server { listen 8080; location ~ a { } location ~ a { } }`, ``, ""},
	{`server { listen 8080; location == /a { } }`, `invalid location modifier "=="`, ""},
	{`server { listen 8080; location = /a { location /a/b { } } }`, `location "/a/b" cannot be inside the exact location "/a"`, ""},
	{`server { listen 8080; location @a { location /b { } } }`, `location "/b" cannot be inside the named location "@a"`, ""},
	{`server { listen 8080; location /a { location @b { } } }`, `named location "@b" can be on the server level only`, ""},
	{`server { listen 8080; location /a/ { location /b { } } }`, `location "/b" is outside location "/a/"`, ""},
	{`server { listen 8080; location /a { location ~ b { location /c { } } } }`, `location "/c" is outside location "b"`, ""},
	{`server { listen 8080; location ~ ( { } }`,
		`pcre2_compile() failed: missing closing parenthesis in "("`, ""},
	{`server { listen 8080; location / { limit_except GET { } limit_except GET { } } }`, `"limit_except" directive is duplicate`, ""},
	{`server { listen 8080; location / { limit_except TRACE { } } }`, `invalid method "TRACE"`, ""},
	{`server { listen 8080; location / { limit_except get post { } } }`, ``, ""},
	{`server { listen 8080; location / { internal; internal; } }`, `"internal" directive is duplicate`, ""},
	{`server { listen 8080; location /a /b /c { } }`, `invalid number of arguments in "location" directive`, ""},
	{`location / { }`, `"location" directive is not allowed here`, ""},
	{`server { listen 8080; internal; }`, `"internal" directive is not allowed here`, ""},
}

// route returns how and where a URI is routed: "STATUS name" when there is a
// status, otherwise the name of the location.
func route(r *Request, uri string) string {
	r.SetURI(uri)
	r.ValidLocation = true
	r.Content = nil
	r.SetScope(r.Server.scope)
	v := r.findLocation()
	name := r.Core.Name
	if r.Core.Exact {
		name = "=" + name
	}
	if v != OK {
		return strings.TrimSpace(fmt.Sprintf("%d %s", v, name))
	}
	return name
}

// TestRoute is nginx's order of locations.
func TestRoute(t *testing.T) {
	m := mustLoad(t, `server { listen 80;
		location = / { }
		location /a { }
		location = /a { }
		location /a/b/ { location /a/b/c { location ~ inner$ { } } location ~ \.php$ { } location = /a/b/exact { } }
		location ^~ /static/ { location ~ \.php$ { } }
		location ^~ /plain/ { }
		location ~ ^/re/(?<id>\d+) { location ~ 2$ { } }
		location ~* \.GIF$ { }
		location ~ \.gif2?$ { }
		location /dir/ { handle; }
		location = /exact/ { handle; }
		location /hidden { internal; }
		location /dir2/ { }
		location /dir! { }
		location @named { }
	}`)
	r := testRequest(t, m)
	for uri, want := range map[string]string{
		"/": "=/", "/x": "", "/a": "=/a", "/ab": "/a", "/a/x": "/a", "/a/b": "/a", "/a/b/": "/a/b/", "/a/b/x": "/a/b/",
		"/a/b/c": "/a/b/c", "/a/b/cinner": "inner$", "/a/b/c.php": `\.php$`, "/a/b/exact": "=/a/b/exact", "/a/b/x.gif": `\.GIF$`,
		"/static/x.php": `\.php$`, "/static/x.gif": "/static/", "/plain/x.gif": "/plain/",
		"/re/12": "2$", "/re/1": `^/re/(?<id>\d+)`, "/x.gif": `\.GIF$`, "/x.gif2": `\.gif2?$`, "/x.GIF": `\.GIF$`,
		"/dir": "301 /dir/", "/dir/": "/dir/", "/dirx": "", "/exact": "301 =/exact/", "/exact/": "=/exact/", "/exact/x": "",
		"/dir2": "", "/hidden": "404 /hidden", "/dir!": "/dir!", "@named": "",
	} {
		if got := route(r, uri); got != want {
			t.Errorf("%q: %q, want %q", uri, got, want)
		}
	}
	route(r, "/re/77")
	if v, _ := r.Lookup("id"); v.S != "77" || r.Capture(1).S != "77" {
		t.Errorf("captures: %q", v.S)
	}
}

// TestRouteArgs: the redirect keeps the arguments and escapes the name.
func TestRouteArgs(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80; location "/a b/" { handle; } }`))
	r.Args = "x=1"
	if got := route(r, "/a b"); got != "301 /a b/" {
		t.Fatal(got)
	}
	if v, _ := r.Out.Get("Location"); v != "/a%20b/?x=1" {
		t.Error(v)
	}
}

// TestLimitExcept: other methods get the block's configuration.
func TestLimitExcept(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80; location / { limit_except GET { } } }`))
	for method, limited := range map[Method]bool{wire.GET: false, wire.HEAD: false, wire.POST: true, 0: true} {
		r.Method = method
		route(r, "/x")
		if r.Core.NoName != limited {
			t.Errorf("method %v: limited %v", method, r.Core.NoName)
		}
	}
}

// TestBodyTooLarge checks what the request announces.
func TestBodyTooLarge(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80; client_max_body_size 10; location /any { client_max_body_size 0; } }`))
	r.BodyDiscarded = false
	r.Body = &Body{} // nothing to discard
	r.In.ContentLength = 11
	if got := route(r, "/x"); got != "413" {
		t.Error(got)
	}
	if got := route(r, "/any"); got != "/any" {
		t.Error(got)
	}
	r.In.ContentLength = 10
	if got := route(r, "/x"); got != "" {
		t.Error(got)
	}
}

// TestKeepAlive tells which requests are their connection's last.
func TestKeepAlive(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80; keepalive_requests 3;
		location /off { keepalive_timeout 0; }
		location /msie { keepalive_disable msie6; }
		location /safari { keepalive_disable safari; }
		location /time { keepalive_time 1s; } }`))
	for _, test := range []struct {
		uri  string
		set  func()
		want bool
	}{
		{"/", func() {}, true},
		{"/", func() { r.Conn.Requests = 3 }, false},
		{"/off", func() {}, false},
		{"/msie", func() { r.In.MSIE6, r.Method = true, wire.POST }, false},
		{"/msie", func() { r.In.MSIE6 = true }, true},
		{"/safari", func() { r.In.Safari = true }, false},
		{"/msie", func() { r.In.Safari = true }, true},
		{"/time", func() { r.Conn.Start = r.Loop().NowMsec() - 2*time.Second.Milliseconds() }, false},
	} {
		r.KeepAlive, r.Conn.Requests, r.Method, r.Conn.Start = true, 1, wire.GET, r.Loop().NowMsec()
		r.In.MSIE6, r.In.Safari = false, false
		test.set()
		if route(r, test.uri); r.KeepAlive != test.want {
			t.Errorf("%s: %v", test.uri, r.KeepAlive)
		}
	}
}

// TestNamedLocation: it exists, does not, or was entered too often.
func TestNamedLocation(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80; location @a { } location /b { } }`))
	route(r, "/b")
	if v := r.NamedLocation("@a"); v != Redirected || r.Core.Name != "@a" || !r.Internal {
		t.Errorf("%v in %q", v, r.Core.Name)
	}
	if v := r.NamedLocation("@b"); v != StatusInternalServerError {
		t.Errorf("@b: %v", v)
	}
	n := 0
	for r.NamedLocation("@a") == Redirected {
		n++
	}
	if n != maxURIChanges-2 {
		t.Errorf("%d changes", n)
	}
}

// TestIfScope: an "if" inherits from its location, and is no location itself.
func TestIfScope(t *testing.T) {
	m := mustLoad(t, `server { listen 80; if x { } location /a { root /r; if x { limit_rate 5; } } }`)
	r := testRequest(t, m)
	if got := route(r, "/a/b"); got != "/a" {
		t.Fatal(got)
	}
	sc := r.Core.locations.children[0].loc.scope
	r.EnterScope(sc)
	if !r.Core.NoName || r.Core.Root.Text != "/r" || r.Core.Name != "/a" || r.Core.LimitRate.V.Text != "5" {
		t.Errorf("%+v", r.Core)
	}
}

// TestPrefixTree compares the tree with trying every name.
func TestPrefixTree(t *testing.T) {
	name := rapid.StringMatching(`/[ab/]{0,5}`)
	rapid.Check(t, func(t *rapid.T) {
		root := &prefixNode{}
		var all []*LocConf
		for range rapid.IntRange(0, 12).Draw(t, "locations") {
			l := &LocConf{Name: name.Draw(t, "name"), Exact: rapid.Bool().Draw(t, "exact")}
			l.AutoRedirect = strings.HasSuffix(l.Name, "/") && rapid.Bool().Draw(t, "redirect")
			if root.insert(l.Name, l) {
				all = append(all, l)
			}
		}
		uri := name.Draw(t, "uri")
		got, how := root.find(uri)
		if want, wantHow := slowLocation(all, uri); got != want || how != wantHow {
			t.Fatalf("%q: %+v %v, want %+v %v", uri, got, how, want, wantHow)
		}
	})
}

// slowLocation is what the documentation of location says.
func slowLocation(all []*LocConf, uri string) (best *LocConf, how matched) {
	for _, l := range all {
		if !l.Exact && strings.HasPrefix(uri, l.Name) && (best == nil || len(l.Name) > len(best.Name)) {
			best, how = l, matchPrefix
		}
	}
	auto := false
	for _, l := range all {
		if l.Exact && l.Name == uri {
			return l, matchExact
		}
		auto = auto || l.Name == uri+"/" && l.AutoRedirect
	}
	if best != nil && best.Name == uri || !auto {
		return best, how
	}
	for _, l := range all {
		if l.Name == uri+"/" && (l.Exact || how != matchRedirect) {
			best, how = l, matchRedirect
		}
	}
	return best, how
}

// manyLocations is a server with that many locations.
func manyLocations(n int) string {
	var b strings.Builder
	b.WriteString("server { listen 80;\n")
	for i := range n {
		fmt.Fprintf(&b, "location /path%d/of/many { }\n", i)
	}
	b.WriteString("}\n")
	return b.String()
}

// TestRouteAllocates: it does not, with regular expressions neither.
func TestRouteAllocates(t *testing.T) {
	m := mustLoad(t, `server { listen 80; location /a/ { location /a/b { } } location ~ ^/r/(.*) { } }`)
	r := testRequest(t, m)
	for _, uri := range []string{"/a/b/c", "/r/x"} {
		r.URI = uri
		if n := testing.AllocsPerRun(100, func() {
			r.SetScope(r.Server.scope)
			r.findLocation()
		}); n != 0 {
			t.Errorf("%s: %v allocations", uri, n)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	for _, n := range []int{1, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := testRequest(b, mustLoad(b, manyLocations(n)))
			r.URI = fmt.Sprintf("/path%d/of/many/files", n-1)
			for b.Loop() {
				r.SetScope(r.Server.scope)
				r.findLocation()
			}
		})
	}
}
