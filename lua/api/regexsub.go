package api

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// reSub is ngx.re.sub and ngx.re.gsub(subject, regex, replace, options?).
func (c *Ctx) reSub(l *lua.LState, global bool) int {
	subj := subject(l, 1)
	p := readPattern(l, 2, 4)
	replace, err := c.replacement(l)
	if err != "" {
		return noMatch(l, 2, err)
	}
	var b []byte
	count, copied, pos := 0, 0, 0
	for {
		m, ok, err := c.exec(p, subj, pos)
		if err != "" {
			return noMatch(l, 2, err)
		}
		if !ok {
			break
		}
		count++
		from, to := m.vec[0], m.vec[1]
		b = append(b, subj[copied:from]...)
		b = replace(b, &m)
		c.Engine.regex.putVector(m.vec)
		copied, pos = to, to
		if from == to {
			pos++
		}
		if !global || pos > len(subj) {
			break
		}
	}
	if count == 0 {
		l.Push(lua.LString(subj))
		l.Push(zero)
		return 2
	}
	l.Push(lua.LString(append(b, subj[copied:]...)))
	l.Push(vm.Number(count))
	return 2
}

// replacement is what appends the replacement of a match: a function's result or a template.
func (c *Ctx) replacement(l *lua.LState) (func(b []byte, m *found) []byte, string) {
	fn, ok := l.Get(3).(*lua.LFunction)
	if ok {
		return func(b []byte, m *found) []byte {
			l.Push(fn)
			l.Push(m.table(l, nil))
			vm.Call(l, 1, 1)
			v := l.Get(-1)
			l.Pop(1)
			if s, ok := vm.ToString(v); ok {
				return append(b, s...)
			}
			return append(b, vm.ThreadOf(l).VM().Display(l, v)...)
		}, ""
	}
	parts, err := parseTemplate(subject(l, 3))
	if err != "" {
		c.Logf(logError, "%s", err)
		return nil, "failed to compile the replacement template"
	}
	return func(b []byte, m *found) []byte {
		for _, p := range parts {
			if p.group < 0 {
				b = append(b, p.text...)
			} else if s, ok := m.group(p.group).(lua.LString); ok {
				b = append(b, s...)
			}
		}
		return b
	}, ""
}

// templatePart is a piece of text, or a group when group is not negative.
type templatePart struct {
	text  string
	group int
}

// parseTemplate parses a replacement: $1, ${1}, $& and $$ (ngx_http_lua_compile_complex_value).
func parseTemplate(s string) (parts []templatePart, err string) {
	invalid := `lua script: invalid capturing variable name found in "` + s + `"`
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			if s != "" {
				parts = append(parts, templatePart{s, -1})
			}
			return parts, ""
		}
		if i > 0 {
			parts = append(parts, templatePart{s[:i], -1})
		}
		s = s[i+1:]
		switch {
		case s == "":
			return nil, invalid
		case s[0] == '$':
			parts = append(parts, templatePart{"$", -1})
			s = s[1:]
			continue
		case s[0] == '&':
			parts = append(parts, templatePart{group: 0})
			s = s[1:]
			continue
		}
		brace := s[0] == '{'
		if brace {
			s = s[1:]
		}
		if s == "" {
			return nil, invalid
		}
		n := 0
		for n < len(s) && isWord(s[n]) {
			n++
		}
		name := s[:n]
		s = s[n:]
		if brace {
			if s == "" || s[0] != '}' {
				return nil, `the closing bracket in "` + name + `" variable is missing`
			}
			s = s[1:]
		}
		digits := 0
		for digits < len(name) && name[digits] >= '0' && name[digits] <= '9' {
			digits++
		}
		switch {
		case name == "":
			return nil, invalid
		case digits == 0 || brace && digits < len(name):
			return nil, `attempt to use named capturing variable "` + name + `" (named captures not supported yet)`
		}
		group, _ := strconv.Atoi(name[:min(digits, 6)])
		parts = append(parts, templatePart{group: group})
		s = name[digits:] + s
	}
}

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
}
