package upstream

import (
	"errors"
	"io"
	"slices"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/tls"
	"moongate/http"
)

// side is a connection of a tunnel, over TLS if tls is not nil.
type side struct {
	*event.Conn
	tls *tls.Conn
}

// tryRead reads what has arrived.
func (s *side) tryRead(p []byte) (int, error) {
	switch {
	case s.tls != nil:
		return s.tls.Read(p)
	case !s.Readable():
		return 0, event.ErrAgain
	}
	return s.TryRead(p)
}

// tryWrite writes what can be written at once.
func (s *side) tryWrite(p []byte) (int, error) {
	if s.tls != nil {
		return s.tls.TryWrite(p)
	}
	return s.TryWrite(p)
}

// pending reports whether TLS has bytes that are still to be sent.
func (s *side) pending() bool { return s.tls != nil && s.tls.Pending() }

// end is one direction of a tunnel: bytes from one side wait to be sent to the
// other.
type end struct {
	from, to *side
	// buf[rd:wr] is what came; memory is held only while bytes wait.
	buf    []byte
	rd, wr int
	own    bool // buf is not one of the pool
	eof    bool
}

// tunnel passes bytes both ways until one side has closed and all that it sent
// has been passed on: nginx's ngx_http_upstream_process_upgraded.
func (e *Exchange) tunnel() http.Verdict {
	r := e.R
	s, ok := r.Stream.(http.Tunneler)
	if !r.IsMain() || !ok {
		r.Error("connection upgrade in subrequest")
		return e.finish(http.Error)
	}
	e.unwatch()
	r.KeepAlive = false
	r.Conn.Action = "proxying upgraded connection"
	client, peer := &side{Conn: r.Conn.Conn}, &side{Conn: e.link.Conn, tls: e.link.tls}
	client.tls, _ = r.Conn.IO.(*tls.Conn)
	if r.Core.TCPNodelay.V {
		_ = client.SetNoDelay(true) // without it the tunnel is merely slower
		_ = peer.SetNoDelay(true)
	}
	if v := r.Flush(); v != http.OK {
		return e.finish(v)
	}
	up := end{from: client, to: peer}
	up.take(s.TakeOver(r))
	down := end{from: peer, to: client}
	down.take(e.buf[e.rd:e.wr])
	v := e.pass(&up, &down)
	bufs := &e.main.pool.bufs
	up.release(bufs)
	down.release(bufs)
	return e.finish(v)
}

// take makes bytes that came before the tunnel the first to be passed on.
func (d *end) take(b []byte) { d.buf, d.wr, d.own = slices.Clone(b), len(b), true }

func (d *end) empty() bool { return d.rd == d.wr && !d.to.pending() }

// room reports whether more can be taken.
func (d *end) room() bool { return !d.eof && (d.buf == nil || d.wr < len(d.buf)) }

func (d *end) release(bufs *bufPool) {
	if d.buf != nil && !d.own {
		bufs.put(d.buf)
	}
	d.buf, d.own = nil, false
}

// pass moves bytes in both directions.
func (e *Exchange) pass(up, down *end) http.Verdict {
	for {
		for _, d := range []*end{up, down} {
			if err := e.move(d, d == down); err != nil {
				return http.Error
			}
		}
		if up.eof && up.empty() || down.eof && down.empty() {
			return http.OK
		}
		if v := e.awaitEnds(up, down); v != http.OK {
			return v
		}
	}
}

// move reads and writes in one direction as far as possible without waiting.
func (e *Exchange) move(d *end, down bool) error {
	bufs := &e.main.pool.bufs
	for {
		progress := false
		if !d.empty() {
			n, err := d.to.tryWrite(d.buf[d.rd:d.wr])
			d.rd += n
			progress = n > 0
			if down {
				e.R.BytesSent += int64(n)
			} else {
				e.link.sent += int64(n)
			}
			if err != nil && err != event.ErrAgain {
				return err
			}
		}
		if d.rd == d.wr {
			d.rd, d.wr = 0, 0
		}
		if d.room() {
			if d.buf == nil {
				d.buf = bufs.get(e.Conf.BufferSize.V)
			}
			n, err := d.from.tryRead(d.buf[d.wr:])
			d.wr += n
			progress = progress || n > 0
			if down {
				e.state.BytesReceived += int64(n)
			}
			d.eof = err != nil && err != event.ErrAgain
			if d.eof && err != io.EOF && !down {
				e.R.Conn.Failed = true
			}
		}
		e.R.Loop().Spend(0)
		if !progress {
			break
		}
	}
	if d.empty() {
		d.release(bufs)
	}
	return nil
}

// awaitEnds waits until something can be moved.
func (e *Exchange) awaitEnds(up, down *end) http.Verdict {
	in := [2]event.Interest{
		{Conn: up.from.Conn, Read: up.room(), Write: !down.empty()},
		{Conn: down.from.Conn, Read: down.room(), Write: !up.empty()},
	}
	timeout := e.ReadTimeout
	blocked := !up.empty() || !down.empty()
	if !up.empty() {
		timeout = e.SendTimeout
	} else if blocked {
		timeout = e.R.Core.SendTimeout.V
	}
	_, err := e.R.Loop().WaitAny(timeout, in[:])
	switch {
	case err == nil:
		return http.OK
	case errors.Is(err, event.ErrTimeout) && blocked && up.empty():
		e.R.Conn.TimedOut = true
		e.R.Logf(log.Info, unix.ETIMEDOUT, "client timed out")
		return http.StatusRequestTimeOut
	case errors.Is(err, event.ErrTimeout):
		e.R.Logf(log.Error, unix.ETIMEDOUT, "upstream timed out")
		return http.StatusGatewayTimeOut
	}
	return http.Error
}
