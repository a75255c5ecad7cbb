package event

import (
	"time"

	"golang.org/x/sys/unix"
)

// Idle hands the connection to the loop: no fiber, no buffer. When it becomes readable (or the peer
// closes it) Server.Serve runs in a new fiber; after d (0: never) Server.IdleTimeout. The caller must
// not use it any more, nor leave a fiber waiting on it.
func (c *Conn) Idle(d time.Duration) { c.IdleMin(0, d) }

// IdleMin is Idle with a first part, of length min, in which neither a lack of connections nor
// CloseIdle ends it (keepalive_min_timeout).
func (c *Conn) IdleMin(min, d time.Duration) {
	if c.has(flagClosed | flagIdle | flagLinger | flagServing) {
		return
	}
	c.disown()
	c.watch = closeWatch{}
	c.flags |= flagIdle
	switch {
	case c.Readable():
		c.startServe()
	case min > 0 && (d <= 0 || min < d):
		c.each = d - min
		c.loop.SetTimer(&c.timer, min)
	default:
		if min <= 0 {
			c.loop.conns.pushReusable(c)
		}
		c.idleFor(d)
	}
}

// idleFor arms the timer of an idle connection.
func (c *Conn) idleFor(d time.Duration) {
	c.each = 0
	if d > 0 {
		c.loop.SetTimer(&c.timer, d)
	} else {
		c.timer.disarm()
	}
}

// endIdle takes the connection out of the loop's care.
func (c *Conn) endIdle() {
	c.loop.conns.dropReusable(c)
	c.flags &^= flagIdle
	c.each = 0
	c.timer.disarm()
}

// Take takes an idle connection back into use without waiting for an event, as a pool of upstream
// connections does. It reports false when the connection is not idle any more: it was closed, or
// something has arrived and its server is going to run.
func (c *Conn) Take() bool {
	if !c.has(flagIdle) {
		return false
	}
	c.endIdle()
	return true
}

// disown forgets that the current fiber serves the connection.
func (c *Conn) disown() {
	if f := c.loop.cur; f != nil && f.conn == c {
		f.conn = nil
	}
}

// startServe queues a fiber for an idle connection.
func (c *Conn) startServe() {
	c.endIdle()
	c.flags |= flagServing
	c.loop.serve(c)
}

// served runs the server in the fiber that startServe queued.
func (c *Conn) served() {
	c.flags &^= flagServing | flagFresh
	if !c.has(flagClosed) {
		c.Server.Serve(c)
	}
}

// expire implements expirer: the end of an idle or lingering connection's time.
func (c *Conn) expire(*Loop) {
	switch {
	case c.has(flagLinger):
		c.Close()
	case !c.has(flagIdle):
	case c.each == 0:
		c.endIdle()
		c.idleTimeout()
	case c.loop.conns.draining:
		c.reclaim()
	default:
		c.loop.conns.pushReusable(c)
		c.idleFor(c.each)
	}
}

func (c *Conn) idleTimeout() {
	l := c.loop
	defer func() {
		if v := recover(); v != nil {
			l.logPanic(v)
			c.Close()
		}
	}()
	if c.Server == nil {
		c.Close()
		return
	}
	c.Server.IdleTimeout(c)
}

// reclaim asks the server to close an idle connection, and insists; a lingering one has no say.
func (c *Conn) reclaim() {
	if c.has(flagLinger) {
		c.Close()
		return
	}
	c.endIdle()
	c.flags |= flagReclaimed
	if c.idleTimeout(); !c.has(flagLinger) {
		c.Close()
	}
}

// CloseLinger closes the sending side and lets the loop read and drop what the peer still sends,
// until it closes, nothing came for each (lingering_timeout), or total (lingering_time) is over: a
// response sent to a peer that is still sending would otherwise be lost to a reset. It returns at
// once; the caller must not use the connection any more. A connection that was reclaimed because
// there are too many is closed.
func (c *Conn) CloseLinger(total, each time.Duration) {
	if c.has(flagClosed | flagLinger) {
		return
	}
	if c.has(flagEOF|flagHangup) || c.has(flagReclaimed) && !c.loop.conns.draining || total <= 0 || each <= 0 || sysShutdown(int(c.fd), unix.SHUT_WR) != 0 {
		c.Close()
		return
	}
	if c.has(flagIdle) {
		c.endIdle()
	}
	c.disown()
	c.watch = closeWatch{}
	c.Server, c.Data = nil, nil
	c.flags |= flagLinger
	c.loop.conns.pushReusable(c)
	c.until, c.each = c.loop.msec+total.Milliseconds(), each
	c.loop.SetTimer(&c.timer, min(each, total))
	if c.Readable() {
		c.lingerRead()
	}
}

// lingerRead drops what has arrived.
func (c *Conn) lingerRead() {
	l := c.loop
	if l.discard == nil {
		l.discard = make([]byte, 16<<10)
	}
	got := false
	for range fiberBudget {
		_, err := c.TryRead(l.discard)
		if err == ErrAgain {
			if got {
				c.lingerMore()
			}
			return
		}
		if err != nil {
			c.Close()
			return
		}
		got = true
	}
	c.lingerMore()
	if c.has(flagLinger) {
		l.Post(func() { // the peer sends faster than is fair to the others
			if c.has(flagLinger) {
				c.lingerRead()
			}
		})
	}
}

// lingerMore gives the peer another while.
func (c *Conn) lingerMore() {
	left := time.Duration(c.until-c.loop.msec) * time.Millisecond
	if left <= 0 {
		c.Close()
		return
	}
	c.loop.SetTimer(&c.timer, min(c.each, left))
}
