// Package flv sends Flash video from a place in the middle: nginx's
// ngx_http_flv_module.
package flv

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// Module is the flv module.
var Module = &http.Module{
	Module: conf.Module{
		Name: "http_flv",
		Directives: []conf.Directive{
			conf.Command("flv", conf.HTTPLocation, conf.NoArgs, func(cf *conf.Conf) error {
				http.LocOf(cf).Handler = handler
				return nil
			}),
		},
		Arguments: []string{"--with-http_flv_module"},
	},
}

// header is that of a file with sound and pictures, and the first tag's back
// pointer.
var header = []byte("FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00")

func handler(r *http.Request) http.Verdict {
	if r.Method&(wire.GET|wire.HEAD) == 0 {
		return http.StatusNotAllowed
	}
	if strings.HasSuffix(r.URI, "/") {
		return http.Declined
	}
	if v := r.DiscardBody(); v != http.OK {
		return v
	}
	path, ok := r.MapPath()
	if !ok {
		return http.StatusInternalServerError
	}
	f, err := r.OpenFile(path, http.FileOptions{})
	if err != nil {
		return r.FileFailed(path, err)
	}
	if !f.IsFile {
		return http.Declined
	}
	start := startArg(r, f.Size)
	r.Out.Status = int(http.StatusOK)
	r.Out.ContentLength = f.Size
	if start > 0 {
		r.Out.ContentLength += int64(len(header)) - start
	}
	r.Out.LastModified = f.MTime
	r.SetETag()
	r.SetContentType()
	r.AllowRanges = true
	if v := r.SendHeader(); v == http.Error || v > http.OK || r.HeaderOnly {
		return v
	}
	if start == 0 {
		return r.OutputFile(f.FD, 0, f.Size)
	}
	return r.Output([]http.Buf{
		{B: header},
		{InFile: true, File: f.FD, Off: start, End: f.Size, Last: r.IsMain(), LastInChain: true},
	})
}

// startArg returns the argument "start", 0 when it is not within the file.
func startArg(r *http.Request, size int64) int64 {
	v, _ := wire.Arg(buf.Bytes(r.Args), "start")
	n, ok := conf.ParseInt(buf.String(v))
	if !ok || n >= size {
		return 0
	}
	return n
}
