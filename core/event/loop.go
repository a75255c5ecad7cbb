// Package event is Moongate's event loop: one per worker process.
//
// A [Loop] waits with epoll (or poll, or select) and runs fibers: coroutines made with iter.Pull that
// are written straight down and park wherever nginx would return NGX_AGAIN. A [Conn] is any
// non-blocking stream descriptor, a [PacketConn] a datagram socket, a [Listener] a listening socket
// whose connections are served by a [Server].
//
// # Who may touch what
//
// The loop goroutine and the fibers it runs are the only ones that touch the loop, its connections,
// timers and fibers. Exactly one of them runs at a time, and a switch happens only where a call parks,
// so there are no locks. Other goroutines may call [Loop.Post] and [Loop.Stop], nothing else.
//
// Code on the loop itself (a posted function, a timer, [Server.IdleTimeout]) has no fiber and may not
// park: a call that would have to wait returns [ErrAgain] there.
//
// A call documented to wait may also let other fibers run without need: a fiber that finds its
// connections always ready gives way after a while. The Try calls never do.
//
// # The thread
//
// iter.Pull demands that the thread-lock state of the goroutine that creates a coroutine be the same
// at every switch. The loop therefore never locks its thread, creates every coroutine on the goroutine
// that called [Loop.Run], and neither a fiber nor a posted function may call runtime.LockOSThread.
// Locking was considered and brings nothing: non-blocking calls never leave the thread (they are raw
// system calls), and a locked goroutine pays a thread switch each time it blocks.
//
// A panic in a fiber is logged and survived. runtime.Goexit in a fiber, which is what testing's FailNow
// does, takes the loop with it.
//
// # Readiness
//
// Events are edge-triggered: a connection remembers that it is readable or writable until a call
// returns EAGAIN (or comes back short, which says the same). poll and select are given the same
// behaviour by asking only for what is not already known.
package event

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Log levels, numbered as NGX_LOG_* (src/core/ngx_log.h).
const (
	LogEmerg = iota + 1
	LogAlert
	LogCrit
	LogErr
	LogWarn
	LogNotice
	LogInfo
	LogDebug
)

// Defaults of Config, those of nginx's event module.
const (
	DefaultConnections      = 512
	DefaultAcceptMutexDelay = 500 * time.Millisecond
)

// Errors of waiting. Failed system calls are returned as *os.SyscallError naming the call.
var (
	ErrAgain       = errors.New("event: operation would block")
	ErrTimeout     = errors.New("event: timed out")
	ErrClosed      = errors.New("event: connection is closed")
	ErrBusy        = errors.New("event: another fiber is waiting on this side of the connection")
	ErrPeerClosed  = errors.New("event: peer closed connection")
	ErrStopped     = errors.New("event: loop has stopped")
	ErrConnections = errors.New("event: worker_connections are not enough")
)

// Logger receives what the loop reports. Level is one of the Log constants; err, when not nil, is the
// failed system call that nginx would print as "(24: Too many open files)".
type Logger interface {
	Log(level int, err error, format string, args ...any)
}

// AcceptMutex is the lock between the workers that lets one of them at a time accept (accept_mutex).
type AcceptMutex interface {
	TryLock() bool
	Unlock()
}

// Stats are stub_status's counters, and the source of the connections' serial numbers. They may live
// in memory shared by the workers. The loop keeps all but Requests, Reading and Writing, which belong
// to the protocol above.
type Stats struct {
	Accepted, Handled, Active, Waiting atomic.Int64
	Requests, Reading, Writing         atomic.Int64
	Serial                             atomic.Int64 // the last Conn.Number given out
}

// Config is the events block as one worker needs it. The zero value of every field is usable.
type Config struct {
	Method           string        // "epoll" (also when empty), "poll" or "select"
	Connections      int           // worker_connections: descriptors of all kinds; 0 means 512
	MultiAccept      bool          // accept until EAGAIN instead of one connection per event
	TimerResolution  time.Duration // waits are rounded up to a multiple; 0 means 1 ms
	AcceptMutex      AcceptMutex   // nil when off
	AcceptMutexDelay time.Duration // also how long accepting pauses after EMFILE; 0 means 500 ms
	Stats            *Stats        // nil for counters of the loop's own
	Log              Logger        // nil discards

	// OnTime is called with Now each time it is refreshed; it must not block. It may be nil.
	OnTime func(now time.Time)

	// OnPanic is told of a panic in a fiber, as the last thing in it, after the panic was logged and
	// the connection the fiber served was closed. It may be nil.
	OnPanic func(f *Fiber, v any, stack []byte)

	// IdleFibers caps the pooled fibers (each holds a goroutine with its stack); 0 means 256.
	IdleFibers int

	// OffloadThreads caps the goroutines that run Offload's functions; 0 means 32, as the
	// default thread_pool.
	OffloadThreads int
}

// Loop is an event loop. Make it with New.
type Loop struct {
	cfg  Config
	poll poller

	// time, refreshed once per wake-up
	now      time.Time
	msec     int64
	usec     int64 // the same in microseconds, for the timers
	base     time.Time
	baseMono int64

	timers   timerHeap
	expiring bool

	fibers fiberSet
	cur    *Fiber

	conns     connTable
	listeners []*Listener
	accept    acceptState

	iov     [maxIovecs]unix.Iovec
	name    unix.RawSockaddrAny
	discard []byte

	offload offloader

	wakefd  int
	stopped atomic.Bool
	post    postbox

	oneProcessor bool // GOMAXPROCS is 1: what waits raw keeps every other goroutine waiting
}

// postbox holds what other goroutines ask the loop to run.
type postbox struct {
	pending atomic.Bool // something is queued; the only part the loop reads without the lock
	mu      sync.Mutex
	queue   []func()
	spare   []func()
	closed  bool
}

// New makes a loop. It fails for an unknown method and when the kernel gives no descriptor.
func New(cfg Config) (*Loop, error) {
	if cfg.Connections <= 0 {
		cfg.Connections = DefaultConnections
	}
	if cfg.AcceptMutexDelay <= 0 {
		cfg.AcceptMutexDelay = DefaultAcceptMutexDelay
	}
	if cfg.IdleFibers <= 0 {
		cfg.IdleFibers = 256
	}
	if cfg.OffloadThreads <= 0 {
		cfg.OffloadThreads = 32
	}
	if cfg.Stats == nil {
		cfg.Stats = new(Stats)
	}
	if cfg.Log == nil {
		cfg.Log = discardLog{}
	}
	l := &Loop{cfg: cfg, oneProcessor: runtime.GOMAXPROCS(0) == 1}
	l.fibers.loop = l
	l.offload.loop = l
	if err := l.initTime(); err != nil {
		return nil, err
	}
	wakefd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("eventfd", err)
	}
	l.wakefd = wakefd
	if l.poll, err = newPoller(cfg.Method, l); err != nil {
		_ = unix.Close(wakefd)
		return nil, err
	}
	return l, nil
}

func newPoller(method string, l *Loop) (poller, error) {
	switch method {
	case "", "epoll":
		return newEpoll(l)
	case "poll":
		return newPoll(l), nil
	case "select":
		return newSelect(l)
	}
	return nil, fmt.Errorf("invalid event type %q", method)
}

// Run runs the loop on the calling goroutine until Stop. The fibers still alive then are cancelled
// with ErrStopped and given a last chance to run, every connection is closed, and the loop is spent.
// Listening descriptors are left open: they belong to the caller. The error is the kernel's, when
// waiting itself fails.
func (l *Loop) Run() error {
	defer l.shutdown()
	for !l.stopped.Load() {
		if err := l.turn(); err != nil {
			return err
		}
	}
	return nil
}

// Stop makes Run return at the end of its turn. Any goroutine may call it.
func (l *Loop) Stop() {
	l.stopped.Store(true)
	l.Post(func() {})
}

// turn is ngx_process_events_and_timers: wait, accept, time, posted, then one pass over the fibers
// that are runnable. What becomes runnable in that pass waits for the next turn, so that a busy
// fiber cannot keep events from being seen.
func (l *Loop) turn() error {
	l.acceptTurn()
	events, err := l.wait(l.waitMsec())
	l.UpdateTime()
	if err != nil {
		return err
	}
	for i := range events {
		l.dispatch(&events[i])
	}
	l.acceptDone()
	l.expireTimers()
	if l.post.pending.Load() {
		l.runPosted()
	}
	l.fibers.run()
	return nil
}

// briefWait is how long, in milliseconds, a wait stays unknown to the Go scheduler: what it grants a goroutine before
// it asks for the processor back.
const briefWait = 10

// wait waits for events, at first briefly and without a word to the scheduler: a blocking call that it knows of wakes
// its monitor thread, which polls every 20 µs, takes the processor away and has it given to another thread afterwards.
// On a busy worker that is a tenth of all its time. A loop with nothing to do for longer lets the scheduler know, so
// that an idle process sleeps; so does one that waits for offloaded work, which may need this very processor.
func (l *Loop) wait(msec int) ([]event, error) {
	brief := briefWait
	if l.offload.pending > 0 || l.oneProcessor {
		brief = 0
	}
	if msec >= 0 && msec <= brief {
		return l.poll.wait(msec, false)
	}
	events, err := l.poll.wait(brief, false)
	if len(events) > 0 || err != nil {
		return events, err
	}
	if msec > 0 {
		msec -= brief
	}
	return l.poll.wait(msec, true)
}

// waitMsec is how long the loop may sleep: 0 not at all, -1 without limit.
func (l *Loop) waitMsec() int {
	if l.fibers.runnable() || l.post.pending.Load() || l.stopped.Load() {
		if l.offload.pending > 0 {
			runtime.Gosched() // with one P the offloaded work would wait for preemption
		}
		return 0
	}
	ms := l.nextTimer()
	if r := int64(l.cfg.TimerResolution / time.Millisecond); r > 1 && ms > 0 {
		ms = (ms + r - 1) / r * r
	}
	if limit := l.accept.waitLimit; limit > 0 && (ms < 0 || ms > limit) {
		ms = limit
	}
	return int(min(ms, 1<<30))
}

// dispatch delivers one event, dropping those of descriptors closed since.
func (l *Loop) dispatch(ev *event) {
	switch {
	case ev.slot >= 0:
		if c := l.conns.lookup(ev.slot, ev.gen); c != nil {
			c.event(ev.mask)
		}
	case ev.slot == wakeSlot:
		sysDrainEventfd(l.wakefd)
	default:
		for _, ls := range l.listeners {
			if ls.slot == ev.slot && ls.active {
				l.acceptFrom(ls)
				return
			}
		}
	}
}

// Post has the loop run f, in the order of the calls. Any goroutine may call it. f runs on the loop
// and must not park. After the loop has stopped f is dropped.
func (l *Loop) Post(f func()) {
	p := &l.post
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.queue = append(p.queue, f)
	if !p.pending.Load() {
		p.pending.Store(true)
		sysSignalEventfd(l.wakefd)
	}
}

func (l *Loop) runPosted() {
	p := &l.post
	p.mu.Lock()
	queue := p.queue
	p.queue, p.spare = p.spare[:0], nil
	p.pending.Store(false)
	p.mu.Unlock()
	for i, f := range queue {
		queue[i] = nil
		l.protect(f)
	}
	p.mu.Lock()
	p.spare = queue[:0]
	p.mu.Unlock()
}

// shutdown ends what Run leaves behind.
func (l *Loop) shutdown() {
	l.fibers.cancelAll(ErrStopped)
	l.post.mu.Lock()
	l.post.closed = true
	l.post.queue = nil
	l.post.mu.Unlock()
	l.conns.closeAll()
	l.fibers.close()
	for _, ls := range l.listeners {
		ls.active = false
	}
	l.poll.close()
	_ = unix.Close(l.wakefd)
}

func (l *Loop) initTime() error {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return os.NewSyscallError("clock_gettime", err)
	}
	l.base, l.baseMono = time.Now(), ts.Nano()
	l.UpdateTime()
	return nil
}

// Now is the time of the last wake-up.
func (l *Loop) Now() time.Time { return l.now }

// NowMsec is Now on the system's monotonic clock, in milliseconds (ngx_current_msec). All processes of
// the machine share it, so it may be stored in shared memory.
func (l *Loop) NowMsec() int64 { return l.msec }

// UpdateTime refreshes Now and NowMsec in the middle of long work (ngx_time_update).
func (l *Loop) UpdateTime() {
	l.now = time.Now()
	l.usec = (l.baseMono + int64(l.now.Sub(l.base))) / int64(time.Microsecond)
	l.msec = l.usec / 1000
	if l.cfg.OnTime != nil {
		l.cfg.OnTime(l.now)
	}
}

// Stats are the counters in use.
func (l *Loop) Stats() *Stats { return l.cfg.Stats }

type discardLog struct{}

func (discardLog) Log(int, error, string, ...any) {}
