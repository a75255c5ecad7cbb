// Package addition puts the responses of subrequests before and behind a
// response: nginx's ngx_http_addition_filter_module.
package addition

import (
	"errors"
	"slices"

	"moongate/conf"
	"moongate/http"
)

// locConf is what a location says.
type locConf struct {
	before, after conf.Opt[string]
	types         conf.Opt[*http.TypeSet]
}

// ctx is where a response has got to.
type ctx struct{ begun bool }

var (
	slot = &conf.Slot[locConf]{Level: conf.LevelLocation}
	key  = &http.Ctx[ctx]{}
)

// Module is the addition filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_addition_filter",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Str("add_before_body", conf.HTTPAny, func(c *locConf) *conf.Opt[string] { return &c.before }, ""),
			slot.Str("add_after_body", conf.HTTPAny, func(c *locConf) *conf.Opt[string] { return &c.after }, ""),
			http.TypesDirective(slot, "addition_types", conf.HTTPAny, func(c *locConf) *conf.Opt[*http.TypeSet] { return &c.types },
				"text/html", "text/html"),
		},
		Arguments: []string{"--with-http_addition_module"},
	},
	Ctx:    []http.AnyCtx{key},
	Header: headerFilter,
	Where:  slot.Where(func(c *locConf) bool { return c.before.V != "" || c.after.V != "" }),
	Body:   bodyFilter,
}

func headerFilter(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if r.Out.Status != int(http.StatusOK) || !r.IsMain() ||
		!c.types.V.Has(r.Out.ContentType) {
		return http.OK
	}
	key.Set(r, &ctx{})
	r.FilterOwnBody()
	r.Out.ClearContentLength()
	r.Out.Delete("Content-Length")
	r.ClearAcceptRanges()
	r.WeakETag()
	return http.OK
}

var errSubrequest = errors.New("subrequest failed")

func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	x := key.Of(r)
	if x == nil || r.HeaderOnly || len(in) == 0 {
		return next.Write(in)
	}
	c := slot.Of(r.Scope)
	if !x.begun {
		x.begun = true
		if c.before.V != "" && r.Subrequest(c.before.V, "", http.SubrequestOptions{}) == nil {
			return errSubrequest
		}
	}
	if c.after.V == "" {
		key.Set(r, nil)
		return next.Write(in)
	}
	last := in[len(in)-1].Last
	if last {
		in = slices.Clone(in)
		end := &in[len(in)-1]
		end.Last, end.LastInChain, end.Sync = false, true, true
	}
	if err := next.Write(in); err != nil || !last {
		return err
	}
	key.Set(r, nil)
	if r.Subrequest(c.after.V, "", http.SubrequestOptions{}) == nil {
		return errSubrequest
	}
	return next.Write([]http.Buf{{Last: true, LastInChain: true}})
}
