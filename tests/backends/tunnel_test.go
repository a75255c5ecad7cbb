package backends

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// connect says CONNECT on a connection of its own and, if that is granted,
// sends text through the tunnel. It returns the status and all that came back.
func connect(t *testing.T, addr, target, text string) (status int, answer string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.WriteString(c, "CONNECT "+target+" HTTP/1.1\r\nHost: "+target+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(c)
	response, err := http.ReadResponse(in, &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return response.StatusCode, ""
	}
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

// TestTunnel has clients connect to what the configuration lets them.
func TestTunnel(t *testing.T) {
	t.Parallel()
	s := start(t, `Tunnels

since: 1.31.0
-- http.conf --
upstream two { server 127.0.0.1:8085 max_fails=0; server 127.0.0.1:8081 max_fails=0; }
log_format tunnel '$request_method $http_host [$upstream_addr] $status';
access_log logs/access.log tunnel;
server { listen 127.0.0.1:8080; tunnel_pass; }
server { listen 127.0.0.1:8082; tunnel_pass two; tunnel_next_upstream error; }
server { listen 127.0.0.1:8083; tunnel_pass 127.0.0.1:8085; }
server { listen 127.0.0.1:8084; deny all; tunnel_pass; }
server { listen 127.0.0.1:8086; location / { return 200; } }
server { listen 127.0.0.1:8081; location / { return 200 "$request_method $uri $http_x\n"; } }
`)
	const request = "GET /inside HTTP/1.0\r\nX: y\r\n\r\n"
	for _, test := range []struct {
		name, target string
		port, status int
	}{
		{"to where the client says", s.Addr(8081), 8080, 200},
		{"to a group", "some.test:443", 8082, 200},
		{"to nobody", s.Addr(8081), 8083, 502},
		{"denied", s.Addr(8081), 8084, 403},
		{"elsewhere", s.Addr(8081), 8086, 405},
	} {
		status, answer := connect(t, s.Addr(test.port), test.target, request)
		if status != test.status {
			t.Errorf("%s: %d, want %d", test.name, status, test.status)
		}
		if status == 200 && !strings.HasSuffix(answer, "\r\n\r\nGET /inside y\n") {
			t.Errorf("%s: %q", test.name, answer)
		}
	}
	if a := ask(t, "GET", "http://"+s.Addr(8080)+"/", nil); a.StatusCode != 405 {
		t.Errorf("without CONNECT: %d", a.StatusCode)
	}
	s.AwaitFile(t, "logs/access.log", `CONNECT some.test:443 \[`+s.Addr(8085)+`, `+s.Addr(8081)+`\] 200`)
}
