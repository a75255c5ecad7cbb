package gzip

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

// maxWhole is the size up to which a body that is there as a whole is compressed
// in one step, without a compressor: for so little text, codes of its own cost
// more than they save.
const maxWhole = 256

// Header and block type of what appendWhole makes.
const (
	header     = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
	fixedCodes = 0b011 // the last block, with the fixed codes
)

// Bounds of a match of deflate (RFC 1951), and what stands for the end of a
// block.
const (
	minMatch   = 3
	maxMatch   = 258
	endOfBlock = 256
)

// appendWhole appends body as a gzip file of one block with deflate's fixed
// codes, or as it is where that is shorter.
func appendWhole(dst, body []byte) []byte {
	dst = append(dst, header...)
	at := len(dst)
	dst = appendFixed(dst, body)
	if len(dst)-at > len(body)+5 {
		dst = append(dst[:at], 1)
		dst = binary.LittleEndian.AppendUint16(dst, uint16(len(body)))
		dst = binary.LittleEndian.AppendUint16(dst, ^uint16(len(body)))
		dst = append(dst, body...)
	}
	dst = binary.LittleEndian.AppendUint32(dst, crc32.ChecksumIEEE(body))
	return binary.LittleEndian.AppendUint32(dst, uint32(len(body)))
}

// bitWriter appends bits, the lowest first.
type bitWriter struct {
	dst  []byte
	held uint64
	n    uint
}

func (w *bitWriter) bits(v uint64, n uint) {
	w.held |= v << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.dst = append(w.dst, byte(w.held))
		w.held >>= 8
	}
}

// code writes a Huffman code, whose highest bit comes first.
func (w *bitWriter) code(v uint16, n uint) { w.bits(uint64(bits.Reverse16(v)>>(16-n)), n) }

// symbol writes a literal, the end of the block or the class of a length with
// its fixed code (RFC 1951, 3.2.6).
func (w *bitWriter) symbol(s int) {
	switch {
	case s < 144:
		w.code(uint16(0x30+s), 8)
	case s < 256:
		w.code(uint16(0x190+s-144), 9)
	case s < 280:
		w.code(uint16(s-256), 7)
	default:
		w.code(uint16(0xc0+s-280), 8)
	}
}

// match writes a length and a distance: the class, and within it the bits that
// remain. Four classes of lengths, two of distances, share a number of them.
func (w *bitWriter) match(length, distance int) {
	if length == maxMatch {
		w.symbol(285)
	} else {
		class, extra := classOf(length-minMatch, 2)
		w.symbol(257 + class)
		w.bits(uint64(length-minMatch)&(1<<extra-1), extra)
	}
	class, extra := classOf(distance-1, 1)
	w.code(uint16(class), 5)
	w.bits(uint64(distance-1)&(1<<extra-1), extra)
}

// classOf returns the class of a value, and how many low bits it leaves open,
// where each number of open bits has 1<<perBit classes.
func classOf(v int, perBit uint) (class int, extra uint) {
	n := uint(bits.Len(uint(v)))
	if n <= perBit+1 {
		return v, 0
	}
	extra = n - perBit - 1
	return int(extra<<perBit) + v>>extra, extra
}

// appendFixed appends a last block with the fixed codes. Of the places where
// three bytes occurred before, the latest is taken.
func appendFixed(dst, body []byte) []byte {
	w := bitWriter{dst: dst}
	w.bits(fixedCodes, 3)
	var latest [256]uint16 // by hash, 1 + the place
	for i := 0; i < len(body); {
		if i+minMatch > len(body) {
			w.symbol(int(body[i]))
			i++
			continue
		}
		at := &latest[hash(body[i:])]
		from := int(*at) - 1
		*at = uint16(i + 1)
		length := 0
		if from >= 0 {
			length = common(body[from:], body[i:])
		}
		if length < minMatch {
			w.symbol(int(body[i]))
			i++
			continue
		}
		w.match(length, i-from)
		for end := i + length; i < end; i++ {
			if i+minMatch <= len(body) {
				latest[hash(body[i:])] = uint16(i + 1)
			}
		}
	}
	w.symbol(endOfBlock)
	if w.n > 0 {
		w.bits(0, 8-w.n)
	}
	return w.dst
}

func hash(p []byte) byte {
	v := uint32(p[0]) | uint32(p[1])<<8 | uint32(p[2])<<16
	return byte(v * 0x9e3779b1 >> 24)
}

// common returns how many bytes a and b, which is the later one, begin with
// alike.
func common(a, b []byte) int {
	n := 0
	for n < len(b) && n < maxMatch && a[n] == b[n] {
		n++
	}
	return n
}
