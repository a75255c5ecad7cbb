package event

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// methods are the back ends every behaviour is tested on.
var methods = []string{"epoll", "poll", "select"}

// testLog collects the log of a loop, whose goroutine alone touches it.
type testLog struct{ lines []string }

// has reports whether a line contains text.
func (g *testLog) has(text string) bool {
	return slices.ContainsFunc(g.lines, func(line string) bool { return strings.Contains(line, text) })
}

func (g *testLog) Log(level int, err error, format string, args ...any) {
	line := fmt.Sprintf("[%d] ", level) + fmt.Sprintf(format, args...)
	if err != nil {
		line += fmt.Sprintf(" (%v)", err)
	}
	g.lines = append(g.lines, line)
}

// harness is a running loop.
type harness struct {
	*Loop
	t    testing.TB
	log  *testLog
	done chan error
}

// start runs a loop on a goroutine of its own until the test ends.
func start(t testing.TB, cfg Config) *harness {
	t.Helper()
	h := &harness{t: t, log: new(testLog), done: make(chan error, 1)}
	cfg.Log = h.log
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	h.Loop = l
	go func() { h.done <- l.Run() }()
	t.Cleanup(h.end)
	return h
}

func (h *harness) end() {
	h.Stop()
	select {
	case err := <-h.done:
		if err != nil {
			h.t.Errorf("Run: %v", err)
		}
	case <-time.After(5 * time.Second):
		h.t.Error("the loop does not stop")
	}
}

// fiber runs f in a fiber and waits for it.
func (h *harness) fiber(f func()) {
	h.t.Helper()
	done := make(chan struct{})
	h.Post(func() {
		h.Go(func() {
			defer close(done)
			f()
		})
	})
	h.wait(done)
}

// onLoop runs f on the loop and waits for it.
func (h *harness) onLoop(f func()) {
	h.t.Helper()
	done := make(chan struct{})
	h.Post(func() {
		defer close(done)
		f()
	})
	h.wait(done)
}

func (h *harness) wait(done <-chan struct{}) {
	h.t.Helper()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		h.t.Fatal("timed out")
	}
}

// pair makes a connected pair: one end a Conn, the other a blocking net.Conn. Loop only.
func (h *harness) pair() (*Conn, *peer) {
	h.t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := h.Adopt(fds[0])
	if err != nil {
		h.t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[1]), "peer")
	nc, err := net.FileConn(f)
	f.Close()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { nc.Close() })
	return c, &peer{nc.(*net.UnixConn)}
}

type peer struct{ *net.UnixConn }

// until waits in the test goroutine until cond, evaluated on the loop, holds.
func (h *harness) until(what string, cond func() bool) {
	h.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		var ok bool
		h.onLoop(func() { ok = cond() })
		if ok {
			return
		}
		if time.Now().After(deadline) {
			h.t.Fatalf("not within 10 s: %s", what)
		}
	}
}

// each runs a test on every back end.
func each(t *testing.T, f func(t *testing.T, h *harness)) {
	for _, m := range methods {
		t.Run(m, func(t *testing.T) { f(t, start(t, Config{Method: m})) })
	}
}

// tcpPair is a connected pair over loopback: one end a Conn.
func (h *harness) tcpPair() (*Conn, *net.TCPConn) {
	h.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	defer ln.Close()
	var c *Conn
	h.fiber(func() {
		c, err = h.Dial(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: ln.Addr().(*net.TCPAddr).Port}, DialOptions{})
	})
	if err != nil {
		h.t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { nc.Close() })
	return c, nc.(*net.TCPConn)
}
