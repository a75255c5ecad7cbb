// Package ssi carries out the commands in pages (server side includes): nginx's
// ngx_http_ssi_filter_module.
package ssi

import (
	"moongate/conf"
	"moongate/core/regex"
	"moongate/http"
)

// locConf is what a location says.
type locConf struct {
	ignoreRecycled conf.Opt[bool]  // without effect
	minFileChunk   conf.Opt[int64] // without effect
	enable         conf.Opt[bool]
	silent         conf.Opt[bool]
	lastModified   conf.Opt[bool]
	valueLen       conf.Opt[int64]
	types          conf.Opt[*http.TypeSet]
}

// mainConf keeps the regular expressions that pages used last.
type mainConf struct {
	vm      *regex.VM
	regexes map[string]*regex.Regex
}

var (
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}
	slot     = &conf.Slot[locConf]{Level: conf.LevelLocation}
	key      = &http.Ctx[ctx]{}
)

// Module is the SSI filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:       "http_ssi_filter",
		Slots:      []conf.AnySlot{mainSlot, slot},
		Directives: directives(),
	},
	Ctx: []http.AnyCtx{key},
	Variables: []http.Variable{
		{Name: "date_local", Get: getDate, Data: false, Volatile: true},
		{Name: "date_gmt", Get: getDate, Data: true, Volatile: true},
	},
	Header:   headerFilter,
	Where:    slot.Where(func(c *locConf) bool { return c.enable.V }),
	Body:     bodyFilter,
	InMemory: true,
}

func directives() []conf.Directive {
	const in = conf.HTTPAny
	return []conf.Directive{
		slot.Flag("ssi", conf.HTTPAnyIf, func(c *locConf) *conf.Opt[bool] { return &c.enable }, false),
		slot.Flag("ssi_silent_errors", in, func(c *locConf) *conf.Opt[bool] { return &c.silent }, false),
		slot.Flag("ssi_ignore_recycled_buffers", in, func(c *locConf) *conf.Opt[bool] { return &c.ignoreRecycled }, false,
			conf.NoEffect[bool]("no buffer is recycled before it is sent")),
		slot.Size("ssi_min_file_chunk", in, func(c *locConf) *conf.Opt[int64] { return &c.minFileChunk }, 1024,
			conf.NoEffect[int64]("what is sent was read already")),
		slot.Size("ssi_value_length", in, func(c *locConf) *conf.Opt[int64] { return &c.valueLen }, 255),
		http.TypesDirective(slot, "ssi_types", in, func(c *locConf) *conf.Opt[*http.TypeSet] { return &c.types }, "text/html", "text/html"),
		slot.Flag("ssi_last_modified", in, func(c *locConf) *conf.Opt[bool] { return &c.lastModified }, false),
	}
}

const (
	defaultTimeFormat = "%A, %d-%b-%Y %H:%M:%S %Z"
	defaultError      = "[an error occurred while processing the directive]"
)

// encoding is how "echo" writes values.
type encoding uint8

const (
	encodeEntity encoding = iota
	encodeURL
	encodeNone
)

// ctx is the state of a page.
type ctx struct {
	r    *http.Request
	conf *locConf
	scan scanner
	page *page

	// output: what is read is sent, as outside of false conditions and blocks.
	output, chosen, inBlock bool
	conditional             int
	encoding                encoding
	timeFormat, errorText   string

	out []http.Buf
	// only: the page is that of a subrequest, and the main request keeps it for
	// others.
	only bool
}

// page is what a request and its subrequests share.
type page struct {
	vars   map[string]string
	blocks []*block
	// captures are the groups of the last expression that matched subject.
	captures []int
	subject  string
}

// block is text for use where an include has no output.
type block struct {
	name string
	text []byte
}

func headerFilter(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if r.Out.ContentLength == 0 || !c.types.V.Has(r.Out.ContentType) {
		return http.OK
	}
	x := &ctx{
		r: r, conf: c, output: true, timeFormat: defaultTimeFormat, errorText: defaultError,
		scan: scanner{r: r, maxValue: int(c.valueLen.V)},
	}
	m := key.Of(r.Main)
	if m != nil {
		x.page = m.page
	} else {
		x.page = &page{vars: map[string]string{}}
	}
	if !r.IsMain() && m == nil {
		key.Set(r.Main, &ctx{page: x.page, only: true})
	}
	key.Set(r, x)
	r.FilterOwnBody()
	if !r.IsMain() {
		return http.OK
	}
	r.Out.ClearContentLength()
	r.Out.Delete("Content-Length")
	r.ClearAcceptRanges()
	if c.lastModified.V {
		r.WeakETag()
	} else {
		r.Out.ClearLastModified()
		r.ClearETag()
	}
	return http.OK
}

func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	x := key.Of(r)
	if x == nil || x.only {
		return next.Write(in)
	}
	for i := range in {
		if err := x.piece(&in[i], next); err != nil {
			return err
		}
	}
	return nil
}

// piece reads a piece of the page and passes on what it comes to.
func (x *ctx) piece(b *http.Buf, next http.Next) error {
	data := b.B
	for len(data) > 0 {
		t := x.scan.next(data)
		data = data[t.size:]
		x.text(t.held, t.text)
		ok := true
		switch t.what {
		case tokenCommand:
			var err error
			if ok, err = x.command(next); err != nil {
				return err
			}
		case tokenError:
			ok = false
		}
		if !ok && !x.conf.silent.V {
			x.emit([]byte(x.errorText))
		}
	}
	if n := len(x.out); n == 0 && (len(b.B) == 0 || b.Special() || b.Flush || b.Last || b.LastInChain) {
		x.out = append(x.out, http.Buf{})
	} else if n == 0 {
		return nil
	}
	end := &x.out[len(x.out)-1]
	end.Flush, end.Last, end.LastInChain, end.Sync = b.Flush, b.Last, b.LastInChain, b.Sync
	return x.flush(next)
}

// text deals with what is not a command: held bytes of the start of one, which
// it turned out not to be, and text.
func (x *ctx) text(held int, text []byte) {
	switch {
	case held == 0 && len(text) == 0:
	case x.output:
		if held > 0 {
			x.emit([]byte(opening[:held]))
		}
		x.emit(text)
	case x.inBlock:
		last := x.page.blocks[len(x.page.blocks)-1]
		last.text = append(append(last.text, opening[:held]...), text...)
	}
}

func (x *ctx) emit(b []byte) {
	if len(b) > 0 {
		x.out = append(x.out, http.Buf{B: b})
	}
}

// flush passes on what there is.
func (x *ctx) flush(next http.Next) error {
	if len(x.out) == 0 {
		return nil
	}
	err := next.Write(x.out)
	clear(x.out)
	x.out = x.out[:0]
	return err
}
