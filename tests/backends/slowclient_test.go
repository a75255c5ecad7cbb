package backends

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// TestSlowClient: a backend is rid of its response although the client has read nothing of it yet, which goes to the
// temporary file, and the client gets it whole once it reads.
func TestSlowClient(t *testing.T) {
	t.Parallel()
	body := make([]byte, 24<<20) // more than the sockets between them hold
	for i := range body {
		body[i] = byte(i >> 10)
	}
	sent := make(chan error, 2)
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(len(body)))
		}
		_, err := w.Write(body)
		sent <- err
	}))
	t.Cleanup(backend.Close)
	s := start(t, `a slow client
-- http.conf --
server { listen 127.0.0.1:8080; location / { proxy_pass `+backend.URL+`; proxy_http_version 1.1; } }
`)
	for _, path := range []string{"/length", "/chunked"} {
		c, err := net.Dial("tcp", s.Addr(8080))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
		select {
		case err := <-sent:
			if err != nil {
				t.Fatalf("%s: the backend was cut off: %v", path, err)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: the backend has to wait for the client", path)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("%s: %d bytes of %d arrived, or others: %v", path, len(got), len(body), err)
		}
	}
}
