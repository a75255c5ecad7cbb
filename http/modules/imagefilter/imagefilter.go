// Package imagefilter transforms images: nginx's
// ngx_http_image_filter_module.
package imagefilter

import (
	"math"
	"strings"

	"moongate/conf"
	"moongate/http"
)

// What image_filter does.
const (
	off = iota
	test
	size
	resize
	crop
	rotate
)

// number is a number of the configuration: a fixed one, or a text with
// variables.
type number struct {
	fixed int
	text  *http.Complex
}

// none is the number "-", which is no limit.
const none = math.MaxInt32

// parseNumber reads a number: 0 stands for what is none.
func parseNumber(s string) int {
	if s == "-" {
		return none
	}
	n, ok := conf.ParseInt(s)
	if !ok {
		return 0
	}
	return int(min(n, none))
}

// of returns the number for a request.
func (n *number) of(r *http.Request) int {
	if n.text == nil {
		return n.fixed
	}
	return parseNumber(n.text.Eval(r))
}

// action is what the image_filter directives of a block say together.
type action struct {
	kind                 int
	width, height, angle number
}

// locConf is what a location says.
type locConf struct {
	action       conf.Opt[action]
	jpegQuality  conf.Opt[number]
	webpQuality  conf.Opt[number]
	sharpen      conf.Opt[number]
	transparency conf.Opt[bool]
	interlace    conf.Opt[bool]
	buffer       conf.Opt[int64]
}

var (
	slot = &conf.Slot[locConf]{Level: conf.LevelLocation}
	key  = &http.Ctx[state]{}
)

// Module is the image filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_image_filter",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Repeat(slot, "image_filter", conf.HTTPLocation, conf.Take123,
				func(c *locConf) *conf.Opt[action] { return &c.action }, action{}, parseAction),
			numberRow("image_filter_jpeg_quality", 1, 75, func(c *locConf) *conf.Opt[number] { return &c.jpegQuality }),
			numberRow("image_filter_webp_quality", 1, 80, func(c *locConf) *conf.Opt[number] { return &c.webpQuality }),
			numberRow("image_filter_sharpen", 0, 0, func(c *locConf) *conf.Opt[number] { return &c.sharpen }),
			slot.Flag("image_filter_transparency", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.transparency }, true),
			slot.Flag("image_filter_interlace", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.interlace }, false, baselineJPEG),
			slot.Size("image_filter_buffer", conf.HTTPAny, func(c *locConf) *conf.Opt[int64] { return &c.buffer }, 1<<20),
		},
		Arguments: []string{"--with-http_image_filter_module"},
		Objects:   []string{"ngx_http_image_filter_module.so"},
	},
	Ctx:      []http.AnyCtx{key},
	Where:    slot.Where(func(c *locConf) bool { return c.action.V.kind != off }),
	Header:   headerFilter,
	Body:     bodyFilter,
	InMemory: true,
}

// baselineJPEG warns that the encoder of the standard library makes no
// progressive JPEG.
func baselineJPEG(cf *conf.Conf, on *bool) error {
	if *on {
		cf.Warnf(`"image_filter_interlace" has no effect on JPEG images, which are sent as baseline ones`)
	}
	return nil
}

// numberRow is a row for a number of at least least.
func numberRow(name string, least, def int, field func(*locConf) *conf.Opt[number]) conf.Directive {
	return conf.Repeat(slot, name, conf.HTTPAny, conf.Take1, field, number{fixed: def},
		func(cf *conf.Conf, o *conf.Opt[number]) error {
			n, ok, err := compileNumber(cf, cf.Args[0], least)
			if err == nil && !ok {
				err = cf.Errorf(`invalid value "%s"`, cf.Args[0])
			}
			o.Put(n)
			return err
		})
}

// compileNumber reads a number of the configuration; a fixed one is to be at
// least least.
func compileNumber(cf *conf.Conf, s string, least int) (n number, ok bool, err error) {
	text, err := http.MainOf(cf).Compile(cf, s)
	if err != nil {
		return n, false, err
	}
	if !text.Static() {
		return number{text: text}, true, nil
	}
	n.fixed = parseNumber(s)
	return n, n.fixed >= least, nil
}

// parseAction is "image_filter off | test | size", "image_filter rotate angle"
// and "image_filter resize | crop width height"; rotate may stand beside the
// latter.
func parseAction(cf *conf.Conf, o *conf.Opt[action]) error {
	a := o.V
	wrong := func(arg string) error { return cf.Errorf(`invalid parameter "%s"`, arg) }
	name := cf.Args[0]
	kinds := [...]map[string]int{
		{"off": off, "test": test, "size": size},
		{"rotate": rotate},
		{"resize": resize, "crop": crop},
	}
	kind, ok := kinds[len(cf.Args)-1][name]
	if !ok {
		return wrong(name)
	}
	if kind != rotate || a.kind != resize && a.kind != crop {
		a.kind = kind
	}
	targets := []*number{&a.width, &a.height}
	if kind == rotate {
		targets = []*number{&a.angle}
	}
	for i, arg := range cf.Args[1:] {
		n, ok, err := compileNumber(cf, arg, 1)
		if err != nil {
			return err
		}
		if !ok || kind == rotate && n.text == nil && !rightAngle(n.fixed) {
			return wrong(arg)
		}
		*targets[i] = n
	}
	o.Put(a)
	return nil
}

func rightAngle(n int) bool { return n == 90 || n == 180 || n == 270 }

// state is what is known of the body so far.
type state struct {
	conf  *locConf
	limit int64
	body  []byte
	// pass: the rest of the body goes through as it is; done: it is dropped.
	pass, done bool
}

func headerFilter(r *http.Request) http.Verdict {
	if r.Out.Status == int(http.StatusNotModified) {
		return http.OK
	}
	if key.Of(r) != nil { // the error page for an image
		key.Set(r, nil)
		return http.OK
	}
	c := slot.Of(r.Scope)
	const multipart = "multipart/x-mixed-replace"
	if t := r.Out.ContentType; len(t) >= len(multipart) && strings.EqualFold(t[:len(multipart)], multipart) {
		r.Error("image filter: multipart/x-mixed-replace response")
		return http.Error
	}
	s := &state{conf: c, limit: c.buffer.V}
	key.Set(r, s)
	if n := r.Out.ContentLength; n > s.limit {
		r.Error("image filter: too big response: %d", n)
		return http.StatusUnsupportedMediaType
	}
	r.Out.Delete("Refresh")
	r.AllowRanges = false
	r.HoldHeader()
	return http.OK
}

func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	s := key.Of(r)
	switch {
	case s == nil, s.pass:
		return next.Write(in)
	case s.done:
		return nil
	}
	last := false
	for i := range in {
		b := &in[i]
		if int64(len(s.body)+len(b.B)) > s.limit && s.conf.action.V.kind != test {
			r.Error("image filter: too big response")
			return r.RefuseHeld(http.StatusUnsupportedMediaType)
		}
		s.body = append(s.body, b.B...)
		last = last || b.Last || b.LastInChain
	}
	if len(s.body) < signature && !last {
		return nil
	}
	kind := formatOf(s.body)
	action := s.conf.action.V.kind
	switch {
	case kind == unknown && action == size:
		return s.send(r, next, info{})
	case kind == unknown:
		return r.RefuseHeld(http.StatusUnsupportedMediaType)
	case action == test:
		r.Out.ContentType = kind.mediaType()
		s.pass = true
		return s.release(r, next, last)
	case !last:
		return nil
	}
	return s.process(r, next, kind)
}

// process makes the answer once the image is complete.
func (s *state) process(r *http.Request, next http.Next, kind format) error {
	i, known := measure(kind, s.body)
	a := &s.conf.action.V
	if a.kind == size {
		return s.send(r, next, i)
	}
	j := job{
		format: kind, body: s.body, info: i, known: known, kind: a.kind, angle: a.angle.of(r),
		maxWidth: none, maxHeight: none,
		transparency: s.conf.transparency.V, interlace: s.conf.interlace.V,
		quality: s.conf.jpegQuality.V.of(r), sharpen: s.conf.sharpen.V.of(r),
	}
	if kind == webpFormat {
		j.quality = s.conf.webpQuality.V.of(r)
	}
	if a.kind != rotate {
		j.maxWidth, j.maxHeight = a.width.of(r), a.height.of(r)
	}
	if !j.possible() {
		return r.RefuseHeld(http.StatusUnsupportedMediaType)
	}
	r.Out.ContentType = kind.mediaType()
	if j.asIs() {
		s.setLength(r)
		return s.release(r, next, true)
	}
	var out []byte
	var err error
	r.Loop().Offload(func() { out, err = j.run() })
	if err != nil {
		r.Error("%s", err)
	}
	if err != nil || out == nil {
		return r.RefuseHeld(http.StatusUnsupportedMediaType)
	}
	s.body = out
	s.setLength(r)
	if j.changed {
		r.WeakETag()
	}
	return s.release(r, next, true)
}

// send answers with what is known of the image instead of it.
func (s *state) send(r *http.Request, next http.Next, i info) error {
	r.CleanHeader()
	r.Out.Status = int(http.StatusOK)
	r.Out.ContentType = "application/json"
	s.body = i.appendJSON(nil)
	s.setLength(r)
	s.done = true
	return s.release(r, next, true)
}

func (s *state) setLength(r *http.Request) {
	r.Out.ContentLength = int64(len(s.body))
	r.Out.Delete("Content-Length")
}

// release sends the header and the body so far.
func (s *state) release(r *http.Request, next http.Next, last bool) error {
	s.done = s.done || last
	if v := r.ReleaseHeader(); v == http.Error || v > http.OK || r.HeaderOnly {
		if v == http.OK {
			s.pass, s.done = false, true
			return nil
		}
		return errHeader
	}
	b := http.Buf{B: s.body, LastInChain: last, Last: last && r.IsMain()}
	err := next.Write([]http.Buf{b})
	s.body = nil
	return err
}
