package upstream

import (
	"moongate/core/event"
	"moongate/core/tls"
)

// link is a connection to a peer, over TLS if tls is not nil. Its methods
// shadow those of event.Conn that pass bytes.
type link struct {
	*event.Conn
	tls      *tls.Conn
	requests int64
	// sent counts the bytes sent in the current exchange.
	sent int64
	// wire is what the protocol keeps with the connection.
	wire any

	// writing: somebody is at sending, or is going to; what others have to say
	// is in control until then. waiting is the fiber that is next.
	writing bool
	control []byte
	waiting *event.Fiber

	key  linkKey
	pool *IdlePool
	// expires is when an idle connection is closed, in NowMsec.
	expires int64
}

// TryRead is event.Conn's.
func (l *link) TryRead(p []byte) (int, error) {
	if l.tls != nil {
		return l.tls.Read(p)
	}
	return l.Conn.TryRead(p)
}

// TryReadv is event.Conn's.
func (l *link) TryReadv(bufs [][]byte) (int, error) {
	if l.tls == nil {
		return l.Conn.TryReadv(bufs)
	}
	done := 0
	for _, b := range bufs {
		for len(b) > 0 {
			n, err := l.tls.Read(b)
			b = b[n:]
			if done += n; err != nil {
				if done > 0 {
					return done, nil // the error comes again
				}
				return 0, err
			}
		}
	}
	return done, nil
}

// Read is event.Conn's.
func (l *link) Read(p []byte) (int, error) {
	if l.tls == nil {
		return l.Conn.Read(p)
	}
	for {
		n, err := l.tls.Read(p)
		if err != event.ErrAgain {
			return n, err
		}
		if err := l.WaitReadable(l.ReadTimeout); err != nil {
			return 0, err
		}
	}
}

// TryWritev is event.Conn's. Over TLS it leaves what is long to others.
func (l *link) TryWritev(bufs [][]byte) (int64, error) {
	if l.tls == nil {
		return l.Conn.TryWritev(bufs)
	}
	n := 0
	for _, b := range bufs {
		n += len(b)
	}
	if n > tls.MaxRecord {
		return 0, event.ErrAgain
	}
	return l.tls.Writev(bufs)
}

// Writev is event.Conn's.
func (l *link) Writev(bufs [][]byte) (int64, error) {
	if l.tls != nil {
		return l.tls.Writev(bufs)
	}
	return l.Conn.Writev(bufs)
}

// Sendfile is event.Conn's.
func (l *link) Sendfile(fd int, off, n, chunk int64) (int64, error) {
	if l.tls != nil {
		return l.tls.Sendfile(fd, off, n, chunk)
	}
	return l.Conn.Sendfile(fd, off, n, chunk)
}

// Close closes the connection, over TLS with a word to the peer.
func (l *link) Close() {
	if l.tls != nil {
		l.tls.Shutdown()
	}
	l.Conn.Close()
}

// acquire waits until nobody else is sending.
func (l *link) acquire() error {
	f := l.Loop().Current()
	for l.writing {
		l.waiting = f
		why := f.Park()
		l.waiting = nil
		if why == event.Canceled {
			return f.Err()
		}
	}
	l.writing = true
	return nil
}

// release ends what acquire began, after sending what has been waiting.
func (l *link) release() error {
	for len(l.control) > 0 {
		b := l.control
		l.control = nil
		n, err := l.Writev([][]byte{b})
		l.sent += n
		if err != nil {
			return err
		}
	}
	l.writing = false
	if l.waiting != nil {
		l.waiting.Ready()
	}
	return nil
}

// say sends bytes that are no part of the request, between two pieces of it.
// What the peer does not take at once a fiber sends.
func (l *link) say(b []byte) {
	l.control = append(l.control, b...)
	if l.writing {
		return
	}
	l.writing = true
	n, err := l.TryWritev([][]byte{l.control})
	l.sent += n
	if l.control = l.control[n:]; len(l.control) == 0 {
		l.control = nil
	}
	switch err {
	case nil:
		_ = l.release() // over TLS it may have waited, and others have come
	case event.ErrAgain:
		l.Loop().Go(func() { _ = l.release() }) // reading will fail as well
	default:
		l.control = nil
		_ = l.release()
	}
}

// Wire is what SetWire was given on the connection, nil if it is new.
func (e *Exchange) Wire() any { return e.link.wire }

// SetWire keeps something with the connection for as long as it exists.
func (e *Exchange) SetWire(v any) { e.link.wire = v }

// Say sends bytes that are no part of the request, between two frames of it.
func (e *Exchange) Say(b []byte) { e.link.say(b) }

// Unsaid is how much of what Say was given waits for the peer.
func (e *Exchange) Unsaid() int { return len(e.link.control) }
