package api

import (
	"bytes"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// untilPattern is what an iterator of sock:receiveuntil looks for, with the state of its search (the automaton of
// Knuth, Morris and Pratt): the first state bytes of the pattern were seen last, and not given out yet.
type untilPattern struct {
	text      string
	inclusive bool
	// fail[n] is the length of the longest proper prefix of text[:n] that is a suffix of it.
	fail  []int
	state int
	// over: the pattern was found by a call with a size; the next call says so.
	over bool
	// limit and left are the size that the running call was given, 0 for none, and what is left of it.
	limit, left int
}

func newUntilPattern(text string, inclusive bool) *untilPattern {
	p := &untilPattern{text: text, inclusive: inclusive, fail: make([]int, len(text)+1)}
	for i, k := 1, 0; i < len(text); i++ {
		for k > 0 && text[i] != text[k] {
			k = p.fail[k]
		}
		if text[i] == text[k] {
			k++
		}
		p.fail[i+1] = k
	}
	return p
}

// tcpReceiveUntil is sock:receiveuntil(pattern, options?): it returns an iterator.
func tcpReceiveUntil(l *lua.LState) int {
	countArgs(l, 2, 3, "expecting 2 or 3 arguments (including the object), but got %d")
	ctxOf(l).debugf("lua tcp socket calling receiveuntil() method")
	inclusive := false
	if l.GetTop() == 3 {
		switch v := l.GetField(vm.CheckTable(l, 3), "inclusive").(type) {
		case *lua.LNilType:
		case lua.LBool:
			inclusive = bool(v)
		default:
			vm.Errorf(l, `bad "inclusive" option value type: %s`, vm.TypeName(v))
		}
	}
	t := vm.CheckTable(l, 1)
	text := vm.CheckString(l, 2)
	if text == "" {
		return fail(l, "pattern is empty")
	}
	p := newUntilPattern(text, inclusive)
	return ret(l, l.NewFunction(func(l *lua.LState) int { return p.next(l, t) }))
}

// next is the iterator: iterator(size?).
func (p *untilPattern) next(l *lua.LState, t *lua.LTable) int {
	countArgs(l, 0, 1, "expecting 0 or 1 argument, but seen %d")
	size := 0
	if l.GetTop() == 1 {
		size = max(vm.CheckInt(l, 1), 0)
	}
	var s *tcpSock
	if u, ok := t.RawGetInt(1).(*lua.LUserData); ok {
		s, _ = u.Value.(*tcpSock)
	}
	if s.absent() || s.readClosed {
		return fail(l, textClosed)
	}
	if n, ok := s.startRead(ctxOf(l), l); !ok {
		return n
	}
	if p.over {
		p.over = false
		for range 3 {
			l.Push(lua.LNil)
		}
		return 3
	}
	p.limit, p.left = size, size
	s.c.debugf("lua tcp socket receiveuntil iterator")
	return s.read(l, p)
}

func (*untilPattern) trace() string { return "lua tcp socket read until" }

// switchPattern gives the bytes back that an unfinished search for another pattern has swallowed.
func (s *tcpSock) switchPattern(r reader) {
	p := s.until
	s.until, _ = r.(*untilPattern)
	if p == nil || p == s.until || p.state == 0 {
		return
	}
	seen := p.text[:p.state]
	p.state = 0
	if s.rd >= len(seen) {
		s.rd -= copy(s.in[s.rd-len(seen):], seen)
		return
	}
	in := append([]byte(seen), s.in[s.rd:s.wr]...)
	if len(in) <= len(s.in) {
		s.rd, s.wr = 0, copy(s.in, in)
		return
	}
	s.dropInput()
	s.in, s.wr = in, len(in)
}

func (p *untilPattern) rest(*input) int { return -1 }

// consume implements reader. A limited call may give out a few bytes more than its size: what turns out not to be the
// pattern is not divided.
func (p *untilPattern) consume(s *input, eof bool) status {
	if eof {
		return broken
	}
	for s.rd < s.wr {
		if p.state == 0 && !p.skip(s) {
			continue
		}
		if p.limit > 0 && p.left == 0 {
			return complete
		}
		if p.step(s) {
			return complete
		}
	}
	return needsMore
}

// skip gives out the bytes before the next one that the pattern begins with, and tells whether there is one, or the
// limit was reached.
func (p *untilPattern) skip(s *input) bool {
	in := s.in[s.rd:s.wr]
	n := bytes.IndexByte(in, p.text[0])
	found := n >= 0
	if !found {
		n = len(in)
	}
	if p.limit > 0 && n >= p.left {
		n, found = p.left, true
	}
	p.left -= n
	s.acc = append(s.acc, in[:n]...)
	s.rd += n
	return found
}

// step takes one byte that continues the pattern or does not, and tells whether the call is complete.
func (p *untilPattern) step(s *input) bool {
	c := s.in[s.rd]
	if c == p.text[p.state] {
		s.rd++
		if p.state++; p.state < len(p.text) {
			return false
		}
		p.state = 0
		p.over = p.limit > 0
		if p.inclusive {
			s.acc = append(s.acc, p.text...)
		}
		return true
	}
	old := p.state
	k := p.fail[old]
	for k > 0 && p.text[k] != c {
		k = p.fail[k]
	}
	emitted := old - k
	if k > 0 {
		s.rd++
		p.state = k + 1
	} else {
		p.state = 0
	}
	s.acc = append(s.acc, p.text[:emitted]...)
	if p.limit == 0 {
		return false
	}
	p.left -= min(emitted, p.left)
	return p.left == 0
}
