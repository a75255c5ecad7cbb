package h1

import (
	"errors"
	"io"
	"time"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// body is how far a request body has been read.
type body struct {
	rest    int64 // of a body with a length
	chunks  wire.Chunked
	chunked bool
	done    bool
	// base is where bytes of the body may be read to in the header buffer.
	base int
}

// left reports whether some of the body has not been read.
func (b *body) left() bool { return !b.done }

// minBodyRoom is the least room worth reading chunked framing into.
const minBodyRoom = 512

// startBody prepares for the body that the header announces.
func (h *conn) startBody(r *http.Request) {
	h.body = body{rest: max(r.In.ContentLength, 0), chunked: r.In.Chunked, base: h.rd}
	h.body.done = !h.body.chunked && h.body.rest == 0
}

// BodyAhead implements http.Stream.
func (h *conn) BodyAhead() (arrived, room int) { return h.wr - h.rd, len(h.in) - h.wr }

// ReadBody implements http.Stream.
func (h *conn) ReadBody(r *http.Request, p []byte) (int, http.Verdict) {
	return h.readBody(r, p, r.Core.ClientBodyTimeout.V, true)
}

// readBody reads at least a byte of the body into p; 0 and OK are its end. With
// wait false it returns 0 and Declined instead of waiting.
func (h *conn) readBody(r *http.Request, p []byte, timeout time.Duration, wait bool) (int, http.Verdict) {
	b := &h.body
	for !b.done && len(p) > 0 {
		if !b.chunked {
			n, v := h.bodyBytes(r, p[:min(int64(len(p)), b.rest)], timeout, wait)
			b.rest -= int64(n)
			b.done = b.rest == 0
			return n, v
		}
		if h.rd == h.wr && b.chunks.InData() {
			n, v := h.bodyBytes(r, p[:min(int64(len(p)), b.chunks.Size)], timeout, wait)
			b.chunks.Consume(n)
			return n, v
		}
		if h.rd == h.wr {
			if v := h.moreFraming(r, timeout, wait); v != http.OK {
				return 0, v
			}
		}
		n, v := h.parseChunks(r, p)
		if n > 0 || v != http.OK {
			return n, v
		}
	}
	return 0, http.OK
}

// parseChunks takes framing and data from the buffer.
func (h *conn) parseChunks(r *http.Request, p []byte) (int, http.Verdict) {
	b := &h.body
	n, status, err := b.chunks.Parse(h.in[h.rd:h.wr])
	if err != nil {
		r.Logf(log.Error, nil, "client sent invalid chunked body")
		return 0, http.StatusBadRequest
	}
	h.rd += n
	r.RequestLength += int64(n)
	switch status {
	case wire.ChunkDone:
		b.done = true
		return 0, http.OK
	case wire.ChunkAgain:
		return 0, http.OK
	}
	if limit := r.Core.ClientMaxBodySize.V; limit != 0 && !r.BodyDiscarded && limit-r.In.BodyRead < b.chunks.Size {
		r.Logf(log.Error, nil, "client intended to send too large chunked body: %d+%d bytes", r.In.BodyRead, b.chunks.Size)
		r.LingeringClose = true
		return 0, http.StatusEntityTooLarge
	}
	n = copy(p[:min(int64(len(p)), b.chunks.Size)], h.in[h.rd:h.wr])
	b.chunks.Consume(n)
	h.rd += n
	r.RequestLength += int64(n)
	r.In.BodyRead += int64(n)
	return n, http.OK
}

// bodyBytes moves bytes of the body from the buffer, or reads them from the
// client straight into p.
func (h *conn) bodyBytes(r *http.Request, p []byte, timeout time.Duration, wait bool) (int, http.Verdict) {
	if h.rd < h.wr {
		n := copy(p, h.in[h.rd:h.wr])
		h.rd += n
		r.RequestLength += int64(n)
		r.In.BodyRead += int64(n)
		return n, http.OK
	}
	n, v := h.receive(r, p, timeout, wait)
	r.RequestLength += int64(n)
	r.In.BodyRead += int64(n)
	return n, v
}

// moreFraming reads into the buffer behind the header.
func (h *conn) moreFraming(r *http.Request, timeout time.Duration, wait bool) http.Verdict {
	if len(h.in)-h.body.base < minBodyRoom {
		h.large = append(h.large, h.in)
		h.in = h.pool.buffer(r.Server.LargeClientHeaderBuffer.V.Size)
		h.body.base = 0
	}
	h.rd, h.wr = h.body.base, h.body.base
	n, v := h.receive(r, h.in[h.wr:], timeout, wait)
	h.wr += n
	return v
}

// receive reads from the client.
func (h *conn) receive(r *http.Request, p []byte, timeout time.Duration, wait bool) (int, http.Verdict) {
	c := h.c
	for {
		n, err := h.tryRead(p)
		switch {
		case err == nil:
			return n, http.OK
		case err == event.ErrAgain && !wait:
			return 0, http.Declined
		case err == io.EOF && r.BodyDiscarded:
			// Nobody waits for the rest: who sent half a body is answered.
			h.body.done, r.LingeringClose = true, false
			return 0, http.Declined
		case err == event.ErrAgain:
			c.Action = "reading client request body"
			err = c.WaitReadable(timeout)
			c.Action = ""
			if err == nil {
				continue
			}
		}
		if f := c.Loop().Current(); f != nil && f.Err() != nil {
			return 0, http.Declined // somebody does not want the body any more
		}
		switch {
		case errors.Is(err, event.ErrTimeout):
			c.TimedOut = true
			return 0, http.StatusRequestTimeOut
		case err == io.EOF:
			r.Logf(log.Info, nil, "client prematurely closed connection")
		default:
			r.Logf(log.Info, err, "recv() failed")
		}
		c.Failed = true
		return 0, http.StatusBadRequest
	}
}

// DiscardBody implements http.Stream. The length of a chunked body that has all
// arrived is 0 from then on, as in nginx's $content_length.
func (h *conn) DiscardBody(r *http.Request) http.Verdict {
	for !h.body.done {
		switch _, v := h.readBody(r, h.trash(), 0, false); v {
		case http.OK:
		case http.Declined:
			return http.OK
		default:
			return v
		}
	}
	if h.body.chunked {
		r.In.ContentLength = 0
	}
	return http.OK
}

// finishBody reads what is left of the body after the response, so that the
// connection can be kept; false means that it cannot.
func (h *conn) finishBody(r *http.Request) bool {
	if h.body.done {
		return true
	}
	if r.Body == nil && !r.BodyDiscarded && r.DiscardBody() != http.OK {
		return false
	}
	if !r.BodyDiscarded || r.Core.LingeringTimeout.V == 0 {
		return h.body.done
	}
	end := h.c.Loop().NowMsec() + r.Core.LingeringTime.V.Milliseconds()
	for !h.body.done {
		if _, v := h.readBody(r, h.trash(), r.Core.LingeringTimeout.V, true); v != http.OK {
			return false
		}
		if h.c.Loop().NowMsec() > end {
			return false
		}
	}
	return true
}

// trash is a place for bytes that nobody wants.
func (h *conn) trash() []byte {
	if h.pool.trash == nil {
		h.pool.trash = make([]byte, 16<<10)
	}
	return h.pool.trash
}

// Continue implements http.Stream.
func (h *conn) Continue(*http.Request) http.Verdict {
	if _, err := h.c.IO.Writev([][]byte{[]byte("HTTP/1.1 100 Continue\r\n\r\n")}); err != nil {
		h.c.Failed = true
		return http.StatusInternalServerError
	}
	return http.OK
}
