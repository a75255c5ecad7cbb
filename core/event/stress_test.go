package event

import (
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestStress has clients misbehave at random and checks that nothing is left of them.
func TestStress(t *testing.T) {
	for _, m := range methods {
		t.Run(m, func(t *testing.T) {
			h := start(t, Config{Method: m, Connections: 40, IdleFibers: 8})
			_, addr := h.serve(&moodyServer{}, func(ls *Listener) { ls.Timeout = 20 * time.Millisecond })
			var wg sync.WaitGroup
			for i := range 30 {
				wg.Go(func() { misbehave(addr, rand.New(rand.NewPCG(1, uint64(i)))) })
			}
			wg.Wait()
			h.until("all are gone", func() bool { return h.Active() == 0 && h.Fibers() == 0 })
			h.onLoop(func() {
				st := h.Stats()
				if h.conns.used != 1 || h.conns.reusableN != 0 || st.Active.Load() != 0 || st.Waiting.Load() != 0 {
					t.Errorf("%d in use, %d reusable, %d active, %d waiting", h.conns.used, h.conns.reusableN,
						st.Active.Load(), st.Waiting.Load())
				}
				if n := len(h.timers); n > 8 {
					t.Errorf("%d timers are left", n)
				}
				if h.log.has("panic") {
					t.Error(strings.Join(h.log.lines, "\n"))
				}
			})
		})
	}
}

// moodyServer treats its connections in every way there is; the first byte read says how.
type moodyServer struct{ echoServer }

func (s *moodyServer) Serve(c *Conn) {
	c.ReadTimeout, c.WriteTimeout = 20*time.Millisecond, 20*time.Millisecond
	buf := make([]byte, 1<<12)
	n, err := c.Read(buf)
	if err != nil {
		c.Close()
		return
	}
	switch buf[0] % 8 {
	case 0:
		c.CloseLinger(20*time.Millisecond, 10*time.Millisecond)
	case 1:
		c.CloseReset()
	case 2:
		c.IdleMin(5*time.Millisecond, 10*time.Millisecond)
	case 3: // a reader and a writer
		l := c.Loop()
		l.Go(func() { _, _ = io.Copy(io.Discard, struct{ io.Reader }{c}); c.Close() })
		_, _ = c.Write(make([]byte, 1<<20))
	case 4:
		c.WatchClose(c.Loop().Current())
		_ = c.Loop().Sleep(20 * time.Millisecond)
		c.Close()
	case 5:
		c.Loop().Offload(func() { time.Sleep(time.Millisecond) })
		c.Idle(10 * time.Millisecond)
	default:
		_, _ = c.Write(buf[:n])
		c.Idle(10 * time.Millisecond)
	}
}

// misbehave opens connections, sends, and leaves them in every way there is.
func misbehave(addr string, r *rand.Rand) {
	for range 20 {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		c := nc.(*net.TCPConn)
		_ = c.SetDeadline(time.Now().Add(50 * time.Millisecond))
		for range r.IntN(4) {
			b := make([]byte, 1+r.IntN(1<<14))
			b[0] = byte(r.Uint32())
			_, _ = c.Write(b)
			if r.IntN(2) == 0 {
				_, _ = c.Read(b)
			}
		}
		switch r.IntN(4) {
		case 0:
			_ = c.SetLinger(0)
		case 1:
			_ = c.CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		case 2:
			time.Sleep(time.Duration(r.IntN(30)) * time.Millisecond)
		}
		_ = c.Close()
	}
}
