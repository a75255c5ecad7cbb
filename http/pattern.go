package http

import (
	"errors"
	"runtime"

	"moongate/conf"
	"moongate/core/regex"
)

// Regex is a regular expression of the configuration. Its named groups are
// variables: nginx's ngx_http_regex_t.
type Regex struct {
	re   *regex.Regex
	vars []captureVar
	pool *regexPool
}

// regexPool is where the expressions of one configuration are compiled. Their
// memory is not Go's: it is given back when neither the configuration nor any
// of them is in use any more, in the master after each reload.
type regexPool struct{ vm *regex.VM }

func newRegexPool() *regexPool {
	p := &regexPool{regex.NewVM(regex.DefaultLimits)}
	runtime.AddCleanup(p, (*regex.VM).Close, p.vm)
	return p
}

// captureVar is the variable that a named group sets. Several groups may share
// a name; the one that took part in the match counts.
type captureVar struct {
	v      *Variable
	groups []int
}

// CompileRegex compiles a regular expression and defines the variables that
// its named groups set: nginx's ngx_http_regex_compile.
func (m *MainConf) CompileRegex(cf *conf.Conf, pattern string, options regex.Options) (*Regex, error) {
	x, err := m.compile(cf, pattern, options)
	if err != nil {
		return nil, err
	}
	for _, n := range x.re.Names() {
		if _, err := m.AddVariable(cf, Variable{Name: n.Name, Changeable: true, Get: notFound}); err != nil {
			return nil, err
		}
		v, err := m.Variable(cf, n.Name)
		if err != nil {
			return nil, err
		}
		x.vars = append(x.vars, captureVar{v, n.Numbers})
	}
	return x, nil
}

// compile compiles a regular expression whose groups nobody asks for.
func (m *MainConf) compile(cf *conf.Conf, pattern string, options regex.Options) (*Regex, error) {
	if m.regexes == nil {
		m.regexes = newRegexPool()
	}
	re, err := m.regexes.vm.Compile(pattern, options)
	if err != nil {
		return nil, cf.Errorf("%s", err)
	}
	return &Regex{re: re, pool: m.regexes}, nil
}

// notFound is the getter of variables that only have a value once something
// assigned one.
func notFound(*Request, any) Value { return Value{} }

// Pattern returns the source of the expression.
func (x *Regex) Pattern() string { return x.re.Pattern() }

// groups returns the number of groups.
func (x *Regex) groups() int { return x.re.NumGroups() }

// Match reports whether s matches, without setting captures. The error is in
// nginx's words, for an alert.
func (x *Regex) Match(s string) (bool, error) { return x.result(x.re.MatchString(s, 0, nil), s) }

func (x *Regex) result(n int, s string) (bool, error) {
	switch {
	case n >= 0:
		return true, nil
	case n == regex.NoMatch:
		return false, nil
	}
	return false, errors.New(x.re.MatchError(n, s))
}

// Exec matches s, which must live as long as the request. Upon a match it sets
// the request's captures and the variables of the named groups: nginx's
// ngx_http_regex_exec. The error is as with Match.
func (x *Regex) Exec(r *Request, s string) (bool, error) {
	groups := x.groups()
	if groups == 0 {
		ok, err := x.Match(s)
		if ok {
			r.Captures, r.CapturesData = r.Captures[:0], s
		}
		return ok, err
	}
	var few [2 * 16]int
	pairs := few[:]
	if n := 2 * (groups + 1); n > len(pairs) {
		pairs = make([]int, n)
	}
	n := x.re.MatchString(s, 0, pairs)
	if ok, err := x.result(n, s); !ok {
		return false, err
	}
	for i := range x.vars {
		c := &x.vars[i]
		val := Val("")
		for _, g := range c.groups {
			if pairs[2*g] >= 0 {
				val.S = s[pairs[2*g]:pairs[2*g+1]]
			}
		}
		r.vars[c.v.index] = cached{Value: val, known: true}
	}
	r.Captures = append(r.Captures[:0], pairs[:2*n]...)
	r.CapturesData = s
	return true, nil
}
