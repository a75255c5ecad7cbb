// Package index answers requests for folders with one of their files: nginx's
// ngx_http_index_module.
package index

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is what a location says.
type locConf struct {
	names conf.Opt[[]*http.Complex]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the index module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_index",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Repeat(slot, "index", conf.HTTPAny, conf.OneMore,
				func(c *locConf) *conf.Opt[[]*http.Complex] { return &c.names }, []*http.Complex{{Text: "index.html"}}, indexDirective),
		},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseContent, nil, handler)
		return nil
	},
}

// indexDirective is "index file …".
func indexDirective(cf *conf.Conf, o *conf.Opt[[]*http.Complex]) error {
	for i, arg := range cf.Args {
		if strings.HasPrefix(arg, "/") && i != len(cf.Args)-1 {
			cf.Warnf(`only the last index in "index" directive should be absolute`)
		}
		if arg == "" {
			return cf.Errorf(`index "%s" in "index" directive is invalid`, cf.Args[0])
		}
		name, err := http.CompileArg(cf, arg)
		if err != nil {
			return err
		}
		o.Put(append(o.V, name))
	}
	return nil
}

// handler redirects to the first file that is there. The folder itself is only
// tested once its first file is missing: most requests are for what exists.
func handler(r *http.Request) http.Verdict {
	if !strings.HasSuffix(r.URI, "/") || r.Method&(wire.GET|wire.HEAD|wire.POST) == 0 {
		return http.Declined
	}
	dir, tested := "", false
	for _, c := range slot.Of(r.Scope).names.V {
		name := c.Eval(r)
		if strings.HasPrefix(name, "/") {
			return r.InternalRedirect(name, r.Args)
		}
		if dir == "" {
			var ok bool
			if dir, ok = r.MapPath(); !ok {
				return http.StatusInternalServerError
			}
		}
		path := r.Pool.Concat(dir, name)
		_, err := r.OpenFile(path, http.FileOptions{TestOnly: true})
		if err == nil {
			return r.InternalRedirect(r.Pool.Concat(r.URI, name), r.Args)
		}
		switch err.Errno {
		case 0:
			return http.StatusInternalServerError
		case unix.EMLINK, unix.ELOOP:
			return http.StatusForbidden
		case unix.ENOTDIR, unix.ENAMETOOLONG, unix.EACCES:
			return notAvailable(r, path, err.Errno)
		}
		if !tested {
			if v := testDir(r, dir, path); v != http.OK {
				return v
			}
			tested = true
		}
		if err.Errno != unix.ENOENT {
			r.Logf(log.Crit, err.Errno, `%s "%s" failed`, err.Call, path)
			return http.StatusInternalServerError
		}
	}
	return http.Declined
}

// testDir makes sure that the folder is there whose file at path is not.
func testDir(r *http.Request, dir, path string) http.Verdict {
	if len(dir) > 1 {
		dir = strings.TrimSuffix(dir, "/")
	}
	info, err := r.OpenFile(dir, http.FileOptions{TestOnly: true, TestDir: true})
	switch {
	case err == nil && info.IsDir:
		return http.OK
	case err == nil:
		r.Logf(log.Alert, nil, `"%s" is not a directory`, dir)
		return http.StatusInternalServerError
	}
	switch err.Errno {
	case 0:
		return http.StatusInternalServerError
	case unix.EMLINK, unix.ELOOP:
		return http.StatusForbidden
	case unix.ENOENT:
		return notAvailable(r, path, unix.ENOENT)
	case unix.EACCES:
		// The file was not refused, so that the folder may be searched.
		return http.OK
	}
	r.Logf(log.Crit, err.Errno, `%s "%s" failed`, err.Call, dir)
	return http.StatusInternalServerError
}

// notAvailable logs why there is no index and chooses the status.
func notAvailable(r *http.Request, path string, errno unix.Errno) http.Verdict {
	if errno == unix.EACCES {
		r.Logf(log.Error, errno, `"%s" is forbidden`, path)
		return http.StatusForbidden
	}
	if r.Core.LogNotFound.V {
		r.Logf(log.Error, errno, `"%s" is not found`, path)
	}
	return http.StatusNotFound
}
