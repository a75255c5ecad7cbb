package event

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// noAllocs checks that f, run in a fiber, allocates nothing.
func noAllocs(t *testing.T, what string, f func()) {
	t.Helper()
	if n := testing.AllocsPerRun(200, f); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestAllocs(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	each(t, func(t *testing.T, h *harness) {
		h.fiber(func() {
			me := h.Current()
			nop := func() { me.Ready() }
			noAllocs(t, "yield", h.Yield)
			noAllocs(t, "new fiber, park, ready", func() { h.Go(nop); me.ParkFor(time.Minute) })
			tm := NewTimer(func() {})
			ms := time.Duration(0)
			noAllocs(t, "timer", func() { ms += 7; h.SetTimer(tm, ms%50*time.Second) })
			noAllocs(t, "timer set and deleted", func() { h.SetTimer(tm, time.Second); h.DelTimer(tm) })
			h.allocsIO(t, me)
		})
	})
}

func (h *harness) allocsIO(t *testing.T, me *Fiber) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := h.Adopt(fds[0])
	b, _ := h.Adopt(fds[1])
	defer a.Close()
	a.ReadTimeout = time.Minute
	h.Go(func() {
		buf := make([]byte, 64)
		for {
			n, err := b.Read(buf)
			if err != nil {
				b.Close()
				return
			}
			b.Write(buf[:n])
		}
	})
	buf := make([]byte, 64)
	bufs := [][]byte{buf[:3], buf[10:20]}
	in := []Interest{{a, true, false}}
	noAllocs(t, "exchange", func() { a.Write(buf[:5]); a.Read(buf) })
	noAllocs(t, "vectored exchange", func() { a.Writev(bufs); a.Readv(bufs) })
	noAllocs(t, "watched exchange", func() { a.WatchClose(me); a.Write(buf[:5]); a.Read(buf); a.WatchClose(nil) })
	noAllocs(t, "WaitAny", func() { a.Write(buf[:5]); h.WaitAny(0, in); a.Read(buf) })

	p, q := h.packetSocket(), h.packetSocket()
	defer p.Close()
	defer q.Close()
	to := q.LocalAddr().AddrPort
	noAllocs(t, "datagram", func() { p.SendTo(buf, to); q.RecvFrom(buf) })
}

// TestAllocsKeepAlive measures a whole exchange on an idle connection, a fiber's start included, from
// a client that is a plain descriptor.
func TestAllocsKeepAlive(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	each(t, func(t *testing.T, h *harness) {
		_, addr := h.serve(&echoServer{idle: time.Minute}, nil)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			err = unix.Connect(fd, sockaddr(t, addr))
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		buf := make([]byte, 10)
		noAllocs(t, "keep-alive exchange", func() {
			if _, err := unix.Write(fd, buf); err != nil {
				t.Fatal(err)
			}
			if _, err := unix.Read(fd, buf); err != nil {
				t.Fatal(err)
			}
		})
	})
}

// TestIdleMemory measures what an idle connection costs in this process.
func TestIdleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector uses memory of its own")
	}
	if n := unsafe.Sizeof(Conn{}); n > 256 {
		t.Errorf("a Conn has %d bytes", n)
	}
	n := 10_000
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	if most := int(lim.Cur)/2 - 100; most < n {
		n = most
	}
	h := start(t, Config{Connections: 2 * n, MultiAccept: true})
	_, addr := h.serve(&echoServer{idle: time.Hour}, func(ls *Listener) { ls.Timeout = time.Hour })
	sa := sockaddr(t, addr)
	fds := make([]int, 0, n)
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	before := heap()
	for i := range n {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		fds = append(fds, fd)
		// Spread over source addresses, for the ports' sake.
		_ = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 1, byte(i)}})
		if err := unix.Connect(fd, sa); err != nil {
			t.Fatal(err)
		}
	}
	h.until("all are accepted", func() bool { return h.Active() == n })
	per := (heap() - before) / int64(n)
	t.Logf("%d idle connections: %d bytes each, Conn %d", n, per, unsafe.Sizeof(Conn{}))
	if per > 300 {
		t.Errorf("an idle connection costs %d bytes", per)
	}
	h.onLoop(func() {
		if h.Fibers() != 0 {
			t.Errorf("%d fibers", h.Fibers())
		}
	})
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkFiberSwitch(b *testing.B) {
	h := start(b, Config{})
	h.fiber(func() {
		me := h.Current()
		var other *Fiber
		stop := false
		other = h.Go(func() {
			for !stop {
				me.ReadyNext()
				other.Park()
			}
		})
		me.Park()
		for b.Loop() {
			other.ReadyNext()
			me.Park()
		}
		stop = true
		other.Ready()
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/2, "ns/switch")
}

func BenchmarkTurn(b *testing.B) {
	h := start(b, Config{})
	h.fiber(func() {
		for b.Loop() {
			h.Yield()
		}
	})
}

func BenchmarkTimerRearm(b *testing.B) {
	l := &Loop{usec: 1000}
	timers := make([]*Timer, 10_000)
	for i := range timers {
		timers[i] = NewTimer(func() {})
		l.SetTimer(timers[i], time.Duration(i)*time.Millisecond)
	}
	i := 0
	for b.Loop() {
		l.usec += 1000
		tm := timers[i%len(timers)]
		l.SetTimer(tm, time.Minute)
		i += 7919
	}
}

func BenchmarkEcho(b *testing.B) {
	for _, m := range methods {
		b.Run(m, func(b *testing.B) {
			h := start(b, Config{Method: m})
			_, addr := h.serve(&echoServer{idle: time.Minute}, nil)
			c, err := net.Dial("tcp", addr)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Close()
			buf := make([]byte, 100)
			for b.Loop() {
				if _, err := c.Write(buf); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, buf); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
