// Package gunzip decompresses responses for clients that do not take gzip:
// nginx's ngx_http_gunzip_filter_module.
package gunzip

import (
	"os"
	"strings"

	"moongate/conf"
	"moongate/http"
)

// locConf is what a location says.
type locConf struct {
	enable conf.Opt[bool]
	bufs   conf.Opt[conf.Bufs]
}

var (
	// mainSlot keeps the decompressors of the worker.
	mainSlot = &conf.Slot[pool]{Level: conf.LevelMain}
	slot     = &conf.Slot[locConf]{Level: conf.LevelLocation}
	key      = &http.Ctx[stream]{}
)

// Module is the gunzip filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_gunzip_filter",
		Slots: []conf.AnySlot{mainSlot, slot},
		Directives: []conf.Directive{
			slot.Flag("gunzip", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.enable }, false),
			slot.Bufs("gunzip_buffers", conf.HTTPAny, func(c *locConf) *conf.Opt[conf.Bufs] { return &c.bufs },
				conf.Bufs{N: 128 << 10 / os.Getpagesize(), Size: int64(os.Getpagesize())}),
		},
		Arguments: []string{"--with-http_gunzip_module"},
	},
	Ctx:      []http.AnyCtx{key},
	Header:   headerFilter,
	Where:    slot.Where(func(c *locConf) bool { return c.enable.V }),
	Body:     bodyFilter,
	InMemory: true,
}

func headerFilter(r *http.Request) http.Verdict {
	if coding, _ := r.Out.Get("Content-Encoding"); !strings.EqualFold(coding, "gzip") {
		return http.OK
	}
	r.GzipVary = true
	if r.GzipOK() {
		return http.OK
	}
	s := &stream{r: r, size: int(slot.Of(r.Scope).bufs.V.Size)}
	key.Set(r, s)
	r.FilterOwnBody()
	r.Out.Delete("Content-Encoding")
	r.Out.ClearContentLength()
	r.Out.Delete("Content-Length")
	r.ClearAcceptRanges()
	r.WeakETag()
	return http.OK
}

func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	s := key.Of(r)
	if s == nil || s.done {
		return next.Write(in)
	}
	for i := range in {
		if err := s.write(&in[i], next); err != nil {
			s.done = true
			return err
		}
	}
	return nil
}
