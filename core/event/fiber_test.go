package event

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParkAndReady(t *testing.T) {
	h := start(t, Config{})
	var order []string
	say := func(s string) { order = append(order, s) }
	h.fiber(func() {
		me := h.Current()
		var waiter *Fiber
		waiter = h.Go(func() {
			if h.Current() != waiter {
				t.Error("Current is not the running fiber")
			}
			say("waiter parks")
			if w := waiter.Park(); w != Ready {
				t.Errorf("woken by %v", w)
			}
			say("waiter runs")
			me.Ready()
		})
		waiter.Ready() // not parked yet: must be forgotten
		h.Yield()
		say("wake it")
		waiter.Ready()
		waiter.Ready()
		me.Park()
		say("back")
	})
	want := []string{"waiter parks", "wake it", "waiter runs", "back"}
	if d := cmp.Diff(want, order); d != "" {
		t.Error(d)
	}
	h.onLoop(func() {
		if h.Current() != nil {
			t.Error("there is a current fiber on the loop")
		}
	})
}

func TestParkFor(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		f := h.Current()
		before := h.NowMsec()
		if w := f.ParkFor(20 * time.Millisecond); w != Timeout {
			t.Errorf("woken by %v", w)
		}
		if d := h.NowMsec() - before; d < 20 {
			t.Errorf("woke up after %d ms", d)
		}
		h.Go(func() { f.Ready() })
		if w := f.ParkFor(time.Minute); w != Ready {
			t.Errorf("woken by %v", w)
		}
	})
}

// A Ready that comes between the timeout and the fiber's turn must not be lost: the waker may have
// handed something over.
func TestReadyWinsOverTimeout(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		f := h.Current()
		late := NewTimer(f.Ready)
		h.SetTimer(late, 10*time.Millisecond)
		if w := f.ParkFor(10 * time.Millisecond); w != Ready {
			t.Errorf("woken by %v", w)
		}
	})
}

func TestCancel(t *testing.T) {
	h := start(t, Config{})
	reason := errors.New("reason")
	h.fiber(func() {
		f := h.Current()
		c, _ := h.pair()
		defer c.Close()
		_, _ = c.TryRead(make([]byte, 1)) // now it is known not to be readable
		waits := map[string]func() error{
			"sleep": func() error { return h.Sleep(time.Minute) },
			"yield": func() error { return h.Sleep(0) },
			"read":  func() error { _, err := c.Read(make([]byte, 1)); return err },
			"any":   func() error { _, err := h.WaitAny(0, []Interest{{c, true, false}}); return err },
			"park": func() error {
				if f.Park() != Canceled {
					t.Error("Park was not cancelled")
				}
				return f.Err()
			},
		}
		for name, wait := range waits {
			h.Go(func() { f.Cancel(reason); f.Cancel(errors.New("second")) })
			if err := wait(); err != reason {
				t.Errorf("%s, pending: %v", name, err)
			}
			if err := wait(); err != reason {
				t.Errorf("%s, later: %v", name, err)
			}
			f.Uncancel()
			if err := h.Sleep(time.Millisecond); err != nil {
				t.Errorf("%s, after Uncancel: %v", name, err)
			}
		}
	})
}

func TestFiberRef(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		f := h.Go(func() {})
		ref := f.Ref()
		if ref.Fiber() != f {
			t.Error("the reference does not find a live fiber")
		}
		h.Yield()
		again := h.Go(func() { h.Current().Park() })
		h.Yield()
		if again != f {
			t.Error("the fiber was not reused")
		}
		if ref.Fiber() != nil {
			t.Error("the reference finds another function's fiber")
		}
		again.Ready()
	})
}

// ReadyNext hands over directly: the woken fiber runs before what was queued earlier.
func TestReadyNext(t *testing.T) {
	h := start(t, Config{})
	var order []string
	h.fiber(func() {
		me := h.Current()
		var co *Fiber
		co = h.Go(func() {
			for range 3 {
				order = append(order, "coroutine")
				me.ReadyNext()
				co.Park()
			}
			me.ReadyNext()
		})
		h.Go(func() { order = append(order, "bystander") })
		me.Park()
		for range 3 {
			order = append(order, "main")
			co.ReadyNext()
			me.Park()
		}
	})
	h.onLoop(func() {
		want := strings.Fields("coroutine main coroutine main coroutine main bystander")
		if d := cmp.Diff(want, order); d != "" {
			t.Error(d)
		}
		order = nil
	})
	h.fiber(func() {
		h.Go(func() { order = append(order, "queued") })
		h.GoNext(func() { order = append(order, "next") })
		h.Yield()
		h.Yield()
	})
	if d := cmp.Diff([]string{"next", "queued"}, order); d != "" {
		t.Error(d)
	}
}

// Two fibers that hand over to each other for ever must not keep events from being seen.
func TestChainIsBounded(t *testing.T) {
	h := start(t, Config{})
	stop := false
	h.Post(func() {
		var a, b *Fiber
		loop := func(me, other **Fiber) func() {
			return func() {
				for !stop {
					(*other).ReadyNext()
					(*me).Park()
				}
				(*other).Ready()
			}
		}
		a = h.Go(loop(&a, &b))
		b = h.Go(loop(&b, &a))
	})
	h.onLoop(func() { stop = true })
	h.until("both fibers end", func() bool { return h.Fibers() == 0 })
}

func TestYieldIsFair(t *testing.T) {
	h := start(t, Config{})
	done := make(chan struct{})
	h.Post(func() {
		stop := false
		h.Go(func() {
			for !stop {
				h.Yield()
			}
		})
		h.SetTimer(NewTimer(func() { stop = true; close(done) }), 5*time.Millisecond)
	})
	h.wait(done)
}

func TestPanicInFiber(t *testing.T) {
	var hooked any
	h := start(t, Config{OnPanic: func(f *Fiber, v any, stack []byte) {
		hooked = v
		if len(stack) == 0 || f == nil {
			t.Error("the hook is told nothing")
		}
		panic("again")
	}})
	var c *Conn
	var p *peer
	h.onLoop(func() {
		c, p = h.pair()
		c.Server = panicServer{}
		c.Idle(0)
		h.Post(func() { panic("posted") })
		h.SetTimer(NewTimer(func() { panic("timer") }), time.Millisecond)
	})
	p.Write([]byte("x"))
	if n, err := p.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes from a connection whose fiber panicked", n)
	}
	h.until("all are logged", func() bool {
		return h.log.has("[2] panic: served") && h.log.has("panic in the panic handler: again") &&
			h.log.has("[2] panic: posted") && h.log.has("[2] panic: timer")
	})
	h.onLoop(func() {
		if hooked != "served" || !c.Closed() {
			t.Errorf("hook got %v, closed %v", hooked, c.Closed())
		}
	})
	h.fiber(func() {}) // the pooled fiber still works
}

type panicServer struct{}

func (panicServer) Serve(*Conn)       { panic("served") }
func (panicServer) IdleTimeout(*Conn) { panic("idle") }

func TestPanicInIdleTimeout(t *testing.T) {
	h := start(t, Config{})
	var c *Conn
	h.onLoop(func() {
		c, _ = h.pair()
		c.Server = panicServer{}
		_, _ = c.TryRead(make([]byte, 1)) // nothing is there: not readable any more
		c.Idle(time.Millisecond)
	})
	h.until("the connection is closed", c.Closed)
}

func TestOffload(t *testing.T) {
	h := start(t, Config{OffloadThreads: 2})
	release := make(chan struct{})
	finished := 0
	h.Post(func() {
		for range 5 {
			f := h.Go(func() {
				h.Offload(func() { <-release })
				finished++
				if err := h.Current().Err(); !errors.Is(err, ErrTimeout) {
					t.Errorf("cancellation is lost: %v", err)
				}
			})
			h.SetTimer(NewTimer(func() { f.Cancel(ErrTimeout); f.Ready() }), time.Millisecond)
		}
	})
	time.Sleep(10 * time.Millisecond)
	h.onLoop(func() {
		if finished != 0 {
			t.Error("Offload returned before its function")
		}
		ran := false
		h.Offload(func() { ran = true })
		if !ran {
			t.Error("on the loop the function is not run")
		}
	})
	close(release)
	h.until("all come back", func() bool { return finished == 5 })

	h.fiber(func() {
		defer func() {
			if v, _ := recover().(string); !strings.HasPrefix(v, "boom") {
				t.Errorf("recovered %v", v)
			}
		}()
		h.Offload(func() { panic("boom") })
	})
}

func TestFiberPoolIsCapped(t *testing.T) {
	h := start(t, Config{IdleFibers: 4})
	h.fiber(func() {
		for range 20 {
			h.Go(func() { h.Sleep(time.Millisecond) })
		}
	})
	h.until("all end", func() bool { return h.Fibers() == 0 })
	h.onLoop(func() {
		if n := len(h.fibers.pool); n != 4 {
			t.Errorf("%d fibers in the pool", n)
		}
		if n := len(h.timers); n > 4 {
			t.Errorf("%d timers are left", n)
		}
	})
}

func TestStopCancelsFibers(t *testing.T) {
	h := start(t, Config{})
	got := make(chan error, 1)
	h.Post(func() {
		h.Go(func() { got <- h.Sleep(time.Hour) })
		h.Go(func() { // one that never gives up must not keep Run from returning
			for h.Current().Park() == Canceled {
				h.Yield()
			}
		})
	})
	h.fiber(func() {})
	h.Stop()
	if err := <-got; err != ErrStopped {
		t.Errorf("Sleep: %v", err)
	}
	if err := <-h.done; err != nil {
		t.Error(err)
	}
	h.done <- nil
	h.Post(func() { t.Error("a function posted to a stopped loop was run") })
}

func TestPostKeepsOrder(t *testing.T) {
	h := start(t, Config{})
	const n = 1000
	var got []int
	for i := range n {
		h.Post(func() { got = append(got, i) })
	}
	h.onLoop(func() {
		if len(got) != n {
			t.Fatalf("%d of %d ran", len(got), n)
		}
		for i, v := range got {
			if i != v {
				t.Fatalf("%d came in place %d", v, i)
			}
		}
	})
}

func TestInvalidMethod(t *testing.T) {
	if _, err := New(Config{Method: "kqueue"}); err == nil || err.Error() != `invalid event type "kqueue"` {
		t.Errorf("%v", err)
	}
}

// TestYieldPosted: fibers that post themselves take turns within a turn of the loop, behind those handed over to and
// ahead of the queue; past maxChain they wait for the next.
func TestYieldPosted(t *testing.T) {
	h := start(t, Config{})
	var order []string
	say := func(s string) { order = append(order, s) }
	done := make(chan struct{})
	h.fiber(func() {
		h.Go(func() {
			say("queued")
			close(done)
		})
		h.GoNext(func() {
			h.GoNext(func() { say("inner") })
			h.YieldPosted()
			say("outer")
		})
		h.YieldPosted()
		say("first")
		h.YieldPosted()
		say("last")
	})
	<-done
	if diff := cmp.Diff([]string{"inner", "first", "outer", "last", "queued"}, order); diff != "" {
		t.Error(diff)
	}
	h.fiber(func() {
		events := false
		h.Post(func() { events = true })
		over := false
		h.GoNext(func() {
			for !over {
				h.YieldPosted()
			}
		})
		n := 0
		for ; !events && n < 4*maxChain; n++ {
			h.YieldPosted()
		}
		over = true
		if !events || n < maxChain/4 {
			t.Errorf("events were looked at after %d posts", n)
		}
	})
}
