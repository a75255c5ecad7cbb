package proxy

import (
	"errors"

	"moongate/core/log"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

// errBody says that a body makes no sense; what exactly is in the log.
var errBody = errors.New("proxy: invalid response")

// Restart implements upstream.Protocol.
func (x *exchange) Restart(*upstream.Exchange) {
	x.status, x.header, x.chunks = wire.StatusLine{}, wire.HeaderLine{}, wire.Chunked{}
	x.lines, x.trailer = false, nil
}

// Header implements upstream.Protocol.
func (x *exchange) Header(e *upstream.Exchange) upstream.Header {
	if !x.lines {
		if h := x.statusLine(e); h != upstream.HeaderAgain || !x.lines {
			return h
		}
	}
	for {
		b := e.Unread()
		outcome, err := x.header.Parse(b)
		if err != nil {
			e.R.Error(`upstream sent invalid header: "%s\x%02x..."`, b[x.header.NameStart:x.header.ValueEnd], b[x.header.ValueEnd])
			return upstream.HeaderInvalid
		}
		switch outcome {
		case wire.HeaderAgain:
			return upstream.HeaderAgain
		case wire.HeaderField:
			l := &x.header
			if h := e.Field(b[l.NameStart:l.NameEnd], b[l.ValueStart:l.ValueEnd]); h != upstream.HeaderDone {
				return h
			}
			continue
		}
		e.Take(x.header.Len())
		return x.headerDone(e)
	}
}

// statusLine reads the first line. HeaderAgain with x.lines set means that it
// is complete.
func (x *exchange) statusLine(e *upstream.Exchange) upstream.Header {
	r, b := e.R, e.Unread()
	done, err := x.status.Parse(b)
	if err != nil {
		// What came is the body, for the client as well.
		r.Version = http.Version9
		r.KeepAlive = false
		if e.Caching() {
			return upstream.HeaderDone
		}
		r.Error("upstream sent no valid HTTP/1.0 header")
		e.SetStatus(int(http.StatusOK))
		e.In.Close = true
		return upstream.HeaderDone
	}
	if !done {
		return upstream.HeaderAgain
	}
	e.SetStatus(x.status.Code)
	e.In.Status = x.status.Code
	e.In.StatusLine = r.Pool.String(b[x.status.Start:x.status.End])
	if x.status.Version < http.Version11 {
		if x.status.Code == int(http.StatusEarlyHints) {
			r.Error("upstream sent HTTP/1.0 response with early hints")
			return upstream.HeaderInvalid
		}
		e.In.Close = true
	}
	x.lines = true
	x.header = wire.HeaderLine{Upstream: true}
	x.header.SetPos(x.status.Len())
	return upstream.HeaderAgain
}

// headerDone completes the header.
func (x *exchange) headerDone(e *upstream.Exchange) upstream.Header {
	in := &e.In
	if in.Status == int(http.StatusEarlyHints) {
		x.status, x.lines = wire.StatusLine{}, false
		return upstream.HeaderEarlyHints
	}
	if in.Chunked {
		in.ContentLength = -1
	}
	if x.noBody(e) || !in.Chunked && in.ContentLength == 0 {
		e.Keep = !in.Close
	}
	if in.Status == int(http.StatusSwitchingProtocols) {
		e.Keep = false
		e.Upgrade = e.R.In.Has(wire.HeaderUpgrade)
	}
	return upstream.HeaderDone
}

// noBody tells the responses that have no body, whatever their header says.
func (x *exchange) noBody(e *upstream.Exchange) bool {
	s := http.Verdict(e.In.Status)
	return s == http.StatusNoContent || s == http.StatusNotModified || x.head
}

// StartBody implements upstream.Protocol.
func (x *exchange) StartBody(e *upstream.Exchange) error {
	switch {
	case x.noBody(e):
		e.Length = 0
		e.Keep = !e.In.Close
	case e.In.Chunked:
		x.chunks = wire.Chunked{KeepTrailers: x.conf.PassTrailers.V}
		e.Length = int64(len(wire.LastChunk))
	case e.In.ContentLength == 0:
		e.Length = 0
		e.Keep = !e.In.Close
	default:
		e.Length = e.In.ContentLength
	}
	return nil
}

// Body implements upstream.Protocol.
func (x *exchange) Body(e *upstream.Exchange, b []byte) error {
	if e.In.Chunked && !x.noBody(e) {
		return x.chunkedBody(e, b)
	}
	e.CopyBody(b)
	return nil
}

// chunkedBody takes bytes of a chunked body.
func (x *exchange) chunkedBody(e *upstream.Exchange, b []byte) error {
	if e.Length == 0 {
		e.R.Logf(log.Warn, nil, "upstream sent data after final chunk")
		e.Keep = false
		return nil
	}
	if x.trailer != nil {
		return x.trailers(e, b)
	}
	for {
		n, status, err := x.chunks.Parse(b)
		if err != nil {
			e.R.Error("upstream sent invalid chunked response")
			return errBody
		}
		b = b[n:]
		switch status {
		case wire.ChunkData:
			n := int(min(int64(len(b)), x.chunks.Size))
			e.Data(b[:n])
			x.chunks.Consume(n)
			b = b[n:]
			continue
		case wire.ChunkAgain:
			e.Length = x.chunks.Left()
			return nil
		}
		if x.conf.PassTrailers.V {
			return x.trailers(e, b)
		}
		x.bodyDone(e, b, "upstream sent data after final chunk")
		return nil
	}
}

// bodyDone completes a body; rest should be empty.
func (x *exchange) bodyDone(e *upstream.Exchange, rest []byte, complaint string) {
	e.Length = 0
	e.Keep = !e.In.Close
	if len(rest) > 0 {
		e.R.Logf(log.Warn, nil, "%s", complaint)
		e.Keep = false
	}
}

// trailerReader collects and parses the fields behind a chunked body.
type trailerReader struct {
	line wire.HeaderLine
	buf  []byte
}

// trailers takes bytes of the fields behind the body.
func (x *exchange) trailers(e *upstream.Exchange, b []byte) error {
	if x.trailer == nil {
		x.trailer = &trailerReader{line: wire.HeaderLine{Upstream: true}}
	}
	t := x.trailer
	limit := int(x.conf.BufferSize.V)
	had := len(t.buf)
	t.buf = append(t.buf, b[:min(len(b), limit-had)]...)
	for {
		outcome, err := t.line.Parse(t.buf)
		l := &t.line
		switch {
		case err != nil:
			e.R.Error(`upstream sent invalid trailer: "%s\x%02x..."`, t.buf[l.NameStart:l.ValueEnd], t.buf[l.ValueEnd])
			return errBody
		case outcome == wire.HeaderField:
			e.Trailer(t.buf[l.NameStart:l.NameEnd], t.buf[l.ValueStart:l.ValueEnd])
			continue
		case outcome == wire.HeaderEnd:
			x.bodyDone(e, b[l.Len()-had:], "upstream sent data after trailers")
			return nil
		case len(t.buf) == limit:
			e.R.Error("upstream sent too big trailers")
			return errBody
		}
		e.Length = 1
		return nil
	}
}
