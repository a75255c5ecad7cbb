package fastcgi

import (
	"encoding/binary"
	"strconv"
)

// Types of records (the FastCGI specification, section 8).
const (
	typeBeginRequest = 1
	typeEndRequest   = 3
	typeParams       = 4
	typeStdin        = 5
	typeStdout       = 6
	typeStderr       = 7
)

const (
	version       = 1
	headerSize    = 8
	roleResponder = 1
	keepConn      = 1
	requestID     = 1
)

// appendHeader appends the header of a record with n bytes of content.
func appendHeader(b []byte, kind byte, n, padding int) []byte {
	return append(b, version, kind, 0, requestID, byte(n>>8), byte(n), byte(padding), 0)
}

// paddingOf is what brings n bytes to a multiple of eight.
func paddingOf(n int) int { return -n & 7 }

var zeros [8]byte

// appendLength appends the length of a name or value.
func appendLength(b []byte, n int) []byte {
	if n > 127 {
		return binary.BigEndian.AppendUint32(b, uint32(n)|1<<31)
	}
	return append(b, byte(n))
}

// record reads the headers of records. The zero value is ready.
type record struct {
	kind byte
	// left is how much of the content is still to come, padding how much
	// behind it.
	left, padding int

	n int // bytes of the header so far
}

// recordError is what is wrong with a header, in nginx's words.
type recordError string

func (e recordError) Error() string { return string(e) }

func complain(what string, c byte) error {
	return recordError("upstream sent " + what + ": " + strconv.Itoa(int(c)))
}

// inHeader tells whether a header is being read.
func (d *record) inHeader() bool { return d.n < headerSize }

// next makes the reader ready for another header.
func (d *record) next() { *d = record{} }

// header reads a record's header at the start of b and returns how many bytes
// it took; d.inHeader tells whether it is complete.
func (d *record) header(b []byte) (n int, err error) {
	for n < len(b) && d.n < headerSize {
		c := b[n]
		switch d.n {
		case 0:
			if c != version {
				return n, complain("unsupported FastCGI protocol version", c)
			}
		case 1:
			switch c {
			case typeStdout, typeStderr, typeEndRequest:
				d.kind = c
			default:
				return n, complain("invalid FastCGI record type", c)
			}
		case 2:
			if c != 0 {
				return n, complain("unexpected FastCGI request id high byte", c)
			}
		case 3:
			if c != requestID {
				return n, complain("unexpected FastCGI request id low byte", c)
			}
		case 4:
			d.left = int(c) << 8
		case 5:
			d.left |= int(c)
		case 6:
			d.padding = int(c)
		}
		d.n++
		n++
	}
	return n, nil
}
