// Package gzip compresses responses: nginx's ngx_http_gzip_filter_module.
package gzip

import (
	"errors"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"

	"moongate/conf"
	"moongate/http"
	"moongate/http/compress"
)

var filter = &compress.Filter{
	Coding:  "gzip",
	Accepts: (*http.Request).GzipOK,
	New:     newEncoder,
	Spare:   newStateless,
	Whole:   appendWhole,
	Small:   maxWhole,
}

// Module is the gzip filter.
var Module = filter.Module(http.Module{
	Module: conf.Module{
		Name:       "http_gzip_filter",
		Directives: directives(),
	},
	Variables: []http.Variable{{Name: "gzip_ratio", Get: filter.RoundedRatio}},
})

func directives() []conf.Directive {
	const in = conf.HTTPAny
	s := filter.Slot()
	return append(filter.Rows("gzip"),
		s.Num("gzip_comp_level", in, func(c *compress.Conf) *conf.Opt[int64] { return &c.Level }, 1, conf.Between(1, 9)),
		s.Size("gzip_window", in, func(c *compress.Conf) *conf.Opt[int64] { return &c.Window }, maxWindow, checkWindow),
		s.Size("gzip_hash", in, func(*compress.Conf) *conf.Opt[int64] { return new(conf.Opt[int64]) }, 64<<10, checkHash,
			conf.NoEffect[int64]("the compressor's memory follows from its level")),
		s.Size("postpone_gzipping", in, func(c *compress.Conf) *conf.Opt[int64] { return &c.Postpone }, 0),
		s.Flag("gzip_no_buffer", in, func(c *compress.Conf) *conf.Opt[bool] { return &c.NoBuffer }, false),
	)
}

const maxWindow = 32 << 10

var (
	errWindow = errors.New("must be 512, 1k, 2k, 4k, 8k, 16k, or 32k")
	errHash   = errors.New("must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k")
)

func checkWindow(_ *conf.Conf, v *int64) error { return powerOfTwo(*v, maxWindow, errWindow) }

func checkHash(_ *conf.Conf, v *int64) error { return powerOfTwo(*v, 128<<10, errHash) }

func powerOfTwo(v, largest int64, err error) error {
	for size := largest; size > 256; size >>= 1 {
		if v == size {
			return nil
		}
	}
	return err
}

// osUnix is the system that zlib writes into the header.
const osUnix = 3

// encoder is a compressor whose header is zlib's.
type encoder struct{ *gzip.Writer }

func (e encoder) Reset(w io.Writer) {
	e.Writer.Reset(w)
	e.OS, e.ModTime = osUnix, time.Unix(0, 0)
}

// newEncoder makes a compressor. One with a window smaller than the largest has
// no levels.
func newEncoder(_ *conf.Scope, level, window int64) (compress.Encoder, error) {
	if window < maxWindow {
		w, err := gzip.NewWriterWindow(nil, int(window))
		return encoder{w}, err
	}
	w, err := gzip.NewWriterLevel(nil, int(level))
	return encoder{w}, err
}

// newStateless makes a compressor that forgets what it saw with every write and
// so needs no memory.
func newStateless() (compress.Encoder, error) {
	w, err := gzip.NewWriterLevel(nil, gzip.StatelessCompression)
	return encoder{w}, err
}
