package phase

import (
	"moongate/conf"
	"moongate/http"
	"moongate/lua/api"
)

var contentFamily = family[locConf]{
	name: "content_by_lua", slot: locSlot, in: conf.HTTPLocation | conf.HTTPLocationIf, forms: allForms,
	field: func(l *locConf) **Code { return &l.content },
	used:  func(cf *conf.Conf, _ *mainConf) { http.LocOf(cf).Handler = contentHandler },
}

// contentHandler is the content handler of a location with content_by_lua.
func contentHandler(r *http.Request) http.Verdict {
	c := api.Of(r)
	if c == nil {
		return http.StatusInternalServerError
	}
	if v := c.ReadBody(); v != http.OK {
		return v
	}
	c.InContent = true
	proto, v := locSlot.Of(r.Scope).content.load(c)
	if v != http.OK {
		return v
	}
	return c.Run(api.Content, proto)
}
