package backends

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// badPeer is a peer that answers each request with the bytes that say gives for
// the name in it; $path in them is the path asked for.
type badPeer struct {
	net.Listener
	// read reads a request and returns a text that has its path; with an error, for
	// the last on a connection.
	read func(in *bufio.Reader) (string, error)
	say  func(name string) (bytes string, then ending, slow bool)

	mu sync.Mutex
	// on is the number of the connection that a name was last asked for on.
	on map[string]int
}

// newPeer starts a peer that ends with the test.
func newPeer(t *testing.T, read func(in *bufio.Reader) (string, error), say func(string) (string, ending, bool)) *badPeer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := &badPeer{Listener: l, read: read, say: say, on: make(map[string]int)}
	go func() {
		for n := 1; ; n++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c.(*net.TCPConn), n)
		}
	}()
	return p
}

// conn is the number of the connection that a name was last asked for on.
func (p *badPeer) conn(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.on[name]
}

// oddPath is the path of a request, with the name of what it asks for.
var oddPath = regexp.MustCompile(`[/a-z0-9-]*/odd/([^/]+)/`)

func (p *badPeer) serve(c *net.TCPConn, n int) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		text, err := p.read(in)
		if err != nil && text == "" {
			return
		}
		path, name := "", ""
		if m := oddPath.FindStringSubmatch(text); m != nil {
			path, name = m[0], m[1]
		}
		p.mu.Lock()
		p.on[name] = n
		p.mu.Unlock()
		bytes, then, slow := p.say(name)
		bytes = strings.ReplaceAll(bytes, "$path", path)
		step := len(bytes)
		if slow {
			step = 1
		}
		for len(bytes) > 0 {
			if _, err := c.Write([]byte(bytes[:step])); err != nil {
				return
			}
			bytes = bytes[step:]
			step = min(step, len(bytes))
		}
		if err != nil && then == waits {
			then = closes
		}
		switch then {
		case closes:
			_ = c.CloseWrite()
			err = nil
			for err == nil {
				_, err = in.ReadByte()
			}
			return
		case resets:
			_ = c.SetLinger(0)
			return
		}
	}
}

// A response that breaks off is not kept in the cache, and neither is the failure.
func TestCacheAfterBrokenResponse(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	p := newPeer(t, readHTTP, func(string) (string, ending, bool) {
		if asked.Add(1) == 1 {
			return ok + "Content-Length: 100\r\n\r\npart", closes, false
		}
		return ok + "Content-Length: 5\r\n\r\nwhole", waits, false
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
