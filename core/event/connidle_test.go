package event

import (
	"io"
	"testing"
	"time"
)

// idleServer counts, and reads what comes.
type idleServer struct {
	served, timedOut int
	got              []byte
	then             func(c *Conn)
}

func (s *idleServer) Serve(c *Conn) {
	s.served++
	var buf [64]byte
	for {
		n, err := c.TryRead(buf[:])
		s.got = append(s.got, buf[:n]...)
		if err == ErrAgain {
			s.then(c)
			return
		}
		if err != nil {
			c.Close()
			return
		}
	}
}

func (s *idleServer) IdleTimeout(c *Conn) {
	s.timedOut++
	if !c.Reclaimed() {
		c.Close()
	}
}

func TestIdle(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		s := &idleServer{then: func(c *Conn) { c.Idle(time.Minute) }}
		var c *Conn
		var p *peer
		h.onLoop(func() {
			c, p = h.pair()
			c.Server = s
			p.Write([]byte("a")) // known or not, it is served
			c.Idle(time.Minute)
		})
		h.until("the first", func() bool { return string(s.got) == "a" && c.has(flagIdle) })
		p.Write([]byte("b"))
		h.until("the second", func() bool { return string(s.got) == "ab" && c.has(flagIdle) })
		h.onLoop(func() {
			if w := h.Stats().Waiting.Load(); h.Fibers() != 0 || w != 1 {
				t.Errorf("%d fibers, %d waiting", h.Fibers(), w)
			}
			if !c.Take() || c.Take() {
				t.Error("an idle connection can be taken once")
			}
			c.Idle(5 * time.Millisecond)
		})
		h.until("the timeout", func() bool { return s.timedOut == 1 && c.Closed() })
		h.onLoop(func() {
			c, p = h.pair()
			c.Server = s
			c.Idle(0)
		})
		p.Close()
		h.until("the peer's close", c.Closed)
		h.onLoop(func() {
			if w := h.Stats().Waiting.Load(); w != 0 || h.conns.used != 0 {
				t.Errorf("%d waiting, %d in use", w, h.conns.used)
			}
		})
	})
}

func TestCloseIdle(t *testing.T) {
	h := start(t, Config{})
	s := &idleServer{then: func(c *Conn) { c.Idle(0) }}
	var peers []*peer
	h.onLoop(func() {
		for range 3 {
			c, p := h.pair()
			c.Server = s
			c.Idle(0)
			peers = append(peers, p)
		}
	})
	h.until("they are idle", func() bool { return h.conns.reusableN == 3 })
	h.onLoop(h.CloseIdle)
	for _, p := range peers {
		if _, err := p.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("peer: %v", err)
		}
	}
	if s.timedOut != 3 {
		t.Errorf("%d were told", s.timedOut)
	}
}

// A connection that was accepted but has sent nothing yet outlives CloseIdle; one between two requests
// does not, unless it is protected.
func TestCloseIdleSparesNewConnections(t *testing.T) {
	h := start(t, Config{})
	_, addr := h.serve(&echoServer{idle: time.Minute}, nil)
	kept, fresh := dial(t, addr), dial(t, addr)
	exchange(t, kept, "first request")
	h.until("both are accepted", func() bool { return h.Active() == 2 })
	h.onLoop(h.CloseIdle)
	if _, err := kept.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("kept alive: %v", err)
	}
	exchange(t, fresh, "request on its way")
}

func TestIdleMin(t *testing.T) {
	h := start(t, Config{})
	s := &echoServer{}
	var c [4]*Conn
	min, rest := 30*time.Millisecond, time.Minute
	h.onLoop(func() {
		for i := range c {
			c[i], _ = h.pair()
			c[i].Server = s
			_, _ = c[i].TryRead(make([]byte, 1))
		}
		c[0].IdleMin(min, rest)
		c[1].IdleMin(min, 0)
		c[2].IdleMin(min, min)
		c[3].Idle(rest)
		if n := h.conns.reusableN; n != 1 {
			t.Errorf("%d are reusable at once", n)
		}
	})
	h.until("the minimum passes", func() bool { return h.conns.reusableN == 3 && s.timedOut == 1 })
	h.onLoop(func() {
		if !c[2].Closed() || c[1].timer.Armed() || !c[0].timer.Armed() {
			t.Error("what follows is wrong")
		}
		if !c[0].Take() {
			t.Error("it cannot be taken")
		}
		c[0].IdleMin(min, rest)
		h.CloseIdle()
		if s.reclaimed != 2 || c[0].Closed() {
			t.Errorf("%d reclaimed", s.reclaimed)
		}
	})
	h.until("the protection ends", c[0].Closed)
}

// Lingering connections make room too.
func TestLingeringIsReused(t *testing.T) {
	h := start(t, Config{Connections: 4})
	_, addr := h.serve(&lingerer{}, func(ls *Listener) { ls.Immediate = true })
	for range 10 {
		if _, err := dial(t, addr).Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("not served: %v", err)
		}
	}
	h.onLoop(func() {
		if h.log.has("[2]") || h.Active() > 3 {
			t.Errorf("%d open, logged %q", h.Active(), h.log.lines)
		}
	})
}

type lingerer struct{ echoServer }

func (*lingerer) Serve(c *Conn) { c.CloseLinger(time.Minute, time.Minute) }

func TestCloseLinger(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		c, p := h.tcpPair()
		h.fiber(func() {
			c.Write([]byte("refused"))
			c.CloseLinger(10*time.Second, 10*time.Second)
		})
		// More than the socket buffers hold goes through, so that it is read.
		if _, err := p.Write(make([]byte, 16<<20)); err != nil {
			t.Errorf("the peer's write: %v", err)
		}
		if got, err := io.ReadAll(p); string(got) != "refused" || err != nil {
			t.Errorf("the peer read %q, %v", got, err)
		}
		p.Close()
		h.until("it is closed", c.Closed)

		c, _ = h.tcpPair()
		h.onLoop(func() { c.CloseLinger(10*time.Second, 10*time.Millisecond) })
		h.until("it is closed for silence", c.Closed)

		c, p = h.tcpPair()
		began := time.Now()
		h.onLoop(func() { c.CloseLinger(50*time.Millisecond, 40*time.Millisecond) })
		for err := error(nil); err == nil && time.Since(began) < 5*time.Second; {
			_, err = p.Write([]byte("x"))
			time.Sleep(time.Millisecond)
		}
		h.until("it is closed for the time", c.Closed)
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("lingered for %v", d)
		}
	})
}
