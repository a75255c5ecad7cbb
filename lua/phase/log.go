package phase

import (
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/api"
)

var logFamily = family[locConf]{
	name: "log_by_lua", slot: locSlot, in: inHTTP, forms: allForms,
	field: func(l *locConf) **Code { return &l.log },
}

func logHandler(r *http.Request) http.Verdict {
	code := locSlot.Of(r.Scope).log
	if r.Log.Enabled(log.DebugHTTP) {
		r.Logf(log.DebugHTTP, nil, `lua log handler, uri:"%s" c:0`, r.URI)
	}
	c := api.Of(r)
	if c == nil {
		return http.Error
	}
	proto, v := code.load(c)
	if v != http.OK {
		return http.Error
	}
	if err := c.RunShort(api.Log, proto, 0, nil); err != nil {
		c.Logf(log.Error, "failed to run log_by_lua*: %s", api.FilterError(err))
		return http.Error
	}
	return http.OK
}
