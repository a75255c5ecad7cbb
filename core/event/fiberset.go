package event

import "iter"

// maxChain is how many fibers one turn runs through ReadyNext and YieldPosted before events are looked at.
const maxChain = 1024

// coroutine is a stack that fibers run on, one after the other.
type coroutine struct {
	set   *fiberSet
	fiber *Fiber                  // whom it runs, nil in the pool
	next  func() (struct{}, bool) // switches to it
	stop  func()
	yield func(struct{}) bool // switches back to the loop
}

// body is the life of a coroutine. A fiber that ends makes place for one that has not begun, without the way over the
// loop: in a turn with many events, requests that never wait share one switch.
func (co *coroutine) body(yield func(struct{}) bool) {
	co.yield = yield
	for {
		for co.fiber != nil {
			co.fiber.call()
			co.fiber = co.set.follow(co)
		}
		if !yield(struct{}{}) {
			return
		}
	}
}

// fiberSet owns the fibers of a loop.
type fiberSet struct {
	loop  *Loop
	live  []*Fiber     // whose function has not returned
	pool  []*Fiber     // to be used again
	idle  []*coroutine // without a fiber
	queue []*Fiber     // runnable, in order
	front []*Fiber     // runnable ahead of the queue, last in first out

	// Runnable after front and ahead of the queue, in order: posted[first:].
	posted []*Fiber
	first  int

	// The pass over the run queue: pass[at:] is still to run.
	pass  []*Fiber
	at    int
	chain int // how many of front and posted have run
}

func (s *fiberSet) get() *Fiber {
	var f *Fiber
	if n := len(s.pool); n > 0 {
		f = s.pool[n-1]
		s.pool[n-1] = nil
		s.pool = s.pool[:n-1]
	} else {
		f = &Fiber{loop: s.loop}
		f.timer.owner = f
	}
	f.index = len(s.live)
	s.live = append(s.live, f)
	return f
}

// put takes back a fiber whose function has returned.
func (s *fiberSet) put(f *Fiber) {
	last := len(s.live) - 1
	s.live[f.index] = s.live[last]
	s.live[f.index].index = f.index
	s.live[last] = nil
	s.live = s.live[:last]

	f.gen++
	f.state = fiberFree
	f.Data, f.co, f.fn, f.conn, f.err = nil, nil, nil, nil, nil
	if len(s.pool) < s.loop.cfg.IdleFibers {
		s.pool = append(s.pool, f)
	} else {
		s.loop.DelTimer(&f.timer)
	}
}

func (s *fiberSet) push(f *Fiber) {
	f.state = fiberQueued
	s.queue = append(s.queue, f)
}

func (s *fiberSet) runnable() bool { return len(s.queue) > 0 || s.ahead() != nil }

// ahead is the first of those that run ahead of the queue, nil when there are none.
func (s *fiberSet) ahead() *Fiber {
	switch {
	case len(s.front) > 0:
		return s.front[len(s.front)-1]
	case len(s.posted) > 0:
		return s.posted[s.first]
	}
	return nil
}

// dropAhead removes what ahead returned.
func (s *fiberSet) dropAhead() {
	if last := len(s.front) - 1; last >= 0 {
		s.front[last] = nil
		s.front = s.front[:last]
		return
	}
	s.posted[s.first] = nil
	s.first++
	if s.first == len(s.posted) {
		s.posted, s.first = s.posted[:0], 0
	}
}

// run resumes each fiber that is runnable now once.
func (s *fiberSet) run() {
	s.pass, s.queue = s.queue, s.pass[:0]
	s.at, s.chain = 0, 0
	for f := s.take(false); f != nil; f = s.take(false) {
		s.resume(f)
	}
}

// take is the next fiber of the pass: those handed over to directly come first, then the posted ones, but past maxChain
// in one turn they queue up. With fresh it has to be one that has not begun.
func (s *fiberSet) take(fresh bool) *Fiber {
	for f := s.ahead(); f != nil; f = s.ahead() {
		if s.chain < maxChain && fresh && f.co != nil {
			return nil
		}
		s.dropAhead()
		if s.chain < maxChain {
			s.chain++
			return f
		}
		s.queue = append(s.queue, f)
	}
	if s.at == len(s.pass) || fresh && s.pass[s.at].co != nil {
		return nil
	}
	f := s.pass[s.at]
	s.pass[s.at] = nil
	s.at++
	return f
}

// resume switches to f until it parks. Coroutines are created here and nowhere else: see the package
// comment on threads.
func (s *fiberSet) resume(f *Fiber) {
	co := f.co
	if co == nil {
		if n := len(s.idle); n > 0 {
			co = s.idle[n-1]
			s.idle = s.idle[:n-1]
		} else {
			co = &coroutine{set: s}
			co.next, co.stop = iter.Pull(co.body)
		}
		s.enter(co, f)
	} else {
		s.begin(f)
	}
	co.next()
	s.loop.cur = nil
	switch {
	case co.fiber != nil:
	case len(s.idle) < s.loop.cfg.IdleFibers:
		s.idle = append(s.idle, co)
	default:
		co.stop()
	}
}

// enter puts a fiber that has not begun on a coroutine.
func (s *fiberSet) enter(co *coroutine, f *Fiber) {
	co.fiber, f.co = f, co
	s.begin(f)
}

// begin makes f the current fiber.
func (s *fiberSet) begin(f *Fiber) {
	f.state, f.budget = fiberRunning, fiberBudget
	s.loop.cur = f
}

// follow ends co's fiber and gives co the next one, if that can start here and now.
func (s *fiberSet) follow(co *coroutine) *Fiber {
	s.put(co.fiber)
	f := s.take(true)
	if f != nil {
		s.enter(co, f)
	}
	return f
}

// cancelAll cancels every fiber and lets them run, a bounded number of times.
func (s *fiberSet) cancelAll(err error) {
	const rounds = 64
	for range rounds {
		for _, f := range s.live {
			f.Cancel(err)
		}
		if !s.runnable() {
			return
		}
		s.run()
	}
}

// close ends the pooled goroutines.
func (s *fiberSet) close() {
	for _, co := range s.idle {
		co.stop()
	}
	s.idle = nil
}
