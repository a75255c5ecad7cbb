// Package gzip compresses responses: nginx's ngx_http_gzip_filter_module.
package gzip

import (
	"errors"
	"os"

	"moongate/conf"
	"moongate/http"
)

// locConf is what a location says.
type locConf struct {
	enable    conf.Opt[bool]
	bufs      conf.Opt[conf.Bufs]
	types     conf.Opt[*http.TypeSet]
	level     conf.Opt[int64]
	window    conf.Opt[int64]
	hash      conf.Opt[int64]
	postpone  conf.Opt[int64]
	noBuffer  conf.Opt[bool]
	minLength conf.Opt[int64]
}

var (
	// mainSlot keeps the compressors of the worker.
	mainSlot = &conf.Slot[pool]{Level: conf.LevelMain}
	slot     = &conf.Slot[locConf]{Level: conf.LevelLocation}
	key      = &http.Ctx[stream]{}
)

// Module is the gzip filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:       "http_gzip_filter",
		Slots:      []conf.AnySlot{mainSlot, slot},
		Directives: directives(),
	},
	Ctx:       []http.AnyCtx{key},
	Variables: []http.Variable{{Name: "gzip_ratio", Get: ratio}},
	Header:    headerFilter,
	Body:      bodyFilter,
	InMemory:  true,
}

func directives() []conf.Directive {
	const in = conf.HTTPAny
	page := int64(os.Getpagesize())
	return []conf.Directive{
		slot.Flag("gzip", conf.HTTPAnyIf, func(c *locConf) *conf.Opt[bool] { return &c.enable }, false),
		slot.Bufs("gzip_buffers", in, func(c *locConf) *conf.Opt[conf.Bufs] { return &c.bufs },
			conf.Bufs{N: int(128 << 10 / page), Size: page}),
		http.TypesDirective(slot, "gzip_types", in, func(c *locConf) *conf.Opt[*http.TypeSet] { return &c.types },
			"text/html", "text/html"),
		slot.Num("gzip_comp_level", in, func(c *locConf) *conf.Opt[int64] { return &c.level }, 1, conf.Between(1, 9)),
		slot.Size("gzip_window", in, func(c *locConf) *conf.Opt[int64] { return &c.window }, 32<<10, checkWindow),
		slot.Size("gzip_hash", in, func(c *locConf) *conf.Opt[int64] { return &c.hash }, 64<<10, checkHash),
		slot.Size("postpone_gzipping", in, func(c *locConf) *conf.Opt[int64] { return &c.postpone }, 0),
		slot.Flag("gzip_no_buffer", in, func(c *locConf) *conf.Opt[bool] { return &c.noBuffer }, false),
		slot.Size("gzip_min_length", in, func(c *locConf) *conf.Opt[int64] { return &c.minLength }, 20),
	}
}

var (
	errWindow = errors.New("must be 512, 1k, 2k, 4k, 8k, 16k, or 32k")
	errHash   = errors.New("must be 512, 1k, 2k, 4k, 8k, 16k, 32k, 64k, or 128k")
)

// checkWindow and checkHash accept the sizes of zlib's memory. They have no
// effect here: a compressor's memory is what its level needs.
func checkWindow(_ *conf.Conf, v *int64) error { return powerOfTwo(*v, 32<<10, errWindow) }

func checkHash(_ *conf.Conf, v *int64) error { return powerOfTwo(*v, 128<<10, errHash) }

func powerOfTwo(v, largest int64, err error) error {
	for size := largest; size > 256; size >>= 1 {
		if v == size {
			return nil
		}
	}
	return err
}

// headerFilter decides whether the response is compressed.
func headerFilter(r *http.Request) http.Verdict {
	c, o := slot.Of(r.Scope), &r.Out
	if !c.enable.V {
		return http.OK
	}
	switch http.Verdict(o.Status) {
	case http.StatusOK, http.StatusForbidden, http.StatusNotFound:
	default:
		return http.OK
	}
	if coding, _ := o.Get("Content-Encoding"); coding != "" || r.HeaderOnly ||
		o.ContentLength != -1 && o.ContentLength < c.minLength.V || !c.types.V.Has(o.ContentType) {
		return http.OK
	}
	r.GzipVary = true
	if !r.GzipOK() {
		return http.OK
	}
	key.Set(r, mainSlot.Of(r.Scope).stream(r, c))
	r.FilterOwnBody()
	o.Add("Content-Encoding", "gzip")
	o.ClearContentLength()
	o.Delete("Content-Length")
	r.ClearAcceptRanges()
	r.WeakETag()
	return http.OK
}

// workPerByte is how much more work it is to compress a byte than to send it.
const workPerByte = 8

// bodyFilter compresses pieces of the body.
func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	s := key.Of(r)
	if s == nil || s.done || r.HeaderOnly {
		return next.Write(in)
	}
	s.next = next
	for i := range in {
		if err := s.write(&in[i]); err != nil {
			s.finish()
			return err
		}
		r.Loop().Spend(workPerByte * len(in[i].B))
	}
	if s.conf.noBuffer.V && s.zw != nil {
		return s.send(http.Buf{})
	}
	return nil
}

// ratio is $gzip_ratio, with two digits, rounded.
func ratio(r *http.Request, _ any) http.Value {
	s := key.Of(r)
	if s == nil || !s.done || s.zout == 0 {
		return http.Value{}
	}
	whole, frac := s.zin/s.zout, s.zin*100/s.zout%100
	if s.zin*1000/s.zout%10 > 4 {
		if frac++; frac > 99 {
			whole, frac = whole+1, 0
		}
	}
	return http.Val(r.Pool.Concat(r.Pool.Int(whole), ".", twoDigits[2*frac:2*frac+2]))
}

// twoDigits are the numbers from 00 to 99.
var twoDigits = func() string {
	b := make([]byte, 0, 200)
	for i := range 100 {
		b = append(b, byte('0'+i/10), byte('0'+i%10))
	}
	return string(b)
}()
