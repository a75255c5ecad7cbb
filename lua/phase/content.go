package phase

import (
	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/api"
)

var contentFamily = family[locConf]{
	name: "content_by_lua", slot: locSlot, in: conf.HTTPLocation | conf.HTTPLocationIf, forms: allForms,
	field:    func(l *locConf) **Code { return &l.content },
	captures: true,
	used:     func(cf *conf.Conf) { http.LocOf(cf).Handler = contentHandler },
}

// contentHandler is the content handler of a location with content_by_lua.
func contentHandler(r *http.Request) http.Verdict {
	if r.Log.Enabled(log.DebugHTTP) {
		r.Logf(log.DebugHTTP, nil, `lua content handler, uri:"%s" c:1`, r.URI)
	}
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
	if v = c.Run(api.Content, proto); v == http.Declined {
		return http.OK
	}
	return v
}
