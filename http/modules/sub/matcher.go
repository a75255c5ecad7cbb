package sub

import (
	"slices"

	"moongate/http"
)

// matcher finds the first of several patterns in a text, ignoring the case of
// ASCII letters: the one that begins first and, of those that begin there, the
// one that is configured first. It skips over what cannot match as Horspool's
// algorithm does, by the byte at the length of the shortest pattern.
type matcher struct {
	// patterns are sorted by the byte at shortest-1, otherwise in the order of
	// the configuration.
	patterns []pattern
	shortest int
	// shift is how far to go on when a byte is seen at shortest-1; 0 for the
	// bytes that some pattern has there, patterns[first[c]:first[c+1]].
	shift [256]int
	first [257]int
}

// pattern is a text in lower case and what replaces it.
type pattern struct {
	text  string
	value *http.Complex
}

// newMatcher prepares the pairs whose patterns are not empty; it returns nil
// when there are none.
func newMatcher(pairs []pair, text func(*http.Complex) string) *matcher {
	m := &matcher{}
	for _, p := range pairs {
		if t := text(p.pattern); t != "" {
			m.patterns = append(m.patterns, pattern{t, p.value})
			if m.shortest == 0 || len(t) < m.shortest {
				m.shortest = len(t)
			}
		}
	}
	if len(m.patterns) == 0 {
		return nil
	}
	at := m.shortest - 1
	slices.SortStableFunc(m.patterns, func(a, b pattern) int { return int(a.text[at]) - int(b.text[at]) })
	for c := range m.shift {
		m.shift[c] = m.shortest
	}
	c := 0
	for i, p := range m.patterns {
		for j := range m.shortest {
			s := &m.shift[p.text[at-j]]
			*s = min(*s, j)
		}
		for ; c <= int(p.text[at]); c++ {
			m.first[c] = i
		}
	}
	for ; c < len(m.first); c++ {
		m.first[c] = len(m.patterns)
	}
	return m
}

// outcome is what find found.
type outcome uint8

const (
	matchNone    outcome = iota // nothing in the whole text
	matchPartial                // the text ends within a pattern that begins at the place
	matchFull
)

// find looks for the first pattern that skip does not exclude: pattern i at the
// byte at. Without a match at is the length of the text.
func (m *matcher) find(text []byte, skip func(int) bool) (at, i int, how outcome) {
	off := m.shortest - 1
	for off < len(text) {
		c := lowerByte(text[off])
		if s := m.shift[c]; s > 0 {
			off += s
			continue
		}
		at := off - m.shortest + 1
		for i := m.first[c]; i < m.first[int(c)+1]; i++ {
			if skip(i) {
				continue
			}
			if how := compare(text[at:], m.patterns[i].text); how != matchNone {
				return at, i, how
			}
		}
		off++
	}
	for at := off - m.shortest + 1; at < len(text); at++ {
		for i := range m.patterns {
			if !skip(i) && compare(text[at:], m.patterns[i].text) == matchPartial {
				return at, i, matchPartial
			}
		}
	}
	return len(text), 0, matchNone
}

// compare tells whether the text begins with a pattern, or the pattern with the
// text.
func compare(text []byte, p string) outcome {
	n := min(len(text), len(p))
	for i := range n {
		if lowerByte(text[i]) != p[i] {
			return matchNone
		}
	}
	if n < len(p) {
		return matchPartial
	}
	return matchFull
}

func lowerByte(c byte) byte {
	if c-'A' <= 'Z'-'A' {
		c |= 0x20
	}
	return c
}
