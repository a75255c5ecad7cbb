package wire

import "errors"

// ErrStatusLine is the error of a response that does not begin with a status
// line: what an HTTP/0.9 server would send.
var ErrStatusLine = errors.New("no valid HTTP/1.0 header")

// StatusLine parses the status line of an upstream's response
// (ngx_http_parse_status_line): "HTTP/", a version, three digits. The zero
// value is ready.
//
// Offsets are into the slice given to Parse.
type StatusLine struct {
	Version int // 1000·major+minor
	Code    int // as sent: 000 to 999

	Start int // of the three digits
	End   int // of the line, before CR LF: what $status and the reason are

	pos          int
	state        statusState
	digits       int
	major, minor int
}

type statusState uint8

const (
	statusName statusState = iota
	statusMajorFirst
	statusMajor
	statusMinorFirst
	statusMinor
	statusCode
	statusAfterCode
	statusText
	statusAlmostDone
	statusDone
)

// Len is the number of bytes parsed so far, the line feed included at the end.
func (s *StatusLine) Len() int { return s.pos }

// Parse goes on with the line in buf and reports whether it is complete. The
// error is ErrStatusLine and found at the first wrong byte.
func (s *StatusLine) Parse(buf []byte) (done bool, err error) {
	for s.pos < len(buf) && s.state != statusDone {
		if !s.byte(buf[s.pos]) {
			return false, ErrStatusLine
		}
		s.pos++
	}
	if s.state != statusDone {
		return false, nil
	}
	s.Version = s.major*1000 + s.minor
	return true, nil
}

func (s *StatusLine) byte(c byte) bool {
	switch s.state {
	case statusName:
		if c != versionName[s.pos] {
			return false
		}
		if s.pos == len(versionName)-1 {
			s.state = statusMajorFirst
		}
	case statusMajorFirst:
		s.major = int(c - '0')
		s.state = statusMajor
		return c >= '1' && c <= '9'
	case statusMajor:
		if c == '.' {
			s.state = statusMinorFirst
			return true
		}
		return appendVersionDigit(&s.major, c)
	case statusMinorFirst:
		s.state = statusMinor
		return appendVersionDigit(&s.minor, c)
	case statusMinor:
		if c == ' ' {
			s.state = statusCode
			return true
		}
		return appendVersionDigit(&s.minor, c)
	case statusCode:
		return s.codeByte(c)
	case statusAlmostDone:
		s.state = statusDone
		return c == '\n'
	default:
		return s.textByte(c)
	}
	return true
}

func appendVersionDigit(n *int, c byte) bool {
	if !isDigit(c) || *n > 99 {
		return false
	}
	*n = *n*10 + int(c-'0')
	return true
}

// codeByte takes a digit of the code, or a blank before or between them.
func (s *StatusLine) codeByte(c byte) bool {
	if c == ' ' {
		return true
	}
	if !isDigit(c) {
		return false
	}
	s.Code = s.Code*10 + int(c-'0')
	if s.digits++; s.digits == 3 {
		s.Start = s.pos - 2
		s.state = statusAfterCode
	}
	return true
}

// textByte takes a byte after the code; IIS may send "403.1".
func (s *StatusLine) textByte(c byte) bool {
	switch {
	case c == '\r':
		s.End = s.pos
		s.state = statusAlmostDone
	case c == '\n':
		s.End = s.pos
		s.state = statusDone
	case s.state == statusText:
	case c == ' ', c == '.':
		s.state = statusText
	default:
		return false
	}
	return true
}
