package h2

import (
	"encoding/binary"

	"moongate/core/log"
)

// refuse logs what the client did wrong and ends the connection.
func (h *conn) refuse(why code, format string, args ...any) bool {
	h.c.Log.Log(log.Info, nil, format, args...)
	h.fail(why)
	return false
}

// frame acts on one frame; false ends the connection.
func (h *conn) frame(f *frame) bool {
	if h.block != nil && f.kind != frameContinuation {
		return h.refuse(protocolError, "client sent inappropriate frame while CONTINUATION was expected")
	}
	switch f.kind {
	case frameData:
		return h.data(f)
	case frameHeaders:
		return h.headers(f)
	case framePriority:
		return h.priority(f)
	case frameRST:
		return h.rst(f)
	case frameSettings:
		return h.settings(f)
	case framePush: // recognized before its payload has come
		return h.refuse(protocolError, "client sent PUSH_PROMISE frame")
	case framePing:
		return h.ping(f)
	case frameGoaway:
		return h.clientGoaway(f)
	case frameWindow:
		return h.windowUpdate(f)
	case frameContinuation:
		return h.continuation(f)
	}
	h.c.Log.Log(log.Info, nil, "client sent frame with unknown type %d", f.kind)
	return true
}

// data takes in a piece of a request body.
func (h *conn) data(f *frame) bool {
	size := int64(len(f.payload))
	if !f.unpad() {
		if size == 0 {
			return h.refuse(frameSizeError, "client sent padded DATA frame with incorrect length: 0")
		}
		return h.refuse(protocolError, "client sent padded DATA frame with incorrect length: %d, padding: %d", size, f.payload[0])
	}
	switch {
	case f.id == 0:
		return h.refuse(protocolError, "client sent DATA frame with incorrect identifier")
	case f.id > h.lastID:
		return h.refuse(protocolError, "client sent DATA frame for idle stream %d", f.id)
	case size > h.recvWindow:
		return h.refuse(flowControlError, "client violated connection flow control: received DATA frame length %d, available window %d",
			size, h.recvWindow)
	}
	h.recvWindow -= size
	if h.recvWindow < maxWindow/4 {
		h.out.put(appendNumber(h.out.room(), frameWindow, 0, uint32(maxWindow-h.recvWindow)))
		h.recvWindow = maxWindow
	}
	s := h.streams[f.id]
	if s == nil {
		if h.closedByClient(f.id) {
			return h.out.reply(appendNumber(h.out.room(), frameRST, f.id, uint32(streamClosed)))
		}
		return true
	}
	switch {
	case size > s.recvWindow:
		s.c.Log.Log(log.Info, nil, "client violated flow control for stream %d: received DATA frame length %d, available window %d",
			f.id, size, s.recvWindow)
		s.terminate(flowControlError)
		return true
	case s.inClosed:
		s.recvWindow -= size
		s.c.Log.Log(log.Info, nil, "client sent DATA frame for half-closed stream %d", f.id)
		s.terminate(streamClosed)
		return true
	}
	s.recvWindow -= size
	h.useful += int64(len(f.payload))
	s.receive(f.payload, f.has(flagEndStream))
	return true
}

// priority is looked at for its form only (RFC 9113, 5.3.2).
func (h *conn) priority(f *frame) bool {
	const size = 5
	switch {
	case len(f.payload) != size:
		return h.refuse(frameSizeError, "client sent PRIORITY frame with incorrect length %d", len(f.payload))
	case f.id == 0:
		return h.refuse(protocolError, "client sent PRIORITY frame with incorrect identifier")
	case dependency(f.payload) == f.id:
		return h.refuse(protocolError, "client sent PRIORITY frame for stream %d with incorrect dependency", f.id)
	}
	return true
}

func dependency(b []byte) uint32 { return binary.BigEndian.Uint32(b) &^ (1 << 31) }

// rst ends a stream.
func (h *conn) rst(f *frame) bool {
	switch {
	case len(f.payload) != 4:
		return h.refuse(frameSizeError, "client sent RST_STREAM frame with incorrect length %d", len(f.payload))
	case f.id == 0:
		return h.refuse(protocolError, "client sent RST_STREAM frame with incorrect identifier")
	case f.id > h.lastID:
		return h.refuse(protocolError, "client sent RST_STREAM frame for idle stream %d", f.id)
	}
	h.closed(f.id)
	s := h.streams[f.id]
	if s == nil {
		return true
	}
	switch status := code(binary.BigEndian.Uint32(f.payload)); status {
	case cancel:
		s.c.Log.Log(log.Info, nil, "client canceled stream %d", f.id)
	case internalError:
		s.c.Log.Log(log.Info, nil, "client terminated stream %d due to internal error", f.id)
	default:
		s.c.Log.Log(log.Info, nil, "client terminated stream %d with status %d", f.id, status)
	}
	s.inClosed, s.outClosed = true, true
	s.abort()
	return true
}

// settings takes in what the client wants.
func (h *conn) settings(f *frame) bool {
	if f.id != 0 {
		return h.refuse(protocolError, "client sent SETTINGS frame with incorrect identifier")
	}
	if f.has(flagAck) {
		if len(f.payload) != 0 {
			return h.refuse(frameSizeError, "client sent SETTINGS frame with the ACK flag and nonzero length")
		}
		h.acked = true
		return true
	}
	if len(f.payload)%6 != 0 {
		return h.refuse(frameSizeError, "client sent SETTINGS frame with incorrect length %d", len(f.payload))
	}
	for b := f.payload; len(b) > 0; b = b[6:] {
		if !h.setting(binary.BigEndian.Uint16(b), binary.BigEndian.Uint32(b[2:])) {
			return false
		}
	}
	return h.out.reply(appendHead(h.out.room(), 0, frameSettings, flagAck, 0))
}

func (h *conn) setting(id uint16, v uint32) bool {
	switch id {
	case settingInitialWindow:
		if v > maxWindow {
			return h.refuse(flowControlError, "client sent SETTINGS frame with incorrect INITIAL_WINDOW_SIZE value %d", v)
		}
		delta := int64(v) - h.initWindow
		h.initWindow = int64(v)
		for _, s := range h.streams {
			if s.window += delta; s.window > maxWindow {
				s.terminate(flowControlError)
			}
			if delta > 0 {
				s.waiting.wake()
			}
		}
	case settingMaxFrameSize:
		if v < maxFrame || v > 1<<24-1 {
			return h.refuse(protocolError, "client sent SETTINGS frame with incorrect MAX_FRAME_SIZE value %d", v)
		}
		h.frameSize = int(v)
	case settingEnablePush:
		if v > 1 {
			return h.refuse(protocolError, "client sent SETTINGS frame with incorrect ENABLE_PUSH value %d", v)
		}
	}
	return true
}

func (h *conn) ping(f *frame) bool {
	switch {
	case len(f.payload) != 8:
		return h.refuse(frameSizeError, "client sent PING frame with incorrect length %d", len(f.payload))
	case f.id != 0:
		return h.refuse(protocolError, "client sent PING frame with incorrect identifier")
	case f.has(flagAck):
		return true
	}
	return h.out.reply(append(appendHead(h.out.room(), 8, framePing, flagAck, 0), f.payload...))
}

func (h *conn) clientGoaway(f *frame) bool {
	switch {
	case len(f.payload) < 8:
		return h.refuse(frameSizeError, "client sent GOAWAY frame with incorrect length %d", len(f.payload))
	case f.id != 0:
		return h.refuse(protocolError, "client sent GOAWAY frame with incorrect identifier")
	}
	return true
}

// windowUpdate lets more be sent.
func (h *conn) windowUpdate(f *frame) bool {
	if len(f.payload) != 4 {
		return h.refuse(frameSizeError, "client sent WINDOW_UPDATE frame with incorrect length %d", len(f.payload))
	}
	n := int64(binary.BigEndian.Uint32(f.payload) &^ (1 << 31))
	s := h.streams[f.id]
	switch {
	case f.id > h.lastID:
		return h.refuse(protocolError, "client sent WINDOW_UPDATE frame for idle stream %d", f.id)
	case n == 0 && f.id == 0:
		return h.refuse(protocolError, "client sent WINDOW_UPDATE frame with incorrect window increment 0")
	case n == 0:
		h.c.Log.Log(log.Info, nil, "client sent WINDOW_UPDATE frame with incorrect window increment 0")
		if s != nil {
			s.terminate(protocolError)
			return true
		}
		return h.out.reply(appendNumber(h.out.room(), frameRST, f.id, uint32(protocolError)))
	case f.id == 0:
		if n > maxWindow-h.window {
			return h.refuse(flowControlError, "client violated connection flow control: received WINDOW_UPDATE frame with window increment %d not allowed for window %d", n, h.window)
		}
		h.window += n
		h.out.waiting.wake()
	case s == nil:
	case n > maxWindow-s.window:
		h.c.Log.Log(log.Info, nil, "client violated flow control for stream %d: received WINDOW_UPDATE frame with window increment %d not allowed for window %d", f.id, n, s.window)
		s.terminate(flowControlError)
	default:
		s.window += n
		s.waiting.wake()
	}
	return true
}
