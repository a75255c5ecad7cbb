package parser

import "strings"

// luaSource reads the source in a *_by_lua_block up to the "}" that closes it, which is left to be read. It sees the
// tokens that lua-nginx-module's lexer sees (util/gen-lexer-c, ngx_http_lua_conf_read_lua_token): braces, short
// strings, long strings, comments. As there, a quote that is not closed in its line is no string.
//
// OpenResty wants each token of the source to fit in the buffer of 4096 bytes; here it may be longer.
func (s *scanner) luaSource() token {
	source := s.token(luaToken, "")
	depth, openLine := 1, s.line
	var unclosed map[byte]int // by quote: such a quote before this offset is not closed in its line
	for i := s.pos; i < len(s.src); {
		next := i + 1
		switch c := s.src[i]; c {
		case '\n':
			s.line++
		case '{':
			depth++
			openLine = s.line
		case '}':
			if depth--; depth == 0 {
				source.Value = s.src[s.pos:i]
				s.pos = i
				return source
			}
		case '"', '\'':
			if i < unclosed[c] {
				break
			}
			if end, closed := shortString(s.src, i); closed {
				next = end
			} else if unclosed == nil {
				unclosed = map[byte]int{c: end}
			} else {
				unclosed[c] = end
			}
		case '[', '-':
			if next = s.longOrComment(i); next < 0 {
				return s.failure()
			}
		}
		i = next
	}
	s.fail("unexpected end of file, expecting terminating characters for lua code block", openLine)
	return s.failure()
}

// longOrComment returns the offset behind the long string or comment at i, or behind the byte if there is none. It is
// negative, and the scanner has failed, if a long bracket is not closed.
func (s *scanner) longOrComment(i int) int {
	open := i
	if s.src[i] == '-' {
		if !strings.HasPrefix(s.src[i:], "--") {
			return i + 1
		}
		open += 2
	}
	n := longBracket(s.src[open:])
	if n == 0 {
		if open == i {
			return i + 1
		}
		if eol := strings.IndexByte(s.src[i:], '\n'); eol >= 0 {
			return i + eol
		}
		return len(s.src)
	}
	closing := "]" + s.src[open+1:open+n-1] + "]"
	length := strings.Index(s.src[open+n:], closing)
	if length < 0 {
		s.fail(`Lua code block missing the closing long bracket "`+closing+
			`", the inlined Lua code may be too long`, s.line)
		return -1
	}
	end := open + n + length + n
	s.line += strings.Count(s.src[i:end], "\n")
	return end
}

// longBracket returns the length of the opening long bracket, such as "[==[", that text starts with, or 0.
func longBracket(text string) int {
	if !strings.HasPrefix(text, "[") {
		return 0
	}
	n := 1
	for n < len(text) && text[n] == '=' {
		n++
	}
	if n == len(text) || text[n] != '[' {
		return 0
	}
	return n + 1
}

// shortString returns the offset behind the string that starts at i, or where it was found not to be closed.
func shortString(src string, i int) (end int, closed bool) {
	quote := src[i]
	for i++; i < len(src) && src[i] != '\n'; i++ {
		switch src[i] {
		case quote:
			return i + 1, true
		case '\\':
			if i++; i == len(src) || src[i] == '\n' {
				return i, false
			}
		}
	}
	return i, false
}
