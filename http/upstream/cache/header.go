package cache

import (
	"encoding/binary"
)

// The start of a file is what a C compiler for 64-bit machines makes of
// ngx_http_file_cache_header_t, version 5. It is followed by the key, the
// header of the response as it was received and the body.
const (
	version = 5

	atVersion      = 0
	atValid        = 8
	atUpdating     = 16
	atError        = 24
	atLastModified = 32
	atDate         = 40
	atCRC          = 48
	atValidMsec    = 52
	atHeaderStart  = 54
	atBodyStart    = 56
	atETagLen      = 58
	atETag         = 59
	atVaryLen      = atETag + maxETag
	atVary         = atVaryLen + 1
	atVariant      = atVary + MaxVary
	headerSize     = 336

	maxETag = 128
	// MaxVary is the length of the longest value of Vary that a file can hold.
	MaxVary = 128
)

// MaxStart is the greatest place in a file that a header can name.
const MaxStart = 1<<16 - 1

// keyMark precedes the key.
const keyMark = "\nKEY: "

// order is that of the machines that the server runs on.
var order = binary.LittleEndian

// header is the start of a file, decoded.
type header struct {
	version                uint64
	valid, updating, error int64
	lastModified, date     int64
	crc                    uint32
	validMsec              uint16
	headerStart, bodyStart uint16
	etag                   []byte
	vary                   []byte
	variant                [KeyLen]byte
	varyTooLong            bool
}

// parse reads a header from at least headerSize bytes, to which etag and vary
// refer.
func (h *header) parse(b []byte) {
	_ = b[headerSize-1]
	*h = header{
		version: order.Uint64(b[atVersion:]),
		valid:   int64(order.Uint64(b[atValid:])), updating: int64(order.Uint64(b[atUpdating:])),
		error:        int64(order.Uint64(b[atError:])),
		lastModified: int64(order.Uint64(b[atLastModified:])), date: int64(order.Uint64(b[atDate:])),
		crc: order.Uint32(b[atCRC:]), validMsec: order.Uint16(b[atValidMsec:]),
		headerStart: order.Uint16(b[atHeaderStart:]), bodyStart: order.Uint16(b[atBodyStart:]),
	}
	if n := int(b[atETagLen]); n <= maxETag {
		h.etag = b[atETag : atETag+n]
	}
	n := int(b[atVaryLen])
	if h.varyTooLong = n > MaxVary; !h.varyTooLong {
		h.vary = b[atVary : atVary+n]
	}
	copy(h.variant[:], b[atVariant:])
}

// put writes a header to headerSize bytes. Too long an ETag is left out.
func (h *header) put(b []byte) {
	clear(b[:headerSize])
	order.PutUint64(b[atVersion:], h.version)
	order.PutUint64(b[atValid:], uint64(h.valid))
	order.PutUint64(b[atUpdating:], uint64(h.updating))
	order.PutUint64(b[atError:], uint64(h.error))
	order.PutUint64(b[atLastModified:], uint64(h.lastModified))
	order.PutUint64(b[atDate:], uint64(h.date))
	order.PutUint32(b[atCRC:], h.crc)
	order.PutUint16(b[atValidMsec:], h.validMsec)
	order.PutUint16(b[atHeaderStart:], h.headerStart)
	order.PutUint16(b[atBodyStart:], h.bodyStart)
	if len(h.etag) <= maxETag {
		b[atETagLen] = byte(len(h.etag))
		copy(b[atETag:], h.etag)
	}
	if len(h.vary) > 0 && len(h.vary) <= MaxVary {
		b[atVaryLen] = byte(len(h.vary))
		copy(b[atVary:], h.vary)
		copy(b[atVariant:], h.variant[:])
	}
}
