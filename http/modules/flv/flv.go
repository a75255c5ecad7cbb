// Package flv sends Flash video from a place in the middle: nginx's
// ngx_http_flv_module.
package flv

import (
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
	_, f, v := r.OpenMedia()
	if v != http.OK {
		return v
	}
	part := http.FilePart{From: startArg(r, f.Size), To: f.Size, Action: "sending flv to client"}
	if part.From > 0 {
		part.Head = header
	}
	return r.SendFilePart(&f, part)
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
