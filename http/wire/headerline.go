package wire

import "bytes"

// HeaderOutcome is what HeaderLine.Parse found.
type HeaderOutcome uint8

// The outcomes of parsing a header line.
const (
	HeaderAgain HeaderOutcome = iota // the line is not complete
	HeaderField                      // a name and a value
	HeaderEnd                        // the empty line after the last header
)

// HeaderLine parses the lines of a header, one at a time
// (ngx_http_parse_header_line). A line without a colon is a name with an empty
// value. A value ends before CR or LF without the blanks around it; tabs
// belong to the value.
//
// Offsets are into the slice given to Parse. After an error, the bytes from
// NameStart to ValueEnd are what was read of the line and the one at ValueEnd
// is to blame.
type HeaderLine struct {
	Underscores bool // "_" in names is allowed
	Upstream    bool // a response's: repeated lines "HTTP/1.1 …" are skipped

	NameStart, NameEnd   int
	ValueStart, ValueEnd int

	// Invalid tells that the name has bytes other than letters, digits and
	// "-": ignore_invalid_headers drops the line.
	Invalid bool

	pos   int
	state headerState
}

type headerState uint8

const (
	headerStart headerState = iota
	headerName
	headerBeforeValue
	headerValue
	headerAfterValue
	headerIgnore
	headerAlmostDone
	headerEndAlmostDone
	headerDone
	headerEnd
)

// Len is the number of bytes parsed so far, with the lines before.
func (h *HeaderLine) Len() int { return h.pos }

// SetPos makes Parse go on at that offset, at the start of a line.
func (h *HeaderLine) SetPos(pos int) {
	h.pos = pos
	h.state = headerStart
}

// Rebase tells that the bytes parsed so far start n bytes earlier in the slice
// of the next call: the line was moved to the start of another buffer.
func (h *HeaderLine) Rebase(n int) {
	h.pos -= n
	h.NameStart -= n
	h.NameEnd -= n
	h.ValueStart -= n
	h.ValueEnd -= n
}

// Parse goes on with buf. The error is ErrHeader and found at the first wrong
// byte.
func (h *HeaderLine) Parse(buf []byte) (HeaderOutcome, error) {
	if h.state >= headerDone {
		h.state = headerStart
	}
	for h.pos < len(buf) {
		ok := true
		switch h.state {
		case headerStart:
			ok = h.parseStart(buf[h.pos])
		case headerName:
			ok = h.parseName(buf)
		case headerBeforeValue, headerValue, headerAfterValue:
			ok = h.parseValue(buf)
		case headerIgnore:
			h.ignore(buf)
		default:
			ok = h.parseEnd(buf[h.pos])
		}
		if !ok {
			return HeaderAgain, ErrHeader
		}
		switch h.state {
		case headerDone:
			return HeaderField, nil
		case headerEnd:
			return HeaderEnd, nil
		}
	}
	return HeaderAgain, nil
}

func (h *HeaderLine) parseStart(c byte) bool {
	h.NameStart = h.pos
	h.Invalid = false
	switch c {
	case '\r':
		h.ValueEnd = h.pos
		h.state = headerEndAlmostDone
		h.pos++
	case '\n':
		h.ValueEnd = h.pos
		h.state = headerEnd
		h.pos++
	case ':':
		h.ValueEnd = h.pos
		return false
	default:
		h.state = headerName
	}
	return true
}

func (h *HeaderLine) parseName(buf []byte) bool {
	p := h.pos
	for ; p < len(buf); p++ {
		c := buf[p]
		if is(c, className) {
			continue
		}
		switch {
		case c == ':':
			h.NameEnd = p
			h.state = headerBeforeValue
			h.pos = p + 1
			return true
		case c == '\r', c == '\n':
			h.NameEnd, h.ValueStart = p, p
			h.endValue(p, c)
			return true
		case c == '/' && h.Upstream && string(buf[h.NameStart:p]) == "HTTP":
			// IIS may repeat the status line.
			h.state = headerIgnore
			h.pos = p + 1
			return true
		case c <= ' ' || c == 0x7f:
			h.ValueEnd = p
			return false
		case c != '_' || !h.Underscores:
			h.Invalid = true
		}
	}
	h.pos = p
	return true
}

func (h *HeaderLine) endValue(p int, c byte) {
	h.ValueEnd = p
	h.pos = p + 1
	h.state = headerDone
	if c == '\r' {
		h.state = headerAlmostDone
	}
}

func (h *HeaderLine) parseValue(buf []byte) bool {
	for ; h.pos < len(buf); h.pos++ {
		c := buf[h.pos]
		switch {
		case c == '\r', c == '\n':
			end := h.pos
			if h.state == headerBeforeValue {
				h.ValueStart = end
			} else if h.state == headerAfterValue {
				end = h.ValueEnd
			}
			at := h.pos
			h.endValue(end, c)
			h.pos = at + 1
			return true
		case c == 0:
			h.ValueEnd = h.pos
			return false
		case c == ' ':
			if h.state == headerValue {
				h.ValueEnd = h.pos
				h.state = headerAfterValue
			}
		default:
			if h.state == headerBeforeValue {
				h.ValueStart = h.pos
				if h.wholeValue(buf) {
					return true
				}
			}
			h.state = headerValue
		}
	}
	return true
}

// wholeValue takes the rest of an ordinary line at once, when all of it is
// there: no NUL, and CR only before LF.
func (h *HeaderLine) wholeValue(buf []byte) bool {
	rest := buf[h.pos:]
	lf := bytes.IndexByte(rest, '\n')
	if lf < 0 {
		return false
	}
	value := rest[:lf]
	if cr := bytes.IndexByte(value, '\r'); cr >= 0 {
		if cr != lf-1 {
			return false
		}
		value = value[:cr]
	}
	if bytes.IndexByte(value, 0) >= 0 {
		return false
	}
	for value[len(value)-1] == ' ' {
		value = value[:len(value)-1]
	}
	h.ValueEnd = h.pos + len(value)
	h.pos += lf + 1
	h.state = headerDone
	return true
}

func (h *HeaderLine) ignore(buf []byte) {
	lf := bytes.IndexByte(buf[h.pos:], '\n')
	if lf < 0 {
		h.pos = len(buf)
		return
	}
	h.pos += lf + 1
	h.state = headerStart
}

// parseEnd takes a byte after CR.
func (h *HeaderLine) parseEnd(c byte) bool {
	switch {
	case c == '\n' && h.state == headerAlmostDone:
		h.state = headerDone
	case c == '\n':
		h.state = headerEnd
	case c != '\r' || h.state != headerAlmostDone:
		return false
	}
	h.pos++
	return true
}
