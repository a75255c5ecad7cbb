package backends

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// badPeer is a peer that answers a request with the bytes that say gives for its
// path. A connection goes on after them unless last is set.
type badPeer struct {
	net.Listener
	say func(path string) (bytes string, last bool)

	mu sync.Mutex
	// on is the number of the connection that a path was last asked for on.
	on map[string]int
}

// newBadPeer starts a peer that ends with the test.
func newBadPeer(t *testing.T, say func(path string) (string, bool)) *badPeer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &badPeer{Listener: l, say: say, on: make(map[string]int)}
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c, n)
		}
	}()
	return p
}

// conn is the number of the connection that a path was last asked for on.
func (p *badPeer) conn(path string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.on[path]
}

func (p *badPeer) serve(c net.Conn, n int) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.on[r.URL.Path] = n
		p.mu.Unlock()
		bytes, last := p.say(r.URL.Path)
		if _, err := c.Write([]byte(bytes)); err != nil || last {
			return
		}
	}
}

// A response that breaks off is not kept in the cache, and neither is the failure.
func TestCacheAfterBrokenResponse(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	p := newBadPeer(t, func(string) (string, bool) {
		if asked.Add(1) == 1 {
			return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", true
		}
		return "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole", false
	})
	for _, method := range []string{"GET", "HEAD"} {
		asked.Store(0)
		s := start(t, fmt.Sprintf(`A broken response is not kept.
-- http.conf --
proxy_cache_path cache keys_zone=a:1m;
server {
	listen 127.0.0.1:8080;
	proxy_cache a;
	proxy_cache_valid any 1m;
	location / { proxy_pass http://%s; }
}
`, p.Addr()))
		if r, err := http.DefaultClient.Do(mustRequest(t, method, "http://"+s.Addr(8080)+"/")); err == nil {
			r.Body.Close()
		}
		s.Await(t, `\[error\] .* upstream prematurely closed connection while reading upstream`)
		r := ask(t, "GET", "http://"+s.Addr(8080)+"/", nil)
		if r.StatusCode != 200 || strings.TrimSpace(r.body) != "whole" {
			t.Errorf("after a broken response to %s: %s %q", method, r.Status, r.body)
		}
	}
}

func mustRequest(t *testing.T, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
