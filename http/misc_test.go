package http

import (
	"testing"
	"time"
)

var miscComplaints = []says{
	{`aio x;`, `"aio" directive invalid value`, ""},
	{`aio threadsx;`, `"aio" directive invalid value`, ""},
	{`aio threads; aio off;`, `"aio" directive is duplicate`, ""},
	{`aio threads;`, ``, ""},
	{`directio x;`, `"directio" directive invalid value`, ""},
	{`directio 4g;`, ``, ""},
	{`disable_symlinks x;`, `invalid parameter "x"`, ""},
	{`disable_symlinks from=/;`, `"disable_symlinks" must have "off", "on" or "if_not_owner" parameter`, ""},
	{`disable_symlinks on off;`, `duplicate parameters "on off"`, ""},
	{`disable_symlinks off from=/;`, `"from=" cannot be used with "off" parameter`, ""},
	{`disable_symlinks if_not_owner from=$document_root;`, ``, ""},
	{`open_file_cache x;`, `invalid "open_file_cache" parameter "x"`, ""},
	{`open_file_cache max=0;`, `invalid "open_file_cache" parameter "max=0"`, ""},
	{`open_file_cache max=1 inactive=x;`, `invalid "open_file_cache" parameter "inactive=x"`, ""},
	{`open_file_cache inactive=1s;`, `"open_file_cache" must have the "max" parameter`, ""},
	{`open_file_cache off;`, ``, ""},
	{`resolver 127.0.0.1 valid=x;`, `invalid parameter: valid=x`, ""},
	{`resolver 127.0.0.1 ipv6=x;`, `invalid parameter: ipv6=x`, ""},
	{`resolver valid=1s;`, `no name servers defined`, ""},
	{`resolver nowhere.invalid;`, `host not found in resolver "nowhere.invalid"`, ""},
	{`resolver 127.0.0.1; resolver 127.0.0.2;`, `"resolver" directive is duplicate`, ""},
	{`resolver 127.0.0.1 [::1]:5353 valid=10s ipv6=off;`, ``, ""},
	{`error_log stderr nolevel;`, `invalid log level "nolevel"`, ""},
	{`client_body_temp_path a; client_body_temp_path b;`, `"client_body_temp_path" directive is duplicate`, ""},
	{`server { listen 8080; large_client_header_buffers 1 8; }`,
		`the "large_client_header_buffers" size must be equal to or greater than "connection_pool_size"`, ""},
	{`gzip_proxied off x;`, `invalid value "x"`, ""},
	{`gzip_http_version 2;`, `invalid value "2"`, ""},
	{`gzip_disable (;`, `pcre2_compile() failed: missing closing parenthesis in "("`, ""},
	{`gzip_disable msie6 x; gzip_disable y;`, ``, ""},
	{`early_hints $http_x 1; early_hints $http_y;`, ``, "1.29"},
}

// TestResolverArguments reaches the resolver's configuration, and locations
// inherit it.
func TestResolverArguments(t *testing.T) {
	m := mustLoad(t, `resolver 127.0.0.1 [::1]:5353 valid=10s ipv6=off; server { listen 80; }`)
	c := testRequest(t, m).Core.Resolver.V.Config
	if len(c.Servers) != 2 || c.Servers[0].String() != "127.0.0.1:53" || c.Servers[1].String() != "[::1]:5353" ||
		c.Valid != 10*time.Second || c.NoIPv4 || !c.NoIPv6 {
		t.Errorf("%+v", c)
	}
}

// TestPredicates knows what is true.
func TestPredicates(t *testing.T) {
	m := mustLoad(t, `server { listen 80; early_hints $arg_a $arg_b; }`)
	r := testRequest(t, m)
	p := r.Core.EarlyHints.V
	for args, want := range map[string][2]bool{
		"": {false, false}, "a=0": {false, false}, "a=1": {true, false}, "a=1&b=00": {true, true},
	} {
		r.Args = args
		for _, v := range m.vars.indexed {
			v.Forget(r)
		}
		if got := [2]bool{p.Any(r), p.All(r)}; got != want {
			t.Errorf("%q: %v", args, got)
		}
	}
	if none := Predicates(nil); none.Any(r) || !none.All(r) {
		t.Error("without predicates")
	}
}

// TestTempPath numbers files and puts them into subfolders.
func TestTempPath(t *testing.T) {
	m := mustLoad(t, `client_body_temp_path `+t.TempDir()+`/ 1 2; server { listen 80; }`)
	p := testRequest(t, m).Core.ClientBodyTempPath.V
	n := uint64(1234)
	p.next = func() uint64 { n++; return n - 1 }
	if err := mkdir(p.Name); err != nil {
		t.Fatal(err)
	}
	f, err := p.Create(TempClean)
	if err != nil || f.Name != p.Name+"/4/23/0000001234" {
		t.Fatalf("%+v, %v", f, err)
	}
	n = 1234
	g, err := p.Create(TempKept)
	if err != nil || g.Name != p.Name+"/5/23/0000001235" {
		t.Fatalf("%+v, %v", g, err)
	}
	h, err := p.Create(TempAnonymous)
	if err != nil || exists(h.Name) || !exists(f.Name) {
		t.Fatalf("%+v, %v", h, err)
	}
	h.Close()
	f.Close()
	f.Close()
	g.Close()
	if exists(f.Name) || !exists(g.Name) {
		t.Error("what is to be removed is removed")
	}
}
