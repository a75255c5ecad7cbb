package h2

import (
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/httptest"
)

// testServer serves HTTP/2 on a Unix-domain socket, on a loop of its own.
type testServer struct {
	loop   *event.Loop
	worker *http.Worker
	addr   *http.Address
	serve  func(*http.Conn)
	path   string
	// panicked says what a fiber panicked with.
	panicked atomic.Pointer[string]
}

// answers has a directive for the locations whose responses depend on the path.
var answers = &http.Module{Module: conf.Module{Name: "answers", Directives: []conf.Directive{
	conf.Command("answer", conf.HTTPLocation, conf.NoArgs, func(cf *conf.Conf) error {
		http.LocOf(cf).Handler = answer
		return nil
	}),
}}}

var large = strings.Repeat("0123456789abcdef", 12<<10)

func answer(r *http.Request) http.Verdict {
	switch r.URI {
	case "/small":
		return r.Respond(http.StatusOK, "text/plain", "small")
	case "/large":
		return r.Respond(http.StatusOK, "text/plain", large)
	case "/body":
		if v := r.ReadBody(); v != http.OK {
			return v
		}
		return r.Respond(http.StatusOK, "text/plain", strconv.FormatInt(r.Body.Size, 10))
	case "/panic":
		panic("on purpose")
	case "/late":
		if err := r.Conn.Loop().Sleep(2 * time.Millisecond); err != nil {
			return http.StatusClientClosed
		}
		return r.Respond(http.StatusOK, "text/plain", large[:1000])
	}
	return http.StatusNotFound
}

// newServer starts a server for a test. What the http block says besides is up
// to the test.
//
// Its tests are not parallel: composing the modules writes to their variables.
func newServer(t testing.TB, text string) *testServer {
	t.Helper()
	m, err := httptest.Load(text+"\nserver { listen 8080; http2 on; location / { answer; } }", Module, answers)
	if err != nil {
		t.Fatal(err)
	}
	s := &testServer{addr: m.Ports()[0].Addrs[0], path: filepath.Join(t.TempDir(), "socket")}
	s.serve = Serve(func(c *http.Conn) {
		c.Close()
		c.Release()
	})
	s.loop, err = event.New(event.Config{OnPanic: func(_ *event.Fiber, v any, stack []byte) {
		text := fmt.Sprintf("panic: %v\n%s", v, stack)
		s.panicked.Store(&text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	s.worker = &http.Worker{
		Worker: &process.Worker{Cycle: &process.Cycle{Conf: &conf.Cycle{}}, Loop: s.loop},
		Main:   m,
		Clock:  new(log.Clock),
	}
	s.worker.Clock.Update(time.Now())
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.SetNonblock(int(f.Fd()), true); err != nil {
		t.Fatal(err)
	}
	if err := s.loop.AddListener(&event.Listener{FD: int(f.Fd()), Server: s}); err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- s.loop.Run() }()
	t.Cleanup(func() {
		s.loop.Stop()
		<-end
		f.Close()
		l.Close()
	})
	return s
}

// Serve implements event.Server.
func (s *testServer) Serve(ec *event.Conn) {
	c, _ := ec.Data.(*http.Conn)
	if c == nil {
		c = &http.Conn{Conn: ec, IO: ec, Worker: s.worker, Addr: s.addr, Server: s.addr.Default}
		ec.Data = c
	}
	s.serve(c)
}

// IdleTimeout implements event.Server.
func (s *testServer) IdleTimeout(ec *event.Conn) {
	switch c, _ := ec.Data.(*http.Conn); {
	case c == nil:
		ec.Close()
	case c.State == nil:
		c.Close()
		c.Release()
	default:
		c.State.(*conn).IdleTimeout()
	}
}

// onLoop runs f on the loop and waits for it; false when that takes too long.
func (s *testServer) onLoop(f func()) bool {
	done := make(chan struct{})
	s.loop.Post(func() {
		defer close(done)
		f()
	})
	select {
	case <-done:
		return true
	case <-time.After(5 * time.Second):
		return false
	}
}

// conns are the connections there are, on the loop.
func (s *testServer) conns() map[*conn]bool {
	return mainSlot.Of(s.addr.Default.Scope()).worker.conns
}

// check looks for what must hold at any time, on the loop.
func (s *testServer) check(t testing.TB) {
	for h := range s.conns() {
		streams := 0
		for _, n := range h.tree.buckets {
			for ; n != nil; n = n.index {
				if n.stream == nil {
					continue
				}
				streams++
				if size := len(n.stream.body); size > maxBodyWindow {
					t.Errorf("stream %d keeps %d bytes of its body", n.id, size)
				}
			}
		}
		if streams != h.processing {
			t.Errorf("%d streams, %d counted", streams, h.processing)
		}
		h.tree.check(t, streams)
		if most := largeOut + maxReplies*17; len(h.out.buf) > most {
			t.Errorf("%d bytes wait to be sent", len(h.out.buf))
		}
		if size := len(h.block.rest); size > 64<<10 {
			t.Errorf("%d bytes are kept of a header", size)
		}
	}
}

// settle waits until nothing is left of any connection.
func (s *testServer) settle(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(100 * time.Microsecond) {
		var conns, fibers int
		if !s.onLoop(func() { conns, fibers = len(s.conns()), s.loop.Fibers() }) {
			t.Fatal("the loop hangs")
		}
		switch {
		case conns == 0 && fibers == 0:
			return
		case time.Now().After(deadline):
			t.Fatalf("%d connections and %d fibers are left", conns, fibers)
		}
	}
}
