package compile

import (
	"strings"
	"unicode/utf8"
)

// simpleEscapes are the escapes that stand for one byte.
var simpleEscapes = map[byte]byte{
	'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '"': '"', '\'': '\'',
}

// scanString reads a quoted string at the current position.
func (l *lexer) scanString(t *lexeme, quote byte) {
	begin := l.pos
	l.quote = string(rune(quote))
	l.pos++
	var buf strings.Builder
	start := l.pos
	for {
		if l.pos >= len(l.src) {
			l.failNear("<eof>", "unfinished string")
		}
		switch c := l.src[l.pos]; c {
		case quote:
			text := l.src[start:l.pos]
			if buf.Len() > 0 {
				buf.WriteString(text)
				text = buf.String()
			}
			l.pos++
			*t = lexeme{kind: tString, text: text, raw: l.src[begin:l.pos]}
			return
		case '\n', '\r':
			l.failNear(l.src[begin:l.pos], "unfinished string")
		case '\\':
			buf.WriteString(l.src[start:l.pos])
			l.escape(&buf)
			start = l.pos
		default:
			l.pos++
		}
	}
}

// escape reads one escape sequence.
func (l *lexer) escape(buf *strings.Builder) {
	l.pos++
	if l.pos >= len(l.src) {
		l.failNear("<eof>", "unfinished string")
	}
	c := l.src[l.pos]
	if b, ok := simpleEscapes[c]; ok {
		buf.WriteByte(b)
		l.pos++
		return
	}
	switch {
	case c == '\n' || c == '\r':
		buf.WriteByte('\n')
		l.newline()
	case c == 'x' && isHex(l.byteAt(1)) && isHex(l.byteAt(2)):
		buf.WriteByte(hexValue(l.src[l.pos+1])<<4 | hexValue(l.src[l.pos+2]))
		l.pos += 3
	case c == 'u':
		l.unicodeEscape(buf)
	case c == 'z':
		l.pos++
		for l.pos < len(l.src) && IsSpace(l.src[l.pos]) {
			if c := l.src[l.pos]; c == '\n' || c == '\r' {
				l.newline()
			} else {
				l.pos++
			}
		}
	case isDigit(c):
		n := 0
		for i := 0; i < 3 && isDigit(l.byteAt(0)); i++ {
			n = n*10 + int(l.src[l.pos]-'0')
			l.pos++
		}
		if n > 255 {
			l.badEscape(buf)
		}
		buf.WriteByte(byte(n))
	default:
		l.badEscape(buf)
	}
}

// unicodeEscape reads \u{XXX}: any code point up to 10FFFF but surrogates, as UTF-8.
func (l *lexer) unicodeEscape(buf *strings.Builder) {
	l.pos++
	if l.byteAt(0) != '{' {
		l.badEscape(buf)
	}
	l.pos++
	r := rune(0)
	for digits := 0; ; digits++ {
		c := l.byteAt(0)
		l.pos++
		if c == '}' && digits > 0 {
			break
		}
		if !isHex(c) {
			l.badEscape(buf)
		}
		if r = r<<4 | rune(hexValue(c)); r > utf8.MaxRune {
			l.badEscape(buf)
		}
	}
	if !utf8.ValidRune(r) {
		l.badEscape(buf)
	}
	buf.WriteRune(r)
}

// badEscape names the string up to its bad escape. buf holds what was read of it.
func (l *lexer) badEscape(buf *strings.Builder) {
	l.failNear(l.quote+buf.String(), "invalid escape sequence")
}

func hexValue(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
