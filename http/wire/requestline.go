package wire

import "bytes"

// RequestLine parses a request line: origin-form, absolute-form, and
// authority-form for CONNECT only; never asterisk-form. The zero value is
// ready; the exported fields are valid once Parse returned true (Start and
// those already passed also after an error).
//
// Offsets are into the slice given to Parse. An offset of 0, except Start, means that
// the part is absent.
type RequestLine struct {
	Method Method
	// Version is 1000·major+minor: 1001 for HTTP/1.1, 9 for HTTP/0.9, where
	// nothing follows the request line.
	Version int

	Start     int // of the method, after empty lines
	MethodEnd int

	SchemaStart, SchemaEnd int // of an absolute-form, "http"
	HostStart, HostEnd     int // of an absolute-form or CONNECT, with the port

	// URIStart and URIEnd bound the request target without schema and host:
	// path, "?" and arguments. It is the "/" of another part of the line when
	// the target has no path at all.
	URIStart, URIEnd int
	ArgsStart        int // after the first "?"
	ExtStart         int // after the last "." of the last path segment

	ProtocolStart int // of "HTTP/1.1"
	End           int // of the line, before CR LF

	// Complex, Quoted and EmptyPath tell that the path is not yet in its
	// final form: see Target.
	Complex   bool // has "//", "/." or "#"
	Quoted    bool // has "%"
	EmptyPath bool // is "?" right after the host
	Plus      bool // has "+" in the path

	pos          int
	state        lineState
	major, minor int
}

type lineState uint8

const (
	lineStart lineState = iota
	lineMethod
	lineBeforeURI
	lineSchema
	lineSchemaSlash
	lineSchemaSlashSlash
	lineBeforeHost
	lineHostStart
	lineHost
	lineHostLiteral
	lineHostEnd
	linePortStart
	linePort
	lineAfterSlash
	linePath
	lineURI
	lineBeforeVersion
	lineVersionName
	lineMajorFirst
	lineMajor
	lineMinorFirst
	lineMinor
	lineAfterVersion
	lineAlmostDone
	lineDone
)

// Len is the number of bytes parsed so far, the line feed included at the end.
func (l *RequestLine) Len() int { return l.pos }

// Parse goes on with the line in buf and reports whether it is complete. An
// error is an [Error], and is found at the first wrong byte.
func (l *RequestLine) Parse(buf []byte) (done bool, err error) {
	for l.pos < len(buf) {
		var e Error
		switch {
		case l.state <= lineMethod:
			e = l.parseMethod(buf)
		case l.state <= lineSchemaSlashSlash:
			e = l.parseSchema(buf)
		case l.state <= linePort:
			e = l.parseHost(buf)
		case l.state <= lineURI:
			e = l.parseURI(buf)
		default:
			e = l.parseVersion(buf)
		}
		if e != 0 {
			return false, e
		}
		if l.state == lineDone {
			return l.finish()
		}
	}
	return false, nil
}

// Empty reports whether only line ends before the request line were seen.
func (l *RequestLine) Empty() bool { return l.state == lineStart }

func (l *RequestLine) finish() (bool, error) {
	l.Version = l.major*1000 + l.minor
	if l.Version == 9 && l.Method != GET {
		return false, ErrMethod09
	}
	return true, nil
}

func (l *RequestLine) parseMethod(buf []byte) Error {
	p := l.pos
	if l.state == lineStart {
		for p < len(buf) && (buf[p] == '\r' || buf[p] == '\n') {
			p++
		}
		l.Start, l.pos = p, p
		if p == len(buf) {
			return 0
		}
		if !is(buf[p], classMethod) {
			return ErrMethod
		}
		l.state = lineMethod
	}
	for p < len(buf) && is(buf[p], classMethod) {
		p++
	}
	l.pos = p
	if p == len(buf) {
		return 0
	}
	if buf[p] != ' ' {
		return ErrMethod
	}
	l.MethodEnd = p
	l.Method = LookupMethod(buf[l.Start:p])
	l.state = lineBeforeURI
	if l.Method == CONNECT {
		l.state = lineBeforeHost
	}
	l.pos++
	return 0
}

// parseSchema parses the blanks before the target and "http://".
func (l *RequestLine) parseSchema(buf []byte) Error {
	for ; l.pos < len(buf); l.pos++ {
		c := buf[l.pos]
		switch l.state {
		case lineBeforeURI:
			switch {
			case c == ' ':
			case c == '/':
				l.URIStart = l.pos
				l.state = lineAfterSlash
				l.pos++
				return 0
			case isLetter(c):
				l.SchemaStart = l.pos
				l.state = lineSchema
			default:
				return ErrRequest
			}
		case lineSchema:
			switch {
			case isLetter(c), isDigit(c), c == '+', c == '-', c == '.':
			case c == ':':
				l.SchemaEnd = l.pos
				l.state = lineSchemaSlash
			default:
				return ErrRequest
			}
		case lineSchemaSlash, lineSchemaSlashSlash:
			if c != '/' {
				return ErrRequest
			}
			l.state++
			if l.state == lineBeforeHost {
				l.state = lineHostStart
				l.pos++
				return 0
			}
		}
	}
	return 0
}

// parseHost parses the host and port of an absolute-form or of CONNECT.
func (l *RequestLine) parseHost(buf []byte) Error {
	for ; l.pos < len(buf); l.pos++ {
		c := buf[l.pos]
		switch l.state {
		case lineBeforeHost, lineHostStart:
			if l.state == lineBeforeHost && c == ' ' {
				continue
			}
			l.HostStart = l.pos
			l.state = lineHost
			switch {
			case c == '[':
				l.state = lineHostLiteral
				continue
			case is(c, classHost):
				continue
			}
		case lineHost:
			if is(c, classHost) {
				continue
			}
		case lineHostLiteral:
			switch {
			case isLetter(c), isDigit(c), c == ':', is(c, classLiteral):
			case c == ']':
				l.state = lineHostEnd
			default:
				return ErrRequest
			}
			continue
		case linePortStart, linePort:
			if isDigit(c) {
				l.state = linePort
				continue
			}
			if l.state == linePortStart && l.Method == CONNECT {
				return ErrRequest
			}
			return l.endHost(c, true)
		}
		if c != ':' {
			return l.endHost(c, false)
		}
		l.state = linePortStart
	}
	return 0
}

// endHost takes the byte after the host.
func (l *RequestLine) endHost(c byte, port bool) Error {
	l.HostEnd = l.pos
	l.pos++
	if l.Method == CONNECT {
		if c != ' ' || !port {
			return ErrRequest
		}
		l.state = lineBeforeVersion
		return 0
	}
	switch c {
	case '/':
		l.URIStart = l.HostEnd
		l.state = lineAfterSlash
	case '?':
		l.URIStart = l.HostEnd
		l.ArgsStart = l.pos
		l.EmptyPath = true
		l.state = lineURI
	case ' ':
		// A "/" that is in the line anyway, so that it moves with it.
		l.URIStart = l.SchemaEnd + 1
		l.URIEnd = l.SchemaEnd + 2
		l.state = lineBeforeVersion
	default:
		return ErrRequest
	}
	return 0
}

// parseURI parses path and arguments.
func (l *RequestLine) parseURI(buf []byte) Error {
	for ; l.pos < len(buf); l.pos++ {
		c := buf[l.pos]
		if is(c, classPlainURI) {
			if l.state == lineAfterSlash {
				l.state = linePath
			}
			continue
		}
		switch {
		case c == ' ', c == '\r', c == '\n':
			l.endURI(c)
			return 0
		case c < ' ' || c == 0x7f:
			return ErrRequest
		case c == '#':
			l.Complex = true
			l.state = lineURI
		case l.state == lineURI:
		default:
			l.pathByte(c)
		}
	}
	return 0
}

// pathByte takes one of "%+./?" in the path. Once the path is known to need
// normalisation its rest is not looked at.
func (l *RequestLine) pathByte(c byte) {
	switch c {
	case '/':
		if l.state == lineAfterSlash {
			l.Complex = true
			l.state = lineURI
			return
		}
		l.ExtStart = 0
		l.state = lineAfterSlash
	case '.':
		if l.state == lineAfterSlash {
			l.Complex = true
			l.state = lineURI
			return
		}
		l.ExtStart = l.pos + 1
	case '%':
		l.Quoted = true
		l.state = lineURI
	case '?':
		l.ArgsStart = l.pos + 1
		l.state = lineURI
	case '+':
		l.Plus = true
	}
}

func (l *RequestLine) endURI(c byte) {
	l.URIEnd = l.pos
	l.pos++
	switch c {
	case ' ':
		l.state = lineBeforeVersion
	case '\r':
		l.minor = 9
		l.End = l.URIEnd
		l.state = lineAlmostDone
	case '\n':
		l.minor = 9
		l.End = l.URIEnd
		l.state = lineDone
	}
}

const (
	versionName = "HTTP/"
	commonEnd   = "HTTP/1.1\r\n"
)

func (l *RequestLine) parseVersion(buf []byte) Error {
	if l.state == lineBeforeVersion && bytes.HasPrefix(buf[l.pos:], []byte(commonEnd)) {
		l.startVersion()
		l.major, l.minor = 1, 1
		l.End = l.pos + len("HTTP/1.1")
		l.pos += len(commonEnd)
		l.state = lineDone
		return 0
	}
	for l.pos < len(buf) && l.state != lineDone {
		if e := l.versionByte(buf[l.pos]); e != 0 {
			return e
		}
		l.pos++
	}
	return 0
}

func (l *RequestLine) startVersion() {
	l.ProtocolStart = l.pos
	if l.Method == CONNECT {
		// The slash of "HTTP/": CONNECT has the path "/".
		l.URIStart = l.pos + len(versionName) - 1
		l.URIEnd = l.URIStart + 1
	}
}

// versionByte takes one byte after the target.
func (l *RequestLine) versionByte(c byte) Error {
	switch l.state {
	case lineBeforeVersion:
		switch c {
		case ' ':
		case '\r', '\n':
			l.minor = 9
			l.endVersion(c)
		case 'H':
			l.startVersion()
			l.state = lineVersionName
		default:
			return ErrRequest
		}
	case lineVersionName:
		at := l.pos - l.ProtocolStart
		if c != versionName[at] {
			return ErrRequest
		}
		if at == len(versionName)-1 {
			l.state = lineMajorFirst
		}
	case lineMajorFirst, lineMajor:
		return l.majorByte(c)
	case lineMinorFirst, lineMinor:
		return l.minorByte(c)
	case lineAfterVersion:
		if c != ' ' && !l.endVersion(c) {
			return ErrRequest
		}
	case lineAlmostDone:
		if c != '\n' {
			return ErrRequest
		}
		l.state = lineDone
	}
	return 0
}

func (l *RequestLine) majorByte(c byte) Error {
	switch {
	case l.state == lineMajorFirst && (c < '1' || c > '9'):
		return ErrRequest
	case isDigit(c):
		l.major = l.major*10 + int(c-'0')
		if l.major > 1 {
			return ErrVersion
		}
		l.state = lineMajor
	case c == '.':
		l.state = lineMinorFirst
	default:
		return ErrRequest
	}
	return 0
}

func (l *RequestLine) minorByte(c byte) Error {
	switch {
	case isDigit(c):
		if l.minor > 99 {
			return ErrRequest
		}
		l.minor = l.minor*10 + int(c-'0')
		l.state = lineMinor
	case l.state == lineMinorFirst:
		return ErrRequest
	case c == ' ':
		l.state = lineAfterVersion
	case !l.endVersion(c):
		return ErrRequest
	}
	return 0
}

// endVersion takes CR or LF and refuses other bytes.
func (l *RequestLine) endVersion(c byte) bool {
	switch c {
	case '\r':
		l.state = lineAlmostDone
	case '\n':
		l.state = lineDone
	default:
		return false
	}
	l.End = l.pos
	return true
}

// ParsePath parses what HTTP/2, HTTP/3 and Lua give as the whole target,
// beginning with "/" (ngx_http_parse_uri). It sets URIStart to 0 and the other
// fields of the target as Parse does. Controls and blanks are errors.
func (l *RequestLine) ParsePath(path []byte) error {
	*l = RequestLine{Method: l.Method, Version: l.Version}
	if len(path) == 0 || path[0] != '/' {
		return ErrRequest
	}
	l.pos = 1
	l.state = lineAfterSlash
	if e := l.parseURI(path); e != 0 {
		return e
	}
	if l.state > lineURI {
		return ErrRequest
	}
	l.URIEnd = len(path)
	return nil
}
