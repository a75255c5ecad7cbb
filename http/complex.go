package http

import (
	"moongate/conf"
)

// Complex is a string with variables, compiled: nginx's complex value. The
// zero Complex is the empty string.
type Complex struct {
	// Text is the source, and the value if there are no variables.
	Text  string
	parts []part
}

// part is a literal, a variable or a capture ($1 … $9).
type part struct {
	lit     string
	v       *Variable
	capture int
}

// Compile compiles a string of the configuration. Its variables must be
// defined when the configuration is complete.
func (m *MainConf) Compile(cf *conf.Conf, s string) (*Complex, error) {
	c := &Complex{Text: s}
	lit := 0
	flush := func(end int) {
		if end > lit {
			c.parts = append(c.parts, part{lit: s[lit:end]})
		}
	}
	for i := 0; i < len(s); {
		if s[i] != '$' {
			i++
			continue
		}
		name, next, err := variableName(cf, s, i+1)
		if err != nil {
			return nil, err
		}
		flush(i)
		p := part{}
		if len(name) == 1 && name[0] >= '1' && name[0] <= '9' {
			p.capture = int(name[0] - '0')
		} else if p.v, err = m.Variable(cf, name); err != nil {
			return nil, err
		}
		c.parts = append(c.parts, p)
		i, lit = next, next
	}
	if len(c.parts) > 0 {
		flush(len(s))
	}
	return c, nil
}

// variableName reads the name that follows a $ at s[i-1], plain or in braces.
func variableName(cf *conf.Conf, s string, i int) (name string, next int, err error) {
	if i < len(s) && s[i] >= '1' && s[i] <= '9' {
		return s[i : i+1], i + 1, nil
	}
	brace := i < len(s) && s[i] == '{'
	if brace {
		i++
	}
	j := i
	for j < len(s) && isNameByte(s[j]) {
		j++
	}
	if brace {
		if j >= len(s) || s[j] != '}' {
			return "", 0, cf.Errorf(`the closing bracket in "%s" variable is missing`, s[i:j])
		}
		if j == i {
			return "", 0, cf.Errorf(`invalid variable name in "%s"`, s)
		}
		return s[i:j], j + 1, nil
	}
	if j == i {
		return "", 0, cf.Errorf(`invalid variable name in "%s"`, s)
	}
	return s[i:j], j, nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// Static reports whether the value is the same for all requests.
func (c *Complex) Static() bool { return len(c.parts) == 0 }

// Eval computes the string. It lives as long as the request.
func (c *Complex) Eval(r *Request) string {
	switch len(c.parts) {
	case 0:
		return c.Text
	case 1:
		return c.parts[0].eval(r)
	}
	var few [8]string
	strs, n := few[:0], 0
	for i := range c.parts {
		s := c.parts[i].eval(r)
		n += len(s)
		strs = append(strs, s)
	}
	return r.Pool.Concat(strs...)
}

func (p *part) eval(r *Request) string {
	switch {
	case p.v != nil:
		return p.v.Value(r).S
	case p.capture != 0:
		return r.Capture(p.capture).S
	}
	return p.lit
}

// Captures tells whether the value refers to captures.
func (c *Complex) Captures() bool {
	for i := range c.parts {
		if c.parts[i].capture != 0 {
			return true
		}
	}
	return false
}

// CompileArg compiles an argument for directives that allow variables.
func CompileArg(cf *conf.Conf, s string) (*Complex, error) { return MainOf(cf).Compile(cf, s) }
