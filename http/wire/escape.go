package wire

// EscapeKind says which bytes AppendEscaped must escape (ngx_escape_uri). All
// kinds but EscapeMemcached escape controls, blanks and bytes above 0x7e.
type EscapeKind uint8

// The kinds of escaping.
const (
	EscapeURI          EscapeKind = iota // a path: also # % ? and what RFC 3986 does not allow
	EscapeArgs                           // an argument string: also & + ;
	EscapeURIComponent                   // everything but unreserved characters
	EscapeHTML                           // a URI in an HTML attribute: also " ' but not ?
	EscapeRefresh                        // a URI in a Refresh header: % # stay
	EscapeMemcached                      // a key: only controls, blanks and %
	EscapeMailAuth                       // the same
	EscapeMailXtext                      // RFC 3461 xtext, with "+" for "%"
)

// escaped has, for each byte, a bit for each kind that escapes it.
var escaped = func() [256]byte {
	var t [256]byte
	const illegal = "\"<>\\^`{|"
	more := [...]string{
		EscapeURI:          illegal + "}#%?",
		EscapeArgs:         illegal + "}#%?&+;",
		EscapeURIComponent: illegal + "}#%?&+;!$'()*,/:=@[]",
		EscapeHTML:         illegal + "}#%'",
		EscapeRefresh:      illegal + "~'",
		EscapeMemcached:    "%",
		EscapeMailAuth:     "%",
		EscapeMailXtext:    "+=",
	}
	for kind, chars := range more {
		for _, c := range []byte(chars) {
			t[c] |= 1 << kind
		}
		for c := range t {
			if c <= ' ' || c >= 0x7f && kind != int(EscapeMemcached) && kind != int(EscapeMailAuth) {
				t[c] |= 1 << kind
			}
		}
	}
	return t
}()

// CountEscaped is the number of bytes of s that AppendEscaped escapes, each
// into three.
func CountEscaped[T text](s T, kind EscapeKind) int {
	n := 0
	for i := range len(s) {
		n += int(escaped[s[i]] >> kind & 1)
	}
	return n
}

// AppendEscaped appends s with bytes escaped as "%2F", in upper case.
func AppendEscaped[T text](b []byte, s T, kind EscapeKind) []byte {
	prefix := byte('%')
	if kind == EscapeMailXtext {
		prefix = '+'
	}
	for i := range len(s) {
		c := s[i]
		if escaped[c]>>kind&1 == 0 {
			b = append(b, c)
		} else {
			b = append(b, prefix, upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// UnescapeKind says how Unescape treats delimiters (ngx_unescape_uri).
type UnescapeKind uint8

// The kinds of unescaping.
const (
	UnescapeAll      UnescapeKind = iota // decode everything
	UnescapeURI                          // stop after "?", escaped or not
	UnescapeRedirect                     // as URI, and keep escaped what is not printable, # and %
)

// Unescape appends to b what s is decoded to, and returns what is left of s
// after a "?" it stopped at. A "%" without two hexadecimal digits is dropped,
// together with a wrong second digit. b may share its memory with s from its
// start: the result is never longer.
func Unescape(b, s []byte, kind UnescapeKind) (decoded, rest []byte) {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '%' {
			b = append(b, c)
			if c == '?' && kind != UnescapeAll {
				return b, s[i+1:]
			}
			continue
		}
		if i++; i == len(s) {
			break
		}
		hi, ok := hexValue(s[i])
		if !ok {
			b = append(b, s[i])
			continue
		}
		if i++; i == len(s) {
			break
		}
		lo, ok := hexValue(s[i])
		if !ok {
			continue
		}
		c = hi<<4 | lo
		switch {
		case c == '?' && kind != UnescapeAll:
			return append(b, c), s[i+1:]
		case kind == UnescapeRedirect && (c <= '%' || c >= 0x7f):
			b = append(b, '%', s[i-1], s[i])
		default:
			b = append(b, c)
		}
	}
	return b, nil
}

// AppendHTML appends s with < > & " as entities (ngx_escape_html).
func AppendHTML[T text](b []byte, s T) []byte {
	for i := range len(s) {
		switch c := s[i]; c {
		case '<':
			b = append(b, "&lt;"...)
		case '>':
			b = append(b, "&gt;"...)
		case '&':
			b = append(b, "&amp;"...)
		case '"':
			b = append(b, "&quot;"...)
		default:
			b = append(b, c)
		}
	}
	return b
}

// AppendJSON appends s as the inside of a JSON string (ngx_escape_json);
// bytes above 0x7f are not looked at.
func AppendJSON[T text](b []byte, s T) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\' || c == '"':
			b = append(b, '\\', c)
		case c >= ' ':
			b = append(b, c)
		case c >= '\b' && c <= '\r' && c != '\v':
			b = append(b, '\\', "btnvfr"[c-'\b'])
		default:
			b = append(b, '\\', 'u', '0', '0', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

// AppendLog appends s as the access log writes a variable: " \ and what is not
// printable ASCII as "\x22" (ngx_http_log_escape); bytes above ASCII stay as
// they are without nonASCII.
func AppendLog[T text](b []byte, s T, nonASCII bool) []byte {
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' || c >= 0x80 && !nonASCII {
			b = append(b, c)
		} else {
			b = append(b, '\\', 'x', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}
