package event

import (
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// listen makes a non-blocking listening socket, closed with the test.
func listen(t testing.TB, sa unix.Sockaddr) (fd int, addr string) {
	t.Helper()
	family, network := unix.AF_INET, "tcp"
	switch sa.(type) {
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
	case *unix.SockaddrUnix:
		family, network = unix.AF_UNIX, "unix"
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, sa)
	}
	if err == nil {
		err = unix.Listen(fd, 511)
	}
	if err != nil {
		t.Skip(network, err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, strings.TrimPrefix(listenerName(fd), "unix:")
}

var loopback = &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}

// echoServer sends back what it gets, a read at a time, and idles in between.
type echoServer struct {
	timedOut, reclaimed int
	idle                time.Duration
}

func (s *echoServer) Serve(c *Conn) {
	buf, _ := c.Data.([]byte)
	if buf == nil {
		buf = make([]byte, 4096)
		c.Data = buf
	}
	n, err := c.TryRead(buf)
	if err == nil {
		_, err = c.Write(buf[:n])
	}
	if err != nil && err != ErrAgain {
		c.Close()
		return
	}
	c.Idle(s.idle)
}

func (s *echoServer) IdleTimeout(c *Conn) {
	if c.Reclaimed() {
		s.reclaimed++
		return
	}
	s.timedOut++
	c.Close()
}

// serve adds a listener on loopback and returns its address.
func (h *harness) serve(s Server, set func(*Listener)) (*Listener, string) {
	h.t.Helper()
	fd, addr := listen(h.t, loopback)
	ls := &Listener{FD: fd, Server: s}
	if set != nil {
		set(ls)
	}
	h.onLoop(func() {
		if err := h.AddListener(ls); err != nil {
			h.t.Error(err)
		}
	})
	h.t.Cleanup(func() { h.onLoop(func() { _ = h.RemoveListener(ls) }) }) // before it is closed
	return ls, addr
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { c.Close() })
	return c
}

func exchange(t testing.TB, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("echoed %q, %v", got, err)
	}
}

func TestAccept(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		s := &echoServer{}
		ls, addr := h.serve(s, nil)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				c := dial(t, addr)
				for range 5 {
					exchange(t, c, "keep me alive")
				}
				c.Close()
			})
		}
		wg.Wait()
		h.until("all are gone", func() bool { return h.Active() == 0 })
		st := h.Stats()
		if a, b, c := st.Accepted.Load(), st.Handled.Load(), st.Active.Load(); a != 20 || b != 20 || c != 0 {
			t.Errorf("accepted %d, handled %d, active %d", a, b, c)
		}
		h.onLoop(func() {
			if err := h.RemoveListener(ls); err != nil {
				t.Error(err)
			}
		})
		c := dial(t, addr) // the backlog takes it, nobody accepts
		_ = c.SetDeadline(time.Now().Add(30 * time.Millisecond))
		if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("a removed listener accepts: %v", err)
		}
	})
}

func TestMultiAccept(t *testing.T) {
	h := start(t, Config{MultiAccept: true})
	fd, addr := listen(t, loopback)
	for range 10 {
		dial(t, addr)
	}
	h.onLoop(func() {
		if err := h.AddListener(&Listener{FD: fd, Server: &echoServer{}}); err != nil {
			t.Error(err)
		}
		if err := h.turn(); err != nil { // reentered on purpose: one turn must do
			t.Error(err)
		}
		if n := h.Active(); n != 10 {
			t.Errorf("one event accepted %d", n)
		}
	})
}

func TestSilentConnectionTimesOut(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		s := &echoServer{}
		_, addr := h.serve(s, func(ls *Listener) { ls.Timeout = 10 * time.Millisecond })
		if _, err := dial(t, addr).Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("read: %v", err)
		}
		h.onLoop(func() {
			if s.timedOut != 1 || s.reclaimed != 0 {
				t.Errorf("told %d times", s.timedOut)
			}
		})
	})
}

type greeter struct{ echoServer }

func (s *greeter) Serve(c *Conn) {
	c.Write([]byte("220 "))
	c.Close()
}

func TestImmediate(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		_, addr := h.serve(&greeter{}, func(ls *Listener) { ls.Immediate = true })
		if got, err := io.ReadAll(dial(t, addr)); string(got) != "220 " || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

func TestDeferredAccept(t *testing.T) {
	h := start(t, Config{})
	_, addr := h.serve(&echoServer{}, func(ls *Listener) {
		ls.Deferred = true
		if e := sysSetsockoptInt(ls.FD, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1); e != 0 {
			t.Fatal(e)
		}
	})
	exchange(t, dial(t, addr), "data with the connection")
}

func TestAddresses(t *testing.T) {
	h := start(t, Config{})
	path := filepath.Join(t.TempDir(), "s")
	for _, sa := range []unix.Sockaddr{
		loopback,
		&unix.SockaddrInet6{Addr: netip.IPv6Loopback().As16()},
		&unix.SockaddrUnix{Name: path},
		&unix.SockaddrUnix{Name: "@moongate-test"},
	} {
		fd, addr := listen(t, sa)
		unixAddr := ""
		if _, ok := sa.(*unix.SockaddrUnix); ok {
			unixAddr = "unix:" + addr
		}
		bound, err := unix.Getsockname(fd)
		if err != nil {
			t.Fatal(err)
		}
		var server *Conn
		s := &idleServer{then: func(c *Conn) { server = c; c.Idle(0) }}
		h.fiber(func() {
			if err := h.AddListener(&Listener{FD: fd, Server: s}); err != nil {
				t.Error(err)
			}
			c, err := h.Dial(bound, DialOptions{Data: "data", KeepAlive: true, RecvBuffer: 1 << 16, Timeout: time.Second})
			if err != nil {
				t.Error(err)
				return
			}
			if c.Data != "data" {
				t.Error("Data was not set")
			}
			c.Write([]byte("x"))
			for server == nil {
				h.Sleep(time.Millisecond)
			}
			if unixAddr != "" {
				if a, b := server.LocalAddr().String(), server.RemoteAddr().String(); a != unixAddr || b != "unix:" {
					t.Errorf("server: %s from %s", a, b)
				}
				if a := c.RemoteAddr().String(); a != unixAddr {
					t.Errorf("client to %s, want %s", a, unixAddr)
				}
			} else {
				if a, b := server.LocalAddr(), c.RemoteAddr(); a != b || a.String() != addr {
					t.Errorf("%v and %v, want %s", a, b, addr)
				}
				if a, b := server.RemoteAddr(), c.LocalAddr(); a != b || !a.Addr().IsLoopback() || a.Port() == 0 {
					t.Errorf("client's address: %v and %v", a, b)
				}
			}
			c.Close()
		})
	}
}

func TestReuseOfIdleConnections(t *testing.T) {
	h := start(t, Config{Connections: 17}) // 16 and the listener
	s := &echoServer{}
	_, addr := h.serve(s, nil)
	var clients []net.Conn
	for range 16 {
		c := dial(t, addr)
		exchange(t, c, "hold")
		clients = append(clients, c)
	}
	exchange(t, dial(t, addr), "one too many")
	if _, err := clients[0].Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the oldest connection was not reused: %v", err)
	}
	exchange(t, clients[15], "still there")
	h.onLoop(func() {
		if !h.log.has("[5] 17 worker_connections are not enough, reusing connections") {
			t.Errorf("logged %q", h.log.lines)
		}
		if s.reclaimed == 0 || s.timedOut != 0 {
			t.Errorf("reclaimed %d", s.reclaimed)
		}
	})
}

// holder keeps its connections busy.
type holder struct{ echoServer }

func (s *holder) Serve(c *Conn) {}

func TestConnectionsExhausted(t *testing.T) {
	h := start(t, Config{Connections: 4})
	_, addr := h.serve(&holder{}, func(ls *Listener) { ls.Immediate = true })
	for range 3 {
		dial(t, addr)
	}
	h.until("three are held", func() bool { return h.Active() == 3 })
	if _, err := dial(t, addr).Read(make([]byte, 1)); err == nil {
		t.Error("the fourth is served")
	}
	h.fiber(func() {
		if !h.log.has("[2] 4 worker_connections are not enough") || h.log.has("reusing") {
			t.Errorf("logged %q", h.log.lines)
		}
		if _, err := h.Dial(loopback, DialOptions{}); err != ErrConnections {
			t.Errorf("Dial: %v", err)
		}
		st := h.Stats()
		if a, b := st.Accepted.Load(), st.Handled.Load(); a != 4 || b != 3 {
			t.Errorf("accepted %d, handled %d", a, b)
		}
	})
}

// TestAcceptPausesAtEMFILE lowers the limit of the process, so it must not run beside others.
func TestAcceptPausesAtEMFILE(t *testing.T) {
	delay := 200 * time.Millisecond
	h := start(t, Config{AcceptMutexDelay: delay})
	_, addr := h.serve(&echoServer{}, nil)
	c := dial(t, addr)
	exchange(t, c, "first")
	client := dialLater(t)

	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	probe, err := unix.Dup(0) // the lowest free descriptor: none may be opened from here on
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(probe)
	restore := func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
			t.Error(err)
		}
	}
	defer restore()
	began := time.Now()
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(probe), Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(client, sockaddr(t, addr)); err != nil {
		t.Fatal(err)
	}
	h.until("accepting pauses", func() bool { return !h.listeners[0].active })
	restore()
	h.until("it is accepted after all", func() bool { return h.Active() == 2 })
	h.onLoop(func() {
		n := 0
		for _, line := range h.log.lines {
			if strings.HasPrefix(line, "[3] accept4() failed") {
				n++
			}
		}
		if most := 1 + int(time.Since(began)/delay); n == 0 || n > most {
			t.Errorf("logged %q, and %d times at most in this time", h.log.lines, most)
		}
	})
}

// dialLater makes a socket to connect with when no descriptor can be made any more.
func dialLater(t *testing.T) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func sockaddr(t testing.TB, addr string) *unix.SockaddrInet4 {
	t.Helper()
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}
}

// testMutex is an accept mutex between loops of one process.
type testMutex struct {
	mu      *sync.Mutex
	t       *testing.T
	held    bool
	locked  int
	refuses bool
}

func (m *testMutex) TryLock() bool {
	if m.refuses || !m.mu.TryLock() {
		return false
	}
	m.held = true
	m.locked++
	return true
}

func (m *testMutex) Unlock() {
	if !m.held {
		m.t.Error("unlocked without being locked")
	}
	m.held = false
	m.mu.Unlock()
}

func TestAcceptMutex(t *testing.T) {
	for _, method := range methods {
		var mu sync.Mutex
		a, b := &testMutex{mu: &mu, t: t}, &testMutex{mu: &mu, t: t, refuses: true}
		delay := 5 * time.Millisecond
		h1 := start(t, Config{Method: method, AcceptMutex: a, AcceptMutexDelay: delay})
		h2 := start(t, Config{Method: method, AcceptMutex: b, AcceptMutexDelay: delay})
		s := &echoServer{}
		ls, addr := h1.serve(s, func(ls *Listener) { ls.Shared = true })
		h2.onLoop(func() {
			if err := h2.AddListener(&Listener{FD: ls.FD, Server: s, Shared: true}); err != nil {
				t.Error(err)
			}
		})
		_, own := h2.serve(s, nil) // not shared: not subject to the mutex
		for range 3 {
			exchange(t, dial(t, addr), "to the holder of the mutex")
		}
		exchange(t, dial(t, own), "to the other's own socket")
		h1.onLoop(func() {
			if h1.Active() != 3 || a.locked == 0 {
				t.Errorf("%s: the holder accepted %d", method, h1.Active())
			}
			a.refuses = true
		})
		h2.onLoop(func() { b.refuses = false })
		exchange(t, dial(t, addr), "to the new holder")
		h2.onLoop(func() {
			if h2.Active() != 2 {
				t.Errorf("%s: the new holder accepted %d", method, h2.Active()-1)
			}
		})
	}
}

// Workers that share a socket without a mutex all get some of the connections.
func TestExclusiveListenersShare(t *testing.T) {
	h1, h2 := start(t, Config{}), start(t, Config{})
	s := &echoServer{}
	ls, addr := h1.serve(s, func(ls *Listener) { ls.Shared = true })
	h2.onLoop(func() {
		if err := h2.AddListener(&Listener{FD: ls.FD, Server: s, Shared: true}); err != nil {
			t.Error(err)
		}
	})
	for range 64 {
		c := dial(t, addr)
		exchange(t, c, "x")
	}
	a, b := h1.Stats().Handled.Load(), h2.Stats().Handled.Load()
	if a+b != 64 || a == 0 || b == 0 {
		t.Errorf("the loops handled %d and %d", a, b)
	}
}

func TestRemoveListeners(t *testing.T) {
	h := start(t, Config{})
	h.serve(&echoServer{}, nil)
	h.serve(&echoServer{}, nil)
	h.onLoop(func() {
		if err := h.RemoveListeners(); err != nil || len(h.listeners) != 0 || h.conns.used != 0 {
			t.Errorf("%v, %d left", err, len(h.listeners))
		}
		if err := h.RemoveListener(&Listener{}); err != nil {
			t.Errorf("a stranger: %v", err)
		}
	})
}
