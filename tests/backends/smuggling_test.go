package backends

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"moongate/tests/spec"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// badResponse is a response that makes no sense, and what becomes of it.
type badResponse struct {
	name  string
	bytes string
	// last: the peer closes the connection behind it.
	last bool
	// method of the request, GET if empty.
	method string
	// want is a regexp of what the client gets, log one of the error log.
	want, log string
	// reused: the connection to the peer serves another request; lax: with nginx.
	reused, lax bool
	// since is the first nginx that answers so, "" for all.
	since string
}

const (
	ok         = "HTTP/1.1 200 OK\r\n"
	badGateway = `^HTTP/1\.1 502 Bad Gateway\r\n`
	// cut is how a body ends that is not complete, but would be chunked.
	cut = `\r\n\r\n5\r\nhello\r\n$`
	// evil is a response that nobody has asked for.
	evil = ok + "Content-Length: 4\r\n\r\nevil"
)

var badResponses = []badResponse{
	{name: "sound", bytes: ok + "Content-Length: 5\r\n\r\nhello", want: `^HTTP/1\.1 200 OK\r\n(?s:.*)\r\n\r\nhello$`, reused: true},
	{name: "sound-chunked", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\n\r\n", want: `\r\n\r\n5\r\nhello\r\n0\r\n\r\n$`, reused: true},

	{name: "length-and-chunked", bytes: ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + evil, since: "1.23.0",
		want: badGateway, log: `upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time while reading response header from upstream`},
	{name: "chunked-and-length", bytes: ok + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + evil, since: "1.23.0",
		want: badGateway, log: `upstream sent "Content-Length" and "Transfer-Encoding" headers at the same time while reading response header from upstream`},
	{name: "two-lengths", bytes: ok + "Content-Length: 5\r\nContent-Length: 9\r\n\r\nhelloevil", since: "1.23.0",
		want: badGateway, log: `upstream sent duplicate header line: "Content-Length: 9", previous value: "Content-Length: 5"`},
	{name: "same-length-twice", bytes: ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", since: "1.23.0",
		want: badGateway, log: `upstream sent duplicate header line: "Content-Length: 5", previous value: "Content-Length: 5"`},
	{name: "chunked-twice", bytes: ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", since: "1.23.0",
		want: badGateway, log: `upstream sent duplicate header line: "Transfer-Encoding: chunked", previous value: "Transfer-Encoding: chunked"`},
	{name: "negative-length", bytes: ok + "Content-Length: -5\r\n\r\nhello", since: "1.23.0",
		want: badGateway, log: `upstream sent invalid "Content-Length" header: "Content-Length: -5"`},
	{name: "signed-length", bytes: ok + "Content-Length: +5\r\n\r\nhello", since: "1.23.0",
		want: badGateway, log: `upstream sent invalid "Content-Length" header: "Content-Length: \+5"`},
	{name: "list-of-lengths", bytes: ok + "Content-Length: 5, 5\r\n\r\nhello", since: "1.23.0",
		want: badGateway, log: `upstream sent invalid "Content-Length" header: "Content-Length: 5, 5"`},
	{name: "huge-length", bytes: ok + "Content-Length: 99999999999999999999\r\n\r\nhello", since: "1.23.0",
		want: badGateway, log: `upstream sent invalid "Content-Length" header`},
	{name: "other-coding", bytes: ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", since: "1.23.0",
		want: badGateway, log: `upstream sent unknown "Transfer-Encoding": "gzip, chunked"`},

	{name: "zero-byte", bytes: ok + "X-Name: a\x00b\r\nContent-Length: 5\r\n\r\nhello", want: badGateway, log: `upstream sent invalid header: "X-Name: a\\x00\.\.\."`},
	{name: "space-in-name", bytes: ok + "X Name: a\r\nContent-Length: 5\r\n\r\nhello", want: badGateway, log: `upstream sent invalid header: "X\\x20\.\.\."`},
	{name: "space-before-colon", bytes: ok + "Content-Length : 5\r\n\r\nhello", want: badGateway, log: `upstream sent invalid header: "Content-Length\\x20\.\.\."`},
	{name: "folded", bytes: ok + "X-Name: a\r\n b\r\nContent-Length: 5\r\n\r\nhello", want: badGateway, log: `upstream sent invalid header: "\\x20\.\.\."`},
	{name: "control-in-name", bytes: ok + "X\x01Name: a\r\nContent-Length: 5\r\n\r\nhello", want: badGateway, log: `upstream sent invalid header: "X\\x01\.\.\."`},
	{name: "no-header", bytes: "nonsense\r\n", last: true, want: `^nonsense\r\n$`, log: `upstream sent no valid HTTP/1\.0 header while reading response header from upstream`},
	{name: "endless-field", bytes: ok + "X-Name: " + strings.Repeat("a", 100_000), want: badGateway, log: `upstream sent too big header while reading response header from upstream`},
	{name: "endless-header", bytes: ok + strings.Repeat("X-Name: a\r\n", 10_000), want: badGateway, log: `upstream sent too big header while reading response header from upstream`},
	{name: "endless-status", bytes: "HTTP/1.1 200 " + strings.Repeat("a", 100_000), want: badGateway, log: `upstream sent too big header while reading response header from upstream`},

	{name: "nothing", last: true, want: badGateway, log: `upstream prematurely closed connection while reading response header from upstream`},
	{name: "half-a-header", bytes: ok + "Content-Len", last: true, want: badGateway, log: `upstream prematurely closed connection while reading response header from upstream`},
	{name: "short-body", bytes: ok + "Content-Length: 100\r\n\r\nhello", last: true, want: `\r\nContent-Length: 100\r\n(?s:.*)\r\n\r\nhello$`, log: `upstream prematurely closed connection while reading upstream`},
	{name: "short-chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n64\r\nhello", last: true, want: cut, log: `upstream prematurely closed connection while reading upstream`},
	{name: "no-last-chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", last: true, want: cut, log: `upstream prematurely closed connection while reading upstream`},

	{name: "huge-chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello", want: `^$`, log: `upstream sent invalid chunked response`},
	{name: "negative-chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n-1\r\nhello", want: `^$`, log: `upstream sent invalid chunked response`},
	{name: "no-chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\nhello", want: `^$`, log: `upstream sent invalid chunked response`},
	{name: "oversized-chunk", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello, world\r\n0\r\n\r\n", want: `^$`, log: `upstream sent invalid chunked response`},

	{name: "more-than-length", bytes: ok + "Content-Length: 5\r\n\r\nhello" + evil, want: `\r\n\r\nhello$`, log: `upstream sent more data than specified in "Content-Length" header`},
	{name: "more-than-nothing", bytes: ok + "Content-Length: 0\r\n\r\n" + evil, want: `\r\nContent-Length: 0\r\n(?s:.*)\r\n\r\n$`, log: `upstream sent more data than specified in "Content-Length" header`},
	{name: "more-than-chunks", bytes: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n" + evil, want: `\r\n\r\n5\r\nhello\r\n0\r\n\r\n$`, log: `upstream sent data after final chunk`},
	{name: "no-content", bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 64\r\n\r\n" + evil, want: `^HTTP/1\.1 204 No Content\r\n(?s:.*)\r\n\r\n$`},
	{name: "not-modified", bytes: "HTTP/1.1 304 Not Modified\r\n\r\n" + evil, want: `^HTTP/1\.1 304 Not Modified\r\n(?s:.*)\r\n\r\n$`},
	{name: "head", method: "HEAD", lax: true, bytes: ok + "Content-Length: 5\r\n\r\nhello", want: `\r\nContent-Length: 5\r\n(?s:.*)\r\n\r\n$`},
	{name: "closing", bytes: ok + "Connection: close\r\nContent-Length: 5\r\n\r\nhello" + evil, want: `\r\n\r\nhello$`},
	{name: "version-1.0", bytes: "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello" + evil, want: `\r\n\r\nhello$`},
}

// TestBadResponses: the client and the log get what they get from nginx, and no
// response is taken for that of another request.
func TestBadResponses(t *testing.T) {
	oracle := spec.FindTarget(t).Oracle
	t.Parallel()
	const fine = "fine"
	p := newBadPeer(t, func(path string) (string, bool) {
		name := path[strings.LastIndexByte(path, '/')+1:]
		for i := range badResponses {
			if b := &badResponses[i]; b.name == name {
				return b.bytes, b.last
			}
		}
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s", ok, len(fine), fine), false
	})
	for _, since := range []string{"", "1.23.0"} {
		t.Run("since"+since, func(t *testing.T) {
			t.Parallel()
			s := start(t, fmt.Sprintf(`Bad responses.

since: %s
-- http.conf --
upstream peer { server %s max_fails=0; keepalive 1; }
server {
	listen 127.0.0.1:8080;
	proxy_http_version 1.1;
	proxy_set_header Connection "";
	location /buffered/ { proxy_pass http://peer; }
	location /direct/ { proxy_pass http://peer; proxy_buffering off; }
}
`, max(since, "1.0.0"), p.Addr()))
			for i := range badResponses {
				b := &badResponses[i]
				for _, folder := range []string{"/buffered/", "/direct/"} {
					if b.since != since {
						continue
					}
					t.Run(folder[1:]+b.name, func(t *testing.T) {
						path := folder + b.name
						got := exchange(t, s.Addr(8080), max(b.method, "GET"), path)
						if !regexp.MustCompile(b.want).MatchString(got) {
							t.Errorf("the client got %q, want %s", got, b.want)
						}
						// Older ones did not say so without buffering.
						if silent := oracle && b.last && folder == "/direct/"; b.log != "" && !silent {
							s.Await(t, b.log+`.*`+regexp.QuoteMeta(path))
						}
						next := folder + "after-" + b.name + since
						if got := exchange(t, s.Addr(8080), "GET", next); !strings.HasSuffix(got, "\r\n\r\n"+fine) {
							t.Errorf("the next client got %q", got)
						}
						if reused := p.conn(next) == p.conn(path); reused != (b.reused || b.lax && oracle) {
							t.Errorf("the connection was used for another request: %v, want %v", reused, b.reused)
						}
					})
				}
			}
		})
	}
}

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
