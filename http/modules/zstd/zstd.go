// Package zstd encodes responses with Zstandard, and sends files that were
// encoded beforehand: the two modules of tokers/zstd-nginx-module.
package zstd

import (
	"bytes"
	"errors"
	"strings"

	"github.com/klauspost/compress/zstd"

	"moongate/conf"
	"moongate/http"
	"moongate/http/compress"
)

// mainConf has what zstd_dict_file names.
type mainConf struct {
	file conf.Opt[string]
	dict []byte
}

var (
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}
	filter   = &compress.Filter{Coding: "zstd", Accepts: accepts, New: newEncoder}
	static   = &compress.Static{Coding: "zstd", Suffix: ".zst", Accepts: accepts}
)

// Module is the zstd filter.
var Module = filter.Module(http.Module{
	Module: conf.Module{
		Name:       "http_zstd_filter",
		Slots:      []conf.AnySlot{mainSlot},
		Directives: directives(),
		Arguments:  []string{"--add-module=../zstd-nginx-module"},
		Objects:    []string{"ngx_http_zstd_filter_module.so"},
	},
	Variables: []http.Variable{{Name: "zstd_ratio", Get: ratio}},
})

// Static is the zstd_static module.
var Static = static.Module(http.Module{Module: conf.Module{
	Name:    "http_zstd_static",
	Objects: []string{"ngx_http_zstd_static_module.so"},
}}, "zstd_static")

func directives() []conf.Directive {
	return append(filter.Rows("zstd"),
		conf.Value(filter.Slot(), "zstd_comp_level", conf.HTTPAny, conf.Take1,
			func(c *compress.Conf) *conf.Opt[int64] { return &c.Level }, 1, parseLevel),
		conf.Value(mainSlot, "zstd_dict_file", conf.HTTPMain, conf.Take1,
			func(c *mainConf) *conf.Opt[string] { return &c.file }, "", readDict),
	)
}

// Levels of libzstd 1.5. The encoder has four, to which they are mapped.
const (
	minLevel = -131072
	maxLevel = 22
)

func parseLevel(cf *conf.Conf) (int64, error) {
	digits, negative := strings.CutPrefix(cf.Args[0], "-")
	n, ok := conf.ParseInt(digits)
	if !ok {
		return 0, errors.New("invalid number")
	}
	if negative {
		n = -n
	}
	if n == 0 || n < minLevel || n > maxLevel {
		return 0, cf.Errorf("zstd compress level must between %d and %d excluding 0", minLevel, maxLevel)
	}
	return n, nil
}

// readDict reads the dictionary, which encoder and decoder share: one that zstd
// made, or any text.
func readDict(cf *conf.Conf) (string, error) {
	path := cf.Cycle.ConfPath(cf.Args[0])
	dict, err := cf.Cycle.ReadFile(path)
	if err != nil {
		return "", cf.Errorf(`open() "%s" failed (%s)`, path, conf.ErrnoText(err))
	}
	mainSlot.Of(cf.Scope).dict = dict
	return path, nil
}

func accepts(r *http.Request) bool { return r.TakesCoding("zstd") }

// rawDict numbers a dictionary that is just text; 0 says that there is no
// number, and decoders take any.
const rawDict = 0

// dictMagic is how a dictionary begins that zstd made.
const dictMagic = "\x37\xa4\x30\xec"

func newEncoder(sc *conf.Scope, level, _ int64) (compress.Encoder, error) {
	options := []zstd.EOption{
		zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(int(max(level, 1)))),
		zstd.WithEncoderConcurrency(1), // no goroutines
		zstd.WithLowerEncoderMem(true),
		zstd.WithWindowSize(window(level)),
	}
	if dict := mainSlot.Of(sc).dict; bytes.HasPrefix(dict, []byte(dictMagic)) {
		options = append(options, zstd.WithEncoderDict(dict))
	} else if len(dict) > 0 {
		options = append(options, zstd.WithEncoderDictRaw(rawDict, dict))
	}
	return zstd.NewWriter(nil, options...)
}

// window is about that of libzstd at a level, and not more than the 8 MB that
// every decoder takes (RFC 9659).
func window(level int64) int {
	switch {
	case level < 3:
		return 512 << 10
	case level < 9:
		return 2 << 20
	case level < 16:
		return 4 << 20
	}
	return 8 << 20
}

// ratio is $zstd_ratio: three digits, cut off.
func ratio(r *http.Request, _ any) http.Value {
	in, out, ok := filter.Ratio(r)
	if !ok {
		return http.Value{}
	}
	return http.Val(compress.Decimal(r, in*1000/out, 3))
}
