package h2

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"moongate/http/wire/http2"
)

// TestProxyHeaderAlone: which protocol a connection speaks shows only behind
// the PROXY protocol header, which may come alone. A request to the same worker
// is answered when it has seen that header.
func TestProxyHeaderAlone(t *testing.T) {
	t.Parallel()
	s := start(t, `HTTP/2 behind a PROXY protocol header
-- http.conf --
server {
    listen 127.0.0.1:8080 proxy_protocol;
    http2 on;
    location / { return 200 $proxy_protocol_addr; }
}
server { listen 127.0.0.1:8081; return 200; }
`)
	conn, err := net.DialTimeout("tcp", s.Addr(8080), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, "PROXY TCP4 192.0.2.1 192.0.2.2 1234 5678\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get("http://" + s.Addr(8081))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	c := newClient(conn)
	c.send([]byte(http2.Preface), frame(http2.FrameSettings, 0, 0), c.get(1, "/"))
	if f := c.await(t, http2.FrameData, 1); string(f.Payload) != "192.0.2.1" {
		t.Errorf("the client's address is %q", f.Payload)
	}
}
