package h2

import (
	"io"
	"net"
	"syscall"
	"testing"

	"moongate/http/wire/http2"
)

// TestHalfClosed: a client that has said all it will say, wrongly, is told so
// without a reset, however much of that nobody has read. The worker is stopped
// until all of it is there.
func TestHalfClosed(t *testing.T) {
	t.Parallel()
	s := start(t, `a client that closes its side
-- http.conf --
server { listen 127.0.0.1:8080 rcvbuf=200k; http2 on; }
`)
	c := dial(t, s.Addr(8080), nil)
	if _, err := c.read(); err != nil { // its settings
		t.Fatal(err)
	}
	signal := func(sig syscall.Signal) {
		for _, pid := range s.Workers() {
			if err := syscall.Kill(pid, sig); err != nil {
				t.Fatal(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	defer signal(syscall.SIGCONT)
	if err := c.send(frame(http2.FrameData, 0, 0, make([]byte, 100<<10)...)); err != nil {
		t.Fatal(err)
	}
	if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	signal(syscall.SIGCONT)
	goaway := false
	for {
		f, err := c.read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		goaway = goaway || f.Kind == http2.FrameGoaway
	}
	if !goaway {
		t.Error("no GOAWAY")
	}
}
