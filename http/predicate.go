package http

import "moongate/conf"

// Predicates are the conditions of directives such as proxy_no_cache: strings
// with variables, each of which is true unless it is empty or "0".
type Predicates []*Complex

// Any reports whether one is true. It is false when there are none: nginx's
// ngx_http_test_predicates.
func (p Predicates) Any(r *Request) bool {
	for _, c := range p {
		if truth(c.Eval(r)) {
			return true
		}
	}
	return false
}

// All reports whether all are true, as when there are none: nginx's
// ngx_http_test_required_predicates.
func (p Predicates) All(r *Request) bool {
	for _, c := range p {
		if !truth(c.Eval(r)) {
			return false
		}
	}
	return true
}

func truth(s string) bool { return s != "" && s != "0" }

// PredicatesDirective is a row "name string …;".
func PredicatesDirective[C any](s *conf.Slot[C], name string, in conf.Context,
	field func(*C) *conf.Opt[Predicates]) conf.Directive {
	return conf.Repeat(s, name, in, conf.OneMore, field, nil, func(cf *conf.Conf, o *conf.Opt[Predicates]) error {
		for _, arg := range cf.Args {
			c, err := CompileArg(cf, arg)
			if err != nil {
				return err
			}
			o.Put(append(o.V, c))
		}
		return nil
	})
}
