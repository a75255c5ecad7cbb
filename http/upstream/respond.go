package upstream

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
)

// Data hands on a piece of the response's body; Protocol.Body calls it.
func (e *Exchange) Data(b []byte) {
	if len(b) > 0 {
		e.pieces = append(e.pieces, b)
	}
}

// respond sends the response to the client: nginx's
// ngx_http_upstream_send_response.
func (e *Exchange) respond() http.Verdict {
	r := e.R
	v := r.SendHeader()
	if v != http.OK || r.PostAction {
		return e.finish(v)
	}
	e.started = true
	if e.Upgrade {
		e.freeEntry(http.OK)
		return e.tunnel()
	}
	if r.HeaderOnly && !(e.Buffering && e.storing()) {
		// A body that should not be there may go on.
		e.Keep = e.Keep && e.rd == e.wr
		return e.finish(http.OK)
	}
	if !e.Buffering {
		e.Cacheable = false
		e.freeEntry(http.OK)
	} else if !e.prepareKeeping() {
		return e.finish(http.Error)
	}
	if r.HeaderOnly && !e.storing() {
		return e.finish(http.OK)
	}
	e.watch()
	if e.Protocol.StartBody(e) != nil {
		return e.finish(http.Error)
	}
	if !e.Buffering {
		return e.relay()
	}
	return e.pipe.run()
}

// relay passes the body on piece by piece: nginx's non-buffered mode.
func (e *Exchange) relay() http.Verdict {
	r := e.R
	r.LimitRate, r.LimitRateSet = 0, true
	if r.Core.TCPNodelay.V && !r.Conn.Unix {
		_ = r.Conn.SetNoDelay(true) // without it the response is merely slower
	}
	rest := e.buf[e.rd:e.wr]
	eof := false
	if len(rest) == 0 {
		if v := r.Flush(); v != http.OK {
			return e.finish(v)
		}
	}
	for {
		if len(rest) > 0 {
			e.state.ResponseLength += int64(len(rest))
			if err := e.Protocol.Body(e, rest); err != nil {
				return e.finish(http.Error)
			}
		}
		if e.Length == 0 || eof && e.Length == Until {
			return e.lastPieces()
		}
		if v := e.flushPieces(); v != http.OK {
			return e.finish(v)
		}
		if e.Broken {
			return e.finish(http.StatusBadGateway)
		}
		if eof {
			r.Conn.Action = "reading upstream"
			r.Error("upstream prematurely closed connection")
			return e.finish(http.StatusBadGateway)
		}
		var v http.Verdict
		if rest, eof, v = e.readMore(); v != http.OK {
			return e.finish(v)
		}
	}
}

// readMore waits for more of the body.
func (e *Exchange) readMore() (rest []byte, eof bool, v http.Verdict) {
	e.R.Conn.Action = "reading upstream"
	n, err := e.read()
	switch {
	case err == errStopSending:
		return nil, false, e.sender.verdict()
	case err == nil:
		e.state.BytesReceived += int64(n)
		return e.buf[:n], false, http.OK
	case err == io.EOF:
		return nil, true, http.OK
	case e.aborted(err):
		return nil, false, http.StatusClientClosed
	case errors.Is(err, event.ErrTimeout):
		e.R.Logf(log.Error, unix.ETIMEDOUT, "upstream timed out")
		return nil, false, http.StatusGatewayTimeOut
	}
	e.ioFailed(err)
	return nil, false, http.StatusBadGateway
}

// read reads from the peer, unless sending the request fails while it waits.
func (e *Exchange) read() (int, error) {
	for {
		n, err := e.link.TryRead(e.buf)
		if err != event.ErrAgain {
			return n, err
		}
		if e.sender.gaveUp() {
			return 0, errStopSending
		}
		in := [1]event.Interest{{Conn: e.link.Conn, Read: true}}
		if _, err := e.R.Loop().WaitAny(e.ReadTimeout, in[:]); err != nil {
			return 0, err
		}
	}
}

// flushPieces sends what Data collected, at once.
func (e *Exchange) flushPieces() http.Verdict {
	if len(e.pieces) == 0 {
		return http.OK
	}
	e.takePieces()
	e.out[len(e.out)-1].Flush = true
	return e.output()
}

// lastPieces sends what Data collected as the end of the body.
func (e *Exchange) lastPieces() http.Verdict {
	e.leavePeer()
	e.takePieces()
	return e.outputLast()
}

// leavePeer is for when the response is complete: the peer's connection is free
// for others while the client takes its time.
func (e *Exchange) leavePeer() {
	e.sender.stop()
	e.settle()
	if e.Peer != nil {
		e.freePeer(PeerDone)
	}
	e.closeLink()
}

// takePieces moves the collected pieces to the output.
func (e *Exchange) takePieces() {
	for _, p := range e.pieces {
		e.out = append(e.out, http.Buf{B: p})
	}
	clear(e.pieces)
	e.pieces = e.pieces[:0]
}

// outputLast sends the pieces of the output and the end of the body.
func (e *Exchange) outputLast() http.Verdict {
	e.passTrailers()
	e.R.Conn.Action = "sending to client"
	if len(e.out) == 0 {
		e.out = append(e.out, http.Buf{})
	}
	last := &e.out[len(e.out)-1]
	last.Last, last.LastInChain = e.R.IsMain(), true
	return e.finish(e.output())
}

// output sends the pieces of the output.
func (e *Exchange) output() http.Verdict {
	v := e.R.Output(e.out)
	clear(e.out)
	e.out = e.out[:0]
	if v != http.OK && e.watching != nil && e.watching.Err() == event.ErrPeerClosed {
		e.aborted(event.ErrPeerClosed)
		return http.StatusClientClosed
	}
	return v
}

// CopyBody is Protocol.Body for bodies that are the bytes as they come, up to
// Length.
func (e *Exchange) CopyBody(b []byte) {
	const tooMuch = `upstream sent more data than specified in "Content-Length" header`
	switch n := int64(len(b)); {
	case e.Length == 0:
		e.R.Logf(log.Warn, nil, tooMuch)
		e.Keep = false
	case e.Length == Until:
		e.Data(b)
	case n > e.Length:
		e.R.Logf(log.Warn, nil, tooMuch)
		e.Data(b[:e.Length])
		e.Length = 0
	default:
		e.Data(b)
		if e.Length -= n; e.Length == 0 {
			e.Keep = !e.In.Close
		}
	}
}
