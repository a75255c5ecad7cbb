package vm

import "iter"

// Scheduler gives coroutines their fibers. lua/phase makes one of the event loop's; without one a VM uses its own, in
// which nothing but Lua can wait.
type Scheduler interface {
	// GoNext starts f in a new task that runs as soon as the current one parks or ends.
	GoNext(f func()) Task
	// Current is the running task; never nil while Lua runs.
	Current() Task
}

// Task is one fiber of a Scheduler. Values that stand for the same fiber are equal.
type Task interface {
	// Park suspends the task, which is the current one, until ReadyNext or Cancel. It returns false, at once, when the
	// task has been cancelled.
	Park() bool
	// ReadyNext lets a task that is in Park run as soon as the current one parks or ends, before all others.
	ReadyNext()
	// Cancel ends whatever the task waits for; its Park returns false from now on.
	Cancel()
}

// localScheduler runs tasks on iter.Pull coroutines, driven by whoever parks outside of them.
type localScheduler struct {
	current *localTask
	queue   []*localTask
}

type localTask struct {
	s        *localScheduler
	next     func() (struct{}, bool) // nil for the goroutine that uses the VM
	yield    func(struct{}) bool
	ready    bool
	canceled bool
}

func newLocalScheduler() *localScheduler {
	s := &localScheduler{}
	s.current = &localTask{s: s}
	return s
}

func (s *localScheduler) Current() Task { return s.current }

func (s *localScheduler) GoNext(f func()) Task {
	t := &localTask{s: s, ready: true}
	t.next, _ = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		f()
	})
	s.queue = append(s.queue, t)
	return t
}

func (t *localTask) Park() bool {
	if t.canceled {
		return false
	}
	t.ready = false
	if t.next != nil {
		t.yield(struct{}{})
		return !t.canceled
	}
	for !t.ready {
		t.s.step()
	}
	return !t.canceled
}

// step runs the task that was made ready last until it parks.
func (s *localScheduler) step() {
	n := len(s.queue) - 1
	if n < 0 {
		panic("vm: all coroutines wait, none can run")
	}
	t := s.queue[n]
	s.queue = s.queue[:n]
	if t.next == nil {
		return // the driver itself, whose loop sees that it is ready
	}
	outer := s.current
	s.current = t
	t.next()
	s.current = outer
}

func (t *localTask) ReadyNext() {
	if !t.ready {
		t.ready = true
		t.s.queue = append(t.s.queue, t)
	}
}

func (t *localTask) Cancel() {
	t.canceled = true
	t.ReadyNext()
}

// drain lets killed coroutines of the VM's own scheduler unwind; an event loop does so by itself.
func (v *VM) drain() {
	s, ok := v.sched.(*localScheduler)
	for ok && s.current.next == nil && len(s.queue) > 0 {
		s.step()
	}
}
