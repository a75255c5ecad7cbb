package backends

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestLateGarbage: what comes on an idle connection ends it.
func TestLateGarbage(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := start(t, fmt.Sprintf(`Late garbage.

-- http.conf --
upstream peer { server %s max_fails=0; keepalive 1; }
server {
	listen 127.0.0.1:8080;
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	location / { proxy_pass http://peer; }
}
`, l.Addr()))
	answered := make(chan string, 1)
	for range 2 {
		go func() { answered <- exchange(t, s.Addr(8080), "GET", "/") }()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, ok+"Content-Length: 4\r\n\r\nfine")
		if got := <-answered; !strings.HasSuffix(got, "\r\n\r\nfine") {
			t.Errorf("the client got %q", got)
		}
		fmt.Fprint(c, evil)
		if n, err := c.Read(make([]byte, 1)); n != 0 || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("the connection goes on: %d bytes, %v", n, err)
		}
	}
}

// exchange sends a request and reads until the server closes.
func exchange(t *testing.T, addr, method, path string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", method, path); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(c)
	if err != nil {
		t.Errorf("after %q: %v", b, err)
	}
	return string(b)
}
