package h2

import (
	"errors"
	"math"

	"golang.org/x/net/http2/hpack"

	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire/http2"
)

// headerBlock is a header block being received.
type headerBlock struct {
	id        uint32
	endStream bool
	// stream is nil when the fields only keep the table up to date: the stream
	// was refused, or they are trailers.
	stream *stream
	trails *stream // whose trailers they are
	fields []hpack.HeaderField
	// limit is what is left of the size that the fields may have together.
	limit  int64
	frames int
	length int64
}

// maxContinuations bounds the frames of one header block.
const maxContinuations = 256

// headers begins a header block (ngx_http_v2_state_headers).
func (h *conn) headers(f *http2.Frame) bool {
	size := len(f.Payload)
	if !f.Unpad() {
		return h.refuse(http2.ProtocolError, "client sent padded HEADERS frame with incorrect length: %d", size)
	}
	const prioritySize = 5
	depends := uint32(0)
	if f.Has(http2.FlagPriority) {
		if len(f.Payload) < prioritySize {
			return h.refuse(http2.FrameSizeError, "client sent HEADERS frame with incorrect length %d", size)
		}
		depends = dependency(f.Payload)
		f.Payload = f.Payload[prioritySize:]
	}
	if len(f.Payload) == 0 && f.Has(http2.FlagEndHeaders) {
		return h.refuse(http2.FrameSizeError, "client sent HEADERS frame with empty header block")
	}
	b := &headerBlock{id: f.ID, endStream: f.Has(http2.FlagEndStream)}
	lb := h.c.Server.LargeClientHeaderBuffer.V
	b.limit = lb.Size * int64(lb.N)
	switch {
	case f.ID%2 == 1 && f.ID <= h.lastID && h.trailers(b):
	case f.ID%2 == 0 || f.ID <= h.lastID:
		if f.ID%2 == 1 && h.closedByClient(f.ID) {
			h.out.put(http2.AppendNumber(h.out.room(), http2.FrameRST, f.ID, uint32(http2.StreamClosed)))
		}
		return h.refuse(http2.ProtocolError, "client sent HEADERS frame with incorrect identifier %d, the last was %d", f.ID, h.lastID)
	case depends == f.ID:
		return h.refuse(http2.ProtocolError, "client sent HEADERS frame for stream %d with incorrect dependency", f.ID)
	default:
		if !h.openStream(b) {
			return false
		}
	}
	h.block = b
	return h.fragment(f)
}

// trailers reports whether a header block ends the body of a stream.
func (h *conn) trailers(b *headerBlock) bool {
	s := h.streams[b.id]
	if s == nil || s.inClosed || !b.endStream {
		return false
	}
	b.trails = s
	return true
}

// openStream makes a stream for a header block, or refuses it.
func (h *conn) openStream(b *headerBlock) bool {
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
		b.stream = h.newStream(b.id, b.endStream)
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
	if h.refused++; h.refused > max(limit, 100) {
		return h.refuse(http2.NoError, "client sent too many refused streams")
	}
	return h.out.reply(http2.AppendNumber(h.out.room(), http2.FrameRST, b.id, uint32(http2.RefusedStream)))
}

// continuation goes on with a header block.
func (h *conn) continuation(f *http2.Frame) bool {
	switch {
	case h.block == nil:
		return h.refuse(http2.ProtocolError, "client sent unexpected CONTINUATION frame")
	case h.block.id != f.ID:
		return h.refuse(http2.ProtocolError, "client sent CONTINUATION frame with incorrect identifier")
	}
	if h.block.frames++; h.block.frames > maxContinuations {
		return h.refuse(http2.EnhanceYourCalm, "client sent too many CONTINUATION frames")
	}
	return h.fragment(f)
}

// fragment decodes a piece of a header block.
func (h *conn) fragment(f *http2.Frame) bool {
	b := h.block
	b.length += int64(len(f.Payload))
	h.decoder.SetMaxStringLength(int(min(h.c.Server.LargeClientHeaderBuffer.V.Size, math.MaxInt32)))
	h.decoder.SetEmitFunc(b.take)
	_, err := h.decoder.Write(f.Payload)
	switch {
	case err == nil && f.Has(http2.FlagEndHeaders) && h.decoder.Close() != nil:
		return h.refuse(http2.FrameSizeError, "client sent header block with incorrect length")
	case errors.Is(err, hpack.ErrStringLength) || b.limit < 0:
		return h.refuse(http2.EnhanceYourCalm, "client sent too large header")
	case err != nil:
		return h.refuse(http2.CompressionError, "client sent invalid encoded header field: %s", err)
	case !f.Has(http2.FlagEndHeaders):
		return true
	}
	h.block = nil
	h.useful += b.length
	switch {
	case b.trails != nil:
		b.trails.receive(nil, true)
	case b.stream != nil:
		b.stream.start(b)
	}
	return true
}

// take takes in a field.
func (b *headerBlock) take(f hpack.HeaderField) {
	b.limit -= int64(len(f.Name) + len(f.Value))
	if b.stream != nil && b.limit >= 0 {
		b.fields = append(b.fields, f)
	}
}
