package h2

import "encoding/binary"

// preface is what a client says first (RFC 9113, 3.4).
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// frameType is the type of a frame.
type frameType uint8

const (
	frameData frameType = iota
	frameHeaders
	framePriority
	frameRST
	frameSettings
	framePush
	framePing
	frameGoaway
	frameWindow
	frameContinuation
)

// Flags of frames.
const (
	flagAck        = 0x01
	flagEndStream  = 0x01
	flagEndHeaders = 0x04
	flagPadded     = 0x08
	flagPriority   = 0x20
)

// code is an error code of RST_STREAM and GOAWAY.
type code uint32

const (
	noError            code = 0
	protocolError      code = 1
	internalError      code = 2
	flowControlError   code = 3
	streamClosed       code = 5
	frameSizeError     code = 6
	refusedStream      code = 7
	cancel             code = 8
	compressionError   code = 9
	enhanceYourCalm    code = 11
	inadequateSecurity code = 12
)

// Settings.
const (
	settingHeaderTableSize = 1
	settingEnablePush      = 2
	settingMaxStreams      = 3
	settingInitialWindow   = 4
	settingMaxFrameSize    = 5
)

const (
	headSize = 9
	// maxFrame is the largest payload that is sent until the client says
	// otherwise, and maxReceived the largest that is accepted: a frame has to fit
	// into a read buffer.
	maxFrame    = 16384
	maxReceived = readSize - 4096
)

// frame is a frame that was read; its payload is in the read buffer.
type frame struct {
	kind    frameType
	flags   uint8
	id      uint32
	payload []byte
}

func (f *frame) has(flag uint8) bool { return f.flags&flag != 0 }

// parseHead reads the head of a frame and the length of its payload.
func parseHead(b []byte) (f frame, length int) {
	length = int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	f = frame{kind: frameType(b[3]), flags: b[4], id: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31)}
	return f, length
}

// unpad removes the padding of DATA and HEADERS; false when there is more of it
// than payload.
func (f *frame) unpad() bool {
	if !f.has(flagPadded) {
		return true
	}
	if len(f.payload) == 0 {
		return false
	}
	pad := int(f.payload[0])
	if pad >= len(f.payload) {
		return false
	}
	f.payload = f.payload[1 : len(f.payload)-pad]
	return true
}

func appendHead(b []byte, length int, kind frameType, flags uint8, id uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), flags)
	return binary.BigEndian.AppendUint32(b, id)
}

func appendSetting(b []byte, id uint16, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, id), v)
}

// appendCode appends a frame whose payload is one number.
func appendNumber(b []byte, kind frameType, id, v uint32) []byte {
	return binary.BigEndian.AppendUint32(appendHead(b, 4, kind, 0, id), v)
}
