// Package emptygif answers with a transparent pixel: nginx's
// ngx_http_empty_gif_module.
package emptygif

import (
	"moongate/conf"
	"moongate/http"
	"moongate/http/wire"
)

// Module is the empty_gif module.
var Module = &http.Module{
	Module: conf.Module{
		Name: "http_empty_gif",
		Directives: []conf.Directive{
			conf.Command("empty_gif", conf.HTTPLocation, conf.NoArgs, func(cf *conf.Conf) error {
				http.LocOf(cf).Handler = handler
				return nil
			}),
		},
	},
}

// pixel is a GIF of one transparent pixel.
const pixel = "GIF89a" + "\x01\x00\x01\x00" + // of width and height 1,
	"\x80\x01\x00" + "\x00\x00\x00" + "\xff\xff\xff" + // with black and white,
	"\x21\xf9\x04\x01\x00\x00\x01\x00" + // of which white is transparent
	"\x2c\x00\x00\x00\x00\x01\x00\x01\x00\x00" + "\x02\x02\x4c\x01\x00" + // and fills the image
	"\x3b"

// lastModified is 28 Sep 1970 06:00:00 GMT, which nginx gives its pixel.
const lastModified = 23349600

func handler(r *http.Request) http.Verdict {
	if r.Method&(wire.GET|wire.HEAD) == 0 {
		return http.StatusNotAllowed
	}
	r.Out.LastModified = lastModified
	return r.Respond(http.StatusOK, "image/gif", pixel)
}
