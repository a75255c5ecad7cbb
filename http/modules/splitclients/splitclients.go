// Package splitclients makes variables whose values share out the requests:
// nginx's ngx_http_split_clients_module.
package splitclients

import (
	"math"
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/hash"
	"moongate/http"
)

// Module is the split_clients module.
var Module = &http.Module{
	Module: conf.Module{
		Name: "http_split_clients",
		Directives: []conf.Directive{
			conf.Command("split_clients", conf.HTTPMain, conf.Braces|conf.Take2, splitDirective),
		},
	},
}

// split is a "split_clients" block.
type split struct {
	source *http.Complex
	parts  []part
}

// part is one line of the block.
type part struct {
	// share is in hundredths of a percent, 0 for the rest.
	share int64
	// below bounds the hashes of the part from above; rest: there is no bound.
	below uint32
	rest  bool
	value string
}

// whole is all shares together.
const whole = 10000

// splitDirective is "split_clients source $variable { … }".
func splitDirective(cf *conf.Conf) error {
	source, err := http.CompileArg(cf, cf.Args[0])
	if err != nil {
		return err
	}
	name, ok := strings.CutPrefix(cf.Args[1], "$")
	if !ok {
		return cf.Errorf(`invalid variable name "%s"`, cf.Args[1])
	}
	s := &split{source: source}
	if _, err := http.MainOf(cf).AddVariable(cf, http.Variable{Name: name, Changeable: true, Get: get, Data: s}); err != nil {
		return err
	}
	if err := cf.Lines(s.line); err != nil {
		return err
	}
	return s.bound(cf)
}

// line is "share% value" or "* value".
func (s *split) line(cf *conf.Conf) error {
	p := part{}
	if cf.Name != "*" {
		number, percent := strings.CutSuffix(cf.Name, "%")
		n, ok := conf.ParseFixed(number, 2)
		if !percent || !ok || n == 0 {
			return cf.Errorf(`invalid percent value "%s"`, cf.Name)
		}
		p.share = n
	}
	if len(cf.Args) > 0 {
		p.value = cf.Args[0]
	}
	s.parts = append(s.parts, p)
	return nil
}

// bound turns the shares into bounds of hashes.
func (s *split) bound(cf *conf.Conf) error {
	sum, below := int64(0), uint32(0)
	for i := range s.parts {
		p := &s.parts[i]
		if sum += p.share; p.share == 0 {
			sum = whole
		}
		switch {
		case sum > whole:
			return cf.Errorf("percent total is greater than 100%%")
		case sum == whole:
			p.rest = true
		default:
			below += uint32(p.share * math.MaxUint32 / whole)
			p.below = below
		}
	}
	return nil
}

// get is the getter of the variable.
func get(r *http.Request, data any) http.Value {
	s := data.(*split)
	h := hash.Murmur2(buf.Bytes(s.source.Eval(r)))
	for i := range s.parts {
		if p := &s.parts[i]; h < p.below || p.rest {
			return http.Val(p.value)
		}
	}
	return http.Val("")
}
