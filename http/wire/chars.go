package wire

import "math"

// Classes of bytes, a bit each.
const (
	classPlainURI byte = 1 << iota // needs no attention in a request target
	className                      // letter, digit or "-": a plain header name
	classHost                      // letter, digit, "." or "-": a host in a request line
	classLiteral                   // may be in an IP literal or a Host header besides letters and digits
	classMethod                    // upper case letter, "_" or "-"
)

var classes = func() [256]byte {
	var t [256]byte
	mark := func(class byte, chars string) {
		for _, c := range []byte(chars) {
			t[c] |= class
		}
	}
	const (
		upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
		lower  = "abcdefghijklmnopqrstuvwxyz"
		digits = "0123456789"
	)
	mark(className, upper+lower+digits+"-")
	mark(classHost, upper+lower+digits+"-.")
	mark(classLiteral, "-._~!$&'()*+,;=")
	mark(classMethod, upper+"_-")
	for c := range t {
		if c > ' ' && c != 0x7f {
			t[c] |= classPlainURI
		}
	}
	for _, c := range []byte("#%+./?") {
		t[c] &^= classPlainURI
	}
	return t
}()

func is(c, class byte) bool { return classes[c]&class != 0 }

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func isDigit(c byte) bool { return c-'0' <= 9 }

// lower is the ASCII lower case of c.
func lower(c byte) byte {
	if c-'A' < 26 {
		return c | 0x20
	}
	return c
}

// hexValue is the value of a hexadecimal digit, or false.
func hexValue(c byte) (byte, bool) {
	if isDigit(c) {
		return c - '0', true
	}
	if c |= 0x20; c >= 'a' && c <= 'f' {
		return c - 'a' + 10, true
	}
	return 0, false
}

const (
	upperHex = "0123456789ABCDEF"
	lowerHex = "0123456789abcdef"
)

// text is what the functions on whole header values accept.
type text interface{ ~string | ~[]byte }

// equalFold compares, ignoring the case of ASCII letters.
func equalFold[A, B text](a A, b B) bool {
	return len(a) == len(b) && hasPrefixFold(a, b)
}

// hasPrefixFold reports whether s starts with prefix, ignoring the case of
// ASCII letters.
func hasPrefixFold[A, B text](s A, prefix B) bool {
	if len(s) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(s[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

// indexFold is the index of sub in s, ignoring the case of ASCII letters, or
// -1. It is for short needles in short values.
func indexFold[A, B text](s A, sub B) int {
	for i := 0; i+len(sub) <= len(s); i++ {
		if hasPrefixFold(s[i:], sub) {
			return i
		}
	}
	return -1
}

// AppendLower appends the ASCII lower case of s.
func AppendLower[T text](b []byte, s T) []byte {
	for i := range len(s) {
		b = append(b, lower(s[i]))
	}
	return b
}

// ParseLength reads a Content-Length: decimal digits only, at least one, up to
// 2^63-1 (ngx_atoof).
func ParseLength[T text](s T) (int64, bool) {
	if len(s) == 0 {
		return 0, false
	}
	var n int64
	for i := range len(s) {
		d := s[i] - '0'
		if d > 9 || n > (math.MaxInt64-int64(d))/10 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	return n, true
}
