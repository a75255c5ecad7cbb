package http

import (
	"fmt"
	"strings"
	"testing"
)

var serverNameComplaints = []says{
	{`server { server_name *; listen 8080; }`, `server name "*" is invalid`, ""},
	{`server { server_name *.; listen 8080; }`, `server name "*." is invalid`, ""},
	{`server { server_name *x.y; listen 8080; }`, `server name "*x.y" is invalid`, ""},
	{`server { server_name .; listen 8080; }`, `server name "." is invalid`, ""},
	{`server { server_name a/b; listen 8080; }`, `warn server name "a/b" has suspicious symbols`, ""},
	{`server { server_name ~; listen 8080; }`, `empty regex in server name "~"`, ""},
	{`server { listen 8080; server_name a..b; } server { listen 8080; }`, `invalid server name or wildcard "a..b" on 0.0.0.0:8080`, ""},
	{`server { listen 8080; server_name a.*.b; } server { listen 8080; }`, `invalid server name or wildcard "a.*.b" on 0.0.0.0:8080`, ""},
	{`server { listen 8080; server_name a b A; } server { listen 8080; server_name .b; }`,
		`warn conflicting server name "a" on 0.0.0.0:8080, ignored; warn conflicting server name ".b" on 0.0.0.0:8080, ignored`, ""},
	{`server { listen 8080; server_name *.b; } server { listen 8080; server_name .b; }`, `warn conflicting server name ".b" on 0.0.0.0:8080, ignored`, ""},
	{`server { listen 8080; } server { listen 8080; }`, `warn conflicting server name "" on 0.0.0.0:8080, ignored`, ""},
	{`server { listen 8080; server_name a a; }`, ``, ""},
}

// TestFindServer is nginx's order of names.
func TestFindServer(t *testing.T) {
	m := mustLoad(t, `
		server { listen 80; server_name exact.org; }
		server { listen 80; server_name *.org; }
		server { listen 80; server_name *.b.org; }
		server { listen 80; server_name .dot.org; }
		server { listen 80; server_name www.*; }
		server { listen 80; server_name www.b.*; }
		server { listen 80; server_name "~^(?<sub>.+)\.re\.(net|com)$"; }
		server { listen 80; server_name ~RE2; }
		server { listen 80; server_name ""; }
		server { listen 80 default_server; server_name default; }`)
	a := m.Ports()[0].Addrs[0]
	for host, want := range map[string]string{
		"exact.org": "exact.org", "x.org": "*.org", "x.y.org": "*.org", "org": "default",
		"b.org": "*.org", "x.b.org": "*.b.org", "x.y.b.org": "*.b.org",
		"dot.org": "dot.org", "x.dot.org": "dot.org", "xdot.org": "*.org",
		"www.com": "www.*", "www.a.b.com": "www.*", "www.b.com": "www.b.*", "www": "default", "wwww.com": "default",
		"www.b.x.org": "*.org", "a.re.net": `~^(?<sub>.+)\.re\.(net|com)$`, "re.net": "default", "xre2x": "~RE2",
		"": "", "default": "default", "none": "default", "..": "default", ".org": "*.org",
	} {
		s, _, err := a.Find(host)
		if err != nil || s.Name != want {
			t.Errorf("%q is %q's, want %q (%v)", host, s.Name, want, err)
		}
	}
}

// TestServerCaptures: the expression that decides sets $1 and its variables,
// even for a server alone.
func TestServerCaptures(t *testing.T) {
	m := mustLoad(t, `server { listen 80; server_name "~^(?<sub>\w+)\.(\w+)$"; root /www/$sub/$2; }`)
	r := testRequest(t, m)
	if !r.FindServer("a.b") {
		t.Fatal("no server")
	}
	if got := r.Core.Root.Eval(r); got != "/www/a/b" {
		t.Error(got)
	}
}

// manyServers is a configuration with that many servers.
func manyServers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "server { listen 80; server_name host%d.example.com *.host%d.example.com; location / { } }\n", i, i)
	}
	return b.String()
}

// TestFindServerAllocates: it does not.
func TestFindServerAllocates(t *testing.T) {
	a := mustLoad(t, manyServers(100)).Ports()[0].Addrs[0]
	if n := testing.AllocsPerRun(100, func() {
		a.Find("host7.example.com")
		a.Find("x.y.host7.example.com")
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkFindServer(b *testing.B) {
	a := mustLoad(b, manyServers(10000)).Ports()[0].Addrs[0]
	for _, host := range []string{"host777.example.com", "x.host777.example.com", "unknown.example.net", strings.Repeat("a.", 4000)} {
		b.Run(host[:min(len(host), 12)], func(b *testing.B) {
			for b.Loop() {
				a.Find(host)
			}
		})
	}
}
