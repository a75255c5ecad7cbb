package tls

import (
	"net"
	"time"

	"moongate/core/event"
)

// transport is the net.Conn that crypto/tls sees. During the handshake its
// Read parks the fiber; after it, it returns errAgain, which crypto/tls does
// not keep. Write never parks and never fails, so that none of crypto/tls's
// locks is held while a fiber waits: what the socket does not take stays in
// out until flush.
type transport struct {
	conn  *event.Conn
	owner *Conn
	// out[sent:] waits to be sent. Its memory is borrowed while there is any.
	out  []byte
	sent int
	// hold keeps everything in out: the flights of a handshake go out whole.
	hold bool
	// handshaking lets Read park, until deadline in NowMsec.
	handshaking bool
	deadline    int64
	// capture: what is received is kept in captured, until the ClientHello is
	// there.
	capture  bool
	captured []byte
	// alert is what to send in place of the alert that crypto/tls chooses for an
	// error of a callback.
	alert byte
	// err is what made the socket useless for writing.
	err error
}

// The first byte and the size of an alert that is not encrypted.
const (
	alertRecord = 21
	alertSize   = 7
)

// alertUnrecognizedName refuses a server name.
const alertUnrecognizedName = 112

// errAgain is what crypto/tls is told when there is nothing to read.
var errAgain net.Error = againError{}

type againError struct{}

func (againError) Error() string   { return event.ErrAgain.Error() }
func (againError) Timeout() bool   { return true }
func (againError) Temporary() bool { return true }

// Read implements net.Conn.
func (t *transport) Read(p []byte) (int, error) {
	for {
		n, err := t.conn.TryRead(p)
		if err != event.ErrAgain {
			if t.capture {
				t.captured = append(t.captured, p[:max(n, 0)]...)
			}
			return n, err
		}
		if !t.handshaking {
			return 0, errAgain
		}
		if err := t.park(); err != nil {
			return 0, err
		}
	}
}

// park waits for the peer's next flight, after ours was sent.
func (t *transport) park() error {
	if err := t.flush(); err != nil {
		return err
	}
	left := time.Duration(0)
	if t.deadline != 0 {
		if left = time.Duration(t.deadline-t.conn.Loop().NowMsec()) * time.Millisecond; left <= 0 {
			return event.ErrTimeout
		}
	}
	err := t.conn.WaitReadable(left)
	t.owner.current()
	return err
}

// Write implements net.Conn.
func (t *transport) Write(p []byte) (int, error) {
	if t.alert != 0 && len(p) == alertSize && p[0] == alertRecord {
		p = append(append([]byte(nil), p[:alertSize-1]...), t.alert)
	}
	if t.handshaking && t.owner.open != nil {
		t.owner.open.sent(p)
	}
	n := 0
	if !t.hold && len(t.out) == 0 && t.err == nil {
		var err error
		if n, err = t.conn.TryWrite(p); err != nil && err != event.ErrAgain {
			t.err = err
		}
	}
	if n < len(p) && t.err == nil {
		if t.out == nil {
			t.out = getBuffer()
		}
		t.out = append(t.out, p[n:]...)
	}
	return len(p), nil
}

// try sends what the socket takes of out.
func (t *transport) try() error {
	if t.err == nil && t.sent < len(t.out) {
		n, err := t.conn.TryWrite(t.out[t.sent:])
		t.sent += n
		if err == event.ErrAgain {
			return err
		}
		t.err = err
	}
	if t.out != nil {
		putBuffer(t.out)
		t.out, t.sent = nil, 0
	}
	return t.err
}

// flush sends all of out, parking the fiber.
func (t *transport) flush() error {
	for {
		err := t.try()
		if err != event.ErrAgain {
			return err
		}
		limit := t.conn.WriteTimeout
		if t.handshaking && t.deadline != 0 {
			limit = max(time.Duration(t.deadline-t.conn.Loop().NowMsec())*time.Millisecond, time.Millisecond)
		}
		if err := t.conn.WaitWritable(limit); err != nil {
			t.err = err
		}
	}
}

// Close implements net.Conn; the event.Conn is its owner's to close.
func (t *transport) Close() error { return nil }

// LocalAddr implements net.Conn.
func (t *transport) LocalAddr() net.Addr { return addr(t.conn.LocalAddr()) }

// RemoteAddr implements net.Conn.
func (t *transport) RemoteAddr() net.Addr { return addr(t.conn.RemoteAddr()) }

// SetDeadline implements net.Conn; time limits are set elsewhere.
func (t *transport) SetDeadline(time.Time) error { return nil }

// SetReadDeadline implements net.Conn.
func (t *transport) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (t *transport) SetWriteDeadline(time.Time) error { return nil }

func addr(a event.Addr) net.Addr {
	if a.Unix {
		return &net.UnixAddr{Name: a.Path, Net: "unix"}
	}
	return net.TCPAddrFromAddrPort(a.AddrPort)
}
