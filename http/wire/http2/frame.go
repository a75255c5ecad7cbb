// Package http2 is what HTTP/2 looks like on the wire, whoever speaks it: frames
// (RFC 9113) and the encoding of fields (RFC 7541). It is pure: bytes in,
// structs out.
package http2

import "encoding/binary"

// Preface is what a client says first (RFC 9113, 3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// FrameType is the type of a frame (RFC 9113, 6).
type FrameType uint8

// The types of frames.
const (
	FrameData FrameType = iota
	FrameHeaders
	FramePriority
	FrameRST
	FrameSettings
	FramePush
	FramePing
	FrameGoaway
	FrameWindow
	FrameContinuation
)

// Flags of frames.
const (
	FlagAck        = 0x01
	FlagEndStream  = 0x01
	FlagEndHeaders = 0x04
	FlagPadded     = 0x08
	FlagPriority   = 0x20
)

// Code is an error code of RST_STREAM and GOAWAY.
type Code uint32

// Error codes (RFC 9113, 7).
const (
	NoError            Code = 0
	ProtocolError      Code = 1
	InternalError      Code = 2
	FlowControlError   Code = 3
	StreamClosed       Code = 5
	FrameSizeError     Code = 6
	RefusedStream      Code = 7
	Cancel             Code = 8
	CompressionError   Code = 9
	EnhanceYourCalm    Code = 11
	InadequateSecurity Code = 12
)

// Settings (RFC 9113, 6.5.2).
const (
	SettingHeaderTableSize = 1
	SettingEnablePush      = 2
	SettingMaxStreams      = 3
	SettingInitialWindow   = 4
	SettingMaxFrameSize    = 5
)

// Sizes.
const (
	// HeadSize is the size of a frame's head.
	HeadSize = 9
	// PrioritySize is the size of a PRIORITY frame, and of the same in HEADERS.
	PrioritySize = 5
	// SettingSize is the size of one setting.
	SettingSize = 6
	// MaxFrame is the largest payload until the other side says otherwise.
	MaxFrame = 16384
	// MaxMaxFrame is the largest payload that there can be.
	MaxMaxFrame = 1<<24 - 1
	// DefaultWindow is the size of windows that nothing was said about, and
	// MaxWindow the largest possible.
	DefaultWindow = 65535
	MaxWindow     = 1<<31 - 1
)

// Frame is a frame that was read; its payload is in the read buffer.
type Frame struct {
	Kind    FrameType
	Flags   uint8
	ID      uint32
	Payload []byte
}

// Has reports whether a flag is set.
func (f *Frame) Has(flag uint8) bool { return f.Flags&flag != 0 }

// ParseHead reads the head of a frame, HeadSize bytes, and the length of its
// payload.
func ParseHead(b []byte) (f Frame, length int) {
	length = int(b[0])<<16 | int(b[1])<<8 | int(b[2])
	f = Frame{Kind: FrameType(b[3]), Flags: b[4], ID: binary.BigEndian.Uint32(b[5:]) &^ (1 << 31)}
	return f, length
}

// Unpad removes the padding of DATA and HEADERS; false when there is more of it
// than payload.
func (f *Frame) Unpad() bool {
	if !f.Has(FlagPadded) {
		return true
	}
	if len(f.Payload) == 0 {
		return false
	}
	pad := int(f.Payload[0])
	if pad >= len(f.Payload) {
		return false
	}
	f.Payload = f.Payload[1 : len(f.Payload)-pad]
	return true
}

// AppendHead appends the head of a frame.
func AppendHead(b []byte, length int, kind FrameType, flags uint8, id uint32) []byte {
	b = append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), flags)
	return binary.BigEndian.AppendUint32(b, id)
}

// AppendSetting appends one of the pairs that SETTINGS consists of.
func AppendSetting(b []byte, id uint16, v uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, id), v)
}

// AppendNumber appends a frame whose payload is one number.
func AppendNumber(b []byte, kind FrameType, id, v uint32) []byte {
	return binary.BigEndian.AppendUint32(AppendHead(b, 4, kind, 0, id), v)
}

// AppendGoaway appends a GOAWAY frame that names the last stream.
func AppendGoaway(b []byte, last uint32, why Code) []byte {
	b = AppendHead(b, 8, FrameGoaway, 0, 0)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(b, last), uint32(why))
}
