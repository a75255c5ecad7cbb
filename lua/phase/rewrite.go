package phase

import (
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/api"
)

var rewriteFamily = family[locConf]{
	name: "rewrite_by_lua", slot: locSlot, in: inHTTP, forms: allForms,
	field:    func(l *locConf) **Code { return &l.rewrite },
	captures: true,
}

var serverRewriteFamily = family[srvConf]{
	name: "server_rewrite_by_lua", slot: srvSlot, in: conf.HTTPMain | conf.HTTPServer, forms: []form{asBlock, asFile},
	field:    func(s *srvConf) **Code { return &s.serverRewrite },
	captures: true,
}

func rewriteHandler(r *http.Request) http.Verdict {
	return early(r, locSlot.Of(r.Scope).rewrite, api.Rewrite, http.Declined)
}

func serverRewriteHandler(r *http.Request) http.Verdict {
	return early(r, srvSlot.Of(r.Scope).serverRewrite, api.ServerRewrite, http.Declined)
}

// early runs the code of a phase before the content phase. Code that comes to its end, or leaves with ngx.exit(ngx.OK),
// gives the verdict pass, unless it has sent a response.
func early(r *http.Request, code *Code, p api.Phase, pass http.Verdict) http.Verdict {
	if r.URIChanged {
		return http.Declined
	}
	if r.Log.Enabled(log.DebugHTTP) {
		r.Logf(log.DebugHTTP, nil, `lua %s handler, uri:"%s" c:1`, strings.ReplaceAll(p.Name(), "_", " "), r.URI)
	}
	c := api.Of(r)
	if c == nil {
		return http.StatusInternalServerError
	}
	if v := c.ReadBody(); v != http.OK {
		return v
	}
	proto, v := code.load(c)
	if v != http.OK {
		return v
	}
	switch v := c.Run(p, proto); {
	case v != http.OK && v != http.Declined:
		return v
	case r.HeaderSent || c.Buffered():
		if v := c.Finish(); v == http.Error || v > http.OK {
			return v
		}
		return http.StatusOK
	case v == http.Declined:
		return http.Declined
	}
	return pass
}
