package event

import (
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Listener is a listening stream socket. The descriptor is the caller's; it must be non-blocking, and
// stay open until RemoveListener.
type Listener struct {
	FD     int
	Server Server
	Data   any

	// Timeout is how long a new connection may stay silent before Server.IdleTimeout; 0 for ever.
	Timeout time.Duration
	// Deferred says that the kernel accepts only once data has arrived (TCP_DEFER_ACCEPT).
	Deferred bool
	// Immediate has Server.Serve run at once, for protocols in which the server speaks first.
	Immediate bool
	// Shared says that other workers accept from the same socket. Such listeners are subject to
	// the accept mutex or, without one, wake one worker only (EPOLLEXCLUSIVE).
	Shared bool

	slot      int32
	active    bool // watched by the poller
	exclusive bool
	accepts   uint // for reordering
	name      string
}

// acceptState is what the loop remembers about accepting.
type acceptState struct {
	sa        unix.RawSockaddrAny
	salen     uint32
	nextSlot  int32
	held      bool   // the accept mutex is ours
	disabled  int    // turns for which not to try the mutex (ngx_accept_disabled)
	waitLimit int64  // milliseconds the loop may sleep before it tries the mutex again; 0: no limit
	paused    *Timer // accepting is off until it fires, after EMFILE
}

// AddListener starts accepting from ls. Listeners count against worker_connections, as in nginx.
func (l *Loop) AddListener(ls *Listener) error {
	if slices.Contains(l.listeners, ls) {
		return nil
	}
	if !l.reserve() {
		return ErrConnections
	}
	a := &l.accept
	a.nextSlot++
	ls.slot = wakeSlot - a.nextSlot
	ls.exclusive = ls.Shared && l.cfg.AcceptMutex == nil
	ls.name = listenerName(ls.FD)
	if !l.mutexed(ls) && (a.paused == nil || !a.paused.Armed()) {
		if err := l.enable(ls); err != nil {
			return err
		}
	}
	l.listeners = append(l.listeners, ls)
	l.conns.used++
	if l.mutexed(ls) && a.held {
		return l.enable(ls)
	}
	return nil
}

// RemoveListener stops accepting from ls and lets go of its descriptor.
func (l *Loop) RemoveListener(ls *Listener) error {
	i := slices.Index(l.listeners, ls)
	if i < 0 {
		return nil
	}
	err := l.disable(ls)
	l.listeners = slices.Delete(l.listeners, i, i+1)
	l.conns.used--
	return err
}

// RemoveListeners stops accepting from all listeners.
func (l *Loop) RemoveListeners() error {
	var err error
	for len(l.listeners) > 0 {
		if e := l.RemoveListener(l.listeners[len(l.listeners)-1]); e != nil {
			err = e
		}
	}
	return err
}

// mutexed reports whether ls is accepted from only while the accept mutex is held.
func (l *Loop) mutexed(ls *Listener) bool { return ls.Shared && l.cfg.AcceptMutex != nil }

func (l *Loop) enable(ls *Listener) error {
	if ls.active {
		return nil
	}
	if err := l.poll.enable(ls, ls.exclusive); err != nil {
		return err
	}
	ls.active = true
	return nil
}

func (l *Loop) disable(ls *Listener) error {
	if !ls.active {
		return nil
	}
	ls.active = false
	return l.poll.disable(ls)
}

// toggle enables or disables the listeners, all or those under the mutex.
func (l *Loop) toggle(on, all bool) {
	for _, ls := range l.listeners {
		if !all && !l.mutexed(ls) {
			continue
		}
		err := error(nil)
		if on {
			err = l.enable(ls)
		} else {
			err = l.disable(ls)
		}
		if err != nil {
			l.cfg.Log.Log(LogAlert, err, "epoll_ctl() failed for the listening socket %s", ls.name)
		}
	}
}

// acceptTurn tries for the accept mutex before each wait, unless this worker has more than seven
// eighths of its connections in use (ngx_trylock_accept_mutex).
func (l *Loop) acceptTurn() {
	a, m := &l.accept, l.cfg.AcceptMutex
	if m == nil {
		return
	}
	a.waitLimit = max(l.cfg.AcceptMutexDelay.Milliseconds(), 1)
	switch {
	case a.disabled > 0:
		a.disabled--
	case m.TryLock():
		l.toggle(true, false)
		a.held, a.waitLimit = true, 0
	default:
		l.toggle(false, false)
	}
}

// acceptDone gives the mutex up once the events of a turn are in. The listeners stay enabled until
// another worker is found to have it.
func (l *Loop) acceptDone() {
	if a := &l.accept; a.held {
		a.held = false
		l.cfg.AcceptMutex.Unlock()
	}
}

// acceptFrom takes one connection, with multi_accept all, from ls.
func (l *Loop) acceptFrom(ls *Listener) {
	for {
		if !l.acceptOne(ls) || !l.cfg.MultiAccept {
			break
		}
	}
	l.reorder(ls)
}

// acceptOne accepts a connection and reports whether to go on with multi_accept.
func (l *Loop) acceptOne(ls *Listener) bool {
	a := &l.accept
	fd, e := sysAccept(ls.FD, &a.sa, &a.salen)
	if e != 0 {
		return l.acceptFailed(ls, e)
	}
	l.cfg.Stats.Accepted.Add(1)
	a.disabled = l.cfg.Connections/8 - (l.cfg.Connections - l.conns.used)
	c, err := l.conns.add(l, fd, flagStream|flagSocket|flagWritable|flagAccepted|flagFresh)
	if err != nil {
		_ = sysClose(fd)
		return false
	}
	l.conns.open++
	l.cfg.Stats.Active.Add(1)
	c.Server, c.Listener = ls.Server, ls
	c.peer.set(&a.sa)
	if err := l.poll.add(c, false); err != nil {
		l.cfg.Log.Log(LogAlert, err, "adding an accepted connection failed")
		c.Close()
		return true
	}
	l.cfg.Stats.Handled.Add(1)
	if ls.Deferred {
		c.flags |= flagReadable
	}
	switch {
	case ls.Immediate:
		c.flags |= flagServing
		l.serve(c)
	default:
		c.Idle(ls.Timeout)
	}
	return true
}

// acceptFailed deals with a failed accept as ngx_event_accept does.
func (l *Loop) acceptFailed(ls *Listener, e unix.Errno) (more bool) {
	level := LogAlert
	switch e {
	case unix.EAGAIN:
		return false
	case unix.ECONNABORTED:
		level = LogErr
	case unix.EMFILE, unix.ENFILE:
		level = LogCrit
	}
	l.cfg.Log.Log(level, e, "accept4() failed")
	switch e {
	case unix.ECONNABORTED:
		return true
	case unix.EMFILE, unix.ENFILE:
		l.pauseAccept()
	}
	return false
}

// pauseAccept stops accepting for accept_mutex_delay, until descriptors may have become free.
func (l *Loop) pauseAccept() {
	a := &l.accept
	l.toggle(false, true)
	if l.cfg.AcceptMutex != nil {
		l.acceptDone()
		a.disabled = 1
	}
	if a.paused == nil {
		a.paused = NewTimer(func() {
			for _, ls := range l.listeners {
				if !l.mutexed(ls) {
					_ = l.enable(ls)
				}
			}
		})
	}
	l.SetTimer(a.paused, l.cfg.AcceptMutexDelay)
}

// reorder re-adds an exclusively watched listener now and then: the kernel wakes the process that
// was first to add it, which otherwise would get most of the connections
// (ngx_reorder_accept_events).
func (l *Loop) reorder(ls *Listener) {
	if !ls.exclusive || !ls.active {
		return
	}
	n := ls.accepts
	ls.accepts++
	if n%16 != 0 && l.accept.disabled <= 0 {
		return
	}
	err := l.disable(ls)
	if err == nil {
		err = l.enable(ls)
	}
	if err != nil {
		l.cfg.Log.Log(LogAlert, err, "re-adding the listening socket %s failed", ls.name)
	}
}

// listenerName is the address of a listening socket, for the log.
func listenerName(fd int) string {
	var sa unix.RawSockaddrAny
	var n uint32
	if e := sysSockName(unix.SYS_GETSOCKNAME, fd, &sa, &n); e != 0 {
		return ""
	}
	var a compactAddr
	a.set(&sa)
	return a.expand(&sa, n).String()
}
