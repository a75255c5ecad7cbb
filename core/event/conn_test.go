package event

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadWrite(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		var c *Conn
		var p *peer
		h.onLoop(func() { c, p = h.pair() })
		go func() {
			time.Sleep(5 * time.Millisecond)
			p.Write([]byte("hello"))
			time.Sleep(5 * time.Millisecond)
			p.CloseWrite()
		}()
		h.fiber(func() {
			got, err := io.ReadAll(c)
			if string(got) != "hello" || err != nil {
				t.Errorf("read %q, %v", got, err)
			}
			if !c.PeerClosed() || !c.EOF() {
				t.Error("the end was not noted")
			}
			if n, err := c.Write([]byte("bye")); n != 3 || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
			if err := c.ShutdownWrite(); err != nil {
				t.Error(err)
			}
			c.Close()
			c.Close()
			if _, err := c.Read(make([]byte, 1)); err != ErrClosed {
				t.Errorf("Read after Close: %v", err)
			}
			if _, err := c.Write([]byte("x")); err != ErrClosed {
				t.Errorf("Write after Close: %v", err)
			}
			if c.FD() != -1 {
				t.Error("a closed connection has a descriptor")
			}
		})
		if got, err := io.ReadAll(p); string(got) != "bye" || err != nil {
			t.Errorf("peer read %q, %v", got, err)
		}
	})
}

// TestBulk moves more than the kernel buffers hold, in both directions at once, by two fibers that
// wait on one connection.
func TestBulk(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		var c *Conn
		var p *peer
		h.onLoop(func() { c, p = h.pair() })
		data := bytes.Repeat([]byte("0123456789abcdef"), 300_000)
		bufs := [][]byte{nil, data[:1], data[1:1], data[1:70_000]}
		for at := 70_000; at < len(data); at += 30_000 { // more than maxIovecs
			bufs = append(bufs, data[at:min(at+30_000, len(data))])
		}
		echoed := make(chan [32]byte, 1)
		go func() { // the peer sends back what it gets
			got, _ := io.ReadAll(io.TeeReader(p, p))
			p.CloseWrite()
			echoed <- sha256.Sum256(got)
		}()
		var back []byte
		h.fiber(func() {
			reader := h.Current()
			h.Go(func() {
				n, err := c.Writev(bufs)
				if n != int64(len(data)) || err != nil {
					t.Errorf("Writev: %d of %d, %v", n, len(data), err)
				}
				_ = c.ShutdownWrite()
				reader.Ready()
			})
			a, b := make([]byte, 10_000), make([]byte, 7)
			for {
				n, err := c.Readv([][]byte{a, b})
				back = append(back, a[:min(n, len(a))]...)
				back = append(back, b[:max(n-len(a), 0)]...)
				if err != nil {
					if err != io.EOF {
						t.Error(err)
					}
					break
				}
			}
			c.Close()
		})
		if want := sha256.Sum256(data); <-echoed != want || sha256.Sum256(back) != want {
			t.Error("data was lost or changed on the way")
		}
	})
}

func TestSendfile(t *testing.T) {
	data := bytes.Repeat([]byte("sendfile"), 500_000)
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, h *harness) {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var c *Conn
		var p *peer
		h.onLoop(func() { c, p = h.pair() })
		got := make(chan []byte, 1)
		go func() { b, _ := io.ReadAll(p); got <- b }()
		fd := int(f.Fd())
		h.fiber(func() {
			n, err := c.Sendfile(fd, 3, int64(len(data)-3), 100_000)
			if n != int64(len(data)-3) || err != nil {
				t.Errorf("Sendfile: %d, %v", n, err)
			}
			n, err = c.Sendfile(fd, int64(len(data)-5), 10, 0)
			if n != 5 || err != io.ErrUnexpectedEOF {
				t.Errorf("Sendfile past the end: %d, %v", n, err)
			}
			c.Close()
		})
		if want := append(data[3:len(data):len(data)], data[len(data)-5:]...); !bytes.Equal(<-got, want) {
			t.Error("the file arrived changed")
		}
	})
}

func TestTimeouts(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		h.fiber(func() {
			c, _ := h.pair()
			defer c.Close()
			c.ReadTimeout, c.WriteTimeout = 10*time.Millisecond, 10*time.Millisecond
			if _, err := c.Read(make([]byte, 1)); err != ErrTimeout {
				t.Errorf("Read: %v", err)
			}
			big := make([]byte, 1<<20)
			n, err := c.Write(big)
			for err == nil {
				n, err = c.Write(big)
			}
			if n >= len(big) || err != ErrTimeout {
				t.Errorf("Write: %d, %v", n, err)
			}
			if err := c.WaitAny(true, true, 5*time.Millisecond); err != ErrTimeout {
				t.Errorf("WaitAny: %v", err)
			}
		})
	})
}

// Outside a fiber nothing waits.
func TestOnTheLoop(t *testing.T) {
	h := start(t, Config{})
	h.onLoop(func() {
		c, _ := h.pair()
		defer c.Close()
		if _, err := c.Read(make([]byte, 1)); err != ErrAgain {
			t.Errorf("Read: %v", err)
		}
		if err := h.Sleep(time.Second); err != ErrAgain {
			t.Errorf("Sleep: %v", err)
		}
		if _, err := h.WaitAny(0, []Interest{{c, true, false}}); err != ErrAgain {
			t.Errorf("WaitAny: %v", err)
		}
		h.Yield()
	})
}

func TestWaitAny(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		h.fiber(func() {
			a, pa := h.pair()
			b, pb := h.pair()
			var one [1]byte
			in := []Interest{{a, true, false}, {b, true, false}}
			_, _ = a.TryRead(one[:])
			_, _ = b.TryRead(one[:])

			if _, err := h.WaitAny(5*time.Millisecond, in); err != ErrTimeout {
				t.Errorf("silent: %v", err)
			}
			time.AfterFunc(5*time.Millisecond, func() { pb.Write(one[:]) })
			if i, err := h.WaitAny(0, in); i != 1 || err != nil {
				t.Errorf("b sends: %d, %v", i, err)
			}
			if i, err := h.WaitAny(0, in); i != 1 || err != nil {
				t.Errorf("b still unread: %d, %v", i, err)
			}
			_, _ = b.TryRead(make([]byte, 2))
			time.AfterFunc(5*time.Millisecond, func() { pa.Close() })
			if i, err := h.WaitAny(0, in); i != 0 || err != nil || a.PeerClosed() != h.poll.peerClose() {
				t.Errorf("a closes: %d, %v", i, err)
			}
			f := h.Current()
			h.SetTimer(NewTimer(f.Ready), 5*time.Millisecond)
			if i, err := h.WaitAny(0, in[1:]); i != -1 || err != nil {
				t.Errorf("Ready: %d, %v", i, err)
			}
			h.SetTimer(NewTimer(b.Close), 5*time.Millisecond)
			if i, err := h.WaitAny(0, in[1:]); i != 0 || err != nil || !b.Closed() {
				t.Errorf("b closed: %d, %v", i, err)
			}
			if a.rwait != nil || b.rwait != nil {
				t.Error("a wait has left its traces")
			}
			a.Close()
		})
	})
}

func TestTwoReadersAreRefused(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		c, p := h.pair()
		d, _ := h.pair()
		var got error
		f := h.Go(func() { _, got = c.Read(make([]byte, 1)) })
		h.Yield()
		if _, err := c.Read(make([]byte, 1)); err != ErrBusy {
			t.Errorf("second reader: %v", err)
		}
		_, _ = d.TryRead(make([]byte, 1))
		if _, err := h.WaitAny(0, []Interest{{d, true, false}, {c, true, false}}); err != ErrBusy || d.rwait != nil {
			t.Errorf("second reader in WaitAny: %v", err)
		}
		ref := f.Ref()
		p.Write([]byte("x"))
		for ref.Fiber() != nil {
			h.Sleep(time.Millisecond)
		}
		if got != nil {
			t.Errorf("first reader: %v", got)
		}
		c.Close()
		d.Close()
	})
}

func TestCloseWakesWaiters(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		c, _ := h.pair()
		var read, write error
		h.Go(func() { _, read = c.Read(make([]byte, 1)) })
		h.Go(func() {
			for write == nil {
				_, write = c.Write(make([]byte, 1<<20))
			}
		})
		h.Sleep(5 * time.Millisecond)
		c.Close()
		h.Yield()
		if read != ErrClosed || write != ErrClosed {
			t.Errorf("reader: %v, writer: %v", read, write)
		}
	})
}

// An event that the kernel has queued for a closed connection must not reach the one that uses its
// slot now.
func TestStaleEvents(t *testing.T) {
	h := start(t, Config{})
	h.onLoop(func() {
		a, _ := h.pair()
		stale := event{a.slot, a.gen, eventRead | eventPeerClosed | eventHangup}
		a.Close()
		b, _ := h.pair()
		defer b.Close()
		if b.slot != stale.slot {
			t.Fatal("the slot was not reused")
		}
		_, _ = b.TryRead(make([]byte, 1))
		h.dispatch(&stale)
		h.dispatch(&event{slot: 1 << 20, mask: eventRead})
		h.dispatch(&event{slot: -1 << 20, mask: eventRead})
		if b.Readable() || b.PeerClosed() {
			t.Error("the stale event was delivered")
		}
	})
}

func TestWatchClose(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		h.fiber(func() {
			c, p := h.pair()
			_, _ = c.TryRead(make([]byte, 1))
			f := h.Current()
			c.WatchClose(f)
			time.AfterFunc(5*time.Millisecond, func() { p.Close() })
			if err := h.Sleep(10 * time.Second); err != ErrPeerClosed {
				t.Errorf("Sleep: %v", err)
			}
			f.Uncancel()
			if err := h.Sleep(time.Millisecond); err != nil {
				t.Errorf("told twice: %v", err)
			}
			c.WatchClose(f)
			if f.Err() != ErrPeerClosed {
				t.Errorf("not told of what is known: %v", f.Err())
			}
			f.Uncancel()
			c.Close()
		})
	})
}

// A watch ends with the function it was for, and can be taken back.
func TestWatchCloseEnds(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		h.fiber(func() {
			c, p := h.pair()
			d, q := h.pair()
			_, _ = c.TryRead(make([]byte, 1))
			_, _ = d.TryRead(make([]byte, 1))
			me := h.Current()
			c.WatchClose(h.Go(func() {}))
			d.WatchClose(me)
			d.WatchClose(nil)
			h.Yield()
			next := h.Go(func() {
				if err := h.Sleep(20 * time.Millisecond); err != nil {
					t.Errorf("the fiber's next function was cancelled: %v", err)
				}
				me.Ready()
			})
			p.Close()
			q.Close()
			if w := me.Park(); w != Ready || next.Err() != nil {
				t.Errorf("woken by %v", w)
			}
			c.Close()
			d.Close()
		})
	})
}

func TestWatchCloseFunc(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		var c *Conn
		var p *peer
		told := 0
		h.onLoop(func() {
			c, p = h.pair()
			if h.poll.peerClose() {
				p.Write([]byte("unread data does not hide the end"))
			} else {
				_, _ = c.TryRead(make([]byte, 1))
			}
			c.WatchCloseFunc(func() { told++ })
		})
		h.onLoop(func() {
			if told != 0 {
				t.Error("told too early")
			}
		})
		p.CloseWrite()
		h.until("it is told", func() bool { return told == 1 })
		h.onLoop(c.Close)
	})
}

func TestCloseReset(t *testing.T) {
	h := start(t, Config{})
	c, p := h.tcpPair()
	h.onLoop(c.CloseReset)
	if _, err := p.Read(make([]byte, 1)); !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the peer got %v", err)
	}
}

func TestSystemErrors(t *testing.T) {
	h := start(t, Config{})
	c, p := h.tcpPair()
	_ = p.SetLinger(0)
	p.Close()
	h.fiber(func() {
		_, err := c.Read(make([]byte, 1))
		var se *os.SyscallError
		if !errors.As(err, &se) || se.Syscall != "recv" || !errors.Is(err, unix.ECONNRESET) {
			t.Errorf("%v", err)
		}
		c.Close()
	})
}

// A pipe is a stream too.
func TestPipe(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		var fds [2]int
		if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		const size = 1 << 20
		h.fiber(func() {
			r, err := h.Adopt(fds[0])
			if err != nil {
				t.Fatal(err)
			}
			w, err := h.Adopt(fds[1])
			if err != nil {
				t.Fatal(err)
			}
			h.Go(func() {
				if n, err := w.Write(make([]byte, size)); n != size || err != nil {
					t.Errorf("Write: %d, %v", n, err)
				}
				w.Close()
			})
			got, err := io.ReadAll(r)
			if len(got) != size || err != nil {
				t.Errorf("read %d, %v", len(got), err)
			}
			r.Close()
		})
	})
}

func TestPeek(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		h.fiber(func() {
			c, p := h.pair()
			defer c.Close()
			buf := make([]byte, 3)
			if _, err := c.TryPeek(buf); err != ErrAgain || c.Readable() {
				t.Errorf("empty: %v", err)
			}
			p.Write([]byte("hello"))
			if err := c.WaitReadable(0); err != nil {
				t.Error(err)
			}
			for range 2 {
				if n, err := c.TryPeek(buf); string(buf[:n]) != "hel" || err != nil {
					t.Errorf("peeked %q, %v", buf[:n], err)
				}
			}
			if got, err := c.Read(make([]byte, 10)); got != 5 || err != nil {
				t.Errorf("read %d, %v", got, err)
			}
			p.Close()
			if err := c.WaitReadable(0); err != nil {
				t.Error(err)
			}
			if _, err := c.TryPeek(buf); err != io.EOF {
				t.Errorf("the end: %v", err)
			}
		})
	})
}

func TestOptions(t *testing.T) {
	h := start(t, Config{})
	c, _ := h.tcpPair()
	h.onLoop(func() {
		for name, set := range map[int]func(bool) error{unix.TCP_NODELAY: c.SetNoDelay, unix.TCP_CORK: c.SetNoPush} {
			for _, on := range []bool{true, true, false, true} {
				if err := set(on); err != nil {
					t.Error(err)
				}
				if v, _ := sysGetsockoptInt(c.FD(), unix.IPPROTO_TCP, name); v != 0 != on {
					t.Errorf("option %d is %d, want %v", name, v, on)
				}
			}
		}
		c.Close()
		if err := c.SetNoDelay(false); err != ErrClosed {
			t.Errorf("closed: %v", err)
		}
		u, _ := h.pair()
		u.LocalAddr()
		u.RemoteAddr()
		if err := u.SetNoDelay(true); err != nil {
			t.Errorf("a Unix-domain socket: %v", err)
		}
		u.Close()
	})
}

// Whoever always finds data ready must let the others run now and then.
func TestSpend(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		c, _ := h.pair()
		defer c.Close()
		turns := map[string]func(){
			"wait": func() { _ = c.WaitWritable(0) },
			"work": func() { h.Spend(1 << 10) },
			"read": func() { c.flags |= flagReadable; _, _ = c.Read(nil) },
		}
		for name, f := range turns {
			ran := false
			h.Go(func() { ran = true })
			n := 0
			for ; !ran && n < 1000; n++ {
				f()
			}
			if n < 2 || n > fiberBudget+2 {
				t.Errorf("%s: others ran after %d calls", name, n)
			}
		}
	})
}

func TestTryWritev(t *testing.T) {
	h := start(t, Config{})
	h.onLoop(func() {
		c, p := h.pair()
		defer c.Close()
		bufs := [][]byte{nil}
		for range 3 * maxIovecs {
			bufs = append(bufs, []byte("ab"), nil)
		}
		if n, err := c.TryWritev(bufs); n != 6*maxIovecs || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		got := make([]byte, 6*maxIovecs)
		if _, err := io.ReadFull(p, got); err != nil || !bytes.Equal(got, bytes.Repeat([]byte("ab"), 3*maxIovecs)) {
			t.Errorf("%q, %v", got, err)
		}
		if n, err := c.TryWritev(nil); n != 0 || err != nil {
			t.Errorf("nothing: %d, %v", n, err)
		}
		big := make([]byte, 1<<20)
		n, err := c.TryWritev([][]byte{big, big})
		if n == 0 || n >= 2<<20 || err != ErrAgain || c.Writable() {
			t.Errorf("too much: %d, %v", n, err)
		}
	})
}
