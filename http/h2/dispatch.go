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

// frame acts on one frame; false ends the connection.
func (h *conn) frame(f *http2.Frame) bool {
	if h.block != nil && f.Kind != http2.FrameContinuation {
		return h.refuse(http2.ProtocolError, "client sent inappropriate frame while CONTINUATION was expected")
	}
	switch f.Kind {
	case http2.FrameData:
		return h.data(f)
	case http2.FrameHeaders:
		return h.headers(f)
	case http2.FramePriority:
		return h.priority(f)
	case http2.FrameRST:
		return h.rst(f)
	case http2.FrameSettings:
		return h.settings(f)
	case http2.FramePush: // recognized before its payload has come
		return h.refuse(http2.ProtocolError, "client sent PUSH_PROMISE frame")
	case http2.FramePing:
		return h.ping(f)
	case http2.FrameGoaway:
		return h.clientGoaway(f)
	case http2.FrameWindow:
		return h.windowUpdate(f)
	case http2.FrameContinuation:
		return h.continuation(f)
	}
	h.c.Log.Log(log.Info, nil, "client sent frame with unknown type %d", f.Kind)
	return true
}

// data takes in a piece of a request body.
func (h *conn) data(f *http2.Frame) bool {
	size := int64(len(f.Payload))
	if !f.Unpad() {
		if size == 0 {
			return h.refuse(http2.FrameSizeError, "client sent padded DATA frame with incorrect length: 0")
		}
		return h.refuse(http2.ProtocolError, "client sent padded DATA frame with incorrect length: %d, padding: %d", size, f.Payload[0])
	}
	switch {
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
		h.out.put(http2.AppendNumber(h.out.room(), http2.FrameWindow, 0, uint32(http2.MaxWindow-h.recvWindow)))
		h.recvWindow = http2.MaxWindow
	}
	s := h.streams[f.ID]
	if s == nil {
		if h.closedByClient(f.ID) {
			return h.out.reply(http2.AppendNumber(h.out.room(), http2.FrameRST, f.ID, uint32(http2.StreamClosed)))
		}
		return true
	}
	switch {
	case size > s.recvWindow:
		s.c.Log.Log(log.Info, nil, "client violated flow control for stream %d: received DATA frame length %d, available window %d",
			f.ID, size, s.recvWindow)
		s.terminate(http2.FlowControlError)
		return true
	case s.inClosed:
		s.recvWindow -= size
		s.c.Log.Log(log.Info, nil, "client sent DATA frame for half-closed stream %d", f.ID)
		s.terminate(http2.StreamClosed)
		return true
	}
	s.recvWindow -= size
	h.useful += int64(len(f.Payload))
	s.receive(f.Payload, f.Has(http2.FlagEndStream))
	return true
}

// priority is looked at for its form only (RFC 9113, 5.3.2).
func (h *conn) priority(f *http2.Frame) bool {
	const size = 5
	switch {
	case len(f.Payload) != size:
		return h.refuse(http2.FrameSizeError, "client sent PRIORITY frame with incorrect length %d", len(f.Payload))
	case f.ID == 0:
		return h.refuse(http2.ProtocolError, "client sent PRIORITY frame with incorrect identifier")
	case dependency(f.Payload) == f.ID:
		return h.refuse(http2.ProtocolError, "client sent PRIORITY frame for stream %d with incorrect dependency", f.ID)
	}
	return true
}

func dependency(b []byte) uint32 { return binary.BigEndian.Uint32(b) &^ (1 << 31) }

// rst ends a stream.
func (h *conn) rst(f *http2.Frame) bool {
	switch {
	case len(f.Payload) != 4:
		return h.refuse(http2.FrameSizeError, "client sent RST_STREAM frame with incorrect length %d", len(f.Payload))
	case f.ID == 0:
		return h.refuse(http2.ProtocolError, "client sent RST_STREAM frame with incorrect identifier")
	case f.ID > h.lastID:
		return h.refuse(http2.ProtocolError, "client sent RST_STREAM frame for idle stream %d", f.ID)
	}
	h.closed(f.ID)
	s := h.streams[f.ID]
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

// settings takes in what the client wants.
func (h *conn) settings(f *http2.Frame) bool {
	if f.ID != 0 {
		return h.refuse(http2.ProtocolError, "client sent SETTINGS frame with incorrect identifier")
	}
	if f.Has(http2.FlagAck) {
		if len(f.Payload) != 0 {
			return h.refuse(http2.FrameSizeError, "client sent SETTINGS frame with the ACK flag and nonzero length")
		}
		h.acked = true
		return true
	}
	if len(f.Payload)%6 != 0 {
		return h.refuse(http2.FrameSizeError, "client sent SETTINGS frame with incorrect length %d", len(f.Payload))
	}
	for b := f.Payload; len(b) > 0; b = b[6:] {
		if !h.setting(binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])) {
			return false
		}
	}
	return h.out.reply(http2.AppendHead(h.out.room(), 0, http2.FrameSettings, http2.FlagAck, 0))
}

func (h *conn) setting(id uint16, v uint32) bool {
	switch id {
	case http2.SettingInitialWindow:
		if v > http2.MaxWindow {
			return h.refuse(http2.FlowControlError, "client sent SETTINGS frame with incorrect INITIAL_WINDOW_SIZE value %d", v)
		}
		delta := int64(v) - h.initWindow
		h.initWindow = int64(v)
		for _, s := range h.streams {
			if s.window += delta; s.window > http2.MaxWindow {
				s.terminate(http2.FlowControlError)
			}
			if delta > 0 {
				s.waiting.wake()
			}
		}
	case http2.SettingMaxFrameSize:
		if v < http2.MaxFrame || v > 1<<24-1 {
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

func (h *conn) ping(f *http2.Frame) bool {
	switch {
	case len(f.Payload) != 8:
		return h.refuse(http2.FrameSizeError, "client sent PING frame with incorrect length %d", len(f.Payload))
	case f.ID != 0:
		return h.refuse(http2.ProtocolError, "client sent PING frame with incorrect identifier")
	case f.Has(http2.FlagAck):
		return true
	}
	return h.out.reply(append(http2.AppendHead(h.out.room(), 8, http2.FramePing, http2.FlagAck, 0), f.Payload...))
}

func (h *conn) clientGoaway(f *http2.Frame) bool {
	switch {
	case len(f.Payload) < 8:
		return h.refuse(http2.FrameSizeError, "client sent GOAWAY frame with incorrect length %d", len(f.Payload))
	case f.ID != 0:
		return h.refuse(http2.ProtocolError, "client sent GOAWAY frame with incorrect identifier")
	}
	return true
}

// windowUpdate lets more be sent.
func (h *conn) windowUpdate(f *http2.Frame) bool {
	if len(f.Payload) != 4 {
		return h.refuse(http2.FrameSizeError, "client sent WINDOW_UPDATE frame with incorrect length %d", len(f.Payload))
	}
	n := int64(binary.BigEndian.Uint32(f.Payload) &^ (1 << 31))
	s := h.streams[f.ID]
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
		return h.out.reply(http2.AppendNumber(h.out.room(), http2.FrameRST, f.ID, uint32(http2.ProtocolError)))
	case f.ID == 0:
		if n > http2.MaxWindow-h.window {
			return h.refuse(http2.FlowControlError, "client violated connection flow control: received WINDOW_UPDATE frame with window increment %d not allowed for window %d", n, h.window)
		}
		h.window += n
		h.out.waiting.wake()
	case s == nil:
	case n > http2.MaxWindow-s.window:
		h.c.Log.Log(log.Info, nil, "client violated flow control for stream %d: received WINDOW_UPDATE frame with window increment %d not allowed for window %d", f.ID, n, s.window)
		s.terminate(http2.FlowControlError)
	default:
		s.window += n
		s.waiting.wake()
	}
	return true
}
