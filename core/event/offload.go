package event

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// offloader runs functions on goroutines of their own, a capped number at a time (thread_pool).
type offloader struct {
	loop    *Loop
	pending int // on the loop: functions that have not come back

	mu      sync.Mutex
	queue   []*offloaded
	workers int
}

// offloaded is one function on its way.
type offloaded struct {
	f     func()
	fiber *Fiber
	done  bool
	panic any
	stack []byte
}

// Offload runs f on another goroutine while the current fiber is parked, and returns when f has. f may
// block; it must not touch the loop. Cancelling the fiber does not interrupt it. A panic in f becomes
// a panic of the fiber. On the loop itself, where nothing can park, f is simply called.
func (l *Loop) Offload(f func()) {
	fb := l.cur
	if fb == nil {
		f()
		return
	}
	w := &offloaded{f: f, fiber: fb}
	o := &l.offload
	o.pending++
	o.submit(w)
	for !w.done {
		fb.hold()
	}
	o.pending--
	if w.panic != nil {
		panic(fmt.Sprintf("%v [in an offloaded function]\n%s", w.panic, w.stack))
	}
}

func (o *offloader) submit(w *offloaded) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.queue = append(o.queue, w)
	if o.workers < o.loop.cfg.OffloadThreads {
		o.workers++
		go o.work()
	}
}

// work takes functions off the queue until it is empty.
func (o *offloader) work() {
	for {
		o.mu.Lock()
		if len(o.queue) == 0 {
			o.queue = nil
			o.workers--
			o.mu.Unlock()
			return
		}
		w := o.queue[0]
		o.queue = o.queue[1:]
		o.mu.Unlock()
		w.run()
		o.loop.Post(func() {
			w.done = true
			w.fiber.unhold()
		})
	}
}

func (w *offloaded) run() {
	defer func() {
		if w.panic = recover(); w.panic != nil {
			w.stack = debug.Stack()
		}
	}()
	w.f()
}
