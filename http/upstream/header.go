package upstream

import (
	"errors"
	"io"
	"time"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
)

// Unread is what was received of the response and not used yet. Protocol.Header
// takes bytes of it with Take.
func (e *Exchange) Unread() []byte { return e.buf[e.rd:e.wr] }

// Take uses up n bytes of Unread.
func (e *Exchange) Take(n int) { e.rd += n }

// Rewind makes room again for what follows, if all of Unread has been taken.
func (e *Exchange) Rewind() {
	if e.rd == e.wr {
		start := e.headerStart()
		e.rd, e.wr = start, start
	}
}

// SetStatus notes the status of the response for $upstream_status.
func (e *Exchange) SetStatus(code int) {
	if e.state != nil && e.state.Status == 0 {
		e.state.Status = code
	}
}

// readHeader reads the response's header while the request may still be on its
// way.
func (e *Exchange) readHeader() (fail int, v http.Verdict) {
	e.makeBuf()
	fail, v = e.awaitHeader()
	if !e.Traits.PreserveOutput || fail != 0 || v != http.OK {
		e.sender.stop()
	}
	return fail, v
}

// makeBuf makes sure that there is a buffer of the size that the location has.
func (e *Exchange) makeBuf() {
	if int64(len(e.buf)) != e.Conf.BufferSize.V {
		e.buf = make([]byte, e.Conf.BufferSize.V)
	}
}

func (e *Exchange) awaitHeader() (fail int, v http.Verdict) {
	if e.Traits.IgnoreInput {
		_, fail, v := e.parseHeader()
		return fail, v
	}
	var deadline int64
	for {
		n, err := e.link.TryRead(e.buf[e.wr:])
		switch {
		case err == nil:
			e.R.Conn.Action = "reading response header from upstream"
			e.wr += n
			e.state.BytesReceived += int64(n)
			e.received = true
			if done, fail, v := e.parseHeader(); done {
				return fail, v
			}
			continue
		case err == io.EOF:
			e.R.Conn.Action = "reading response header from upstream"
			e.R.Error("upstream prematurely closed connection")
			return FailError, http.OK
		case err != event.ErrAgain:
			e.R.Conn.Action = "reading response header from upstream"
			e.ioFailed(err)
			return FailError, http.OK
		}
		if !e.sender.running {
			if fail, v := e.sender.failed(); fail != 0 || v != http.OK {
				return fail, v
			}
			if deadline == 0 {
				deadline = e.Msec() + e.ReadTimeout.Milliseconds()
			}
		}
		if fail, v := e.awaitPeer(deadline); fail != 0 || v != http.OK {
			return fail, v
		}
	}
}

// awaitPeer waits for something from the peer, or from the fiber that sends, up
// to a deadline; 0 is none.
func (e *Exchange) awaitPeer(deadline int64) (fail int, v http.Verdict) {
	var left time.Duration
	if deadline != 0 {
		left = time.Duration(max(deadline-e.Msec(), 1)) * time.Millisecond
	}
	in := [1]event.Interest{{Conn: e.link.Conn, Read: true}}
	_, err := e.R.Loop().WaitAny(left, in[:])
	switch {
	case err == nil:
		return 0, http.OK
	case errors.Is(err, event.ErrTimeout):
		e.R.Conn.Action = "reading response header from upstream"
		return FailTimeout, http.OK
	case e.aborted(err):
		return 0, http.StatusClientClosed
	}
	e.ioFailed(err)
	return FailError, http.OK
}

// parseHeader goes on with the header; done tells whether it came to an end,
// good or bad.
func (e *Exchange) parseHeader() (done bool, fail int, v http.Verdict) {
	for {
		switch e.Protocol.Header(e) {
		case HeaderAgain:
			if e.wr < len(e.buf) {
				return false, 0, http.OK
			}
			e.R.Error("upstream sent too big header")
			return true, FailInvalidHeader, http.OK
		case HeaderInvalid:
			return true, FailInvalidHeader, http.OK
		case HeaderFailed:
			return true, 0, http.StatusInternalServerError
		case HeaderEarlyHints:
			e.earlyHints()
			continue
		}
		return true, 0, http.OK
	}
}

// earlyHints passes a 103 response on and makes room for what follows.
func (e *Exchange) earlyHints() {
	start := e.headerStart()
	e.hints += e.rd - start
	if s, ok := e.R.Stream.(http.EarlyHinter); ok && e.Traits.EarlyHints && e.R.IsMain() {
		if int64(e.hints) <= e.Conf.BufferSize.V {
			e.sendEarlyHints(s)
		} else {
			e.R.Logf(log.Info, nil, "upstream sent too big early hints")
		}
	}
	e.In.reset()
	e.wr = start + copy(e.buf[start:], e.buf[e.rd:e.wr])
	e.rd = start
}

// sendEarlyHints sends the fields that are not hidden, if the location wants
// them passed.
func (e *Exchange) sendEarlyHints(s http.EarlyHinter) {
	r := e.R
	if !r.Core.EarlyHints.V.Any(r) {
		return
	}
	kept := e.In.List[:0]
	for _, f := range e.In.List {
		if !e.Conf.hide.Has(&f) {
			kept = append(kept, f)
		}
	}
	e.In.List = kept
	if err := s.SendEarlyHints(r, kept); err != nil {
		r.Conn.Failed = true
	}
}
