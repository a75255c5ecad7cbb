package backends

import (
	"bufio"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"moongate/http/wire/http2"
)

// TestDeafBackend: a backend over TLS that asks for answers and does not read
// them until there is no room for more. The body of the request, which waits for
// the answer on its way, arrives once it reads again.
func TestDeafBackend(t *testing.T) {
	t.Parallel()
	identity := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(identity.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: identity.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	body, more := io.Pipe()
	arrived := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			arrived <- err
			return
		}
		defer c.Close()
		_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
		arrived <- deaf(bufio.NewReader(c), c.(*tls.Conn), func() { _, _ = io.WriteString(more, "hello"); more.Close() })
	}()
	s := start(t, `a deaf backend

since: 1.25.1
-- http.conf --
server { listen 127.0.0.1:8080; http2 on; location / { grpc_pass grpcs://`+l.Addr().String()+`; } }
`)
	go func() {
		client := newStub(t, s.Addr(8080)).client
		resp, err := client.Post("http://"+s.Addr(8080)+"/", "application/grpc", body)
		if err == nil {
			resp.Body.Close()
		}
	}()
	if err := <-arrived; err != nil {
		t.Error(err)
	}
}

// deaf fills the connection with answers to PING, has the body sent, and reads
// to its end.
func deaf(in *bufio.Reader, c *tls.Conn, send func()) error {
	if _, err := in.Discard(len(http2.Preface)); err != nil {
		return err
	}
	if err := untilFrame(in, func(f http2.Frame) bool { return f.Kind == http2.FrameHeaders }); err != nil {
		return err
	}
	if _, err := c.Write(http2.AppendHead(nil, 0, http2.FrameSettings, 0, 0)); err != nil {
		return err
	}
	ping := string(append(http2.AppendHead(nil, 8, http2.FramePing, 0, 0), "12345678"...))
	pings := []byte(strings.Repeat(ping, 900))
	for {
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := c.Write(pings); err != nil {
			break // there is no room
		}
	}
	send()
	time.Sleep(50 * time.Millisecond) // too short makes the test pass
	return untilFrame(in, func(f http2.Frame) bool { return f.Kind == http2.FrameData && f.Has(http2.FlagEndStream) })
}

// untilFrame reads frames up to the first that is meant.
func untilFrame(in *bufio.Reader, meant func(http2.Frame) bool) error {
	var head [http2.HeadSize]byte
	for {
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return err
		}
		f, n := http2.ParseHead(head[:])
		if _, err := in.Discard(n); err != nil {
			return err
		}
		if meant(f) {
			return nil
		}
	}
}
