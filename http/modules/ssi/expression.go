package ssi

import (
	"strings"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/core/regex"
	"moongate/http"
)

// variable returns the value of a variable, the page's own before the server's.
// The name is in lower case.
func (x *ctx) variable(name string) (string, bool) {
	p := x.page
	if len(name) == 1 && name[0]-'0' <= 9 {
		if i := 2 * int(name[0]-'0'); i+1 < len(p.captures) {
			if p.captures[i] < 0 {
				return "", true
			}
			return p.subject[p.captures[i]:p.captures[i+1]], true
		}
	}
	if v, ok := p.vars[name]; ok {
		return v, true
	}
	v, _ := x.r.Lookup(name)
	return v.S, v.Found
}

// evaluate replaces the variables in a text and drops the backslashes before
// \ ' " and $. With path, what does not begin with a slash is relative to the
// page. It reports false for a mistake, which was logged.
func (x *ctx) evaluate(text string, path bool) (string, bool) {
	var b []byte
	literal := text
	for text != "" {
		if text[0] != '$' {
			n := literalEnd(text)
			b = appendUnquoted(b, text[:n])
			text = text[n:]
			continue
		}
		name, rest, ok := x.variableName(text, literal)
		if !ok {
			return "", false
		}
		value, _ := x.variable(strings.ToLower(name))
		b = append(b, value...)
		text = rest
	}
	if path && (len(b) > 0 || !strings.Contains(literal, "$")) && (len(b) == 0 || b[0] != '/') {
		folder := x.r.URI[:strings.LastIndexByte(x.r.URI, '/')+1]
		return x.r.Pool.Concat(folder, buf.String(b)), true
	}
	return buf.String(b), true
}

// literalEnd is the length of the text before the next variable.
func literalEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '$':
			return i
		}
	}
	return len(s)
}

func appendUnquoted(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\\' {
			if i++; i == len(s) {
				break
			}
			if c = s[i]; c != '\\' && c != '\'' && c != '"' && c != '$' {
				b = append(b, '\\')
			}
		}
		b = append(b, c)
	}
	return b
}

// variableName reads the variable that s begins with.
func (x *ctx) variableName(s, text string) (name, rest string, ok bool) {
	start := 1
	brace := strings.HasPrefix(s, "${")
	if brace {
		start++
	}
	end := start
	for end < len(s) && (s[end] == '_' || s[end]-'0' <= 9 || (s[end]|0x20)-'a' <= 'z'-'a') {
		end++
	}
	name, rest = s[start:end], s[end:]
	switch {
	case brace && start < len(s) && !strings.HasPrefix(rest, "}"):
		x.r.Error(`the closing bracket in "%s" variable is missing`, name)
		return "", "", false
	case name == "":
		x.r.Error(`invalid variable name in "%s"`, text)
		return "", "", false
	case brace:
		rest = rest[1:]
	}
	return name, rest, true
}

// condition is "if" and "elif".
func (x *ctx) condition(args []*string, _ http.Next) (bool, error) {
	if string(x.scan.command) == "if" && x.conditional != 0 {
		x.r.Error(`the "if" command inside the "if" command`)
		return false, nil
	}
	if x.chosen {
		x.output = false
		return true, nil
	}
	truth, ok := x.test(*args[0])
	if !ok {
		return false, nil
	}
	x.output = truth
	x.chosen = x.chosen || truth
	x.conditional = afterIf
	return true, nil
}

// test evaluates "text", "text = text", "text != text", "text = /regex/" and
// "text != /regex/".
func (x *ctx) test(expr string) (truth, ok bool) {
	n := 0
	for n < len(expr) && isLeft(expr[n]) {
		n++
	}
	left, ok := x.evaluate(strings.ToLower(expr[:n]), false)
	if !ok {
		return false, false
	}
	rest := strings.TrimLeft(expr[n:], " ")
	if rest == "" {
		return left != "", true
	}
	rest, negative := strings.CutPrefix(rest, "!")
	rest, ok = strings.CutPrefix(rest, "=")
	if !ok {
		x.r.Error(`invalid expression in "%s"`, expr)
		return false, false
	}
	rest = strings.TrimLeft(rest, " ")
	var same bool
	if len(rest) > 1 && rest[0] == '/' {
		pattern, closed := strings.CutSuffix(rest[1:], "/")
		if !closed {
			x.r.Error(`invalid expression in "%s"`, expr)
			return false, false
		}
		if pattern, ok = x.evaluate(pattern, false); !ok {
			return false, false
		}
		if same, ok = x.match(pattern, left); !ok {
			return false, false
		}
	} else {
		if len(rest) > 1 && strings.HasPrefix(rest, `\/`) {
			rest = rest[1:]
		}
		right, ok := x.evaluate(rest, false)
		if !ok {
			return false, false
		}
		same = left == right
	}
	return same != negative, true
}

// isLeft reports whether a byte may be in the left side of an expression.
func isLeft(c byte) bool {
	return (c|0x20)-'a' <= 'z'-'a' || c-'0' <= 9 || strings.IndexByte(`${}_"'`, c) >= 0
}

// maxRegexes bounds the expressions that are kept compiled.
const maxRegexes = 64

// compile returns a regular expression, compiled before if it was used lately.
func (m *mainConf) compile(pattern string) (*regex.Regex, error) {
	if re := m.regexes[pattern]; re != nil {
		return re, nil
	}
	if m.vm == nil {
		m.vm, m.regexes = regex.NewVM(regex.DefaultLimits), map[string]*regex.Regex{}
	}
	re, err := m.vm.Compile(pattern, 0)
	if err != nil {
		return nil, err
	}
	if len(m.regexes) == maxRegexes {
		for p, old := range m.regexes {
			old.Close()
			delete(m.regexes, p)
			break
		}
	}
	m.regexes[re.Pattern()] = re
	return re, nil
}

// match matches s with a regular expression, whose groups become variables.
func (x *ctx) match(pattern, s string) (matched, ok bool) {
	re, err := mainSlot.Of(x.r.Scope).compile(pattern)
	if err != nil {
		x.r.Error("%s", err)
		return false, false
	}
	captures := make([]int, 2*(re.NumGroups()+1))
	switch n := re.MatchString(s, 0, captures); {
	case n == regex.NoMatch:
		return false, true
	case n < 0:
		x.r.Logf(log.Alert, nil, "%s", re.MatchError(n, s))
		return false, false
	default:
		captures = captures[:min(2*n, len(captures))]
	}
	x.page.captures, x.page.subject = captures, s
	for _, name := range re.Names() {
		for _, i := range name.Numbers {
			if 2*i+1 < len(captures) && captures[2*i] >= 0 {
				x.page.vars[strings.ToLower(name.Name)] = s[captures[2*i]:captures[2*i+1]]
			}
		}
	}
	return true, true
}
