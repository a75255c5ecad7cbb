// Package h1 speaks HTTP/1.x (and 0.9) with clients: it reads requests from a
// connection, hands each to package http, frames the responses and decides
// what becomes of the connection (RFC 9112; nginx's ngx_http_request.c,
// ngx_http_header_filter_module.c and ngx_http_write_filter_module.c).
//
// A connection holds memory of this package only while a fiber serves it.
package h1

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// conn is the state of a connection while it is being served.
type conn struct {
	c    *http.Conn
	pool *pool

	// in is the current header buffer, in[rd:wr] what has not been used yet.
	in     []byte
	rd, wr int
	// large are the request's filled buffers, which its strings live in.
	large [][]byte
	// marks are how much of each of them the header filled; it ends at headEnd
	// in the buffer after them.
	marks   []int
	headEnd int

	// out is what waits to be sent: a header, small pieces of bodies.
	out  []byte
	iov  [][]byte
	body body

	line    wire.RequestLine
	header  wire.HeaderLine
	scratch []byte
	// deadline is when the header has to be complete, in NowMsec.
	deadline int64
}

// pool keeps the connection states of one worker.
type pool struct {
	conns   []*conn
	trash   []byte
	buffers [][]byte // of large_client_header_buffers' size
	size    int64    // of those
}

// kept bounds what the pool keeps of each kind.
const kept = 256

func poolOf(w *http.Worker) *pool {
	p, _ := w.H1.(*pool)
	if p == nil {
		p = &pool{}
		w.H1 = p
	}
	return p
}

func (p *pool) get(c *http.Conn) *conn {
	if n := len(p.conns); n > 0 {
		h := p.conns[n-1]
		p.conns = p.conns[:n-1]
		h.c = c
		return h
	}
	return &conn{c: c, pool: p, out: make([]byte, 0, 2048)}
}

func (p *pool) put(h *conn) {
	h.dropLarge()
	if len(p.conns) >= kept || cap(h.out) > 1<<16 {
		return
	}
	clear(h.iov)
	in, marks, out, iov, scratch := h.in, h.marks[:0], h.out[:0], h.iov[:0], h.scratch[:0]
	*h = conn{} // in place: a value made of the old one would be put together elsewhere and copied
	h.pool, h.in, h.marks, h.out, h.iov, h.scratch = p, in, marks, out, iov, scratch
	p.conns = append(p.conns, h)
}

// Serve reads and answers requests until the connection is idle or over. It
// runs in a fiber of its own whenever the connection becomes readable.
func Serve(c *http.Conn) {
	p := poolOf(c.Worker)
	h := p.get(c)
	returned := false
	defer func() {
		if r := c.Current; !returned && r != nil {
			r.Abandon()
		}
	}()
	idle, d := h.serve()
	returned = true
	p.put(h)
	if idle {
		c.Idle(d)
	}
}

// serve handles requests as long as there are bytes; it reports whether the
// connection stays open, for how long.
func (h *conn) serve() (idle bool, d time.Duration) {
	c := h.c
	h.useBuffer(int(c.Server.ClientHeaderBufferSize.V))
	first := c.Requests == 0
	if n, err := h.fill(first); err != nil {
		h.startFailed(n, err, first)
		return false, 0
	}
	for pipelined := false; ; pipelined = true {
		r := c.NewRequest(h)
		c.Current = r
		r.Pipelined = pipelined
		c.Requests++
		if st := c.Loop().Stats(); st != nil {
			st.Requests.Add(1)
		}
		if !h.handle(r) {
			return false, 0
		}
		lc := r.Core
		d = lc.Keepalive.V.Timeout
		h.setNodelay(lc)
		r.Free()
		c.Current, c.Action = nil, "keepalive"
		if c.Worker.Exiting() {
			h.close()
			return false, 0
		}
		h.dropLarge()
		if h.rd == h.wr {
			h.rd, h.wr = 0, 0
			if !h.decrypted() {
				return true, d
			}
		}
		h.compact()
	}
}

// useBuffer gives the connection a header buffer of that size.
func (h *conn) useBuffer(size int) {
	if len(h.in) != size {
		h.in = make([]byte, size)
	}
	h.rd, h.wr = 0, 0
}

// compact moves unused bytes to the start of a buffer of the first size, so
// that the next request has all of it.
func (h *conn) compact() {
	copy(h.in, h.in[h.rd:h.wr])
	h.wr -= h.rd
	h.rd = 0
}

// fill reads into the current buffer. wait is for the first bytes of a new
// connection, whose time out is the loop's; all others have the deadline.
func (h *conn) fill(first bool) (int, error) {
	c := h.c
	for {
		n, err := h.tryRead(h.in[h.wr:])
		if err == nil {
			h.wr += n
			return n, nil
		}
		if err != event.ErrAgain {
			return 0, err
		}
		left := h.deadline - c.Loop().NowMsec()
		if h.deadline == 0 {
			left = c.Server.ClientHeaderTimeout.V.Milliseconds()
			h.deadline = c.Loop().NowMsec() + left
		}
		if left <= 0 {
			return 0, event.ErrTimeout
		}
		if err := c.WaitReadable(time.Duration(left) * time.Millisecond); err != nil {
			return 0, err
		}
	}
}

// tryRead reads without waiting on plain connections; on others the stream
// below does the waiting.
func (h *conn) tryRead(p []byte) (int, error) {
	if h.c.TLS == nil {
		return h.c.TryRead(p)
	}
	return h.c.IO.Read(p)
}

// decrypted takes what TLS has received already, of which the loop knows
// nothing, and reports whether there was something.
func (h *conn) decrypted() bool {
	if h.c.TLS == nil {
		return false
	}
	n, err := h.c.IO.Read(h.in)
	if err == nil {
		h.wr = n
	}
	return err == nil
}

// startFailed ends a connection that brought no request.
func (h *conn) startFailed(_ int, err error, first bool) {
	c := h.c
	switch {
	case errors.Is(err, event.ErrTimeout):
		c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
	case err == io.EOF && first:
		c.Log.Log(log.Info, nil, "client closed connection")
	case err == io.EOF:
		c.Log.WithContext(nil).Log(log.Info, nil, "client %s closed keepalive connection", c.Peer.Text)
	default:
		c.Log.Log(log.Info, err, "recv() failed")
	}
	h.close()
}

// handle takes one request from its first byte to its end, and reports whether
// the connection may serve another.
func (h *conn) handle(r *http.Request) (again bool) {
	c := h.c
	h.deadline = 0
	h.body = body{}
	v := h.readRequest(r)
	switch {
	case v == http.OK:
		c.Action = ""
		h.startBody(r)
		r.Run()
	case v == http.Error:
		// The client is gone, or it took too long: only the log says so.
		r.KeepAlive = false
		r.FinishUnread()
		h.end(r, false)
		return false
	default:
		r.Finish(v)
	}
	if err := h.flush(r); err != nil {
		c.Failed = true
	}
	return h.end(r, true)
}

// end decides about the connection after a response: nginx's
// ngx_http_finalize_connection.
func (h *conn) end(r *http.Request, answered bool) (again bool) {
	c, lc := h.c, r.Core
	switch {
	case c.Failed || !answered:
		reset := c.TimedOut && lc != nil && lc.ResetTimedout.V
		r.Free()
		c.Current = nil
		if reset {
			c.CloseReset()
		}
		h.close()
		return false
	case r.KeepAlive && !c.Worker.Exiting() && lc.Keepalive.V.Timeout > 0 && h.finishBody(r):
		return true
	}
	linger := lc.LingeringClose.V == http.LingeringAlways ||
		lc.LingeringClose.V == http.LingeringOn && (r.LingeringClose || h.rd < h.wr || c.Readable() || h.body.left())
	total, each := lc.LingeringTime.V, lc.LingeringTimeout.V
	r.Free()
	c.Current = nil
	if linger {
		c.Action = "closing request"
		c.CloseLinger(total, each)
		c.Release()
		return false
	}
	h.close()
	return false
}

func (h *conn) close() {
	h.c.Close()
	h.c.Release()
}

// setNodelay turns Nagle's algorithm off for a connection that is kept, once.
func (h *conn) setNodelay(lc *http.LocConf) {
	c := h.c
	if c.NoDelay || !lc.TCPNodelay.V || c.Unix {
		return
	}
	c.NoDelay = true
	if err := c.SetOption(unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		c.Log.Log(log.Crit, err, "setsockopt(TCP_NODELAY) failed")
	}
}
