// Package authrequest lets clients in, or not, by the answer to a subrequest:
// nginx's ngx_http_auth_request_module.
package authrequest

import (
	"strings"

	"moongate/conf"
	"moongate/http"
)

// locConf is what a location asks.
type locConf struct {
	// uri is empty for "off".
	uri  conf.Opt[string]
	vars conf.Opt[[]assignment]
}

// assignment gives a variable a value once the answer is there.
type assignment struct {
	variable *http.Variable
	value    *http.Complex
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the auth_request module.
var Module = &http.Module{
	Module: conf.Module{
		Name:      "http_auth_request",
		Arguments: []string{"--with-http_auth_request_module"},
		Slots:     []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Value(slot, "auth_request", conf.HTTPAny, conf.Take1,
				func(c *locConf) *conf.Opt[string] { return &c.uri }, "", parseURI),
			conf.Repeat(slot, "auth_request_set", conf.HTTPAny, conf.Take2,
				func(c *locConf) *conf.Opt[[]assignment] { return &c.vars }, nil, addAssignment),
		},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseAccess, slot.Where(func(c *locConf) bool { return c.uri.V != "" }), handler)
		return nil
	},
}

// parseURI reads "uri | off".
func parseURI(cf *conf.Conf) (string, error) {
	if cf.Args[0] == "off" {
		return "", nil
	}
	return cf.Args[0], nil
}

// addAssignment is "auth_request_set $variable value".
func addAssignment(cf *conf.Conf, vars *conf.Opt[[]assignment]) error {
	m := http.MainOf(cf)
	name, ok := strings.CutPrefix(cf.Args[0], "$")
	if !ok {
		return cf.Errorf(`invalid variable name "%s"`, cf.Args[0])
	}
	def, err := m.AddVariable(cf, http.Variable{Name: name, Changeable: true})
	if err != nil {
		return err
	}
	if def.Get == nil {
		def.Get = func(*http.Request, any) http.Value { return http.Value{} }
	}
	a := assignment{}
	if a.variable, err = m.Variable(cf, name); err != nil {
		return err
	}
	if a.value, err = m.Compile(cf, cf.Args[1]); err != nil {
		return err
	}
	vars.Put(append(vars.V, a))
	return nil
}

func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	sr := r.Subrequest(c.uri.V, "", http.SubrequestOptions{
		Prepare: func(sr *http.Request) {
			sr.HeaderOnly = true
			// The body is for the request itself.
			sr.Body = &http.Body{}
			sr.In.ContentLength, sr.In.Chunked = -1, false
		},
	})
	if sr == nil || sr.Wait() != nil {
		return http.Error
	}
	// The variables keep their values in what an internal redirect leads to.
	for _, a := range c.vars.V {
		a.variable.Assign(r, http.Val(a.value.Eval(sr)))
	}
	switch status := http.Verdict(sr.Out.Status); {
	case status == http.StatusForbidden:
		return status
	case status == http.StatusUnauthorized:
		for i := range sr.Out.List {
			if h := &sr.Out.List[i]; !h.Off && strings.EqualFold(h.Name, "WWW-Authenticate") {
				r.Out.Add(h.Name, h.Value)
			}
		}
		return status
	case status >= http.StatusOK && status < http.StatusSpecialResponse:
		return http.OK
	default:
		r.Error("auth request unexpected status: %d", status)
		return http.StatusInternalServerError
	}
}
