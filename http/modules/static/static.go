// Package static answers with files: nginx's ngx_http_static_module.
package static

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// Module is the static module. It has no directives of its own.
var Module = &http.Module{
	Module: conf.Module{Name: "http_static"},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseContent, nil, handler)
		return nil
	},
}

func handler(r *http.Request) http.Verdict {
	if r.Method&(wire.GET|wire.HEAD|wire.POST) == 0 {
		return http.StatusNotAllowed
	}
	if strings.HasSuffix(r.URI, "/") {
		return http.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	f, ferr := r.OpenFile(path, http.FileOptions{})
	switch {
	case ferr != nil:
		return r.FileFailed(path, ferr)
	case f.IsDir:
		return redirectToFolder(r)
	case !f.IsFile:
		r.Logf(log.Crit, nil, `"%s" is not a regular file`, path)
		return http.StatusNotFound
	case r.Method == wire.POST:
		return http.StatusNotAllowed
	}
	if v := r.DiscardBody(); v != http.OK {
		return v
	}
	return r.SendFile(&f, "")
}

// redirectToFolder adds the slash that the client left out.
func redirectToFolder(r *http.Request) http.Verdict {
	loc := r.URI
	if n := wire.CountEscaped(loc, wire.EscapeURI); n > 0 {
		loc = buf.String(wire.AppendEscaped(r.Pool.Alloc(len(loc) + 2*n)[:0], loc, wire.EscapeURI))
	}
	args := ""
	if r.Args != "" {
		args = "?"
	}
	r.Out.Set("Location", r.Pool.Concat(loc, "/", args, r.Args))
	return http.StatusMovedPermanently
}
