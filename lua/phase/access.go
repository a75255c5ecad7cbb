package phase

import (
	"moongate/http"
	"moongate/lua/api"
)

var accessFamily = family[locConf]{
	name: "access_by_lua", slot: locSlot, in: inHTTP, forms: allForms,
	field:    func(l *locConf) **Code { return &l.access },
	captures: true,
}

var precontentFamily = family[locConf]{
	name: "precontent_by_lua", slot: locSlot, in: inHTTP, forms: []form{asBlock, asFile},
	field:    func(l *locConf) **Code { return &l.precontent },
	captures: true,
}

func accessHandler(r *http.Request) http.Verdict {
	return early(r, locSlot.Of(r.Scope).access, api.Access, http.OK)
}

func precontentHandler(r *http.Request) http.Verdict {
	return early(r, locSlot.Of(r.Scope).precontent, api.Precontent, http.Declined)
}
