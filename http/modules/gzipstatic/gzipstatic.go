// Package gzipstatic answers with files that were compressed beforehand:
// nginx's ngx_http_gzip_static_module.
package gzipstatic

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// Values of gzip_static.
const (
	off = iota
	on
	always // also to clients that did not ask for it
)

var words = []conf.Word{{Name: "off", Value: off}, {Name: "on", Value: on}, {Name: "always", Value: always}}

type locConf struct{ enable conf.Opt[int] }

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the gzip_static module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_gzip_static",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Enum("gzip_static", conf.HTTPAny, func(c *locConf) *conf.Opt[int] { return &c.enable }, off, words),
		},
		Arguments: []string{"--with-http_gzip_static_module"},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		m.Handle(http.PhaseContent, handler)
		return nil
	},
}

func handler(r *http.Request) http.Verdict {
	mode := slot.Of(r.Scope).enable.V
	if mode == off || r.Method&(wire.GET|wire.HEAD) == 0 || strings.HasSuffix(r.URI, "/") {
		return http.Declined
	}
	accepted := mode == always || r.GzipOK()
	if !accepted && !r.Core.GzipVary.V {
		return http.Declined
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	path = r.Pool.Concat(path, ".gz")
	f, err := r.OpenFile(path, http.FileOptions{})
	if err != nil {
		return openFailed(r, path, err)
	}
	if mode == on {
		r.GzipVary = true
		if !accepted {
			return http.Declined
		}
	}
	switch {
	case f.IsDir:
		return http.Declined
	case !f.IsFile:
		r.Logf(log.Crit, nil, `"%s" is not a regular file`, path)
		return http.StatusNotFound
	}
	if v := r.DiscardBody(); v != http.OK {
		return v
	}
	return send(r, &f)
}

// openFailed leaves the request to others, having logged what is unexpected.
func openFailed(r *http.Request, path string, err *http.FileError) http.Verdict {
	level := log.Crit
	switch err.Errno {
	case 0:
		return http.StatusInternalServerError
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG:
		return http.Declined
	case unix.EACCES, unix.EMLINK, unix.ELOOP:
		level = log.Error
	}
	r.Logf(level, err.Errno, `%s "%s" failed`, err.Call, path)
	return http.Declined
}

func send(r *http.Request, f *http.FileInfo) http.Verdict {
	r.Out.Status = int(http.StatusOK)
	r.Out.ContentLength = f.Size
	r.Out.LastModified = f.MTime
	r.SetETag()
	r.SetContentType()
	r.Out.Add("Content-Encoding", "gzip")
	r.AllowRanges = true
	if v := r.SendHeader(); v == http.Error || v > http.OK || r.HeaderOnly {
		return v
	}
	return r.OutputFile(f.FD, 0, f.Size)
}
