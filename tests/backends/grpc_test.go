package backends

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"moongate/http/wire/http2"
)

// service is a gRPC service: gRPC over HTTP/2 as its specification says it is on
// the wire, with bytes for messages.
type service struct {
	*httptest.Server
	connections atomic.Int32
}

// newService starts a service that speaks HTTP/2, over TLS if asked to.
func newService(t *testing.T, secure bool) *service {
	t.Helper()
	s := &service{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(serveGRPC))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.connections.Add(1)
		}
	}
	if secure {
		s.EnableHTTP2 = true
		s.StartTLS()
	} else {
		s.Config.Protocols = new(http.Protocols)
		s.Config.Protocols.SetUnencryptedHTTP2(true)
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

func serveGRPC(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/grpc")
	finish := func(status, message string) {
		h.Set(http.TrailerPrefix+"Grpc-Status", status)
		h.Set(http.TrailerPrefix+"Grpc-Message", message)
	}
	if r.ProtoMajor != 2 || r.Header.Get("TE") != "trailers" {
		finish("13", fmt.Sprintf("%s, TE: %q", r.Proto, r.Header.Get("TE")))
		return
	}
	switch r.URL.Path {
	case "/test.Echo/Unary":
		message, err := readMessage(r.Body)
		if err != nil {
			finish("13", err.Error())
			return
		}
		writeMessage(w, append([]byte("echo: "), message...))
	case "/test.Echo/Download":
		for i := range 100 {
			writeMessage(w, []byte(strings.Repeat(string(rune('a'+i%26)), 100_000)))
		}
	case "/test.Echo/Upload":
		n := 0
		for {
			message, err := readMessage(r.Body)
			if err == io.EOF {
				break
			}
			if err != nil {
				finish("13", err.Error())
				return
			}
			n += len(message)
		}
		writeMessage(w, fmt.Appendf(nil, "%d", n))
	case "/test.Echo/Chat":
		for {
			message, err := readMessage(r.Body)
			if err != nil {
				break
			}
			writeMessage(w, message)
			w.(http.Flusher).Flush()
		}
	default: // only trailers
		h.Set("Grpc-Status", "12")
		h.Set("Grpc-Message", "unknown method")
		w.WriteHeader(http.StatusOK)
		return
	}
	finish("0", "")
}

func writeMessage(w io.Writer, message []byte) {
	_, _ = w.Write(append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...))
}

func readMessage(r io.Reader) ([]byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint32(head[1:]))
	_, err := io.ReadFull(r, message)
	return message, err
}

// stub calls a service, as its client.
type stub struct {
	client *http.Client
	base   string
}

func newStub(t *testing.T, addr string) *stub {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &stub{&http.Client{Transport: transport, Timeout: 20 * time.Second}, "http://" + addr}
}

// call begins a call with what body will give.
func (s *stub) call(t *testing.T, method string, body io.Reader) *http.Response {
	t.Helper()
	r, err := http.NewRequest("POST", s.base+method, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/grpc")
	r.Header.Set("TE", "trailers")
	resp, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", method, resp.Status)
	}
	return resp
}

// finish reads to the end and checks the status of the call.
func finish(t *testing.T, resp *http.Response, status string) {
	t.Helper()
	if n, err := io.Copy(io.Discard, resp.Body); n > 0 || err != nil {
		t.Errorf("%d bytes behind the last message, %v", n, err)
	}
	got := resp.Trailer.Get("Grpc-Status")
	if got == "" {
		got = resp.Header.Get("Grpc-Status")
	}
	if got != status {
		t.Errorf("status %q %q, want %q", got, resp.Trailer.Get("Grpc-Message"), status)
	}
}

func message(t *testing.T, r io.Reader) string {
	t.Helper()
	b, err := readMessage(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// frame is a message as it is sent.
func frame(text string) io.Reader {
	var b strings.Builder
	writeMessage(&b, []byte(text))
	return strings.NewReader(b.String())
}

func TestGRPC(t *testing.T) {
	t.Parallel()
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("secure=%v", secure), func(t *testing.T) {
			t.Parallel()
			service := newService(t, secure)
			schema := "grpc"
			if secure {
				schema = "grpcs"
			}
			s := start(t, `gRPC

since: 1.25.1
-- http.conf --
upstream service { server `+service.Listener.Addr().String()+`; keepalive 4; }
server {
    listen 127.0.0.1:8080;
    http2 on;
    client_max_body_size 0;
    location / { grpc_pass `+schema+`://service; }
}
`)
			calls(t, newStub(t, s.Addr(8080)))
			if n := service.connections.Load(); n > 2 {
				t.Errorf("%d connections for calls one after the other", n)
			}
		})
	}
}

// calls makes one call of each kind.
func calls(t *testing.T, s *stub) {
	t.Run("unary", func(t *testing.T) {
		resp := s.call(t, "/test.Echo/Unary", frame("hello"))
		if got := message(t, resp.Body); got != "echo: hello" {
			t.Errorf("%q", got)
		}
		finish(t, resp, "0")
	})
	t.Run("error", func(t *testing.T) {
		finish(t, s.call(t, "/test.Echo/None", frame("")), "12")
	})
	t.Run("server streaming", func(t *testing.T) {
		resp := s.call(t, "/test.Echo/Download", frame(""))
		for range 100 {
			if got := message(t, resp.Body); len(got) != 100_000 {
				t.Fatalf("%d bytes", len(got))
			}
		}
		finish(t, resp, "0")
	})
	t.Run("client streaming", func(t *testing.T) {
		in, out := io.Pipe()
		go func() {
			for range 50 {
				writeMessage(out, make([]byte, 100_000))
			}
			out.Close()
		}()
		resp := s.call(t, "/test.Echo/Upload", in)
		if got := message(t, resp.Body); got != "5000000" {
			t.Errorf("%s bytes arrived", got)
		}
		finish(t, resp, "0")
	})
	t.Run("bidirectional streaming", func(t *testing.T) {
		in, out := io.Pipe()
		go writeMessage(out, []byte("0"))
		resp := s.call(t, "/test.Echo/Chat", in)
		for i := range 50 {
			if got := message(t, resp.Body); got != fmt.Sprint(i) {
				t.Fatalf("%q came in round %d", got, i)
			}
			writeMessage(out, fmt.Append(nil, i+1))
		}
		_ = message(t, resp.Body)
		out.Close()
		finish(t, resp, "0")
	})
}

// TestLateFrames uses a connection again to a server that resets a stream, and
// gives back its window, when the response is there already and the next request
// is on its way.
func TestLateFrames(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		in := bufio.NewReader(c)
		if _, err := in.Discard(len(http2.Preface)); err != nil {
			return
		}
		out := http2.AppendHead(nil, 0, http2.FrameSettings, 0, 0)
		var head [http2.HeadSize]byte
		for {
			if _, err := io.ReadFull(in, head[:]); err != nil {
				return
			}
			f, n := http2.ParseHead(head[:])
			if _, err := in.Discard(n); err != nil {
				return
			}
			if f.Kind != http2.FrameHeaders {
				continue
			}
			if last := f.ID - 2; f.ID > 1 {
				out = http2.AppendNumber(out, http2.FrameRST, last, uint32(http2.NoError))
				out = http2.AppendNumber(out, http2.FrameWindow, last, 100)
			}
			const ok = "\x88" // ":status: 200"
			out = append(http2.AppendHead(out, len(ok), http2.FrameHeaders, http2.FlagEndHeaders|http2.FlagEndStream, f.ID), ok...)
			_, _ = c.Write(out)
			out = out[:0]
		}
	}()
	s := start(t, `late frames

moongate only: nginx holds them against the next response
-- http.conf --
upstream service { server `+l.Addr().String()+`; keepalive 1; }
server {
    listen 127.0.0.1:8080;
    location / { grpc_pass grpc://service; }
    location /proxy { proxy_http_version 2; proxy_pass http://service; }
}
`)
	for _, path := range []string{"/", "/", "/proxy", "/proxy"} {
		ask(t, "GET", "http://"+s.Addr(8080)+path, nil).want(t, 200, "")
	}
}

// TestProxyHTTP2 passes requests of HTTP/1.1 on to a server of HTTP/2.
func TestProxyHTTP2(t *testing.T) {
	t.Parallel()
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		w.Header().Set("X-Got", fmt.Sprintf("%s %s %d", r.Proto, r.Host, n))
		w.Header().Set("Trailer", "X-After")
		if r.URL.Path == "/large" {
			_, _ = io.WriteString(w, strings.Repeat("0123456789abcdef", 1<<18))
		}
		w.Header().Set("X-After", "all")
	}))
	backend.EnableHTTP2 = true
	backend.TLS = &tls.Config{NextProtos: []string{"h2"}}
	backend.StartTLS()
	t.Cleanup(backend.Close)
	addr := backend.Listener.Addr().String()
	s := start(t, `proxy_http_version 2

since: 1.29.4
-- http.conf --
proxy_http_version 2;
proxy_pass_trailers on;
client_max_body_size 0;
server {
    listen 127.0.0.1:8080;
    location / { proxy_pass https://`+addr+`; }
    location /unbuffered/ { proxy_pass https://`+addr+`/; proxy_buffering off; proxy_request_buffering off; }
}
`)
	large := strings.Repeat("0123456789abcdef", 1<<18)
	for _, prefix := range []string{"/", "/unbuffered/"} {
		url := "http://" + s.Addr(8080) + prefix
		a := ask(t, "POST", url, strings.NewReader(large))
		a.want(t, 200, "")
		if got := a.Header.Get("X-Got"); got != fmt.Sprintf("HTTP/2.0 %s %d", addr, len(large)) {
			t.Errorf("the server got %q", got)
		}
		ask(t, "POST", url, io.LimitReader(strings.NewReader(large), 100_000)).want(t, 200, "")
		a = ask(t, "GET", url+"large", nil, "TE", "trailers")
		a.want(t, 200, large)
		if got := a.Trailer.Get("X-After"); got != "all" {
			t.Errorf("trailer %q", got)
		}
		ask(t, "HEAD", url+"large", nil).want(t, 200, "")
	}
}
