package proxy

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"moongate/http"
	"moongate/http/httptest"
	"moongate/http/upstream"
)

// newSite is a server whose configuration is that of a location with proxy_pass.
func newSite(t testing.TB, directives string) *httptest.Site {
	return httptest.New(t, "server { listen 80; "+directives+" }", upstream.Module, Module)
}

// read is what became of a response.
type read struct {
	header upstream.Header
	status int
	length int64
	fields []http.Header
	body   string
	failed bool
	// whole: all of the body has come; keep: the connection serves on.
	whole, keep bool
}

func readResponse(site *httptest.Site, b []byte, size int) read {
	r := site.Get("/")
	defer r.Free()
	x := newExchange(r, loc.Of(r.Scope))
	h, body, err := x.Replay(b, size)
	got := read{header: h, status: x.In.Status, length: x.In.ContentLength, body: string(body), failed: err != nil,
		whole: x.Length == 0, keep: x.Keep}
	for _, f := range x.In.List {
		got.fields = append(got.fields, http.Header{Name: strings.Clone(f.Name), Value: strings.Clone(f.Value)})
	}
	return got
}

// FuzzResponse: a response reads the same however its bytes come, its body is
// as long as it says, and no byte is left on a connection that is used again.
func FuzzResponse(f *testing.F) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for _, seed := range []string{
		ok + "Content-Length: 5\r\n\r\nhello", ok + "Content-Length: 5\r\n\r\nhello, world", ok + "\r\nuntil the end", "HTTP/1.0 204 x\n\n",
		ok + "Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n", ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n", "no header\r\n",
		ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", ok + "Set-Cookie: a\r\nVary: *\r\nExpires: x\r\nX-Accel-Expires: @1\r\n\r\n",
	} {
		f.Add([]byte(seed), 3)
	}
	sites := []*httptest.Site{
		newSite(f, "proxy_buffer_size 1k; proxy_buffers 4 1k;"),
		newSite(f, "proxy_buffer_size 1k; proxy_buffers 4 1k; proxy_pass_trailers on;"),
	}
	f.Fuzz(func(t *testing.T, b []byte, size int) {
		size = max(size, 1)
		for _, site := range sites {
			got := readResponse(site, b, len(b)+1)
			if got.header != upstream.HeaderDone {
				continue
			}
			if got.length >= 0 && int64(len(got.body)) > got.length {
				t.Fatalf("%d bytes of body, Content-Length is %d", len(got.body), got.length)
			}
			if parts := readResponse(site, b, size); got.status != 0 && !got.failed && !same(got, parts) {
				t.Fatalf("read at once %+v, by %d %+v", got, size, parts)
			}
			if !got.keep || got.failed {
				continue
			}
			if !got.whole {
				t.Fatalf("a connection is used again before the end of %+v", got)
			}
			if more := readResponse(site, append(slices.Clip(b), 'x'), len(b)+2); more.keep {
				t.Fatalf("a connection with a byte more is used again, after %+v", got)
			}
		}
	})
}

// same leaves the connection out: what is behind a response may come later.
func same(a, b read) bool {
	return a.header == b.header && a.status == b.status && a.length == b.length && slices.Equal(a.fields, b.fields) &&
		a.body == b.body && a.failed == b.failed && a.whole == b.whole
}

// FuzzRequest: whatever the client's URI and fields are, they make one request,
// with no more lines than fields.
func FuzzRequest(f *testing.F) {
	f.Add("/a b\r\nX: y", "q=1", "X-Name", "value")
	f.Add("/%41\x00?#", "", "Host", "other")
	f.Add("/é\x7f", "a=%0d%0a", "Transfer-Encoding", "chunked")
	f.Add("/", "", "Connection", "keep-alive, X-Name")
	site := newSite(f, `proxy_set_header X-Args $args; proxy_set_header X-Real-IP $remote_addr;`)
	f.Fuzz(func(t *testing.T, uri, args, name, value string) {
		if !strings.HasPrefix(uri, "/") || strings.ContainsFunc(args, isControl) || name == "" ||
			strings.ContainsFunc(name, func(c rune) bool { return isControl(c) || c == ':' }) || strings.ContainsAny(value, "\x00\r\n") {
			t.Skip() // the server does not take such requests
		}
		r := site.Get("/", name+": "+value)
		defer r.Free()
		r.URI, r.Args, r.ValidUnparsed, r.QuotedURI = uri, args, false, true
		x := newExchange(r, loc.Of(r.Scope))
		x.vars.uri, x.vars.host = "/", "peer:80"
		if v := x.Request(x.Exchange); v != http.OK {
			t.Fatalf("verdict %d", v)
		}
		b := x.Sent()
		head, rest, found := bytes.Cut(b, []byte("\r\n\r\n"))
		if !found || len(rest) > 0 {
			t.Fatalf("not one request: %q", b)
		}
		lines := strings.Split(string(head), "\r\n")
		if strings.ContainsAny(strings.Join(lines, ""), "\r\n\x00") {
			t.Fatalf("stray line ends: %q", b)
		}
		if parts := strings.Split(lines[0], " "); len(parts) != 3 || parts[0] != "GET" || parts[2] != "HTTP/1.1" {
			t.Fatalf("request line %q", lines[0])
		}
		hosts := 0
		for _, line := range lines[1:] {
			if strings.HasPrefix(strings.ToLower(line), "host:") {
				hosts++
			}
			if n, _, _ := strings.Cut(strings.ToLower(line), ":"); n == "transfer-encoding" || n == "content-length" || n == "expect" || n == "te" {
				t.Fatalf("a request without a body has %q", line)
			}
		}
		if hosts != 1 || len(lines) > 5 {
			t.Fatalf("%d lines, %d hosts: %q", len(lines), hosts, b)
		}
	})
}

func isControl(c rune) bool { return c <= ' ' || c == 0x7f }
