// Package mp4 sends parts of MP4 and QuickTime files, from one time to another,
// as files of their own: nginx's ngx_http_mp4_module, ISO/IEC 14496-12.
package mp4

import (
	"errors"
	"math"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is what a location says.
type locConf struct {
	bufferSize, maxBufferSize conf.Opt[int64]
	startKeyFrame             conf.Opt[bool]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

// Module is the mp4 module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_mp4",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Command("mp4", conf.HTTPLocation, conf.NoArgs, func(cf *conf.Conf) error {
				http.LocOf(cf).Handler = handler
				return nil
			}),
			slot.Size("mp4_buffer_size", conf.HTTPAny, func(c *locConf) *conf.Opt[int64] { return &c.bufferSize }, 512<<10),
			slot.Size("mp4_max_buffer_size", conf.HTTPAny, func(c *locConf) *conf.Opt[int64] { return &c.maxBufferSize }, 10<<20),
			slot.Flag("mp4_start_key_frame", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.startKeyFrame }, false),
		},
		Arguments: []string{"--with-http_mp4_module"},
	},
}

func handler(r *http.Request) http.Verdict {
	path, f, v := r.OpenMedia()
	if v != http.OK {
		return v
	}
	out := clip{end: f.Size}
	if start, length, ok := times(r); ok {
		r.SingleRange = true
		c := slot.Of(r.Scope)
		m := movie{
			name: path, file: fileReader(f.FD), size: f.Size, start: start, length: length,
			maxMoov: max(c.bufferSize.V, c.maxBufferSize.V), keyFrame: c.startKeyFrame.V,
		}
		cut, err := m.cut()
		switch {
		case err == nil:
			out = cut
		case !errors.Is(err, errWhole):
			r.Error("%s", err)
			return http.StatusInternalServerError
		}
	}
	return r.SendFilePart(&f, http.FilePart{Head: out.head, From: out.start, To: out.end, Action: "sending mp4 to client"})
}

// times reads the arguments "start" and "end" in milliseconds; length is 0 for
// all that follows. It reports false when the whole file is asked for.
func times(r *http.Request) (start, length uint64, ok bool) {
	v, _ := wire.Arg(buf.Bytes(r.Args), "start")
	start, ok = parseSeconds(v)
	v, _ = wire.Arg(buf.Bytes(r.Args), "end")
	if end, has := parseSeconds(v); has && end > 0 {
		ok = true
		if end > start {
			length = end - start
		}
	}
	return start, length, ok
}

// parseSeconds reads a number of seconds as milliseconds. Players send any
// number of digits behind the point.
func parseSeconds(s []byte) (ms uint64, ok bool) {
	if len(s) == 0 {
		return 0, false
	}
	point, dot := 3, false
	for _, c := range s {
		switch {
		case c == '.' && !dot:
			dot = true
			continue
		case c-'0' > 9:
			return 0, false
		case point == 0:
			continue
		case ms > (math.MaxInt64-9)/10:
			return 0, false
		}
		ms = ms*10 + uint64(c-'0')
		if dot {
			point--
		}
	}
	for ; point > 0; point-- {
		if ms > math.MaxInt64/10 {
			return 0, false
		}
		ms *= 10
	}
	return ms, true
}
