package http

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moongate/core/process"
)

// TestParseURL reads addresses of all kinds.
func TestParseURL(t *testing.T) {
	listen := URLOptions{Listen: true, DefaultPort: 80}
	proxy := URLOptions{URIPart: true, DefaultPort: 80, NoResolve: true}
	type result struct {
		Host, URI, PortText string
		Port                uint16
		NoPort              bool
		Addrs               []string
		Err                 string
	}
	for _, test := range []struct {
		in   string
		o    URLOptions
		want result
	}{
		{"80", listen, result{Port: 80, PortText: "80", Addrs: []string{"0.0.0.0:80"}}},
		{"*:81", listen, result{Host: "*", Port: 81, PortText: "81", Addrs: []string{"0.0.0.0:81"}}},
		{"127.0.0.1", listen, result{Host: "127.0.0.1", Port: 80, NoPort: true, Addrs: []string{"127.0.0.1:80"}}},
		{"127.000.000.001:1", listen, result{Host: "127.000.000.001", Port: 1, PortText: "1", Addrs: []string{"127.0.0.1:1"}}},
		{"8000-8002", listen, result{Port: 8000, PortText: "8000-8002", Addrs: []string{"0.0.0.0:8000", "0.0.0.0:8001", "0.0.0.0:8002"}}},
		{"[::1]:65534-65535", listen, result{Host: "[::1]", Port: 65534, PortText: "65534-65535", Addrs: []string{"[::1]:65534", "[::1]:65535"}}},
		{"[::]", listen, result{Host: "[::]", Port: 80, NoPort: true, Addrs: []string{"[::]:80"}}},
		{"[::ffff:1.2.3.4]:80", listen, result{Host: "[::ffff:1.2.3.4]", Port: 80, PortText: "80", Addrs: []string{"[::ffff:1.2.3.4]:80"}}},
		{"UNIX:/run/x", listen, result{Host: "/run/x", Addrs: []string{"unix:/run/x"}}},
		{"unix:/run/x:y", listen, result{Host: "/run/x:y", Addrs: []string{"unix:/run/x:y"}}},
		{"unix:/run/x:/uri", proxy, result{Host: "/run/x", URI: "/uri", Addrs: []string{"unix:/run/x"}}},
		{"unix:", listen, result{Err: "no path in the unix domain socket"}},
		{"a.example/x:1?y", proxy, result{Host: "a.example", URI: "/x:1?y", Port: 80, NoPort: true}},
		{"a.example:8080?y/", proxy, result{Host: "a.example", URI: "?y/", Port: 8080, PortText: "8080"}},
		{"[::1]/x", proxy, result{Host: "[::1]", URI: "/x", Port: 80, NoPort: true, Addrs: []string{"[::1]:80"}}},
		{"8080", proxy, result{Host: "8080", Port: 80, NoPort: true}},
		{"a/b", listen, result{Err: "invalid host"}},
		{"[::1", listen, result{Err: "invalid host"}},
		{"[::1]x", listen, result{Err: "invalid host"}},
		{"[]", listen, result{Port: 80, NoPort: true, Err: "no host"}},
		{"[::1%lo]", listen, result{Host: "[::1%lo]", Port: 80, NoPort: true, Err: "invalid IPv6 address"}},
		{"[1.2.3.4]", listen, result{Host: "[1.2.3.4]", Port: 80, NoPort: true, Err: "invalid IPv6 address"}},
		{":80", listen, result{Port: 80, PortText: "80", Err: "no host"}},
		{"*:0", listen, result{PortText: "0", Err: "invalid port"}},
		{"*:", listen, result{Err: "invalid port"}},
		{"65536", listen, result{PortText: "65536", Err: "invalid port"}},
		{"81-80", listen, result{PortText: "81-80", Err: "invalid port range"}},
		{"80-65536", listen, result{PortText: "80-65536", Err: "invalid port"}},
	} {
		u, err := ParseURL(nil, test.in, test.o)
		got := result{Host: u.Host, URI: u.URI, PortText: u.PortText, Port: u.Port, NoPort: u.NoPort}
		for _, a := range u.Addrs {
			got.Addrs = append(got.Addrs, a.String())
		}
		if err != nil {
			got.Err = err.Error()
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q: %s", test.in, diff)
		}
	}
}

// FuzzParseURL wants neither panics nor unbounded lists of addresses.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"80", "[::]:1-2", "unix:/x:/y", "a:80/?", "*:65535"} {
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, s string, listen bool) {
		u, err := ParseURL(nil, s, URLOptions{Listen: listen, URIPart: !listen, NoResolve: true})
		if err == nil && len(u.Addrs) > 65535 {
			t.Errorf("%d addresses", len(u.Addrs))
		}
	})
}

var listenComplaints = []says{
	{`server { listen 8080 default_server; } server { listen *:8080 default; }`, `a duplicate default server for 0.0.0.0:8080`, ""},
	{`server { listen 8080; listen 0.0.0.0:8080; }`, `a duplicate listen 0.0.0.0:8080`, ""},
	{`server { listen 8080 backlog=1; } server { listen 8080 bind; }`, `duplicate listen options for 0.0.0.0:8080`, ""},
	{`server { listen 8080 x; }`, `invalid parameter "x"`, ""},
	{`server { listen 8080 setfib=1; }`, `invalid parameter "setfib=1"`, ""},
	{`server { listen 8080 bind=1; }`, `invalid parameter "bind=1"`, ""},
	{`server { listen 8080 backlog=0; }`, `invalid backlog "backlog=0"`, ""},
	{`server { listen 8080 rcvbuf=x; }`, `invalid rcvbuf "rcvbuf=x"`, ""},
	{`server { listen 8080 sndbuf=; }`, `invalid sndbuf "sndbuf="`, ""},
	{`server { listen 8080 fastopen=a; }`, `invalid fastopen "fastopen=a"`, ""},
	{`server { listen 8080 accept_filter=httpready; }`, `emerg accept filters "accept_filter=httpready" are not supported on this platform, ignored`, ""},
	{`server { listen [::1]:8080 ipv6only=only; }`, `invalid ipv6only flags "only"`, ""},
	{`server { listen [::1]:8080 ipv6only=x; }`, `invalid parameter "ipv6only=x"`, ""},
	{`server { listen 8080 so_keepalive=::; }`, `invalid so_keepalive value: "::"`, ""},
	{`server { listen 8080 so_keepalive=1x; }`, `invalid so_keepalive value: "1x"`, ""},
	{`server { listen 8080 so_keepalive=1m:2:3 deferred; }`, ``, ""},
	{`server { listen nowhere.invalid:80; }`, `host not found in "nowhere.invalid:80" of the "listen" directive`, ""},
	{`server { listen *:x; }`, `invalid port in "*:x" of the "listen" directive`, ""},
	{`server { listen 8081-8080; }`, `invalid port range in "8081-8080" of the "listen" directive`, ""},
	{`server { listen 8080/x; }`, `invalid host in "8080/x" of the "listen" directive`, ""},
	{`server { listen [8080]; }`, `invalid IPv6 address in "[8080]" of the "listen" directive`, ""},
	{`server { listen 8080 quic; }`, `the "quic" parameter requires ngx_http_v3_module`, "1.25"},
	{`server { listen 8080 http2; }`, `warn the "listen ... http2" directive is deprecated, use the "http2" directive instead`, "1.25.1"},
	{`server { listen 8080 proxy_protocol; } server { listen 8080; server_name a; } server { listen 8080; server_name b; }`, ``, "1.25"},
	{`server { listen 8080 proxy_protocol; } server { listen 8080; server_name a; } server { listen 8080 proxy_protocol; server_name b; }`, `warn protocol options redefined for 0.0.0.0:8080`, "1.25"},
	{`server { listen 8080 bind; } server { listen 8080 proxy_protocol; server_name a; }`, `warn protocol options redefined for 0.0.0.0:8080`, "1.25"},
	{`server { listen 8080; listen [::1]:8080; listen unix:/tmp/moongate.test; }`, ``, ""},
	{`server { listen 8080 reuseport; listen 127.0.0.1:8080; }`, ``, ""},
}

// TestSockets tells which sockets are opened and which addresses they serve.
func TestSockets(t *testing.T) {
	m := mustLoad(t, `
		server { listen 127.0.0.1:80; listen 127.0.0.2:80 bind; }
		server { listen 127.0.0.3:80; listen 80; listen [::1]:80; }
		server { listen 127.0.0.1:81; listen 127.0.0.2:81 so_keepalive=2m:: rcvbuf=8k fastopen=3; }
		server { listen unix:/a; listen unix:/b; }`)
	got := map[string][]string{}
	for _, p := range m.Ports() {
		for _, s := range p.Sockets {
			covered := []string{}
			for _, a := range s.others {
				covered = append(covered, a.Text())
			}
			got[s.Text()] = covered
		}
	}
	want := map[string][]string{
		"127.0.0.2:80": {}, "0.0.0.0:80": {"127.0.0.1:80", "127.0.0.3:80"}, "[::1]:80": {},
		"127.0.0.1:81": {}, "127.0.0.2:81": {}, "unix:/a": {}, "unix:/b": {},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var port80 *Port
	for _, p := range m.Ports() {
		if p.Number == 80 && p.Addrs[0].Text() == "127.0.0.2:80" {
			port80 = p
		}
	}
	wildcard := port80.Sockets[1]
	for local, want := range map[string]string{"127.0.0.3": "127.0.0.3:80", "127.0.0.2": "0.0.0.0:80", "10.0.0.1": "0.0.0.0:80"} {
		a := wildcard.Find(process.Addr{IP: netip.AddrPortFrom(netip.MustParseAddr(local), 80)})
		if a.Text() != want {
			t.Errorf("%s is served by %s, want %s", local, a.Text(), want)
		}
	}
}

// TestListenOptions sees parameters arrive at the socket, and none where
// another directive for the address brought them.
func TestListenOptions(t *testing.T) {
	m := mustLoad(t, `
		server { listen 81; server_name a; }
		server { listen 81 default_server ssl backlog=7 rcvbuf=8k sndbuf=1m fastopen=3 deferred reuseport so_keepalive=2m:3:4 multipath; server_name b; }`)
	a := m.Ports()[0].Addrs[0]
	want := process.Options{
		Backlog: 7, RcvBuf: 8 << 10, SndBuf: 1 << 20, Fastopen: 3, Deferred: true, Reuseport: true, IPv6Only: true,
		Keepalive: process.Keepalive{Mode: 1, Idle: 120, Interval: 3, Count: 4}, Protocol: 262,
	}
	if diff := cmp.Diff(want, a.Options); diff != "" {
		t.Error(diff)
	}
	if !a.SSL || !a.DefaultServer || a.Default.Name != "b" {
		t.Errorf("%+v", a)
	}
}

// TestManyServers bounds the time to read a large configuration.
func TestManyServers(t *testing.T) {
	if testing.Short() {
		t.Skip("slow")
	}
	start := time.Now()
	m := mustLoad(t, manyServers(10000))
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("10,000 servers took %v", d)
	}
	if n := len(m.Ports()[0].Addrs[0].Servers); n != 10000 {
		t.Errorf("%d servers", n)
	}
}
