package http

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestSilentProxyProtocol: a client that sends nothing costs its time out, and
// not the processor. Deferred listeners pass on such clients as readable.
func TestSilentProxyProtocol(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[1])
	r := testRequest(t, mustLoad(t, "server { }"))
	onLoop(t, r, func() {
		ec, err := r.Loop().Adopt(pair[0])
		if err != nil {
			t.Error(err)
			return
		}
		defer ec.Close()
		c := &Conn{Conn: ec, IO: ec, Worker: r.Conn.Worker, Addr: r.Conn.Addr}
		c.Addr.Default.ClientHeaderTimeout.V = time.Millisecond
		if !c.Readable() {
			t.Error("the connection does not count as readable")
		}
		if c.takeProxyProtocol() {
			t.Error("a header out of nothing")
		}
	})
}
