package h2

import (
	"math"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire/http2"
)

// headerBlock is a header block being received; id is 0 when there is none.
type headerBlock struct {
	id        uint32
	endStream bool
	// stream is nil when the fields only keep the table up to date: the stream
	// was refused, or they are trailers.
	stream *stream
	trails *stream // whose trailers they are
	// limit is what is left of the size that the fields may have together.
	limit  int64
	frames int
	length int64
	rest   []byte // of a field that goes on
}

// maxContinuations bounds the frames of one header block.
const maxContinuations = 256

// headers begins a header block (ngx_http_v2_state_headers).
func (h *conn) headers(f *http2.Frame, length int) bool {
	padding, left, ok := padded(f, length)
	if !ok {
		return h.refuse(http2.ProtocolError, "client sent padded HEADERS frame with incorrect length: %d, padding: %d", length, padding)
	}
	var wanted *dependency
	if f.Has(http2.FlagPriority) {
		if len(f.Payload) < http2.PrioritySize || left < http2.PrioritySize {
			return h.refuse(http2.FrameSizeError, "client sent HEADERS frame with incorrect length %d", length)
		}
		wanted = parseDependency(f.Payload)
		left -= http2.PrioritySize
	}
	if left == 0 && f.Has(http2.FlagEndHeaders) {
		return h.refuse(http2.FrameSizeError, "client sent HEADERS frame with empty header block")
	}
	b := headerBlock{id: f.ID, endStream: f.Has(http2.FlagEndStream), rest: h.block.rest[:0]}
	lb := h.c.Server.LargeClientHeaderBuffer.V
	b.limit = lb.Size * int64(lb.N)
	switch {
	case f.ID%2 == 1 && f.ID <= h.lastID && h.trailers(&b):
	case f.ID%2 == 0 || f.ID <= h.lastID:
		if f.ID%2 == 1 && h.closedByClient(f.ID) {
			h.out.putControl(http2.AppendNumber(h.out.control(), http2.FrameRST, f.ID, uint32(http2.StreamClosed)))
		}
		return h.refuse(http2.ProtocolError, "client sent HEADERS frame with incorrect identifier %d, the last was %d", f.ID, h.lastID)
	case wanted != nil && wanted.on == f.ID:
		return h.refuse(http2.ProtocolError, "client sent HEADERS frame for stream %d with incorrect dependency", f.ID)
	default:
		if !h.openStream(&b, wanted) {
			return false
		}
	}
	h.block = b
	h.decoder.Begin()
	h.expect(payload{kind: http2.FrameHeaders, last: f.Has(http2.FlagEndHeaders), left: left, padding: padding})
	return true
}

// trailers reports whether a header block ends the body of a stream.
func (h *conn) trailers(b *headerBlock) bool {
	s := h.stream(b.id)
	if s == nil || s.inClosed || !b.endStream {
		return false
	}
	b.trails = s
	return true
}

// leastRefused is how many streams may be refused, and how many PRIORITY frames
// sent, at least.
const leastRefused = 100

// openStream makes a stream for a header block, or refuses it.
func (h *conn) openStream(b *headerBlock, wanted *dependency) bool {
	h.lastID = b.id
	if h.closing || b.id == h.late {
		return true // it was told that this would not be answered
	}
	limit := int(min(h.conf().streams.V, math.MaxInt32))
	h.fresh++
	switch {
	case h.processing >= limit:
		h.c.Log.Log(log.Info, nil, "concurrent streams exceeded %d", h.processing)
	case h.fresh > 2*limit:
		h.c.Log.Log(log.Info, nil, "client sent too many streams at once")
	case !h.acked && !b.endStream && h.conf().prereadSize.V < http2.DefaultWindow:
		h.c.Log.Log(log.Info, nil, "client sent stream with data before settings were acknowledged")
	default:
		b.stream = h.newStream(b.id, b.endStream, wanted)
		if b.endStream {
			h.closed(b.id)
		}
		lc, c := http.CoreOf(h.c.Server), h.c
		if lc.Keepalive.V.Timeout == 0 || c.Requests >= lc.KeepaliveRequests.V ||
			c.Loop().NowMsec()-c.Start > lc.KeepaliveTime.V.Milliseconds() {
			h.goaway(http2.NoError)
		}
		return true
	}
	if h.refused++; h.refused > max(limit, leastRefused)+1 {
		return h.refuse(http2.NoError, "client sent too many refused streams")
	}
	return h.out.reply(http2.AppendNumber(h.out.control(), http2.FrameRST, b.id, uint32(http2.RefusedStream)))
}

// continuation goes on with a header block.
func (h *conn) continuation(f *http2.Frame, length int) bool {
	switch {
	case h.block.id == 0:
		return h.refuse(http2.ProtocolError, "client sent unexpected CONTINUATION frame")
	case h.block.id != f.ID:
		return h.refuse(http2.ProtocolError, "client sent CONTINUATION frame with incorrect identifier")
	}
	if h.block.frames++; h.block.frames > maxContinuations {
		return h.refuse(http2.EnhanceYourCalm, "client sent too many CONTINUATION frames")
	}
	h.expect(payload{kind: http2.FrameHeaders, last: f.Has(http2.FlagEndHeaders), left: length})
	return true
}

// fragment decodes a piece of a header block.
func (h *conn) fragment(in []byte, last bool) bool {
	b := &h.block
	b.length += int64(len(in))
	if len(b.rest) > 0 {
		b.rest = append(b.rest, in...)
		in = b.rest
	}
	h.decoder.MaxString = int(min(h.c.Server.LargeClientHeaderBuffer.V.Size, math.MaxInt32))
	for len(in) > 0 {
		field, n, err := h.decoder.Next(in, last, b.memory())
		if failed, ok := err.(*http2.DecodeError); ok {
			return h.refuse(failed.Code, "client sent %s", failed.Text)
		}
		if err != nil {
			b.rest = append(b.rest[:0], in...)
			return true
		}
		in = in[n:]
		if b.limit -= int64(len(field.Name) + len(field.Value)); b.limit < 0 {
			return h.refuse(http2.EnhanceYourCalm, "client sent too large header")
		}
		if field.Name != "" {
			b.take(field)
		}
	}
	b.rest = b.rest[:0]
	if last {
		h.complete()
	}
	return true
}

// memory is where the fields live, nil when nobody wants them.
func (b *headerBlock) memory() *buf.Arena {
	if s := b.stream; s != nil && s.verdict == http.OK {
		return s.r.Pool
	}
	return nil
}

// take takes in a field.
func (b *headerBlock) take(f http2.Field) {
	if s := b.stream; s != nil && s.verdict == http.OK {
		s.verdict = s.header.field(f)
	}
}

// complete acts on a header block all of which has come.
func (h *conn) complete() {
	b := h.block
	h.block = headerBlock{rest: b.rest}
	h.useful += b.length
	if cap(b.rest) > 4096 {
		h.block.rest = nil
	}
	switch {
	case b.trails != nil:
		b.trails.receive(nil, true)
	case b.stream != nil:
		b.stream.r.RequestLength = b.length
		b.stream.start()
	}
}
