package parser

import (
	"io"
	"math"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// Token types.
const (
	wordToken  lexer.TokenType = -(iota + 2) // a name or an argument; Value is unquoted and unescaped
	endToken                                 // ; or {
	closeToken                               // }
	luaToken                                 // the source in a Lua block, as written
	badToken                                 // where reading stops; Value is nginx's message
)

// bufferSize is NGX_CONF_BUFFER: nginx cannot read a word, or a comment, that does not fit.
const bufferSize = 4096

// definition is the lexer.Definition of configuration files.
type definition struct{}

func (definition) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "Word": wordToken, "End": endToken, "Close": closeToken,
		"Lua": luaToken, "Bad": badToken,
	}
}

// Lex reads a configuration file.
func (definition) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	src, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return newScanner(name, string(src), false), nil
}

// scanner is the character level of ngx_conf_read_token.
type scanner struct {
	file  string
	src   string
	pos   int // offset of the next byte
	line  int // its line
	limit int // how many bytes since the start of a word or comment nginx can keep
	left  int // tokens to go in this batch

	words  int   // how many of the current statement were read
	lua    bool  // the first of them announces Lua source
	source bool  // Lua source comes next
	bad    token // comes next and is the last, if it has a type
}

// newScanner reads a text. In the argument of -g nothing is too long: nginx needs no buffer for it.
func newScanner(file, src string, param bool) *scanner {
	s := &scanner{file: file, src: src, line: 1, limit: bufferSize, left: math.MaxInt}
	if param {
		s.limit = len(src)
	}
	return s
}

// batchSize is how many tokens are handed to the grammar at once, not counting the rest of the last statement.
const batchSize = 500

// batch returns the next statements; none at the end of the text. All tokens at once, as participle reads them, would
// take ten times the memory of the text, and the text behind an error would be read for nothing.
func (s *scanner) batch() *lexer.PeekingLexer {
	s.left = batchSize
	tokens, _ := lexer.Upgrade(s) // Next returns no errors
	return tokens
}

// Classes of bytes outside quotes.
const (
	inWord = iota
	blank
	escape
	dollar
	endsWord // ; or {
)

var class = [256]uint8{
	' ': blank, '\t': blank, '\r': blank, '\n': blank, '\\': escape, '$': dollar, ';': endsWord, '{': endsWord,
}

// Next returns words and punctuation. It returns no errors: a badToken is where nginx would stop reading.
func (s *scanner) Next() (token, error) {
	if s.left <= 0 && s.words == 0 {
		return s.token(lexer.EOF, ""), nil
	}
	s.left--
	if s.source {
		s.source = false
		return s.luaSource(), nil
	}
	if s.bad.Type == 0 {
		s.skipBlanks()
	}
	if s.bad.Type != 0 {
		return s.failure(), nil
	}
	if s.pos == len(s.src) {
		return s.token(lexer.EOF, ""), nil
	}
	switch c := s.src[s.pos]; c {
	case ';', '{':
		s.source = s.lua && c == '{'
		return s.punctuation(endToken), nil
	case '}':
		return s.punctuation(closeToken), nil
	case '"', '\'':
		return s.quoted(c), nil
	}
	return s.unquoted(), nil
}

func (s *scanner) token(t lexer.TokenType, value string) token {
	return token{Type: t, Value: value, Pos: lexer.Position{Filename: s.file, Offset: s.pos, Line: s.line}}
}

// punctuation takes one byte and ends the statement.
func (s *scanner) punctuation(t lexer.TokenType) token {
	tok := s.token(t, s.src[s.pos:s.pos+1])
	s.pos++
	s.words, s.lua = 0, false
	return tok
}

// skipBlanks moves to the next byte that is neither blank nor in a comment.
func (s *scanner) skipBlanks() {
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '\n':
			s.line++
			s.pos++
		case class[c] == blank:
			s.pos++
		case c == '#':
			end := len(s.src)
			if n := strings.IndexByte(s.src[s.pos:], '\n'); n >= 0 {
				end = s.pos + n
			}
			if s.tooLong(s.pos, end, s.line) {
				return
			}
			s.pos = end
		default:
			return
		}
	}
}

// quoted reads a word in quotes and looks at the byte behind it.
func (s *scanner) quoted(quote byte) token {
	word := s.token(wordToken, "")
	s.pos++
	start, end, escapes := s.pos, s.pos, false
	for end < len(s.src) && s.src[end] != quote {
		switch s.src[end] {
		case '\\':
			escapes = true
			end = s.skipEscape(end)
			continue
		case '\n':
			s.line++
		}
		end++
	}
	s.take(&word, s.src[start:end], escapes)
	s.pos = min(end+1, len(s.src))
	if start+s.limit <= end && start+s.limit < len(s.src) {
		s.fail(`too long parameter, probably missing terminating "`+string(rune(quote))+`" character`, word.Pos.Line)
		return word
	}
	s.afterQuote(start, word.Pos.Line)
	return word
}

// afterQuote checks what follows a closing quote. The word still fills the buffer until a byte behind a blank is read.
func (s *scanner) afterQuote(start, line int) {
	if s.tooLong(start, s.pos, line) || s.pos == len(s.src) {
		return
	}
	switch c := s.src[s.pos]; {
	case class[c] == blank:
		s.tooLong(start, s.pos+1, line)
	case class[c] != endsWord && c != ')':
		s.fail(`unexpected "`+s.src[s.pos:s.pos+1]+`"`, s.line)
	}
}

// unquoted reads a word that ends before a blank, ";" or "{". A "{" behind "$" belongs to the word.
func (s *scanner) unquoted() token {
	word := s.token(wordToken, "")
	start, end, escapes := s.pos, s.pos, false
loop:
	for end < len(s.src) {
		switch class[s.src[end]] {
		case inWord:
			end++
		case escape:
			escapes = true
			end = s.skipEscape(end)
		case dollar:
			for end++; end < len(s.src) && s.src[end] == '{'; {
				end++
			}
		default:
			break loop
		}
	}
	s.take(&word, s.src[start:end], escapes)
	s.pos = end
	last := end
	if end < len(s.src) && class[s.src[end]] == blank {
		last++ // nginx reads on, and only the next byte makes room in the buffer
	}
	s.tooLong(start, last, word.Pos.Line)
	return word
}

// skipEscape returns the offset behind the backslash at i and the byte it protects.
func (s *scanner) skipEscape(i int) int {
	if i+1 < len(s.src) && s.src[i+1] == '\n' {
		s.line++
	}
	return min(i+2, len(s.src))
}

// take sets the value of a word and counts it.
func (s *scanner) take(word *token, text string, escapes bool) {
	if escapes {
		text = unescape(text)
	}
	word.Value = text
	if s.words == 0 {
		s.lua = strings.HasSuffix(text, luaSuffix)
	}
	s.words++
}

// tooLong fails if nginx's buffer, filled from start on, is full before the byte at last was read.
func (s *scanner) tooLong(start, last, line int) bool {
	if full := start + s.limit; full > last || full >= len(s.src) {
		return false
	}
	s.fail(`too long parameter "`+s.src[start:start+10]+`..." started`, line)
	return true
}

func (s *scanner) fail(msg string, line int) {
	s.bad = s.token(badToken, msg)
	s.bad.Pos.Line = line
}

// failure returns the badToken; the end of the text follows.
func (s *scanner) failure() token {
	bad := s.bad
	s.bad = token{}
	s.pos = len(s.src)
	return bad
}

// unescape replaces what ngx_conf_read_token replaces, in quotes or not. Other backslashes stay.
func unescape(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			switch text[i+1] {
			case '"', '\'', '\\':
				i++
				c = text[i]
			case 't':
				i++
				c = '\t'
			case 'r':
				i++
				c = '\r'
			case 'n':
				i++
				c = '\n'
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}
