package tls

import (
	gotls "crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"sync"
	"time"

	"moongate/core/event"
)

// MaxRecord is the most plaintext that a record carries: the ssl_buffer_size
// of a configuration without one.
const MaxRecord = 16 << 10

// Conn is a TLS connection over an event.Conn. It belongs to the loop. After
// the handshake one fiber may read while another writes; two must not write at
// once.
type Conn struct {
	// Data is the owner's.
	Data any
	// Hello is what the client offered, for variables; nil on clients.
	Hello *Hello
	// Revocation is what is held against a certificate that is good otherwise, ""
	// for nothing.
	Revocation string
	// Script is what code that took part in the handshake keeps of it.
	Script any

	t       transport
	tls     *gotls.Conn
	ctx     *Context // the one in effect: chosen by the server name
	session *Context // the one whose sessions are used: the address's
	client  *client  // nil on servers
	open    *opening // nil without hooks
	resumed *sessionNote
	number  []byte // of its session in the store
	verdict VerifyResult
	record  int
	done    bool
	eof     bool
	writing bool // a fiber is in Writev or Sendfile
	signed  gotls.SignatureScheme
	ech     *string // the server name outside of a hidden ClientHello
}

// Server returns the server side of a connection that begins with a handshake.
func Server(c *event.Conn, ctx *Context) *Conn {
	s := &Conn{t: transport{conn: c, hold: true, capture: ctx.keepHello}, ctx: ctx, session: ctx, record: ctx.BufferSize}
	s.t.owner = s
	s.tls = gotls.Server(&s.t, ctx.config)
	return s
}

// Handshake speaks with the peer until both agree, for at most d (0: without
// limit). After an error the connection is of no use.
func (c *Conn) Handshake(d time.Duration) error {
	t := &c.t
	t.handshaking = true
	if d > 0 {
		t.deadline = t.conn.Loop().NowMsec() + d.Milliseconds()
	}
	c.current()
	err := c.tls.Handshake()
	if err != nil {
		t.flush() // the alert
		return err
	}
	t.handshaking, t.hold, t.deadline = false, false, 0
	c.done = true
	c.open.finish()
	return nil
}

// current makes the connection known to callbacks of crypto/tls that are not
// told which it is. Only one fiber runs at a time, and between two calls of
// this no other handshake does.
func (c *Conn) current() {
	if c.ctx != nil {
		c.ctx.current = c
	}
}

// State is what the handshake came to; during the handshake, when crypto/tls
// cannot be asked, it is empty.
func (c *Conn) State() gotls.ConnectionState {
	if !c.done {
		return gotls.ConnectionState{}
	}
	return c.tls.ConnectionState()
}

// PeerCertificate is the peer's own certificate, nil when it sent none.
func (c *Conn) PeerCertificate() *x509.Certificate {
	if certs := c.State().PeerCertificates; len(certs) > 0 {
		return certs[0]
	}
	return nil
}

// Protocol is the protocol that ALPN agreed on, "" for none.
func (c *Conn) Protocol() string { return c.State().NegotiatedProtocol }

// ServerName is the name that the client asked for, "" for none.
func (c *Conn) ServerName() string {
	if c.Hello == nil {
		return ""
	}
	return c.Hello.ServerName
}

// Read reads what has arrived: event.ErrAgain when nothing has, io.EOF when the
// peer has closed, with or without saying so.
func (c *Conn) Read(p []byte) (int, error) {
	if c.eof {
		return 0, io.EOF
	}
	if c.client != nil {
		c.current() // a session may arrive
	}
	n, err := c.tls.Read(p)
	switch {
	case n > 0 && err == nil:
		c.t.conn.Loop().Spend(n)
		return n, nil
	case err == error(errAgain):
		err = event.ErrAgain
	case err == io.EOF, err == io.ErrUnexpectedEOF:
		c.eof, err = true, io.EOF
		if n > 0 {
			return n, nil
		}
	}
	if c.t.out != nil && !c.writing {
		// An answer of crypto/tls itself, or tickets that no response took along.
		if ferr := c.t.flush(); ferr != nil {
			return n, ferr
		}
	}
	return n, err
}

// Writev writes all of bufs, in as few records as ssl_buffer_size allows,
// waiting as event.Conn.Writev does.
func (c *Conn) Writev(bufs [][]byte) (int64, error) {
	if err := c.t.try(); err != nil && err != event.ErrAgain {
		return 0, err
	}
	c.writing = true
	defer func() { c.writing = false }()
	var done int64
	var few []byte // short pieces on their way into one record
	defer func() {
		if few != nil {
			putBuffer(few)
		}
	}()
	for i, b := range bufs {
		for len(b) > 0 {
			if len(few) == 0 && (len(b) >= c.record || last(bufs[i+1:])) {
				n := min(len(b), c.record)
				if err := c.write(b[:n]); err != nil {
					return done, err
				}
				done += int64(n)
				b = b[n:]
				continue
			}
			if few == nil {
				few = getBuffer()
			}
			n := min(len(b), c.record-len(few))
			few = append(few, b[:n]...)
			b = b[n:]
			if len(few) == c.record || len(b) == 0 && last(bufs[i+1:]) {
				if err := c.write(few); err != nil {
					return done, err
				}
				done += int64(len(few))
				few = few[:0]
			}
		}
	}
	return done, c.flush()
}

// last reports whether nothing is left in bufs.
func last(bufs [][]byte) bool {
	for _, b := range bufs {
		if len(b) > 0 {
			return false
		}
	}
	return true
}

// write makes a record and sends it as far as the socket takes it; before the
// next one it waits.
func (c *Conn) write(p []byte) error {
	if len(c.t.out) > MaxRecord {
		if err := c.t.flush(); err != nil {
			return err
		}
	}
	if _, err := c.tls.Write(p); err != nil {
		return err
	}
	c.t.conn.Loop().Spend(len(p))
	return c.t.err
}

func (c *Conn) flush() error {
	if c.t.out == nil {
		return c.t.err
	}
	return c.t.flush()
}

// Sendfile sends n bytes of a file from off. As they have to be encrypted they
// are read; chunk is of no meaning here.
func (c *Conn) Sendfile(fd int, off, n, _ int64) (int64, error) {
	mem := getBuffer()
	c.writing = true
	defer func() {
		putBuffer(mem)
		c.writing = false
	}()
	var done int64
	for done < n {
		p := mem[:min(n-done, int64(c.record))]
		m, err := event.Pread(fd, p, off+done)
		if err != nil {
			return done, err
		}
		if err := c.write(p); err != nil {
			return done, err
		}
		done += int64(m)
	}
	return done, c.flush()
}

// Shutdown tells the peer that nothing more will be sent. It does not wait: if
// the socket is full the peer is not told. The event.Conn stays open.
func (c *Conn) Shutdown() {
	if c.done && c.t.err == nil && !c.t.conn.Closed() && c.tls.CloseWrite() == nil {
		_ = c.t.try()
	}
	c.Release()
}

// Release gives back what waits to be sent.
func (c *Conn) Release() {
	c.t.err = errors.Join(c.t.err, event.ErrClosed)
	_ = c.t.try()
}

// bufferSize fits a record with its header, nonce, padding and tag.
const bufferSize = MaxRecord + 512

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

func getBuffer() []byte { return buffers.Get().(*[bufferSize]byte)[:0] }

func putBuffer(b []byte) {
	if cap(b) >= bufferSize {
		buffers.Put((*[bufferSize]byte)(b[:bufferSize]))
	}
}
