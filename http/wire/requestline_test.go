package wire

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parts is a request line as strings, for comparison.
type parts struct {
	Method, Schema, Host, URI, Args, Ext, Protocol, Line string
	Version                                              int
	Flags                                                string
}

func (l *RequestLine) parts(buf []byte) parts {
	span := func(start, end int) string {
		if start == 0 && end == 0 {
			return ""
		}
		return string(buf[start:end])
	}
	p := parts{
		Method:  span(l.Start, l.MethodEnd),
		Schema:  span(l.SchemaStart, l.SchemaEnd),
		Host:    span(l.HostStart, l.HostEnd),
		URI:     span(l.URIStart, l.URIEnd),
		Line:    span(l.Start, l.End),
		Version: l.Version,
	}
	if l.ArgsStart > 0 {
		p.Args = "?" + span(l.ArgsStart, l.URIEnd)
	}
	if l.ExtStart > 0 {
		p.Ext = "." + span(l.ExtStart, l.URIEnd)
	}
	if l.ProtocolStart > 0 {
		p.Protocol = span(l.ProtocolStart, l.End)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{l.Complex, "C"}, {l.Quoted, "Q"}, {l.Plus, "+"}, {l.EmptyPath, "E"}} {
		if f.on {
			p.Flags += f.name
		}
	}
	return p
}

func TestRequestLine(t *testing.T) {
	tests := []struct {
		in   string
		want parts
	}{
		{"GET / HTTP/1.1\r\n", parts{Method: "GET", URI: "/", Protocol: "HTTP/1.1", Version: 1001}},
		{"\r\n\nGET / HTTP/1.0\n", parts{Method: "GET", URI: "/", Protocol: "HTTP/1.0", Version: 1000}},
		{"PO_ST-   /a.b/c.html?x=1?y#z   HTTP/1.12  \r\n", parts{Method: "PO_ST-", URI: "/a.b/c.html?x=1?y#z",
			Args: "?x=1?y#z", Ext: ".html?x=1?y#z", Protocol: "HTTP/1.12  ", Version: 1012, Flags: "C"}},
		{"GET /\n", parts{Method: "GET", URI: "/", Version: 9}},
		{"GET /a   \r\n", parts{Method: "GET", URI: "/a", Version: 9, Line: "GET /a   "}},
		{"GET //a HTTP/1.1\r\n", parts{Method: "GET", URI: "//a", Flags: "C", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET /a/.b HTTP/1.1\r\n", parts{Method: "GET", URI: "/a/.b", Flags: "C", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET /a+b%20 HTTP/1.1\r\n", parts{Method: "GET", URI: "/a+b%20", Flags: "Q+", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET /?a+%2F HTTP/1.1\r\n", parts{Method: "GET", URI: "/?a+%2F", Args: "?a+%2F", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET /\xff\\\"<> HTTP/1.1\r\n", parts{Method: "GET", URI: "/\xff\\\"<>", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET HTTP://Example.com:80/x HTTP/1.1\r\n", parts{Method: "GET", Schema: "HTTP", Host: "Example.com:80",
			URI: "/x", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET http://h HTTP/1.1\r\n", parts{Method: "GET", Schema: "http", Host: "h", URI: "/", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET http://h: HTTP/1.1\r\n", parts{Method: "GET", Schema: "http", Host: "h:", URI: "/", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET http://[::1]:8?q HTTP/1.1\r\n", parts{Method: "GET", Schema: "http", Host: "[::1]:8", URI: "?q", Args: "?q",
			Flags: "E", Protocol: "HTTP/1.1", Version: 1001}},
		{"GET http:///x HTTP/1.1\r\n", parts{Method: "GET", Schema: "http", URI: "/x", Protocol: "HTTP/1.1", Version: 1001}},
		{"CONNECT  a.b:443 HTTP/1.1\r\n", parts{Method: "CONNECT", Host: "a.b:443", URI: "/", Protocol: "HTTP/1.1", Version: 1001}},
	}
	for _, tt := range tests {
		if tt.want.Line == "" {
			tt.want.Line = strings.Trim(tt.in, "\r\n")
		}
		var l RequestLine
		done, err := l.Parse([]byte(tt.in))
		if !done || err != nil || l.Len() != len(tt.in) {
			t.Errorf("%q: %v, %v after %d", tt.in, done, err, l.Len())
			continue
		}
		if diff := cmp.Diff(tt.want, l.parts([]byte(tt.in))); diff != "" {
			t.Errorf("%q:\n%s", tt.in, diff)
		}
	}
}

func TestRequestLineErrors(t *testing.T) {
	tests := []struct {
		in   string
		want Error
	}{
		{"Ge", ErrMethod},
		{"G *", ErrRequest},
		{"\x16", ErrMethod},
		{"GET\t", ErrMethod},
		{"GET\r", ErrMethod},
		{" ", ErrMethod},
		{"OPTIONS *", ErrRequest},
		{"GET a ", ErrRequest},
		{"GET http:/x", ErrRequest},
		{"GET http://a_", ErrRequest},
		{"GET http://u@", ErrRequest},
		{"GET http://h:8x", ErrRequest},
		{"GET http://[::1/", ErrRequest},
		{"GET /\x01", ErrRequest},
		{"GET /\x7f", ErrRequest},
		{"GET /a\t", ErrRequest},
		{"GET / X", ErrRequest},
		{"GET / HTTX", ErrRequest},
		{"GET / HTTP/0", ErrRequest},
		{"GET / HTTP/2", ErrVersion},
		{"GET / HTTP/11", ErrVersion},
		{"GET / HTTP/1.x", ErrRequest},
		{"GET / HTTP/1.1000", ErrRequest},
		{"GET / HTTP/1.1 x", ErrRequest},
		{"GET / HTTP/1.1\rx", ErrRequest},
		{"GET /\rx", ErrRequest},
		{"HEAD /\r\n", ErrMethod09},
		{"CONNECT a.b ", ErrRequest},
		{"CONNECT a.b: ", ErrRequest},
		{"CONNECT /", ErrRequest},
		{"CONNECT a:1/", ErrRequest},
	}
	for _, tt := range tests {
		var l RequestLine
		if done, err := l.Parse([]byte(tt.in)); done || err != tt.want {
			t.Errorf("%q: %v, %v; want %v", tt.in, done, err, tt.want)
			continue
		}
		l = RequestLine{}
		if _, err := l.Parse([]byte(tt.in[:len(tt.in)-1])); err != nil {
			t.Errorf("%q: %v before the last byte", tt.in, err)
		}
	}
	if ErrVersion.Status() != 505 || ErrMethod.Status() != 400 {
		t.Error("status")
	}
}

func TestParsePath(t *testing.T) {
	for in, want := range map[string]bool{
		"/": true, "/a?b": true, "/a%20b/../c": true,
		"": false, "a": false, "/a b": false, "/a\r": false, "/a?b c": false, "/\x00": false, "*": false,
	} {
		l := RequestLine{Method: POST}
		err := l.ParsePath([]byte(in))
		if (err == nil) != want || l.Method != POST {
			t.Errorf("%q: %v", in, err)
		}
		if err == nil && (l.URIStart != 0 || l.URIEnd != len(in)) {
			t.Errorf("%q: %d-%d", in, l.URIStart, l.URIEnd)
		}
	}
}

func FuzzRequestLine(f *testing.F) {
	for _, s := range []string{
		"GET / HTTP/1.1\r\n", "GET http://h.x:80/a.b?c#d HTTP/1.0\r\n", "CONNECT [::1]:443 HTTP/1.1\r\n",
		"\r\nGET http://h?x\n", "PUT //a/../%2e%2E/+ HTTP/1.1\n",
	} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, cut int) {
		var whole RequestLine
		done, err := whole.Parse(in)

		// The same bytes in two pieces, and one by one in a moving buffer.
		var two, one RequestLine
		if cut >= 0 && cut < len(in) {
			if d, e := two.Parse(in[:cut]); !d && e == nil {
				d, e = two.Parse(in)
				if d != done || e != err || err == nil && two != whole {
					t.Fatalf("cut at %d: %v, %v", cut, d, e)
				}
			}
		}
		for i := 1; i <= len(in); i++ {
			d, e := one.Parse(append([]byte(nil), in[:i]...))
			if d || e != nil {
				if d != done || e != err {
					t.Fatalf("byte by byte: %v, %v; whole: %v, %v", d, e, done, err)
				}
				break
			}
		}
		if !done {
			return
		}
		if one != whole {
			t.Fatalf("byte by byte: %+v; whole: %+v", one, whole)
		}
		if target, err := whole.Target(nil, in, true); err == nil && len(target.Path) == 0 {
			t.Fatal("empty path")
		}
	})
}

func TestRequestLineAllocations(t *testing.T) {
	buf := []byte("GET http://example.com/a/../b.html?c=d HTTP/1.1\r\n")
	dst := make([]byte, 0, 100)
	if n := testing.AllocsPerRun(100, func() {
		var l RequestLine
		if done, err := l.Parse(buf); !done || err != nil {
			t.Fatal(err)
		}
		if _, err := l.Target(dst, buf, true); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRequestLine(b *testing.B) {
	buf := []byte("GET /static/css/app.4f6d3a.css?version=12345 HTTP/1.1\r\n")
	b.ReportAllocs()
	for b.Loop() {
		var l RequestLine
		l.Parse(buf)
	}
}
