package wire

import (
	"math"
	"strconv"
)

// Range is a part of a body: the bytes from Start up to but without End.
type Range struct{ Start, End int64 }

// RangeStatus is what a Range header asks for.
type RangeStatus uint8

// The outcomes of reading a Range header.
const (
	RangeIgnored       RangeStatus = iota // answer with the whole body
	RangeOK                               // 206
	RangeUnsatisfiable                    // 416
)

// UnlimitedRanges is max_ranges when it is not configured: then the ranges must
// also be worth it, see ParseRanges.
const UnlimitedRanges = math.MaxInt32

// ParseRanges reads a Range header for a body of length bytes
// (ngx_http_range_parse) and appends the ranges, as they are asked for, to
// dst[:0]. It ignores the header when it is not in bytes, has more than
// maxRanges ranges, has an empty one at the start of the body, or when several ranges are
// together longer than the body (with UnlimitedRanges, 256 bytes counted for
// the framing of each and 4096 in favour).
func ParseRanges(dst []Range, value []byte, length int64, maxRanges int) ([]Range, RangeStatus) {
	const unit = "bytes="
	dst = dst[:0]
	if len(value) <= len(unit) || !hasPrefixFold(value, unit) || maxRanges <= 0 {
		return dst, RangeIgnored
	}
	var size int64
	p := rangeParser{value[len(unit):]}
	for {
		r, ok := p.next(length)
		if !ok {
			return dst, RangeUnsatisfiable
		}
		if r.Start < r.End {
			if size > math.MaxInt64-(r.End-r.Start) {
				return dst, RangeUnsatisfiable
			}
			size += r.End - r.Start
			if len(dst) == maxRanges {
				return dst, RangeIgnored
			}
			dst = append(dst, r)
		} else if r.Start == 0 {
			return dst, RangeIgnored
		}
		if len(p.rest) == 0 {
			break
		}
		p.rest = p.rest[1:]
	}
	switch n := int64(len(dst)); {
	case n == 0:
		return dst, RangeUnsatisfiable
	case n == 1:
	case size > length:
		return dst, RangeIgnored
	case maxRanges == UnlimitedRanges && size+n*256 > length+4096:
		return dst, RangeIgnored
	}
	return dst, RangeOK
}

type rangeParser struct{ rest []byte }

func (p *rangeParser) skip() {
	for len(p.rest) > 0 && p.rest[0] == ' ' {
		p.rest = p.rest[1:]
	}
}

// atEnd reports whether the range ends here.
func (p *rangeParser) atEnd() bool { return len(p.rest) == 0 || p.rest[0] == ',' }

func (p *rangeParser) number() (n int64, ok bool) {
	i := 0
	for i < len(p.rest) && isDigit(p.rest[i]) {
		i++
	}
	n, ok = ParseLength(p.rest[:i])
	p.rest = p.rest[i:]
	return n, ok
}

// next reads "start-end", "start-" or "-suffix" up to the comma.
func (p *rangeParser) next(length int64) (r Range, ok bool) {
	p.skip()
	suffix := len(p.rest) > 0 && p.rest[0] == '-'
	if !suffix {
		if r.Start, ok = p.number(); !ok {
			return r, false
		}
		p.skip()
		if len(p.rest) == 0 || p.rest[0] != '-' {
			return r, false
		}
	}
	p.rest = p.rest[1:]
	if !suffix {
		p.skip()
		if p.atEnd() {
			r.End = length
			return r, true
		}
	}
	if r.End, ok = p.number(); !ok {
		return r, false
	}
	p.skip()
	if suffix {
		r.Start = max(length-r.End, 0)
		r.End = length - 1
	}
	r.End = min(r.End, length-1) + 1
	return r, p.atEnd()
}

// BoundaryLen is the length of a multipart boundary in text.
const BoundaryLen = 20

// AppendBoundary appends a number as a multipart boundary: 20 digits.
func AppendBoundary(b []byte, boundary uint64) []byte {
	var digits [BoundaryLen]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = byte('0' + boundary%10)
		boundary /= 10
	}
	return append(b, digits[:]...)
}

// AppendPartHeader appends what precedes each part of a multipart/byteranges
// body, up to where AppendPartRange goes on. An empty content type is left
// out, and so is an empty charset.
func AppendPartHeader(b []byte, boundary uint64, contentType, charset []byte) []byte {
	b = append(b, "\r\n--"...)
	b = AppendBoundary(b, boundary)
	if len(contentType) > 0 {
		b = append(b, "\r\nContent-Type: "...)
		b = append(b, contentType...)
		if len(charset) > 0 {
			b = append(b, "; charset="...)
			b = append(b, charset...)
		}
	}
	return append(b, "\r\nContent-Range: bytes "...)
}

// AppendPartRange appends "0-99/1000" and the empty line after it.
func AppendPartRange(b []byte, r Range, length int64) []byte {
	return append(appendRange(b, r, length), "\r\n\r\n"...)
}

// AppendLastBoundary appends what ends a multipart/byteranges body.
func AppendLastBoundary(b []byte, boundary uint64) []byte {
	b = append(b, "\r\n--"...)
	b = AppendBoundary(b, boundary)
	return append(b, "--\r\n"...)
}

// AppendContentRange appends the value of Content-Range: "bytes 0-99/1000".
func AppendContentRange(b []byte, r Range, length int64) []byte {
	return appendRange(append(b, "bytes "...), r, length)
}

// AppendUnsatisfiedRange appends "bytes */1000".
func AppendUnsatisfiedRange(b []byte, length int64) []byte {
	return strconv.AppendInt(append(b, "bytes */"...), length, 10)
}

func appendRange(b []byte, r Range, length int64) []byte {
	b = strconv.AppendInt(b, r.Start, 10)
	b = append(b, '-')
	b = strconv.AppendInt(b, r.End-1, 10)
	b = append(b, '/')
	return strconv.AppendInt(b, length, 10)
}
