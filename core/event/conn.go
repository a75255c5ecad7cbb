package event

import (
	"time"

	"golang.org/x/sys/unix"
)

// Server serves the connections of a listener.
type Server interface {
	// Serve runs in a fiber of its own each time a new or idle connection becomes readable or is
	// closed by the peer. Before it returns it passes the connection on: to the loop with Idle,
	// to nobody with Close or CloseLinger, or to another fiber.
	Serve(c *Conn)

	// IdleTimeout runs on the loop, and must not park, when an idle connection's time is over, or
	// earlier when the loop wants it back (c.Reclaimed), because worker_connections are exhausted
	// or the worker is shutting down. It closes the connection; a reclaimed one is closed by the
	// loop if it does not.
	IdleTimeout(c *Conn)
}

// Conn is a non-blocking stream descriptor of a loop: a socket, or a pipe.
//
// At most one fiber may wait for it to become readable and one for it to become writable at a time;
// they may be two. A Conn that was closed stays closed: the object is never used for another
// connection.
type Conn struct {
	Data     any       // the owner's
	Server   Server    // serves it after Idle
	Listener *Listener // accepted from; nil for others

	// ReadTimeout limits each wait of Read and Readv, WriteTimeout each wait of Write, Writev and
	// Sendfile, that is the time between two successful writes (send_timeout). 0 means none.
	ReadTimeout, WriteTimeout time.Duration

	// Number is the connection's serial number among all workers that share Stats, as in "*17" in
	// the log.
	Number uint64
	// Start is when it was accepted or made, in NowMsec.
	Start int64

	loop         *Loop
	fd           int32
	slot         int32
	gen          uint32
	flags        connFlags
	rwait, wwait *Fiber
	timer        Timer // of an idle or lingering connection
	prev, next   *Conn // in the list of reusable connections
	watch        closeWatch
	local, peer  compactAddr

	until int64         // of a lingering connection: NowMsec at which it ends
	each  time.Duration // of a lingering one: limit of each wait; of a protected one: the time after
}

// closeWatch is whom to tell when the peer closes.
type closeWatch struct {
	fiber FiberRef
	f     func()
}

func (w *closeWatch) set() bool { return w.f != nil || w.fiber.f != nil }

type connFlags uint32

const (
	flagReadable    connFlags = 1 << iota // reading may give something
	flagWritable                          // writing may take something
	flagPeerClosed                        // FIN or an error was seen: no more will be received
	flagHangup                            // error or closed in both directions
	flagEOF                               // a read returned end of file
	flagStream                            // a short read means that nothing is left
	flagSocket                            // for sure, so that recv and send apply, which cost less than read and write
	flagWriteEvents                       // epoll reports writability
	flagShared                            // other processes may hold the descriptor: tell the poller
	flagIdle                              // the loop's, in Idle
	flagLinger                            // the loop's, in CloseLinger
	flagReusable                          // in the list of those closed when connections run out
	flagFresh                             // accepted and not served yet
	flagServing                           // a fiber has been queued to serve it
	flagAccepted
	flagReclaimed
	flagNoDelay // TCP_NODELAY is on
	flagNoPush  // TCP_CORK is on
	flagClosed
)

func (c *Conn) has(f connFlags) bool { return c.flags&f != 0 }

// FD is the descriptor, -1 when closed. It stays the connection's.
func (c *Conn) FD() int { return int(c.fd) }

// Loop is the loop the connection belongs to.
func (c *Conn) Loop() *Loop { return c.loop }

// Closed reports whether the connection was closed on this side.
func (c *Conn) Closed() bool { return c.has(flagClosed) }

// PeerClosed reports whether the peer is known to have closed its side, or the connection to have
// failed. Data received before may still be unread.
func (c *Conn) PeerClosed() bool { return c.has(flagPeerClosed | flagEOF) }

// EOF reports whether a read has returned io.EOF.
func (c *Conn) EOF() bool { return c.has(flagEOF) }

// Readable reports whether a read might not return ErrAgain.
func (c *Conn) Readable() bool { return c.has(flagReadable) }

// Writable reports whether a write might not return ErrAgain.
func (c *Conn) Writable() bool { return c.has(flagWritable) }

// Reclaimed reports whether the loop has asked for this idle connection back (see Server).
func (c *Conn) Reclaimed() bool { return c.has(flagReclaimed) }

// Adopt makes a connection of a non-blocking stream descriptor: socket, pipe or terminal. It belongs
// to the connection from then on; when Adopt fails it is still the caller's.
func (l *Loop) Adopt(fd int) (*Conn, error) {
	return l.adopt(fd, flagStream|flagReadable|flagWritable|flagShared, true)
}

// adopt registers a descriptor of any kind.
func (l *Loop) adopt(fd int, flags connFlags, write bool) (*Conn, error) {
	c, err := l.conns.add(l, fd, flags)
	if err != nil {
		return nil, err
	}
	if err := l.poll.add(c, write); err != nil {
		l.conns.remove(c)
		return nil, err
	}
	return c, nil
}

// event takes in what the kernel reported.
func (c *Conn) event(m eventMask) {
	if m&eventRead != 0 {
		c.flags |= flagReadable
	}
	if m&eventWrite != 0 {
		c.flags |= flagWritable
		if c.wwait != nil {
			c.wwait.ioReady()
		}
	}
	if m&eventHangup != 0 {
		c.flags |= flagHangup
	}
	if m&eventRead == 0 {
		return
	}
	if m&eventPeerClosed == 0 && c.watch.set() && !c.loop.poll.peerClose() && c.peekEOF() {
		m |= eventPeerClosed
	}
	if c.rwait != nil {
		c.rwait.ioReady()
	}
	switch {
	case c.has(flagIdle):
		c.startServe()
	case c.has(flagLinger):
		c.lingerRead()
	}
	if m&eventPeerClosed != 0 {
		c.peerClosed()
	}
}

// peekEOF finds out whether the peer has closed where events do not tell; unread data hides it.
func (c *Conn) peekEOF() bool {
	var b [1]byte
	n, e := sysPeek(int(c.fd), b[:])
	return e == 0 && n == 0 || e != 0 && e != unix.EAGAIN
}

// peerClosed notes the peer's FIN and tells the watcher, once.
func (c *Conn) peerClosed() {
	c.flags |= flagPeerClosed
	w := c.watch
	c.watch = closeWatch{}
	if f := w.fiber.Fiber(); f != nil {
		f.Cancel(ErrPeerClosed)
	}
	if w.f != nil {
		c.loop.protect(w.f)
	}
}

// WatchClose cancels f with ErrPeerClosed when the peer closes the connection or it fails, even while
// received data is still unread (except with select, which tells only once all is read). It happens
// at most once, at once if it is known already. nil ends the watch. The end of f's function does so
// too.
func (c *Conn) WatchClose(f *Fiber) {
	if f == nil {
		c.watch = closeWatch{}
		return
	}
	c.setWatch(closeWatch{fiber: f.Ref()})
}

// WatchCloseFunc is WatchClose calling f on the loop instead; f must not park.
func (c *Conn) WatchCloseFunc(f func()) {
	if f == nil {
		c.watch = closeWatch{}
		return
	}
	c.setWatch(closeWatch{f: f})
}

func (c *Conn) setWatch(w closeWatch) {
	c.watch = w
	if c.PeerClosed() || !c.loop.poll.peerClose() && c.Readable() && !c.Closed() && c.peekEOF() {
		c.peerClosed()
	}
}

// Close closes the connection. Fibers waiting on it get ErrClosed. Closing twice does nothing.
func (c *Conn) Close() {
	if c.has(flagClosed) {
		return
	}
	l := c.loop
	if c.has(flagShared) {
		l.poll.del(c)
	}
	fd := int(c.fd)
	c.disown()
	c.release()
	if e := sysClose(fd); e != 0 {
		l.cfg.Log.Log(LogCrit, e, "close() socket %d failed", fd)
	}
}

// release takes the connection out of the loop, all but its descriptor.
func (c *Conn) release() {
	l := c.loop
	l.DelTimer(&c.timer)
	l.conns.dropReusable(c)
	l.conns.remove(c)
	c.flags = c.flags&^(flagIdle|flagLinger) | flagClosed
	c.fd = -1
	c.watch = closeWatch{}
	if c.rwait != nil {
		c.rwait.ioReady()
	}
	if c.wwait != nil {
		c.wwait.ioReady()
	}
	if c.has(flagAccepted) {
		l.conns.open--
		l.cfg.Stats.Active.Add(-1)
	}
}

// CloseReset closes the connection with a TCP reset, freeing at once what the kernel still holds to
// send (reset_timedout_connection).
func (c *Conn) CloseReset() {
	if c.has(flagClosed) {
		return
	}
	if err := unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		c.loop.cfg.Log.Log(LogAlert, err, "setsockopt(SO_LINGER) failed")
	}
	c.Close()
}
