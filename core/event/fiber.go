package event

import (
	"runtime/debug"
	"time"
)

// Wake says why a parked fiber runs again.
type Wake uint8

const (
	Ready    Wake = iota // somebody called Ready
	Timeout              // the time given to ParkFor is over
	Canceled             // Cancel was called; Err has the reason
)

// Fiber is one function's run on the loop. Exactly one runs at a time, until it parks. Fibers are pooled: a
// *Fiber is good for as long as its function runs; keep a [FiberRef] to outlive that.
type Fiber struct {
	Data any // the owner's; cleared when the function returns

	loop *Loop
	co   *coroutine // nil until it first runs

	task  task
	conn  *Conn // the connection served, closed on panic
	fn    func()
	timer Timer
	err   error

	state  fiberState
	waits  fiberState // how it parked last: fiberParked, fiberIO or fiberHeld
	wake   Wake
	budget int32
	gen    uint32
	index  int // in fiberSet.live
}

// task is what a fiber is to run.
type task uint8

const (
	taskFunc  task = iota // fn
	taskServe             // conn.Server.Serve(conn)
)

type fiberState uint8

const (
	fiberFree    fiberState = iota // in the pool
	fiberQueued                    // in the run queue
	fiberRunning                   // the current fiber
	fiberParked                    // in Park: Ready, the timer and Cancel wake it
	fiberIO                        // waits for a descriptor: Ready means nothing to it
	fiberHeld                      // in Offload: only its end wakes it
)

// fiberBudget is how many I/O calls (or 16 KB of data) a fiber may make before it lets the others run.
const fiberBudget = 64

// FiberRef refers to one function's run in a fiber, and knows when it has ended.
type FiberRef struct {
	f   *Fiber
	gen uint32
}

// Ref makes a reference that may be kept longer than the fiber's function runs.
func (f *Fiber) Ref() FiberRef { return FiberRef{f, f.gen} }

// Fiber is the fiber referred to, nil when its function has returned.
func (r FiberRef) Fiber() *Fiber {
	if r.f == nil || r.f.gen != r.gen {
		return nil
	}
	return r.f
}

// Go runs f in a fiber, in the next pass over the run queue.
func (l *Loop) Go(f func()) *Fiber {
	fb := l.fibers.get()
	fb.task, fb.fn = taskFunc, f
	l.fibers.push(fb)
	return fb
}

// GoNext is Go, but f runs as soon as the current fiber parks or ends (see ReadyNext).
func (l *Loop) GoNext(f func()) *Fiber {
	fb := l.fibers.get()
	fb.task, fb.fn = taskFunc, f
	fb.state = fiberQueued
	l.fibers.front = append(l.fibers.front, fb)
	return fb
}

// serve runs c's server in a fiber, in the next pass over the run queue.
func (l *Loop) serve(c *Conn) {
	fb := l.fibers.get()
	fb.task, fb.conn = taskServe, c
	l.fibers.push(fb)
}

// Current is the running fiber, nil on the loop itself.
func (l *Loop) Current() *Fiber { return l.cur }

// Loop is the loop the fiber runs on.
func (f *Fiber) Loop() *Loop { return f.loop }

// Fibers is the number of fibers that have not ended.
func (l *Loop) Fibers() int { return len(l.fibers.live) }

// Park suspends the current fiber until Ready or Cancel. A Ready that comes while the fiber is not
// parked is not remembered: check the condition waited for in a loop around Park. Nothing can come
// between the check and the parking.
func (f *Fiber) Park() Wake { return f.park(fiberParked, 0) }

// ParkFor is Park with a limit; d ≤ 0 means none.
func (f *Fiber) ParkFor(d time.Duration) Wake { return f.park(fiberParked, d) }

func (f *Fiber) park(state fiberState, d time.Duration) Wake {
	l := f.loop
	if f != l.cur {
		panic("event: Park called on a fiber that is not running")
	}
	if f.err != nil {
		return Canceled
	}
	if d > 0 {
		l.SetTimer(&f.timer, d)
	}
	f.state, f.waits = state, state
	f.co.yield(struct{}{})
	f.timer.disarm()
	return f.wake
}

// Parked reports whether the fiber waits for something that has not come yet, not just for its turn.
func (f *Fiber) Parked() bool {
	return f.state == fiberParked || f.state == fiberIO || f.state == fiberHeld
}

// hold suspends the current fiber until unhold, deaf to everything else.
func (f *Fiber) hold() {
	f.state, f.waits = fiberHeld, fiberHeld
	f.co.yield(struct{}{})
}

// unhold wakes a held fiber.
func (f *Fiber) unhold() {
	if f.state == fiberHeld {
		f.loop.fibers.push(f)
	}
}

// Ready makes a fiber that is in Park, ParkFor or WaitAny runnable. On any other fiber it does
// nothing. It wins over a timeout or cancellation that came first if the fiber has not run since: what
// a waker handed over is not lost.
func (f *Fiber) Ready() {
	if f.waits != fiberParked {
		return
	}
	switch f.state {
	case fiberParked:
		f.wakeUp(Ready)
	case fiberQueued:
		f.wake = Ready
	}
}

// ReadyNext is Ready, but the fiber runs as soon as the current one parks or ends, before the others
// in the run queue and without a look at the kernel in between: a direct hand-over, as a resumed Lua
// coroutine wants it.
func (f *Fiber) ReadyNext() {
	if f.state != fiberParked {
		f.Ready()
		return
	}
	f.state, f.wake = fiberQueued, Ready
	f.loop.fibers.front = append(f.loop.fibers.front, f)
}

// wakeUp queues a parked fiber.
func (f *Fiber) wakeUp(w Wake) {
	f.wake = w
	f.loop.fibers.push(f)
}

// ioReady wakes a fiber that waits for a descriptor.
func (f *Fiber) ioReady() {
	switch f.state {
	case fiberIO, fiberParked:
		f.wakeUp(Ready)
	case fiberQueued:
		f.wake = Ready
	}
}

// expire implements expirer for Park, Sleep and the waits of connections.
func (f *Fiber) expire(*Loop) {
	if f.state == fiberParked || f.state == fiberIO {
		f.wakeUp(Timeout)
	}
}

// Cancel makes the fiber's pending wait and all later ones return err, until Uncancel. The first
// reason stays. An Offload in progress is not interrupted.
func (f *Fiber) Cancel(err error) {
	if f.state == fiberFree || f.err != nil {
		return
	}
	if err == nil {
		err = ErrStopped
	}
	f.err = err
	if f.state == fiberParked || f.state == fiberIO {
		f.wakeUp(Canceled)
	}
}

// Uncancel lets the fiber wait again, for its cleaning up.
func (f *Fiber) Uncancel() { f.err = nil }

// Err is the reason given to Cancel, nil when the fiber is not cancelled.
func (f *Fiber) Err() error { return f.err }

// Sleep parks the current fiber for d; 0 lets the other runnable fibers run first. It returns early,
// with the reason, when the fiber is cancelled.
func (l *Loop) Sleep(d time.Duration) error {
	f := l.cur
	if f == nil {
		return ErrAgain
	}
	if d <= 0 {
		l.Yield()
		return f.err
	}
	if f.park(fiberIO, d) == Canceled {
		return f.err
	}
	return nil
}

// Yield lets the other runnable fibers and pending events go first.
func (l *Loop) Yield() {
	f := l.cur
	if f == nil {
		return
	}
	f.waits = fiberQueued
	l.fibers.push(f)
	f.co.yield(struct{}{})
}

// YieldPosted lets the fibers go first that the current one started or woke with GoNext and ReadyNext, and those that
// called YieldPosted before it, and goes on in the same turn: neither is the kernel looked at nor the clock, as with a
// thread that OpenResty posts. When there are none it is Yield.
func (l *Loop) YieldPosted() {
	f := l.cur
	if f == nil {
		return
	}
	if l.fibers.ahead() == nil {
		l.Yield()
		return
	}
	f.state, f.waits = fiberQueued, fiberQueued
	l.fibers.posted = append(l.fibers.posted, f)
	f.co.yield(struct{}{})
}

// Spend charges the current fiber for n bytes read, written or otherwise worked on, and lets the others
// run when it has had its share. Calls that may wait do so themselves; loops over Try calls, and long
// computations, should.
func (l *Loop) Spend(n int) {
	f := l.cur
	if f == nil {
		return
	}
	f.budget -= 1 + int32(n>>14)
	if f.budget < 0 {
		l.Yield()
	}
}

// call runs the fiber's task and survives its panic.
func (f *Fiber) call() {
	defer func() {
		if v := recover(); v != nil {
			f.panicked(v, debug.Stack())
		}
	}()
	if f.task == taskServe {
		f.conn.served()
		return
	}
	f.fn()
}

// panicked reports a panic and closes the connection that the fiber was serving.
func (f *Fiber) panicked(v any, stack []byte) {
	f.loop.cfg.Log.Log(LogAlert, nil, "panic: %v\n%s", v, stack)
	if f.conn != nil {
		f.conn.Close()
	}
	if h := f.loop.cfg.OnPanic; h != nil {
		defer func() {
			if v := recover(); v != nil {
				f.loop.cfg.Log.Log(LogAlert, nil, "panic in the panic handler: %v", v)
			}
		}()
		h(f, v, stack)
	}
}

func (l *Loop) logPanic(v any) {
	l.cfg.Log.Log(LogAlert, nil, "panic: %v\n%s", v, debug.Stack())
}

// protect runs a function of the loop itself and survives its panic.
func (l *Loop) protect(f func()) {
	defer func() {
		if v := recover(); v != nil {
			l.logPanic(v)
		}
	}()
	f()
}
