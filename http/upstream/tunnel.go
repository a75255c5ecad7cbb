package upstream

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
)

// end is one side of a tunnel: bytes from it wait to be sent to the other.
type end struct {
	from, to *event.Conn
	// buf holds mem[rd:wr] of what came; memory is held only while bytes wait.
	buf    []byte
	rd, wr int
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
	client, peer := r.Conn.Conn, e.link.Conn
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
func (d *end) take(b []byte) { d.buf, d.wr = append([]byte(nil), b...), len(b) }

func (d *end) empty() bool { return d.rd == d.wr }

func (d *end) release(bufs *bufPool) {
	if d.buf != nil {
		bufs.put(d.buf)
		d.buf = nil
	}
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
			n, err := d.to.TryWrite(d.buf[d.rd:d.wr])
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
		if d.empty() {
			d.rd, d.wr = 0, 0
		}
		if !d.eof && d.from.Readable() && (d.buf == nil || d.wr < len(d.buf)) {
			if d.buf == nil {
				d.buf = bufs.get(e.Conf.BufferSize.V)
			}
			n, err := d.from.TryRead(d.buf[d.wr:])
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
		{Conn: up.from, Read: !up.eof && (up.buf == nil || up.wr < len(up.buf)), Write: !down.empty()},
		{Conn: down.from, Read: !down.eof && (down.buf == nil || down.wr < len(down.buf)), Write: !up.empty()},
	}
	timeout := e.Conf.ReadTimeout.V
	blocked := !up.empty() || !down.empty()
	if !up.empty() {
		timeout = e.Conf.SendTimeout.V
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
