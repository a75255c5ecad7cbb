// Package dav stores, deletes, copies and moves files at the wish of clients:
// nginx's ngx_http_dav_module, a part of RFC 4918.
package dav

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// methodOff is a bit of dav_methods that is no method.
const methodOff = 1

var methodWords = []conf.Word{
	{Name: "off", Value: methodOff}, {Name: "put", Value: int(wire.PUT)}, {Name: "delete", Value: int(wire.DELETE)},
	{Name: "mkcol", Value: int(wire.MKCOL)}, {Name: "copy", Value: int(wire.COPY)}, {Name: "move", Value: int(wire.MOVE)},
}

// locConf is what a location says.
type locConf struct {
	methods    conf.Opt[int]
	createPath conf.Opt[bool]
	minDepth   conf.Opt[int64]
	access     conf.Opt[uint32]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the dav module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_dav",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Bitmask("dav_methods", conf.HTTPAny, func(c *locConf) *conf.Opt[int] { return &c.methods }, methodOff, methodWords),
			slot.Flag("create_full_put_path", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.createPath }, false),
			slot.Num("min_delete_depth", conf.HTTPAny, func(c *locConf) *conf.Opt[int64] { return &c.minDepth }, 0),
			conf.Value(slot, "dav_access", conf.HTTPAny, conf.Take123,
				func(c *locConf) *conf.Opt[uint32] { return &c.access }, 0o600, conf.ParseAccess),
		},
		Arguments: []string{"--with-http_dav_module"},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseContent, slot.Where(func(c *locConf) bool { return c.methods.V != 0 }), handler)
		return nil
	},
}

func handler(r *http.Request) http.Verdict {
	if int(r.Method)&slot.Of(r.Scope).methods.V == 0 {
		return http.Declined
	}
	switch r.Method {
	case wire.PUT:
		return put(r)
	case wire.DELETE:
		return remove(r)
	case wire.MKCOL:
		return mkcol(r)
	case wire.COPY, wire.MOVE:
		return copyMove(r)
	}
	return http.Declined
}

// isCollection reports whether the URI names a folder.
func isCollection(r *http.Request) bool { return strings.HasSuffix(r.URI, "/") }

// put stores the body of the request.
func put(r *http.Request) http.Verdict {
	if isCollection(r) {
		r.Error("cannot PUT to a collection")
		return http.StatusConflict
	}
	if r.In.Has(wire.HeaderContentRange) {
		r.Error("PUT with range is unsupported")
		return http.StatusNotImplemented
	}
	r.Main.BodyInFile, r.Main.PersistentBody = true, true
	if v := r.ReadBody(); v != http.OK {
		return v
	}
	if r.Body.File == nil {
		r.Error("PUT request body must be in a file")
		return http.StatusInternalServerError
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	status := http.StatusCreated
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil {
		status = http.StatusNoContent
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			r.Logf(log.Error, unix.EISDIR, `"%s" could not be created`, path)
			return http.StatusConflict
		}
	}
	c := slot.Of(r.Scope)
	m := move{r: r, access: c.access.V, pathAccess: c.access.V, time: -1, createPath: c.createPath.V, remove: true}
	if date, ok := r.In.Get(wire.HeaderDate); ok {
		if t, ok := wire.ParseDate(buf.Bytes(date)); ok {
			m.time = t
		}
	}
	if !m.rename(r.Body.Path, path) {
		return http.StatusInternalServerError
	}
	if status == http.StatusCreated {
		setLocation(r)
		r.Out.ContentLength = 0
	}
	r.Out.Status = int(status)
	r.HeaderOnly = true
	return r.SendHeader()
}

// setLocation says where the new file or folder is.
func setLocation(r *http.Request) {
	uri := r.URI
	if n := wire.CountEscaped(uri, wire.EscapeURI); n > 0 {
		uri = buf.String(wire.AppendEscaped(r.Pool.Alloc(len(uri) + 2*n)[:0], uri, wire.EscapeURI))
	}
	r.Out.Set("Location", uri)
}

// remove deletes a file or a folder with all that is in it.
func remove(r *http.Request) http.Verdict {
	if r.HasBody() {
		r.Error("DELETE with body is unsupported")
		return http.StatusUnsupportedMediaType
	}
	if least := slot.Of(r.Scope).minDepth.V; least > 0 && !deepEnough(r, least) {
		return http.StatusConflict
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		status := http.StatusNotFound
		if err == unix.ENOTDIR {
			status = http.StatusConflict
		}
		return failed(r, err, status, "lstat()", path)
	}
	dir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	if dir {
		if !isCollection(r) {
			r.Logf(log.Error, unix.EISDIR, `DELETE "%s" failed`, path)
			return http.StatusConflict
		}
		if depth(r, depthInfinity) != depthInfinity {
			r.Error(`"Depth" header must be infinity`)
			return http.StatusBadRequest
		}
		path = path[:len(path)-1]
	} else if d := depth(r, 0); d != 0 && d != depthInfinity {
		r.Error(`"Depth" header must be 0 or infinity`)
		return http.StatusBadRequest
	}
	if v := deletePath(r, path, dir); v != http.OK {
		return v
	}
	return http.StatusNoContent
}

// deepEnough tests min_delete_depth: how many folders the URI has above the
// file.
func deepEnough(r *http.Request, least int64) bool {
	d := int64(0)
	for i := range len(r.URI) {
		if r.URI[i] == '/' {
			if d++; d >= least && i+1 < len(r.URI) {
				return true
			}
		}
	}
	r.Error("insufficient URI depth:%d to DELETE", d)
	return false
}

// mkcol makes a folder.
func mkcol(r *http.Request) http.Verdict {
	if r.HasBody() {
		r.Error("MKCOL with body is unsupported")
		return http.StatusUnsupportedMediaType
	}
	if !isCollection(r) {
		r.Error("MKCOL can create a collection only")
		return http.StatusConflict
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	path = path[:len(path)-1]
	if err := unix.Mkdir(path, dirAccess(slot.Of(r.Scope).access.V)); err != nil {
		return failed(r, err, http.StatusConflict, "mkdir()", path)
	}
	setLocation(r)
	return http.StatusCreated
}

// Values of the Depth header.
const (
	depthInvalid  = -2
	depthInfinity = -1
)

// depth reads the Depth header; without one it is def.
func depth(r *http.Request, def int) int {
	v, ok := r.In.Get(wire.HeaderDepth)
	if !ok {
		return def
	}
	switch v {
	case "0":
		return 0
	case "1":
		return 1
	case "infinity":
		return depthInfinity
	}
	r.Error(`client sent invalid "Depth" header: "%s"`, v)
	return depthInvalid
}

// failed logs a failed system call and chooses the status: notFound for files
// that are not there.
func failed(r *http.Request, err error, notFound http.Verdict, call, path string) http.Verdict {
	level, v := log.Crit, http.StatusInternalServerError
	switch err {
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG:
		level, v = log.Error, notFound
	case unix.EACCES, unix.EPERM:
		level, v = log.Error, http.StatusForbidden
	case unix.EEXIST:
		level, v = log.Error, http.StatusNotAllowed
	case unix.ENOSPC:
		v = http.StatusInsufficientStorage
	}
	r.Logf(level, err, `%s "%s" failed`, call, path)
	return v
}
