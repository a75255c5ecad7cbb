package upstream

import (
	"strings"

	"moongate/conf"
	"moongate/http"
)

// HeaderValue is a "PREFIX_set_header name value".
type HeaderValue struct {
	Name  string
	Value *http.Complex
}

// HeaderConf is what a location decides about the header of its requests to
// peers.
type HeaderConf struct {
	given conf.Opt[[]HeaderValue]
	set   *HeaderSet
}

// HeaderSet is what becomes of a request's header: fields that are set, and the
// names of the client's that are not passed on.
type HeaderSet struct {
	// Host is the value of Host, nil where the configuration gives none.
	Host *http.Complex
	set  []HeaderValue
	drop *NameSet
	// cached is the set for responses that may be kept, nil without a cache.
	cached *HeaderSet
}

// SetHeader is the row "PREFIX_set_header".
func (w Rows[C]) SetHeader(of func(c *C) *HeaderConf) conf.Directive {
	return conf.Repeat(w.Slot, w.Prefix+"_set_header", in, conf.Take2,
		func(c *C) *conf.Opt[[]HeaderValue] { return &of(c).given }, nil,
		func(cf *conf.Conf, o *conf.Opt[[]HeaderValue]) error {
			v, err := http.CompileArg(cf, cf.Args[1])
			if err != nil {
				return err
			}
			o.Put(append(o.V, HeaderValue{cf.Args[0], v}))
			return nil
		})
}

// Merge makes the set of a block; blocks without a PREFIX_set_header share
// their parent's. defaults are fields with values of their own unless the
// configuration gives others, and cached those where the response may be kept.
func (h *HeaderConf) Merge(cf *conf.Conf, c *Conf, outer *HeaderConf, defaults, cached []Default) (err error) {
	a, b := h.given.V, outer.given.V
	shared := len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
	if shared {
		h.set = outer.set
	}
	if h.set == nil {
		if h.set, err = newHeaderSet(cf, a, defaults); err != nil {
			return err
		}
	}
	if c.Cache.On() && h.set.cached == nil {
		if h.set.cached, err = newHeaderSet(cf, a, cached); err != nil {
			return err
		}
	}
	if shared {
		outer.set = h.set
	}
	return nil
}

func newHeaderSet(cf *conf.Conf, given []HeaderValue, defaults []Default) (*HeaderSet, error) {
	s := &HeaderSet{drop: NewNameSet()}
	for _, v := range given {
		if strings.EqualFold(v.Name, "Host") {
			s.Host = v.Value
			continue
		}
		s.set = append(s.set, v)
		s.drop.Add(v.Name)
	}
	n := len(s.set)
	for _, d := range defaults {
		if hasHeader(s.set[:n], d.Name) {
			continue
		}
		s.drop.Add(d.Name)
		if d.Value == "" {
			continue
		}
		v, err := http.CompileArg(cf, d.Value)
		if err != nil {
			return nil, err
		}
		s.set = append(s.set, HeaderValue{d.Name, v})
	}
	return s, nil
}

func hasHeader(list []HeaderValue, name string) bool {
	for i := range list {
		if strings.EqualFold(list[i].Name, name) {
			return true
		}
	}
	return false
}

// For is the set for an exchange.
func (h *HeaderConf) For(e *Exchange) *HeaderSet {
	if e.Cacheable {
		return h.set.cached
	}
	return h.set
}

// Append appends all fields with add, but for Host.
func (s *HeaderSet) Append(b []byte, e *Exchange, add func(b []byte, name, value string) []byte) []byte {
	r := e.R
	for i := range s.set {
		if v := s.set[i].Value.Eval(r); v != "" {
			b = add(b, s.set[i].Name, v)
		}
	}
	if !e.Conf.PassRequestHeaders.V {
		return b
	}
	for i := range r.In.List {
		if f := &r.In.List[i]; !s.drop.Has(f) {
			b = add(b, f.Name, f.Value)
		}
	}
	return b
}
