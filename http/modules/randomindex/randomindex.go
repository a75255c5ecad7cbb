// Package randomindex answers requests for folders with any of their files:
// nginx's ngx_http_random_index_module.
package randomindex

import (
	"errors"
	"math/rand/v2"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

type locConf struct{ enable conf.Opt[bool] }

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the random_index module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_random_index",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Flag("random_index", conf.HTTPLocation, func(c *locConf) *conf.Opt[bool] { return &c.enable }, false),
		},
		Arguments: []string{"--with-http_random_index_module"},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseContent, slot.Where(func(c *locConf) bool { return c.enable.V }), handler)
		return nil
	},
}

func handler(r *http.Request) http.Verdict {
	if !strings.HasSuffix(r.URI, "/") || r.Method&(wire.GET|wire.HEAD|wire.POST) == 0 {
		return http.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	path = path[:len(path)-1]
	names, v := files(r, path)
	if v != http.OK {
		return v
	}
	name := names[rand.IntN(len(names))]
	return r.InternalRedirect(r.Pool.Concat(r.URI, name), r.Args)
}

// files lists the regular files of a folder whose names do not begin with a dot.
func files(r *http.Request, path string) ([]string, http.Verdict) {
	dir, v := r.OpenFolder(path)
	if v != http.OK {
		return nil, v
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err != nil {
		r.Logf(log.Crit, err, `readdir() "%s" failed`, path)
		return nil, http.StatusInternalServerError
	}
	var names []string
	for _, e := range entries {
		name, kind := e.Name(), e.Type()
		if name[0] == '.' {
			continue
		}
		if kind&os.ModeSymlink != 0 {
			full := path + "/" + name
			info, err := os.Stat(full)
			switch {
			case err == nil:
				kind = info.Mode().Type()
			case !errors.Is(err, unix.ENOENT):
				r.Logf(log.Crit, err, `stat() "%s" failed`, full)
				return nil, http.StatusInternalServerError
			}
		}
		if kind.IsRegular() {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, http.Declined
	}
	return names, http.OK
}
