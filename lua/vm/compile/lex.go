package compile

import (
	"fmt"
	"math"
	"strings"
)

// token is a kind of lexical element: a byte for single-character operators, a constant below for the rest.
type token int

const (
	tEOF token = iota + 257
	tAnd
	tBreak
	tDo
	tElse
	tElseif
	tEnd
	tFalse
	tFor
	tFunction
	tGoto
	tIf
	tIn
	tLocal
	tNil
	tNot
	tOr
	tRepeat
	tReturn
	tThen
	tTrue
	tUntil
	tWhile
	tConcat
	tDots
	tEq
	tGe
	tLe
	tNe
	tLabel
	tNumber
	tName
	tString
)

var tokenNames = [...]string{
	"<eof>", "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local",
	"nil", "not", "or", "repeat", "return", "then", "true", "until", "while", "..", "...", "==", ">=", "<=", "~=", "::",
	"<number>", "<name>", "<string>",
}

var keywords = func() map[string]token {
	m := make(map[string]token)
	for t := tAnd; t <= tWhile; t++ {
		m[tokenNames[t-tEOF]] = t
	}
	return m
}()

func (t token) String() string {
	if t >= tEOF {
		return tokenNames[t-tEOF]
	}
	if t < ' ' || t == 127 {
		return fmt.Sprintf("char(%d)", int(t))
	}
	return string(rune(t))
}

// lexeme is one token with its value.
type lexeme struct {
	kind token
	text string  // of names and strings: the value
	num  float64 // of numbers
	raw  string  // the source text, for messages
}

// lexer cuts source text into lexemes, with one of look-ahead (lj_lex.c).
type lexer struct {
	src   string
	pos   int
	chunk string

	tok      lexeme
	ahead    lexeme
	hasAhead bool

	quote    string // what the string being read began with
	line     int    // line of the scanner
	lastLine int    // line where the token before tok ended
}

func (l *lexer) init(src, chunk string) {
	*l = lexer{src: strings.TrimPrefix(src, "\xef\xbb\xbf"), chunk: chunk, line: 1, lastLine: 1}
	if strings.HasPrefix(l.src, "#") { // "#!" of a script: the line stays counted
		for l.pos < len(l.src) && l.src[l.pos] != '\n' {
			l.pos++
		}
	}
}

// next makes the following token the current one.
func (l *lexer) next() {
	l.lastLine = l.line
	if l.hasAhead {
		l.tok, l.hasAhead = l.ahead, false
		return
	}
	l.scan(&l.tok)
}

// peek looks at the token after the current one.
func (l *lexer) peek() token {
	if !l.hasAhead {
		l.scan(&l.ahead)
		l.hasAhead = true
	}
	return l.ahead.kind
}

// fail raises a load error at the current line, without a token.
func (l *lexer) fail(format string, args ...any) {
	panic(&Error{Chunk: l.chunk, Line: l.line, Text: fmt.Sprintf(format, args...)})
}

// failNear raises a load error that names the text it stumbled over.
func (l *lexer) failNear(near, format string, args ...any) {
	l.fail("%s near '%s'", fmt.Sprintf(format, args...), near)
}

// failTok raises a load error at the current token.
func (l *lexer) failTok(format string, args ...any) {
	near := l.tok.raw
	if near == "" {
		near = l.tok.kind.String()
	}
	l.failNear(near, format, args...)
}

// byteAt is the byte n places on, 0 past the end.
func (l *lexer) byteAt(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

// newline steps over a line end: \n, \r or both in either order.
func (l *lexer) newline() {
	c := l.src[l.pos]
	l.pos++
	if d := l.byteAt(0); (d == '\n' || d == '\r') && d != c {
		l.pos++
	}
	if l.line++; l.line >= math.MaxInt32 {
		l.fail("chunk has too many lines")
	}
}

// scan reads one token into t.
func (l *lexer) scan(t *lexeme) {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == '\n' || c == '\r':
			l.newline()
			continue
		case IsSpace(c):
			l.pos++
			continue
		case c == '-' && l.byteAt(1) == '-':
			l.comment()
			continue
		}
		l.scanToken(t, c)
		return
	}
	*t = lexeme{kind: tEOF}
}

func (l *lexer) scanToken(t *lexeme, c byte) {
	switch {
	case isDigit(c) || c == '.' && isDigit(l.byteAt(1)):
		l.scanNumber(t)
		return
	case isIdent(c):
		l.scanName(t)
		return
	}
	kind, size := token(c), 1
	d := l.byteAt(1)
	switch c {
	case '"', '\'':
		l.scanString(t, c)
		return
	case '[':
		if n := l.longBracket(); n >= 0 {
			start := l.pos
			text := l.scanLong(n, "unfinished long string")
			*t = lexeme{kind: tString, text: text, raw: l.src[start:l.pos]}
			return
		} else if n < -1 {
			l.failNear(l.src[l.pos:l.pos-n-1], "invalid long string delimiter")
		}
	case '=':
		if d == '=' {
			kind, size = tEq, 2
		}
	case '<':
		if d == '=' {
			kind, size = tLe, 2
		}
	case '>':
		if d == '=' {
			kind, size = tGe, 2
		}
	case '~':
		if d == '=' {
			kind, size = tNe, 2
		}
	case ':':
		if d == ':' {
			kind, size = tLabel, 2
		}
	case '.':
		if d == '.' {
			kind, size = tConcat, 2
			if l.byteAt(2) == '.' {
				kind, size = tDots, 3
			}
		}
	}
	l.pos += size
	*t = lexeme{kind: kind}
}

func (l *lexer) scanName(t *lexeme) {
	start := l.pos
	for l.pos < len(l.src) && isIdent(l.src[l.pos]) {
		l.pos++
	}
	name := l.src[start:l.pos]
	if kw, ok := keywords[name]; ok {
		*t = lexeme{kind: kw}
		return
	}
	*t = lexeme{kind: tName, text: name, raw: name}
}

func (l *lexer) scanNumber(t *lexeme) {
	start := l.pos
	exp := byte('e')
	if l.src[l.pos] == '0' && l.byteAt(1)|0x20 == 'x' {
		exp = 'p'
	}
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		if !isIdent(c) && c != '.' && !((c == '+' || c == '-') && l.src[l.pos-1]|0x20 == exp) {
			break
		}
		l.pos++
	}
	raw := l.src[start:l.pos]
	n, ok := scanLiteral(raw)
	if !ok {
		l.failNear(raw, "malformed number")
	}
	*t = lexeme{kind: tNumber, num: n, raw: raw}
}

// comment steps over a comment that starts at the current position.
func (l *lexer) comment() {
	l.pos += 2
	if l.byteAt(0) == '[' {
		if n := l.longBracket(); n >= 0 {
			l.scanLong(n, "unfinished long comment")
			return
		}
	}
	for l.pos < len(l.src) && l.src[l.pos] != '\n' && l.src[l.pos] != '\r' {
		l.pos++
	}
}

// longBracket counts the '=' of a long bracket at the current position: n >= 0 when there is one, -1 for a plain '[',
// less when "[==" is not followed by another '[' (the size of that text, negated, less one).
func (l *lexer) longBracket() int {
	n := 0
	for l.byteAt(1+n) == '=' {
		n++
	}
	switch {
	case l.byteAt(1+n) == '[':
		return n
	case n == 0:
		return -1
	}
	return -n - 2
}

// scanLong reads a long string or comment whose bracket has n '='. Its first line end is dropped, others become \n.
func (l *lexer) scanLong(n int, unfinished string) string {
	l.pos += n + 2
	if c := l.byteAt(0); c == '\n' || c == '\r' {
		l.newline()
	}
	var buf strings.Builder
	start := l.pos
	closing := "]" + strings.Repeat("=", n) + "]"
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == '\n' || c == '\r':
			buf.WriteString(l.src[start:l.pos])
			buf.WriteByte('\n')
			l.newline()
			start = l.pos
		case c == ']' && strings.HasPrefix(l.src[l.pos:], closing):
			text := l.src[start:l.pos]
			l.pos += len(closing)
			if buf.Len() == 0 {
				return text
			}
			buf.WriteString(text)
			return buf.String()
		default:
			l.pos++
		}
	}
	l.failNear("<eof>", "%s", unfinished)
	return ""
}
