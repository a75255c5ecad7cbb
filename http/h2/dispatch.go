package h2

import (
	"encoding/binary"

	"moongate/core/log"
	"moongate/http/wire/http2"
)

// refuse logs what the client did wrong and ends the connection.
func (h *conn) refuse(why http2.Code, format string, args ...any) bool {
	h.c.Log.Log(log.Info, nil, format, args...)
	h.fail(why)
	return false
}

// frame acts on a frame with a payload of that length, as much of which as
// prefix says is there; false ends the connection.
func (h *conn) frame(f *http2.Frame, length int) bool {
	switch {
	case h.block.id != 0 && f.Kind != http2.FrameContinuation:
		return h.refuse(http2.ProtocolError, "client sent inappropriate frame while CONTINUATION was expected")
	case f.Kind == http2.FramePush:
		return h.refuse(http2.ProtocolError, "client sent PUSH_PROMISE frame")
	case length > maxReceived:
		return h.refuse(http2.FrameSizeError, "client sent too large frame: %d", length)
	}
	switch f.Kind {
	case http2.FrameData:
		return h.data(f, length)
	case http2.FrameHeaders:
		return h.headers(f, length)
	case http2.FrameContinuation:
		return h.continuation(f, length)
	case http2.FramePriority:
		return h.priority(f, length)
	case http2.FrameRST:
		return h.rst(f, length)
	case http2.FrameSettings:
		return h.settings(f, length)
	case http2.FramePing:
		return h.ping(f, length)
	case http2.FrameGoaway:
		return h.clientGoaway(f, length)
	case http2.FrameWindow:
		return h.windowUpdate(f, length)
	}
	h.c.Log.Log(log.Info, nil, "client sent frame with unknown type %d", f.Kind)
	h.expect(payload{kind: f.Kind, left: length})
	return true
}

// expect begins the payload of a frame.
func (h *conn) expect(p payload) {
	h.coming = p
	if p.left == 0 {
		h.piece(nil)
	}
}

// stream returns a stream that runs, nil if it does not.
func (h *conn) stream(id uint32) *stream {
	if n := h.tree.find(id); n != nil {
		return n.stream
	}
	return nil
}

// padded takes the length of the padding off a frame's payload and returns what
// is left besides; false when there is more padding than payload.
func padded(f *http2.Frame, length int) (padding, left int, ok bool) {
	if !f.Has(http2.FlagPadded) {
		return 0, length, true
	}
	if len(f.Payload) == 0 {
		return 0, 0, false
	}
	padding = int(f.Payload[0])
	f.Payload = f.Payload[1:]
	return padding, length - 1 - padding, padding < length
}

// data takes in the head of a piece of a request body.
func (h *conn) data(f *http2.Frame, length int) bool {
	size := int64(length)
	padding, left, ok := padded(f, length)
	switch {
	case !ok && length == 0:
		return h.refuse(http2.FrameSizeError, "client sent padded DATA frame with incorrect length: 0")
	case !ok:
		return h.refuse(http2.ProtocolError, "client sent padded DATA frame with incorrect length: %d, padding: %d", size, padding)
	case f.ID == 0:
		return h.refuse(http2.ProtocolError, "client sent DATA frame with incorrect identifier")
	case f.ID > h.lastID:
		return h.refuse(http2.ProtocolError, "client sent DATA frame for idle stream %d", f.ID)
	case size > h.recvWindow:
		return h.refuse(http2.FlowControlError, "client violated connection flow control: received DATA frame length %d, available window %d",
			size, h.recvWindow)
	}
	h.recvWindow -= size
	if h.recvWindow < http2.MaxWindow/4 {
		h.out.putControl(http2.AppendNumber(h.out.control(), http2.FrameWindow, 0, uint32(http2.MaxWindow-h.recvWindow)))
		h.recvWindow = http2.MaxWindow
	}
	s := h.stream(f.ID)
	if s != nil && size > s.recvWindow && !s.wide {
		// The request may be yet to run. nginx runs it as soon as its header is
		// complete, and clients exist that count on a window that is widened at once.
		h.c.Loop().Yield()
		s = h.stream(f.ID)
	}
	if s == nil && h.closedByClient(f.ID) {
		if !h.out.reply(http2.AppendNumber(h.out.control(), http2.FrameRST, f.ID, uint32(http2.StreamClosed))) {
			return false
		}
	}
	if s != nil && !s.admit(size) {
		s = nil
	}
	h.expect(payload{kind: http2.FrameData, last: f.Has(http2.FlagEndStream), left: left, padding: padding, stream: s})
	return true
}

// admit reports whether a piece of the body may come; the stream is reset if
// not.
func (s *stream) admit(size int64) bool {
	if size > s.recvWindow {
		s.c.Log.Log(log.Info, nil, "client violated flow control for stream %d: received DATA frame length %d, available window %d",
			s.id, size, s.recvWindow)
		s.terminate(http2.FlowControlError)
		return false
	}
	s.recvWindow -= size
	if s.inClosed {
		s.c.Log.Log(log.Info, nil, "client sent DATA frame for half-closed stream %d", s.id)
		s.terminate(http2.StreamClosed)
		return false
	}
	return true
}

// priority changes the tree of priorities.
func (h *conn) priority(f *http2.Frame, length int) bool {
	if length != http2.PrioritySize {
		return h.refuse(http2.FrameSizeError, "client sent PRIORITY frame with incorrect length %d", length)
	}
	if h.priorities--; h.priorities <= 0 {
		return h.refuse(http2.EnhanceYourCalm, "client sent too many PRIORITY frames")
	}
	wanted := parseDependency(f.Payload)
	switch {
	case f.ID == 0:
		return h.refuse(http2.ProtocolError, "client sent PRIORITY frame with incorrect identifier")
	case wanted.on == f.ID:
		return h.refuse(http2.ProtocolError, "client sent PRIORITY frame for stream %d with incorrect dependency", f.ID)
	}
	h.tree.prioritize(f.ID, wanted)
	return true
}

func parseDependency(b []byte) *dependency {
	on := binary.BigEndian.Uint32(b)
	return &dependency{on: on &^ (1 << 31), exclusive: on>>31 != 0, weight: int(b[4]) + 1}
}

// rst ends a stream.
func (h *conn) rst(f *http2.Frame, length int) bool {
	switch {
	case length != 4:
		return h.refuse(http2.FrameSizeError, "client sent RST_STREAM frame with incorrect length %d", length)
	case f.ID == 0:
		return h.refuse(http2.ProtocolError, "client sent RST_STREAM frame with incorrect identifier")
	case f.ID > h.lastID:
		return h.refuse(http2.ProtocolError, "client sent RST_STREAM frame for idle stream %d", f.ID)
	}
	h.closed(f.ID)
	s := h.stream(f.ID)
	if s == nil {
		return true
	}
	switch status := http2.Code(binary.BigEndian.Uint32(f.Payload)); status {
	case http2.Cancel:
		s.c.Log.Log(log.Info, nil, "client canceled stream %d", f.ID)
	case http2.InternalError:
		s.c.Log.Log(log.Info, nil, "client terminated stream %d due to internal error", f.ID)
	default:
		s.c.Log.Log(log.Info, nil, "client terminated stream %d with status %d", f.ID, status)
	}
	s.inClosed, s.outClosed = true, true
	s.abort()
	return true
}

// settings begins to take in what the client wants.
func (h *conn) settings(f *http2.Frame, length int) bool {
	switch {
	case f.ID != 0:
		return h.refuse(http2.ProtocolError, "client sent SETTINGS frame with incorrect identifier")
	case f.Has(http2.FlagAck) && length != 0:
		return h.refuse(http2.FrameSizeError, "client sent SETTINGS frame with the ACK flag and nonzero length")
	case f.Has(http2.FlagAck):
		h.acked = true
		return true
	case length%http2.SettingSize != 0:
		return h.refuse(http2.FrameSizeError, "client sent SETTINGS frame with incorrect length %d", length)
	}
	h.delta = 0
	h.expect(payload{kind: http2.FrameSettings, last: true, left: length})
	return true
}

// parameters acts on some settings, and acknowledges the last of them.
func (h *conn) parameters(b []byte, last bool) bool {
	for ; len(b) > 0; b = b[http2.SettingSize:] {
		if !h.setting(binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])) {
			return false
		}
	}
	if !last {
		return true
	}
	h.adjustWindows()
	return h.out.reply(http2.AppendHead(h.out.control(), 0, http2.FrameSettings, http2.FlagAck, 0))
}

func (h *conn) setting(id uint16, v uint32) bool {
	switch id {
	case http2.SettingHeaderTableSize:
		h.resized = true
	case http2.SettingInitialWindow:
		if v > http2.MaxWindow {
			return h.refuse(http2.FlowControlError, "client sent SETTINGS frame with incorrect INITIAL_WINDOW_SIZE value %d", v)
		}
		h.delta = int64(v) - h.initWindow
	case http2.SettingMaxFrameSize:
		if v < http2.MaxFrame || v > http2.MaxMaxFrame {
			return h.refuse(http2.ProtocolError, "client sent SETTINGS frame with incorrect MAX_FRAME_SIZE value %d", v)
		}
		h.frameSize = int(v)
	case http2.SettingEnablePush:
		if v > 1 {
			return h.refuse(http2.ProtocolError, "client sent SETTINGS frame with incorrect ENABLE_PUSH value %d", v)
		}
	}
	return true
}

// adjustWindows applies a new initial window to the streams that there are.
func (h *conn) adjustWindows() {
	if h.delta == 0 {
		return
	}
	h.initWindow += h.delta
	for _, n := range h.tree.buckets {
		for ; n != nil; n = n.index {
			s := n.stream
			if s == nil {
				continue
			}
			if s.window += h.delta; s.window > http2.MaxWindow {
				s.terminate(http2.FlowControlError)
			}
			h.widened(s)
		}
	}
	h.delta = 0
}

func (h *conn) ping(f *http2.Frame, length int) bool {
	switch {
	case length != 8:
		return h.refuse(http2.FrameSizeError, "client sent PING frame with incorrect length %d", length)
	case f.ID != 0:
		return h.refuse(http2.ProtocolError, "client sent PING frame with incorrect identifier")
	case f.Has(http2.FlagAck):
		return true
	}
	return h.out.reply(append(http2.AppendHead(h.out.control(), 8, http2.FramePing, http2.FlagAck, 0), f.Payload...))
}

func (h *conn) clientGoaway(f *http2.Frame, length int) bool {
	switch {
	case length < 8:
		return h.refuse(http2.FrameSizeError, "client sent GOAWAY frame with incorrect length %d", length)
	case f.ID != 0:
		return h.refuse(http2.ProtocolError, "client sent GOAWAY frame with incorrect identifier")
	}
	h.expect(payload{kind: http2.FrameGoaway, left: length})
	return true
}

// windowUpdate lets more be sent.
func (h *conn) windowUpdate(f *http2.Frame, length int) bool {
	if length != 4 {
		return h.refuse(http2.FrameSizeError, "client sent WINDOW_UPDATE frame with incorrect length %d", length)
	}
	n := int64(binary.BigEndian.Uint32(f.Payload) &^ (1 << 31))
	s := h.stream(f.ID)
	switch {
	case f.ID > h.lastID:
		return h.refuse(http2.ProtocolError, "client sent WINDOW_UPDATE frame for idle stream %d", f.ID)
	case n == 0 && f.ID == 0:
		return h.refuse(http2.ProtocolError, "client sent WINDOW_UPDATE frame with incorrect window increment 0")
	case n == 0:
		h.c.Log.Log(log.Info, nil, "client sent WINDOW_UPDATE frame with incorrect window increment 0")
		if s != nil {
			s.terminate(http2.ProtocolError)
			return true
		}
		return h.out.reply(http2.AppendNumber(h.out.control(), http2.FrameRST, f.ID, uint32(http2.ProtocolError)))
	case f.ID == 0:
		if n > http2.MaxWindow-h.window {
			return h.refuse(http2.FlowControlError, "client violated connection flow control: received WINDOW_UPDATE frame with window increment %d not allowed for window %d", n, h.window)
		}
		h.window += n
	case s == nil:
	case n > http2.MaxWindow-s.window:
		h.c.Log.Log(log.Info, nil, "client violated flow control for stream %d: received WINDOW_UPDATE frame with window increment %d not allowed for window %d", f.ID, n, s.window)
		s.terminate(http2.FlowControlError)
	default:
		s.window += n
		h.widened(s)
	}
	return true
}
