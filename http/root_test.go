package http

import "testing"

var rootComplaints = []says{
	{`root a; root b;`, `"root" directive is duplicate`, ""},
	{`server { listen 8080; location / { alias /a; alias /b; } }`, `"alias" directive is duplicate`, ""},
	{`server { listen 8080; location / { root /a; alias /b; } }`, `"alias" directive is duplicate, "root" directive was specified earlier`, ""},
	{`server { listen 8080; location / { alias /a; root /b; } }`, `"root" directive is duplicate, "alias" directive was specified earlier`, ""},
	{`server { listen 8080; location @a { alias /a; } }`, `the "alias" directive cannot be used inside the named location`, ""},
	{`root /a$document_root;`, `the $document_root variable cannot be used in the "root" directive`, ""},
	{`server { listen 8080; location / { alias ${realpath_root}; } }`, `the $realpath_root variable cannot be used in the "alias" directive`, ""},
	{`server { listen 8080; alias /a; }`, `"alias" directive is not allowed here`, ""},
}

// TestMapPath is the file for a URI.
func TestMapPath(t *testing.T) {
	m := mustLoad(t, `server { listen 80;
		location /root/ { root /data/; }
		location /rel/ { root data; }
		location /var/ { root /data/$request_method/; }
		location /relvar/ { root $request_method; }
		location /alias/ { alias /data/; }
		location /aliasvar/ { alias /data/$request_method/; }
		location = /exact { alias /data/file; }
		location ~ ^/re/(.*)$ { alias /data/$1; }
		location /outer/ { alias /data/; location /outer/inner/ { } }
		location /none { root ""; }
	}`)
	r := testRequest(t, m)
	r.MethodName = "GET"
	for uri, want := range map[string]string{
		"/":              "/prefix/html/",
		"/root/x":        "/data/root/x",
		"/rel/x":         "/prefix/data/rel/x",
		"/var/x":         "/data/GET/var/x",
		"/relvar/x":      "/prefix/GET/relvar/x",
		"/alias/x":       "/data/x",
		"/aliasvar/x":    "/data/GET/x",
		"/exact":         "/data/file",
		"/re/x/y":        "/data/x/y",
		"/outer/inner/x": "/data/inner/x",
		"/none":          "/prefix//none",
	} {
		route(r, uri)
		if got, ok := r.MapPath(); !ok || got != want {
			t.Errorf("%s: %q, want %q", uri, got, want)
		}
	}
	route(r, "/re/a")
	r.AddURIToAlias = true
	if path, root, _ := r.MapPathRoot(); path != "/data/a/re/a" || root != len("/data/a") {
		t.Errorf("%q, root %d", path, root)
	}
	r.ValidLocation = false
	if _, ok := r.MapPath(); ok {
		t.Error("an alias applies to a rewritten URI")
	}
}

// TestMapPathAllocates: it does not.
func TestMapPathAllocates(t *testing.T) {
	r := testRequest(t, mustLoad(t, `server { listen 80; root /data; }`))
	if n := testing.AllocsPerRun(100, func() {
		r.Pool.Reset(1)
		r.MapPath()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
