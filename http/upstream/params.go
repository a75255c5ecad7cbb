package upstream

import (
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/wire"
)

// Param is a "PREFIX_param name value [if_not_empty]".
type Param struct {
	Name      string
	Value     *http.Complex
	skipEmpty bool
}

// ParamSet is what FastCGI, uwsgi and SCGI servers are told of a request: the
// parameters of the configuration, and the client's header fields as HTTP_…
// except those that a parameter replaces.
type ParamSet struct {
	list []Param
	drop map[string]struct{} // names of fields in lower case with underscores
	// cached is the set for responses that may be kept, nil without a cache.
	cached *ParamSet
}

// ParamConf is what a location tells CGI-like peers of a request.
type ParamConf struct {
	given conf.Opt[[]Param]
	set   *ParamSet
}

// Param is the row "PREFIX_param".
func (w Rows[C]) Param(of func(c *C) *ParamConf) conf.Directive {
	return conf.Repeat(w.Slot, w.Prefix+"_param", in, conf.Take23,
		func(c *C) *conf.Opt[[]Param] { return &of(c).given }, nil,
		func(cf *conf.Conf, o *conf.Opt[[]Param]) error {
			v, err := http.CompileArg(cf, cf.Args[1])
			if err != nil {
				return err
			}
			p := Param{Name: cf.Args[0], Value: v}
			if len(cf.Args) == 3 {
				if cf.Args[2] != "if_not_empty" {
					return cf.Errorf(`invalid parameter "%s"`, cf.Args[2])
				}
				p.skipEmpty = true
			}
			o.Put(append(o.V, p))
			return nil
		})
}

// Default is a parameter that is passed unless the configuration gives it.
type Default struct{ Name, Value string }

// DefaultParams are those of all requests.
var DefaultParams = []Default{{"HTTP_HOST", "$host$is_request_port$request_port"}}

// CacheParams take the place of DefaultParams where the response may be kept: it
// is to be the whole one, whatever the client knows of it already.
var CacheParams = append(DefaultParams[:len(DefaultParams):len(DefaultParams)], []Default{
	{"HTTP_IF_MODIFIED_SINCE", "$upstream_cache_last_modified"},
	{"HTTP_IF_UNMODIFIED_SINCE", ""},
	{"HTTP_IF_NONE_MATCH", "$upstream_cache_etag"},
	{"HTTP_IF_MATCH", ""},
	{"HTTP_RANGE", ""},
	{"HTTP_IF_RANGE", ""},
}...)

// NewParamSet makes the set of a block.
func NewParamSet(cf *conf.Conf, list []Param, defaults []Default) (*ParamSet, error) {
	s := &ParamSet{}
	all := append([]Param(nil), list...)
	for _, d := range defaults {
		given := false
		for i := range list {
			given = given || strings.EqualFold(list[i].Name, d.Name)
		}
		if given {
			continue
		}
		v, err := http.CompileArg(cf, d.Value)
		if err != nil {
			return nil, err
		}
		all = append(all, Param{d.Name, v, true})
	}
	for _, p := range all {
		if field, ok := strings.CutPrefix(p.Name, "HTTP_"); ok && field != "" {
			if s.drop == nil {
				s.drop = make(map[string]struct{})
			}
			s.drop[strings.ToLower(field)] = struct{}{}
			if p.Value.Static() && p.Value.Text == "" {
				continue
			}
		}
		s.list = append(s.list, p)
	}
	return s, nil
}

// Merge makes a block's set, or shares that of the block outside if the block
// has no parameters of its own. With a cache there is a second set.
func (p *ParamConf) Merge(cf *conf.Conf, c *Conf, outer *ParamConf) (err error) {
	a, b := p.given.V, outer.given.V
	shared := len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
	if shared {
		p.set = outer.set
	}
	if p.set == nil {
		if p.set, err = NewParamSet(cf, a, DefaultParams); err != nil {
			return err
		}
	}
	if c.Cache.On() && p.set.cached == nil {
		if p.set.cached, err = NewParamSet(cf, a, CacheParams); err != nil {
			return err
		}
	}
	if shared {
		outer.set = p.set
	}
	return nil
}

// For is the set for an exchange.
func (p *ParamConf) For(e *Exchange) *ParamSet {
	if e.Cacheable {
		return p.set.cached
	}
	return p.set
}

// Append appends all parameters of a request with add, which gets a name and
// the parts of a value.
func (s *ParamSet) Append(b []byte, e *Exchange, add func(b []byte, name, value string) []byte) []byte {
	r := e.R
	for i := range s.list {
		p := &s.list[i]
		v := p.Value.Eval(r)
		if v == "" && p.skipEmpty {
			continue
		}
		b = add(b, p.Name, v)
	}
	if !e.Conf.PassRequestHeaders.V {
		return b
	}
	var name []byte
	for i := range r.In.List {
		f := &r.In.List[i]
		name = appendParamName(name[:0], f.Name)
		if _, ok := s.drop[string(lowerName(name))]; ok || repeated(r.In.List[:i], f) {
			continue
		}
		b = add(b, "HTTP_"+string(upperName(name)), joined(r, i))
	}
	return b
}

// appendParamName appends the name of a field with underscores for hyphens.
func appendParamName(b []byte, name string) []byte {
	for i := range len(name) {
		c := name[i]
		if c == '-' {
			c = '_'
		}
		b = append(b, c)
	}
	return b
}

func lowerName(b []byte) []byte {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return b
}

func upperName(b []byte) []byte {
	for i, c := range b {
		if c >= 'a' && c <= 'z' {
			b[i] = c &^ 0x20
		}
	}
	return b
}

// repeated tells whether a field of the name has come before.
func repeated(before []http.Header, f *http.Header) bool {
	for i := range before {
		if before[i].ID == f.ID && strings.EqualFold(before[i].Name, f.Name) {
			return true
		}
	}
	return false
}

// joined is the value of the i-th field together with those of its name that
// follow.
func joined(r *http.Request, i int) string {
	f, sep := &r.In.List[i], ", "
	if f.ID == wire.HeaderCookie {
		sep = "; "
	}
	var few [8]string
	parts := append(few[:0], f.Value)
	for j := i + 1; j < len(r.In.List); j++ {
		if g := &r.In.List[j]; g.ID == f.ID && strings.EqualFold(g.Name, f.Name) {
			parts = append(parts, sep, g.Value)
		}
	}
	if len(parts) == 1 {
		return f.Value
	}
	return r.Pool.Concat(parts...)
}
