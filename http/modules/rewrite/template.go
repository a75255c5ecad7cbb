package rewrite

import (
	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// template is a string with variables whose captures may have to be escaped.
type template []http.Part

// compile compiles an argument.
func compile(cf *conf.Conf, s string) (template, error) {
	return http.MainOf(cf).Parts(cf, s)
}

// eval computes the string. With quote, captures are escaped as arguments if
// the request's URI was sent with escapes or plus signs.
func (t template) eval(r *http.Request, quote bool) string {
	quote = quote && (r.QuotedURI || r.PlusInURI)
	if len(t) == 1 {
		return piece(r, &t[0], quote)
	}
	var few [8]string
	list := few[:0]
	for i := range t {
		list = append(list, piece(r, &t[i], quote))
	}
	return r.Pool.Concat(list...)
}

func piece(r *http.Request, p *http.Part, quote bool) string {
	switch {
	case p.Var != nil:
		return p.Var.Value(r).S
	case p.Capture == 0:
		return p.Lit
	}
	s := r.Capture(p.Capture).S
	n := 0
	if quote {
		n = wire.CountEscaped(s, wire.EscapeArgs)
	}
	if n == 0 {
		return s
	}
	return buf.String(wire.AppendEscaped(r.Pool.Alloc(len(s) + 2*n)[:0], s, wire.EscapeArgs))
}
