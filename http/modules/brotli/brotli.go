// Package brotli encodes responses with brotli, and sends files that were
// encoded beforehand: the two modules of google/ngx_brotli.
package brotli

import (
	"errors"
	"math/bits"

	"github.com/andybalholm/brotli"

	"moongate/conf"
	"moongate/http"
	"moongate/http/compress"
)

var (
	filter = &compress.Filter{Coding: "br", Accepts: accepts, New: newEncoder}
	static = &compress.Static{Coding: "br", Suffix: ".br", Accepts: accepts}
)

// Module is the brotli filter.
var Module = filter.Module(http.Module{
	Module: conf.Module{
		Name:       "http_brotli_filter",
		Directives: directives(),
		Arguments:  []string{"--add-module=../ngx_brotli"},
		Objects:    []string{"ngx_http_brotli_filter_module.so"},
	},
	Variables: []http.Variable{{Name: "brotli_ratio", Get: filter.RoundedRatio}},
})

// Static is the brotli_static module.
var Static = static.Module(http.Module{Module: conf.Module{
	Name:    "http_brotli_static",
	Objects: []string{"ngx_http_brotli_static_module.so"},
}}, "brotli_static")

func directives() []conf.Directive {
	s := filter.Slot()
	return append(filter.Rows("brotli"),
		s.Num("brotli_comp_level", conf.HTTPAny, func(c *compress.Conf) *conf.Opt[int64] { return &c.Level }, 6,
			conf.Between(brotli.BestSpeed, brotli.BestCompression)),
		s.Size("brotli_window", conf.HTTPAny, func(c *compress.Conf) *conf.Opt[int64] { return &c.Window }, 512<<10, checkWindow),
	)
}

var errWindow = errors.New("must be 1k, 2k, 4k, 8k, 16k, 32k, 64k, 128k, 256k, 512k, 1m, 2m, 4m, 8m or 16m")

func checkWindow(_ *conf.Conf, v *int64) error {
	if *v < 1<<10 || *v > 16<<20 || *v&(*v-1) != 0 {
		return errWindow
	}
	return nil
}

func accepts(r *http.Request) bool { return r.TakesCoding("br") }

func newEncoder(_ *conf.Scope, level, window int64) (compress.Encoder, error) {
	return brotli.NewWriterOptions(nil, brotli.WriterOptions{
		Quality: int(level),
		LGWin:   bits.Len64(uint64(window)) - 1,
	}), nil
}
