package api

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// feed gives pieces of input to a reader until it is satisfied, and returns how far it came and what it took.
func feed(s *input, r reader, pieces []string) (status, string, []string) {
	s.acc = s.acc[:0]
	for {
		if s.rd == s.wr {
			if len(pieces) == 0 {
				return needsMore, string(s.acc), nil
			}
			s.in = []byte(pieces[0])
			s.rd, s.wr = 0, len(s.in)
			pieces = pieces[1:]
			continue
		}
		if st := r.consume(s, false); st != needsMore {
			return st, string(s.acc), pieces
		}
	}
}

// cut divides text at random.
func cut(t *rapid.T, text string) (pieces []string) {
	for len(text) > 0 {
		n := rapid.IntRange(1, len(text)).Draw(t, "piece")
		pieces = append(pieces, text[:n])
		text = text[n:]
	}
	return pieces
}

// TestUntil compares receiveuntil with a search in the whole text.
func TestUntil(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 60, -1)
		text := letters.Draw(t, "text")
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 1, 6, -1).Draw(t, "pattern")
		inclusive := rapid.Bool().Draw(t, "inclusive")
		p := newUntilPattern(pattern, inclusive)
		s := &input{}
		pieces := cut(t, text)
		for rest := text; ; {
			st, got, left := feed(s, p, pieces)
			pieces = left
			at := strings.Index(rest, pattern)
			if at < 0 {
				// What may yet become the pattern is kept back.
				if st != needsMore || got+pattern[:p.state] != rest {
					t.Fatalf("took %q and keeps %d bytes of %q", got, p.state, rest)
				}
				return
			}
			want := rest[:at]
			if inclusive {
				want += pattern
			}
			if st != complete || got != want {
				t.Fatalf("took %q, want %q", got, want)
			}
			rest = rest[at+len(pattern):]
		}
	})
}

// TestUntilLimited reads up to a pattern in pieces of a size, which may be too long by less than the pattern.
func TestUntilLimited(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 0, 60, -1).Draw(t, "text")
		pattern := rapid.StringOfN(rapid.RuneFrom([]rune("ab")), 1, 6, -1).Draw(t, "pattern")
		size := rapid.IntRange(1, 10).Draw(t, "size")
		p := newUntilPattern(pattern, false)
		s := &input{}
		pieces, all := cut(t, text), ""
		for !p.over {
			p.limit, p.left = size, size
			st, got, left := feed(s, p, pieces)
			pieces = left
			all += got
			if len(got) >= size+len(pattern) {
				t.Fatalf("a piece of %d bytes", len(got))
			}
			if st == needsMore {
				break
			}
		}
		if before, _, found := strings.Cut(text, pattern); found != p.over || found && all != before {
			t.Fatalf("read %q, found %v", all, p.over)
		}
	})
}

// TestSwitchPattern: what a search has swallowed is there for the next read.
func TestSwitchPattern(t *testing.T) {
	p := newUntilPattern("abcd", false)
	s := &tcpSock{bufLen: 16}
	feed(&s.input, p, []string{"xabc"})
	s.until = p
	s.switchPattern(lineReader{})
	if got := string(s.in[s.rd:s.wr]); got != "abc" {
		t.Errorf("in the buffer: %q", got)
	}
	if p.state != 0 {
		t.Error("the pattern keeps its state")
	}
}

func TestReaders(t *testing.T) {
	tests := []struct {
		r      reader
		pieces []string
		st     status
		want   string
	}{
		{lineReader{}, []string{"a\rb", "c\r\nnext"}, complete, "abc"},
		{lineReader{}, []string{"abc"}, needsMore, "abc"},
		{&sizeReader{left: 4}, []string{"ab", "cdef"}, complete, "abcd"},
		{anyReader{max: 2}, []string{"abc"}, complete, "ab"},
		{allReader{}, []string{"ab", "cd"}, needsMore, "abcd"},
	}
	for _, c := range tests {
		if st, got, _ := feed(&input{}, c.r, c.pieces); st != c.st || got != c.want {
			t.Errorf("%T: %v, %q", c.r, st, got)
		}
	}
}

func FuzzUntil(f *testing.F) {
	f.Add("aabaabaaab", "aabaaa", 3)
	f.Add("\r\n--x\r\n-", "\r\n--", 1)
	f.Fuzz(func(t *testing.T, text, pattern string, at int) {
		if pattern == "" || at < 0 || at > len(text) {
			return
		}
		s, p := &input{}, newUntilPattern(pattern, false)
		st, got, _ := feed(s, p, []string{text[:at], text[at:]})
		before, _, found := strings.Cut(text, pattern)
		if found != (st == complete) || found && got != before {
			t.Errorf("%q in %q: %v, %q", pattern, text, st, got)
		}
	})
}
