// Package mirror repeats requests in subrequests whose answers do not count:
// nginx's ngx_http_mirror_module.
package mirror

import (
	"moongate/conf"
	"moongate/http"
)

// locConf is where a location's requests are repeated.
type locConf struct {
	uris conf.Opt[[]string]
	body conf.Opt[bool]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the mirror module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_mirror",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Repeat(slot, "mirror", conf.HTTPAny, conf.Take1,
				func(c *locConf) *conf.Opt[[]string] { return &c.uris }, nil, addURI),
			slot.Flag("mirror_request_body", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.body }, true),
		},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhasePreContent, slot.Where(func(c *locConf) bool { return c.uris.V != nil }), handler)
		return nil
	},
}

// addURI is "mirror uri | off".
func addURI(cf *conf.Conf, uris *conf.Opt[[]string]) error {
	uri := cf.Args[0]
	switch {
	case uris.Set && (uri == "off" || uris.V == nil):
		return conf.ErrDuplicate
	case uri == "off":
		uris.Put(nil)
	default:
		uris.Put(append(uris.V, uri))
	}
	return nil
}

func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if !r.IsMain() {
		return http.Declined
	}
	if c.body.V {
		if v := r.ReadBody(); v != http.OK {
			return v
		}
	}
	for _, uri := range c.uris.V {
		sr := r.Subrequest(uri, r.Args, http.SubrequestOptions{
			Background: true,
			Prepare: func(sr *http.Request) {
				sr.HeaderOnly = true
				sr.Method, sr.MethodName = r.Method, r.MethodName
			},
		})
		if sr == nil {
			return http.StatusInternalServerError
		}
	}
	return http.Declined
}
