package http

import (
	"strings"

	"moongate/conf"
)

// Complex is a string with variables, compiled: nginx's complex value. The
// zero Complex is the empty string.
type Complex struct {
	// Text is the source, and the value if there are no variables.
	Text  string
	parts []Part
}

// Part is one of the things that a string with variables consists of: a
// variable if Var is set, else a capture ($1 … $9) if Capture is not zero, else
// the literal Lit.
type Part struct {
	Lit     string
	Var     *Variable
	Capture int
}

// Compile compiles a string of the configuration. Its variables must be
// defined when the configuration is complete.
func (m *MainConf) Compile(cf *conf.Conf, s string) (*Complex, error) {
	parts, err := m.Parts(cf, s)
	if err != nil {
		return nil, err
	}
	if len(parts) == 1 && parts[0].Lit != "" {
		parts = nil
	}
	return &Complex{Text: s, parts: parts}, nil
}

// Parts takes a string with variables apart: nginx's ngx_http_script_compile.
func (m *MainConf) Parts(cf *conf.Conf, s string) (parts []Part, err error) {
	for s != "" {
		i := strings.IndexByte(s, '$')
		switch {
		case i < 0:
			i = len(s)
			fallthrough
		case i > 0:
			parts = append(parts, Part{Lit: s[:i]})
			s = s[i:]
			continue
		}
		if len(s) > 1 && s[1] >= '1' && s[1] <= '9' {
			parts = append(parts, Part{Capture: int(s[1] - '0')})
			s = s[2:]
			continue
		}
		var name string
		if name, s, err = variableName(cf, s[1:]); err != nil {
			return nil, err
		}
		v, err := m.Variable(cf, name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, Part{Var: v})
	}
	return parts, nil
}

// variableName cuts the name that follows a "$", plain or in braces, from s.
func variableName(cf *conf.Conf, s string) (name, rest string, err error) {
	s, brace := strings.CutPrefix(s, "{")
	n := 0
	for n < len(s) && isNameByte(s[n]) {
		n++
	}
	name, rest = s[:n], s[n:]
	if brace && s != "" {
		if rest, brace = strings.CutPrefix(rest, "}"); !brace {
			return "", "", cf.Errorf(`the closing bracket in "%s" variable is missing`, name)
		}
	}
	if name == "" {
		return "", "", cf.Errorf("invalid variable name")
	}
	return name, rest, nil
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

func (p *Part) eval(r *Request) string {
	switch {
	case p.Var != nil:
		return p.Var.Value(r).S
	case p.Capture != 0:
		return r.Capture(p.Capture).S
	}
	return p.Lit
}

// Captures tells whether the value refers to captures.
func (c *Complex) Captures() bool {
	for i := range c.parts {
		if c.parts[i].Capture != 0 {
			return true
		}
	}
	return false
}

// CompileArg compiles an argument for directives that allow variables.
func CompileArg(cf *conf.Conf, s string) (*Complex, error) { return MainOf(cf).Compile(cf, s) }
