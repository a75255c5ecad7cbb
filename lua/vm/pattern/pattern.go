// Package pattern matches Lua patterns (Lua 5.1 manual, 5.4.1) the way LuaJIT does, byte by byte, with a bound on its
// recursion.
package pattern

// Limits of LuaJIT.
const (
	MaxCaptures = 32
	maxDepth    = 200
)

// Lengths of captures that are not closed substrings.
const (
	unfinished = -1
	position   = -2
)

// Error is a fault of a pattern, in LuaJIT's words.
type Error string

func (e Error) Error() string { return string(e) }

// The faults of patterns.
const (
	ErrEnds       Error = "malformed pattern (ends with '%')"
	ErrBracket    Error = "malformed pattern (missing ']')"
	ErrFrontier   Error = "missing '[' after '%f' in pattern"
	ErrUnbalanced Error = "unbalanced pattern"
	ErrComplex    Error = "pattern too complex"
	ErrCaptures   Error = "too many captures"
	ErrUnfinished Error = "unfinished capture"
	ErrCapture    Error = "invalid capture index"
	ErrPattern    Error = "invalid pattern capture"
)

type capture struct{ start, size int }

// Matcher matches one pattern against one subject. The zero value is ready for Reset; matching allocates nothing.
type Matcher struct {
	src, pat string
	level    int // captures, finished or not
	depth    int
	captures [MaxCaptures]capture
}

// Reset prepares for a subject and a pattern, which is without its '^' anchor.
func (m *Matcher) Reset(src, pat string) { m.src, m.pat = src, pat }

// Match tries at position s of the subject only and returns the end of the match, -1 for none. It panics with an Error
// when the pattern is malformed.
func (m *Matcher) Match(s int) int {
	m.level, m.depth = 0, 0
	end := m.match(s, 0)
	if end >= 0 {
		for i := range m.captures[:m.level] {
			if m.captures[i].size == unfinished {
				panic(ErrUnfinished)
			}
		}
	}
	return end
}

// Find tries at position s of the subject and, until there is a match, at those behind it. It returns the match, whose
// end is -1 for none. It panics with an Error when the pattern is malformed.
func (m *Matcher) Find(s int) (start, end int) {
	p, classEnd := m.head()
	for ; s <= len(m.src); s++ {
		if classEnd > 0 {
			for s < len(m.src) && !m.single(s, p, classEnd) {
				s++
			}
			if s == len(m.src) {
				break
			}
		}
		if end = m.Match(s); end >= 0 {
			return s, end
		}
	}
	return s, -1
}

// head is the single-character class pat[p:end] that every match begins with; end is 0 for patterns without.
func (m *Matcher) head() (p, end int) {
	for p < len(m.pat) && m.pat[p] == '(' {
		p++
	}
	if p == len(m.pat) || m.pat[p] == ')' || m.pat[p] == '$' && p+1 == len(m.pat) {
		return 0, 0
	}
	if m.pat[p] == '%' && p+1 < len(m.pat) {
		if c := m.pat[p+1]; c == 'b' || c == 'f' || c >= '0' && c <= '9' {
			return 0, 0
		}
	}
	end = m.classEnd(p)
	if end < len(m.pat) {
		switch m.pat[end] {
		case '?', '*', '-':
			return 0, 0
		}
	}
	return p, end
}

// Captures is the number of captures of the last match; with whole set, the whole match counts as one when there is
// no other.
func (m *Matcher) Captures(whole bool) int {
	if m.level == 0 && whole {
		return 1
	}
	return m.level
}

// Capture returns capture i, from 0 and below Captures(true), of a match of src[start:end]: a text, or for a position
// capture its position from 1.
func (m *Matcher) Capture(i, start, end int) (text string, pos int) {
	if i >= m.level {
		return m.src[start:end], 0
	}
	c := m.captures[i]
	if c.size == position {
		return "", c.start + 1
	}
	return m.src[c.start : c.start+c.size], 0
}

// match matches pat[p:] at src[s:].
func (m *Matcher) match(s, p int) int {
	if m.depth++; m.depth > maxDepth {
		panic(ErrComplex)
	}
	s = m.sequence(s, p)
	m.depth--
	return s
}

// sequence is match without the count of the recursion.
func (m *Matcher) sequence(s, p int) int {
	for p < len(m.pat) {
		switch m.pat[p] {
		case '(':
			if p+1 < len(m.pat) && m.pat[p+1] == ')' {
				return m.open(s, p+2, position)
			}
			return m.open(s, p+1, unfinished)
		case ')':
			return m.close(s, p+1)
		case '$':
			if p+1 == len(m.pat) {
				if s == len(m.src) {
					return s
				}
				return -1
			}
		case '%':
			if p+1 < len(m.pat) {
				switch c := m.pat[p+1]; {
				case c == 'b':
					if s = m.balance(s, p+2); s < 0 {
						return -1
					}
					p += 4
					continue
				case c == 'f':
					end, ok := m.frontier(s, p+2)
					if !ok {
						return -1
					}
					p = end
					continue
				case c >= '0' && c <= '9':
					if s = m.backReference(s, c); s < 0 {
						return -1
					}
					p += 2
					continue
				}
			}
		}
		end := m.classEnd(p)
		quantifier := byte(0)
		if end < len(m.pat) {
			quantifier = m.pat[end]
		}
		switch quantifier {
		case '?':
			if s < len(m.src) && m.single(s, p, end) {
				if r := m.match(s+1, end+1); r >= 0 {
					return r
				}
			}
			p = end + 1
		case '*':
			return m.maxExpand(s, p, end)
		case '+':
			if s < len(m.src) && m.single(s, p, end) {
				return m.maxExpand(s+1, p, end)
			}
			return -1
		case '-':
			return m.minExpand(s, p, end)
		default:
			if s >= len(m.src) || !m.single(s, p, end) {
				return -1
			}
			s++
			p = end
		}
	}
	return s
}

func (m *Matcher) maxExpand(s, p, end int) int {
	i := 0
	for s+i < len(m.src) && m.single(s+i, p, end) {
		i++
	}
	if end+1 == len(m.pat) {
		return s + i // nothing follows: the longest is the match
	}
	for ; i >= 0; i-- {
		if r := m.match(s+i, end+1); r >= 0 {
			return r
		}
	}
	return -1
}

func (m *Matcher) minExpand(s, p, end int) int {
	for {
		if r := m.match(s, end+1); r >= 0 {
			return r
		}
		if s >= len(m.src) || !m.single(s, p, end) {
			return -1
		}
		s++
	}
}

func (m *Matcher) open(s, p, what int) int {
	if m.level >= MaxCaptures {
		panic(ErrCaptures)
	}
	m.captures[m.level] = capture{s, what}
	m.level++
	r := m.match(s, p)
	if r < 0 {
		m.level--
	}
	return r
}

func (m *Matcher) close(s, p int) int {
	i := m.level - 1
	for i >= 0 && m.captures[i].size != unfinished {
		i--
	}
	if i < 0 {
		panic(ErrPattern)
	}
	m.captures[i].size = s - m.captures[i].start
	r := m.match(s, p)
	if r < 0 {
		m.captures[i].size = unfinished
	}
	return r
}

func (m *Matcher) backReference(s int, c byte) int {
	i := int(c - '1')
	if i < 0 || i >= m.level || m.captures[i].size == unfinished {
		panic(ErrCapture)
	}
	n := max(m.captures[i].size, 0)
	start := m.captures[i].start
	if len(m.src)-s >= n && m.src[start:start+n] == m.src[s:s+n] {
		return s + n
	}
	return -1
}

// balance matches %bxy whose two bytes are at pat[p].
func (m *Matcher) balance(s, p int) int {
	if p+1 >= len(m.pat) {
		panic(ErrUnbalanced)
	}
	if s >= len(m.src) || m.src[s] != m.pat[p] {
		return -1
	}
	open, closing := m.pat[p], m.pat[p+1]
	depth := 1
	for i := s + 1; i < len(m.src); i++ {
		switch m.src[i] {
		case closing:
			if depth--; depth == 0 {
				return i + 1
			}
		case open:
			depth++
		}
	}
	return -1
}

// frontier matches %f whose set begins at pat[p]; it returns the end of the set.
func (m *Matcher) frontier(s, p int) (end int, ok bool) {
	if p >= len(m.pat) || m.pat[p] != '[' {
		panic(ErrFrontier)
	}
	end = m.classEnd(p)
	var prev, next byte
	if s > 0 {
		prev = m.src[s-1]
	}
	if s < len(m.src) {
		next = m.src[s]
	}
	return end, !m.inSet(prev, p, end-1) && m.inSet(next, p, end-1)
}

// classEnd is the end of the single-character class at pat[p].
func (m *Matcher) classEnd(p int) int {
	c := m.pat[p]
	p++
	switch c {
	case '%':
		if p >= len(m.pat) {
			panic(ErrEnds)
		}
		return p + 1
	case '[':
		if p < len(m.pat) && m.pat[p] == '^' {
			p++
		}
		for first := true; ; first = false {
			if p >= len(m.pat) {
				panic(ErrBracket)
			}
			c := m.pat[p]
			p++
			switch {
			case c == '%':
				if p >= len(m.pat) {
					panic(ErrBracket)
				}
				p++
			case c == ']' && !first:
				return p
			}
		}
	}
	return p
}

// single tells whether src[s] is in the class pat[p:end].
func (m *Matcher) single(s, p, end int) bool {
	c := m.src[s]
	switch m.pat[p] {
	case '.':
		return true
	case '%':
		return class(c, m.pat[p+1])
	case '[':
		return m.inSet(c, p, end-1)
	}
	return m.pat[p] == c
}

// inSet tells whether c is in the set pat[p:end+1], brackets included.
func (m *Matcher) inSet(c byte, p, end int) bool {
	found := true
	if m.pat[p+1] == '^' {
		found = false
		p++
	}
	for p++; p < end; p++ {
		switch {
		case m.pat[p] == '%':
			p++
			if class(c, m.pat[p]) {
				return found
			}
		case m.pat[p+1] == '-' && p+2 < end:
			if m.pat[p] <= c && c <= m.pat[p+2] {
				return found
			}
			p += 2
		case m.pat[p] == c:
			return found
		}
	}
	return !found
}

// classes has, for each byte, the classes that it is in: a bit for each lower-case letter.
var classes = func() (t [256]uint32) {
	for i := range t {
		c := byte(i)
		alpha, digit, graph := (c|0x20)-'a' < 26, c-'0' < 10, c > 0x20 && c < 0x7f
		for letter, in := range map[byte]bool{
			'a': alpha, 'c': c < 0x20 || c == 0x7f, 'd': digit, 'g': graph, 'l': c-'a' < 26,
			'p': graph && !alpha && !digit, 's': c == ' ' || c-'\t' < 5, 'u': c-'A' < 26, 'w': alpha || digit,
			'x': digit || (c|0x20)-'a' < 6, 'z': c == 0,
		} {
			if in {
				t[i] |= 1 << (letter - 'a')
			}
		}
	}
	return t
}()

// classLetters are the letters that stand for classes, from a on.
const classLetters = 1 | 1<<('c'-'a') | 1<<('d'-'a') | 1<<('g'-'a') | 1<<('l'-'a') | 1<<('p'-'a') | 1<<('s'-'a') |
	1<<('u'-'a') | 1<<('w'-'a') | 1<<('x'-'a') | 1<<('z'-'a')

// class tells whether c is in the class of a letter such as %a; an upper-case letter is the complement, anything else
// stands for itself.
func class(c, letter byte) bool {
	n := (letter | 0x20) - 'a'
	if n >= 26 || classLetters>>n&1 == 0 {
		return letter == c
	}
	return (classes[c]>>n&1 != 0) == (letter >= 'a')
}

// Plain tells whether a pattern has no magic characters, so that a plain search finds the same.
func Plain(pat string) bool {
	for i := 0; i < len(pat); i++ {
		switch pat[i] {
		case '^', '$', '*', '+', '?', '.', '(', ')', '[', ']', '%', '-':
			return false
		}
	}
	return true
}

// Whole is the text of the last match.
func (m *Matcher) Whole(start, end int) string { return m.src[start:end] }
