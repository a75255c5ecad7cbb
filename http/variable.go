package http

import (
	"strings"

	"moongate/conf"
)

// Value is what a variable holds for a request. The zero Value is "not found",
// which prints as an empty string.
type Value struct {
	S string
	// Found: the variable has a value, though it may be empty.
	Found bool
}

// Val makes a found value.
func Val(s string) Value { return Value{s, true} }

// Getter computes a variable; data is the variable's own parameter.
type Getter func(r *Request, data any) Value

// Variable describes a variable. Getters run lazily: when the variable is
// first used in a request, and again at each use if it is Volatile.
type Variable struct {
	Name string
	Get  Getter
	// Set, if not nil, takes assignments (for $limit_rate and $args);
	// otherwise an assignment replaces the cached value.
	Set  func(r *Request, v Value, data any)
	Data any
	// Changeable: "set", "map", … may define the variable again.
	Changeable bool
	// Volatile: the value is not cached (nginx: no cacheable).
	Volatile bool
	// Prefix: Name is a prefix, the rest of the name is the getter's data.
	Prefix bool
	// Weak: another definition takes precedence.
	Weak bool

	index int
}

// Index returns the variable's place in the requests' caches.
func (v *Variable) Index() int { return v.index }

// cached is the value of a variable in one request. One that a volatile
// variable's getter made is not used twice, one that was assigned is.
type cached struct {
	Value
	known, volatile bool
}

// maxVariableDepth bounds the getters of a request that run one within the other.
const maxVariableDepth = 100

// variables is the table of a configuration's variables.
type variables struct {
	named    map[string]*Variable
	prefixes []*Variable
	indexed  []*Variable
	byIndex  map[string]*Variable
}

// AddVariable defines a variable, which fails if there is one that is not
// changeable.
func (m *MainConf) AddVariable(cf *conf.Conf, v Variable) (*Variable, error) {
	t := &m.vars
	if v.Name == "" {
		return nil, cf.Errorf(`invalid variable name "$"`)
	}
	if v.Prefix {
		p := &v
		t.prefixes = append(t.prefixes, p)
		return p, nil
	}
	v.Name = strings.ToLower(v.Name)
	old := t.named[v.Name]
	switch {
	case old == nil:
		p := &v
		t.named[v.Name] = p
		return p, nil
	case !old.Changeable:
		return nil, cf.Errorf(`the duplicate "%s" variable`, v.Name)
	}
	if !v.Weak {
		old.Weak = false
	}
	if v.Get != nil {
		old.Get, old.Set, old.Data, old.Volatile = v.Get, v.Set, v.Data, v.Volatile
	}
	return old, nil
}

// Variable returns the indexed variable with a name, which need not be defined
// yet: whether it is, is checked when the configuration is complete.
func (m *MainConf) Variable(cf *conf.Conf, name string) (*Variable, error) {
	if name == "" {
		return nil, cf.Errorf(`invalid variable name "$"`)
	}
	name = strings.ToLower(name)
	t := &m.vars
	if v := t.byIndex[name]; v != nil {
		return v, nil
	}
	v := &Variable{Name: name, index: len(t.indexed)}
	t.indexed = append(t.indexed, v)
	t.byIndex[name] = v
	return v, nil
}

// finish gives every indexed variable its definition.
func (t *variables) finish(cf *conf.Conf) error {
	for _, v := range t.indexed {
		def := t.define(v.Name)
		if def == nil {
			return &conf.Error{Msg: `unknown "` + v.Name + `" variable`}
		}
		name, index := v.Name, v.index
		*v = *def
		v.Name, v.index = name, index
		if def.Prefix {
			v.Data = name[len(def.Name):]
		}
	}
	return nil
}

// define finds the definition of a name: its own, unless that is weak, or the
// longest prefix's.
func (t *variables) define(name string) *Variable {
	if v := t.named[name]; v != nil && v.Get != nil && !v.Weak {
		return v
	}
	var best *Variable
	for _, p := range t.prefixes {
		if strings.HasPrefix(name, p.Name) && (best == nil || len(p.Name) > len(best.Name)) {
			best = p
		}
	}
	if best == nil {
		return t.named[name]
	}
	return best
}

// Value evaluates an indexed variable.
func (v *Variable) Value(r *Request) Value {
	c := &r.vars[v.index]
	if c.known && !c.volatile || v.Get == nil {
		return c.Value
	}
	m := r.Main
	if m.getters == maxVariableDepth {
		r.Error(`cycle while evaluating variable "%s"`, v.Name)
		return Value{}
	}
	m.getters++
	val := v.Get(r, v.Data)
	m.getters--
	*c = cached{val, true, v.Volatile}
	return val
}

// Assign gives an indexed variable a value for the rest of the request.
func (v *Variable) Assign(r *Request, val Value) {
	if v.Set != nil {
		v.Set(r, val, v.Data)
		return
	}
	r.vars[v.index] = cached{Value: val, known: true}
}

// Indexed reports whether v has a place in the requests' caches.
func (r *Request) Indexed(v *Variable) bool {
	list := r.mainConf().vars.indexed
	return v.index < len(list) && list[v.index] == v
}

// Forget drops the cached value.
func (v *Variable) Forget(r *Request) { r.vars[v.index] = cached{} }

// Lookup evaluates a variable by a name in lower case that is known only at
// run time.
func (r *Request) Lookup(name string) (Value, bool) {
	t := &r.mainConf().vars
	if v := t.byIndex[name]; v != nil {
		return v.Value(r), true
	}
	if len(name) == 1 && name[0] >= '1' && name[0] <= '9' {
		return r.Capture(int(name[0] - '0')), true
	}
	def := t.define(name)
	if def == nil || def.Get == nil {
		return Value{}, false
	}
	if def.Prefix {
		return def.Get(r, name[len(def.Name):]), true
	}
	return def.Get(r, def.Data), true
}

// LookupVariable finds a variable for an assignment at run time.
func (r *Request) LookupVariable(name string) *Variable {
	t := &r.mainConf().vars
	if v := t.byIndex[name]; v != nil {
		return v
	}
	return t.define(name)
}

// Capture returns group n of the last regular expression.
func (r *Request) Capture(n int) Value {
	if 2*n+1 >= len(r.Captures) || r.Captures[2*n] < 0 {
		return Value{}
	}
	return Val(r.CapturesData[r.Captures[2*n]:r.Captures[2*n+1]])
}
