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
