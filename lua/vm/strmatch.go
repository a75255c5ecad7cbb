package vm

import (
	"strings"
	"unsafe"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/pattern"
)

// matcher takes a pattern matcher from the VM's stock: a gsub callback may start another match. One that meets an error
// need not come back.
func (v *VM) matcher(src, pat string) *pattern.Matcher {
	var m *pattern.Matcher
	if n := len(v.matchers); n > 0 {
		m, v.matchers = v.matchers[n-1], v.matchers[:n-1]
	} else {
		m = new(pattern.Matcher)
	}
	m.Reset(src, pat)
	return m
}

func (v *VM) release(m *pattern.Matcher) {
	m.Reset("", "")
	v.matchers = append(v.matchers, m)
}

// locate is m.Find(s), or m.Match(s) for an anchored pattern, with the faults of the pattern raised as Lua errors. The
// recover is here, and not around callbacks too, because errors of callbacks would be recovered and raised anew at each
// level of a recursion.
func locate(l *lua.LState, m *pattern.Matcher, s int, anchored bool) (start, end int) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(pattern.Error); ok {
				Errorf(l, "%s", string(e))
			}
			panic(r)
		}
	}()
	if anchored {
		return s, m.Match(s)
	}
	return m.Find(s)
}

// pushCapture pushes capture i of a match of src[start:end].
func pushCapture(l *lua.LState, m *pattern.Matcher, i, start, end int) {
	text, pos := m.Capture(i, start, end)
	if pos > 0 {
		l.Push(Number(pos))
	} else {
		l.Push(part(text))
	}
}

// start is the position, from 0, that the init argument of a search means; -1 beyond the subject.
func start(init, n int) int {
	switch {
	case init > 0:
		init--
	case init < 0:
		init = max(n+init, 0)
	}
	if init > n {
		return -1
	}
	return init
}

func (v *VM) strFind(l *lua.LState) int {
	src, pat := CheckString(l, 1), CheckString(l, 2)
	init := start(OptInt(l, 3, 1), len(src))
	if init < 0 {
		l.Push(lua.LNil)
		return 1
	}
	if l.ToBool(4) || pattern.Plain(pat) {
		i := strings.Index(src[init:], pat)
		if i < 0 {
			l.Push(lua.LNil)
			return 1
		}
		l.Push(Number(init + i + 1))
		l.Push(Number(init + i + len(pat)))
		return 2
	}
	return v.search(l, src, pat, init, true)
}

func (v *VM) strMatch(l *lua.LState) int {
	src, pat := CheckString(l, 1), CheckString(l, 2)
	init := start(OptInt(l, 3, 1), len(src))
	if init < 0 {
		l.Push(lua.LNil)
		return 1
	}
	return v.search(l, src, pat, init, false)
}

// search pushes the captures of the first match, after its range if that is asked for.
func (v *VM) search(l *lua.LState, src, pat string, init int, ranged bool) int {
	anchored := strings.HasPrefix(pat, "^")
	if anchored {
		pat = pat[1:]
	}
	m := v.matcher(src, pat)
	s, e := locate(l, m, init, anchored)
	if e < 0 {
		v.release(m)
		l.Push(lua.LNil)
		return 1
	}
	n := m.Captures(!ranged)
	extra := 0
	if ranged {
		l.Push(v.number(float64(s + 1)))
		l.Push(v.number(float64(e)))
		extra = 2
	}
	for i := range n {
		pushCapture(l, m, i, s, e)
	}
	v.release(m)
	return n + extra
}

func (v *VM) strGmatch(l *lua.LState) int {
	src, pat := CheckString(l, 1), CheckString(l, 2)
	pos := 0
	l.Push(l.NewFunction(func(l *lua.LState) int {
		m := v.matcher(src, pat)
		defer v.release(m)
		s, e := 0, -1
		if pos <= len(src) {
			s, e = locate(l, m, pos, false)
		}
		if e < 0 {
			pos = len(src) + 1
			l.Push(lua.LNil)
			return 1
		}
		pos = e
		if e == s {
			pos++
		}
		n := m.Captures(true)
		for i := range n {
			pushCapture(l, m, i, s, e)
		}
		return n
	}))
	return 1
}

func (v *VM) strGsub(l *lua.LState) int {
	src, pat := CheckString(l, 1), CheckString(l, 2)
	repl := l.Get(3)
	if _, ok := ToString(repl); !ok && repl.Type() != lua.LTFunction && repl.Type() != lua.LTTable {
		ArgError(l, 3, "string/function/table expected")
	}
	limit := OptInt(l, 4, len(src)+1)
	anchored := strings.HasPrefix(pat, "^")
	if anchored {
		pat = pat[1:]
	}
	m := v.matcher(src, pat)
	defer v.release(m)
	var out []byte
	done, n, s := 0, 0, 0 // src[:done] is in out
	for n < limit && s <= len(src) {
		from, e := locate(l, m, s, anchored)
		if e < 0 {
			break
		}
		n++
		if r, ok := v.replacement(l, m, repl, from, e); ok {
			if out == nil {
				out = make([]byte, 0, len(src)+len(r))
			}
			out = append(append(out, src[done:from]...), r...)
			done = e
			if len(out) > v.opts.MaxString {
				raiseMemory(l)
			}
		}
		if s = e; e == from {
			s++
		}
		if anchored {
			break
		}
	}
	if out == nil {
		l.Push(lua.LString(src))
	} else {
		out = append(out, src[done:]...)
		l.Push(lua.LString(unsafe.String(unsafe.SliceData(out), len(out))))
	}
	l.Push(Number(n))
	return 2
}

// replacement is what gsub puts in place of a match; false leaves the match as it is.
func (v *VM) replacement(l *lua.LState, m *pattern.Matcher, repl lua.LValue, s, e int) (string, bool) {
	var value lua.LValue
	switch r := repl.(type) {
	case *lua.LFunction:
		l.Push(r)
		n := m.Captures(true)
		for i := range n {
			pushCapture(l, m, i, s, e)
		}
		Call(l, n, 1)
		value = pop(l)
	case *lua.LTable:
		pushCapture(l, m, 0, s, e)
		value = l.GetTable(r, l.Get(-1))
		l.Pop(1)
	default:
		text, _ := ToString(repl)
		return expand(l, m, text, s, e), true
	}
	if !lua.LVAsBool(value) {
		return "", false
	}
	text, ok := ToString(value)
	if !ok {
		Errorf(l, "invalid replacement value (a %s)", TypeName(value))
	}
	return text, true
}

// expand fills %0 to %9 of a replacement string in.
func expand(l *lua.LState, m *pattern.Matcher, repl string, s, e int) string {
	i := strings.IndexByte(repl, '%')
	if i < 0 {
		return repl
	}
	b := []byte(repl[:i])
	for ; i < len(repl); i++ {
		c := repl[i]
		if c != '%' || i+1 == len(repl) {
			b = append(b, c)
			continue
		}
		i++
		c = repl[i]
		switch {
		case c == '0':
			b = append(b, m.Whole(s, e)...)
		case c >= '1' && c <= '9':
			if int(c-'1') >= m.Captures(true) {
				Errorf(l, "%s", string(pattern.ErrCapture))
			}
			text, pos := m.Capture(int(c-'1'), s, e)
			if pos > 0 {
				b = AppendNumber(b, float64(pos))
			}
			b = append(b, text...)
		default:
			b = append(b, c)
		}
	}
	return string(b)
}
