package wire

import "bytes"

// Target is a request target taken apart, each part a slice of the request
// line or of the normalised path.
type Target struct {
	Raw  []byte // as sent: path, "?", arguments, fragment
	Path []byte // decoded and normalised
	Args []byte // between the first "?" and the fragment, as sent
	Ext  []byte // after the last "." of the last segment of Path

	Plus   bool // Path has a "+", so it must be escaped for a proxy
	Quoted bool // something was percent-encoded
}

// Target returns the target of a complete request line in buf. A path that
// needs it is normalised into dst[:0], which grows if it has no room for
// len(Raw)+1 bytes; the error is ErrRequest. With mergeSlashes adjacent
// slashes become one.
func (l *RequestLine) Target(dst, buf []byte, mergeSlashes bool) (Target, error) {
	raw := buf[l.URIStart:l.URIEnd]
	if l.Complex || l.Quoted || l.EmptyPath {
		t, err := ParseComplexURI(dst, raw, l.EmptyPath, mergeSlashes)
		t.Plus = t.Plus || l.Plus
		return t, err
	}
	t := Target{Raw: raw, Path: raw, Plus: l.Plus}
	if l.ArgsStart != 0 {
		t.Path = buf[l.URIStart : l.ArgsStart-1]
		t.Args = buf[l.ArgsStart:l.URIEnd]
	}
	if l.ExtStart != 0 {
		t.Ext = t.Path[l.ExtStart-l.URIStart:]
	}
	return t, nil
}

type uriState uint8

const (
	uriUsual  uriState = iota
	uriSlash           // after "/"
	uriDot             // after "/."
	uriDotDot          // after "/.."
)

// complexURI is the state of ParseComplexURI.
type complexURI struct {
	dst   []byte
	ext   int // index of the extension in dst, 0 for none
	state uriState
	merge bool
	plus  bool
}

// ParseComplexURI decodes and normalises a path and splits the arguments off
// (ngx_http_parse_complex_uri): "%2F" is a slash and "%2E" a dot like any
// other, "." and ".." segments are removed, a fragment is dropped. It fails
// with ErrRequest on a wrong escape, on "%00" and on a ".." above the root.
// With emptyPath, raw begins with "?" and the path is "/".
func ParseComplexURI(dst, raw []byte, emptyPath, mergeSlashes bool) (Target, error) {
	u := complexURI{dst: dst[:0], merge: mergeSlashes}
	if emptyPath {
		u.dst = append(u.dst, '/')
	}
	t := Target{Raw: raw}
	for i := 0; i < len(raw); i++ {
		c, literal := raw[i], false
		switch c {
		case '%':
			if i+2 >= len(raw) {
				return t, ErrRequest
			}
			hi, ok1 := hexValue(raw[i+1])
			lo, ok2 := hexValue(raw[i+2])
			c = hi<<4 | lo
			if !ok1 || !ok2 || c == 0 {
				return t, ErrRequest
			}
			t.Quoted = true
			i += 2
			literal = c == '%' || c == '#' || c == '?'
		case '?':
			t.Args, _, _ = bytes.Cut(raw[i+1:], []byte{'#'})
			return u.finish(t)
		case '#':
			return u.finish(t)
		}
		if literal {
			// Not a delimiter any more.
			u.dst = append(u.dst, c)
			u.state = uriUsual
		} else if !u.add(c) {
			return t, ErrRequest
		}
	}
	return u.finish(t)
}

// add takes one decoded byte; it reports false for a ".." above the root.
func (u *complexURI) add(c byte) bool {
	switch c {
	case '/':
		return u.addSlash()
	case '.':
		switch u.state {
		case uriUsual:
			u.ext = len(u.dst) + 1
		case uriSlash:
			u.state = uriDot
		case uriDot:
			u.state = uriDotDot
		default:
			u.state = uriUsual
		}
		u.dst = append(u.dst, c)
		return true
	case '+':
		u.plus = true
	}
	u.state = uriUsual
	u.dst = append(u.dst, c)
	return true
}

func (u *complexURI) addSlash() bool {
	switch u.state {
	case uriUsual:
		u.ext = 0
		u.dst = append(u.dst, '/')
	case uriSlash:
		if !u.merge {
			u.dst = append(u.dst, '/')
		}
	case uriDot:
		u.dst = u.dst[:len(u.dst)-1]
	case uriDotDot:
		if !u.removeSegment() {
			return false
		}
	}
	u.state = uriSlash
	return true
}

// removeSegment removes "segment/.." from the end.
func (u *complexURI) removeSegment() bool {
	const dotdot = len("/..")
	if len(u.dst) <= dotdot {
		return false
	}
	slash := bytes.LastIndexByte(u.dst[:len(u.dst)-dotdot], '/')
	u.dst = u.dst[:slash+1]
	return slash >= 0
}

func (u *complexURI) finish(t Target) (Target, error) {
	switch u.state {
	case uriDot:
		u.dst = u.dst[:len(u.dst)-1]
	case uriDotDot:
		if !u.removeSegment() {
			return t, ErrRequest
		}
	}
	t.Path = u.dst
	t.Plus = u.plus
	if u.ext != 0 {
		t.Ext = t.Path[u.ext:]
	}
	return t, nil
}

// SplitArgs splits at the first "?" (ngx_http_split_args).
func SplitArgs(uri []byte) (path, args []byte) {
	path, args, _ = bytes.Cut(uri, []byte{'?'})
	return path, args
}

// ParseUnsafeURI checks a URI that a response header or a subrequest names
// (ngx_http_parse_unsafe_uri) and splits the arguments off; an escaped path is
// decoded into dst[:0]. It reports false for an empty path, a NUL and a ".."
// segment.
func ParseUnsafeURI(dst, uri []byte) (path, args []byte, ok bool) {
	if len(uri) == 0 || uri[0] == '?' {
		return nil, nil, false
	}
	path, args = SplitArgs(uri)
	if hasUnsafe(uri, len(path)) {
		return nil, nil, false
	}
	if bytes.IndexByte(path, '%') < 0 {
		return path, args, true
	}
	path, _ = Unescape(dst[:0], path, UnescapeAll)
	return path, args, !hasUnsafe(path, len(path))
}

// hasUnsafe reports whether the first n bytes of uri have a NUL or a segment
// "..", which ends with a slash or the whole uri but not with a "?".
func hasUnsafe(uri []byte, n int) bool {
	for i, c := range uri[:n] {
		switch {
		case c == 0:
			return true
		case c != '.' || i > 0 && uri[i-1] != '/':
		case i+1 < len(uri) && uri[i+1] == '.' && (i+2 == len(uri) || uri[i+2] == '/'):
			return true
		}
	}
	return false
}
