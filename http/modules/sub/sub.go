// Package sub replaces strings in responses: nginx's
// ngx_http_sub_filter_module.
package sub

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is what a location says.
type locConf struct {
	pairs        []pair
	set          *matcher // of pairs when no pattern has variables
	types        conf.Opt[*http.TypeSet]
	once         conf.Opt[bool]
	lastModified conf.Opt[bool]
}

// pair is a sub_filter.
type pair struct{ pattern, value *http.Complex }

var (
	slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLoc}
	key  = &http.Ctx[ctx]{}
)

// Module is the sub filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_sub_filter",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("sub_filter", conf.HTTPAny, conf.Take2, subFilterDirective),
			http.TypesDirective(slot, "sub_filter_types", conf.HTTPAny, func(c *locConf) *conf.Opt[*http.TypeSet] { return &c.types },
				"text/html", "text/html"),
			slot.Flag("sub_filter_once", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.once }, true),
			slot.Flag("sub_filter_last_modified", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.lastModified }, false),
		},
		Arguments: []string{"--with-http_sub_module"},
	},
	Ctx:      []http.AnyCtx{key},
	Header:   headerFilter,
	Where:    slot.Where(func(c *locConf) bool { return c.pairs != nil }),
	Body:     bodyFilter,
	InMemory: true,
}

// maxPairs is how many strings a location may replace.
const maxPairs = 255

// subFilterDirective is "sub_filter string replacement".
func subFilterDirective(cf *conf.Conf, c *locConf) error {
	if cf.Args[0] == "" {
		return cf.Errorf("empty search pattern")
	}
	if len(c.pairs) == maxPairs {
		return cf.Errorf("number of search patterns exceeds %d", maxPairs)
	}
	pattern, err := http.CompileArg(cf, lower(cf.Args[0]))
	if err != nil {
		return err
	}
	value, err := http.CompileArg(cf, cf.Args[1])
	if err != nil {
		return err
	}
	c.pairs = append(c.pairs, pair{pattern, value})
	return nil
}

// lower is strings.ToLower for ASCII only.
func lower(s string) string { return buf.String(wire.AppendLower(nil, s)) }

func mergeLoc(_ *conf.Conf, outer, c *locConf) error {
	if c.pairs == nil {
		c.pairs, c.set = outer.pairs, outer.set
	}
	if c.pairs == nil || c.set != nil {
		return nil
	}
	for i := range c.pairs {
		if !c.pairs[i].pattern.Static() {
			return nil
		}
	}
	c.set = newMatcher(c.pairs, func(c *http.Complex) string { return c.Text })
	return nil
}

func headerFilter(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if r.Out.ContentLength == 0 || !c.types.V.Has(r.Out.ContentType) {
		return http.OK
	}
	set := c.set
	if set == nil {
		set = newMatcher(c.pairs, func(p *http.Complex) string {
			if p.Static() {
				return p.Text
			}
			return lower(strings.Clone(p.Eval(r)))
		})
		if set == nil {
			return http.OK
		}
	}
	key.Set(r, &ctx{set: set, once: c.once.V, values: make([]http.Value, len(set.patterns))})
	r.FilterOwnBody()
	if !r.IsMain() {
		return http.OK
	}
	r.Out.ClearContentLength()
	r.Out.Delete("Content-Length")
	if c.lastModified.V {
		r.WeakETag()
	} else {
		r.Out.ClearLastModified()
		r.ClearETag()
	}
	return http.OK
}

// ctx is the replacing in one response.
type ctx struct {
	set *matcher
	// values are the replacements that were made so far, evaluated once.
	values  []http.Value
	once    bool
	applied int

	// held is the end of what came so far when it may be the beginning of a
	// pattern; joined has it together with what came next.
	held, joined []byte
	out          []http.Buf
}

// finished reports whether nothing is left to be replaced.
func (x *ctx) finished() bool { return x.once && x.applied == len(x.values) }

func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	x := key.Of(r)
	if x == nil {
		return next.Write(in)
	}
	for i := range in {
		if x.finished() && len(x.held) == 0 {
			return next.Write(in[i:])
		}
		if err := x.piece(r, &in[i], next); err != nil {
			return err
		}
	}
	return nil
}

// piece passes on one piece with the replacements made.
func (x *ctx) piece(r *http.Request, b *http.Buf, next http.Next) error {
	data, last := b.B, b.Last || b.LastInChain
	if len(x.held) > 0 {
		x.joined = append(append(x.joined[:0], x.held...), data...)
		data = x.joined
	}
	x.out = x.out[:0]
	rest := x.replace(r, data)
	if last && len(rest) > 0 {
		x.out = append(x.out, http.Buf{B: rest})
		rest = nil
	}
	if n := len(x.out); n == 0 || x.out[n-1].Len() == 0 {
		x.out = append(x.out, http.Buf{})
	}
	end := &x.out[len(x.out)-1]
	end.Flush, end.Last, end.LastInChain, end.Sync = b.Flush, b.Last, b.LastInChain, b.Sync
	var err error
	if len(x.out) > 1 || end.Len() > 0 || end.Special() {
		err = next.Write(x.out)
	}
	x.held = append(x.held[:0], rest...)
	return err
}

// replace appends to x.out what becomes of data, and returns the end of it that
// cannot be decided upon before more is known.
func (x *ctx) replace(r *http.Request, data []byte) (rest []byte) {
	for {
		if x.finished() {
			x.emit(data)
			return nil
		}
		at, i, how := x.set.find(data, x.skip)
		x.emit(data[:at])
		switch how {
		case matchNone:
			return nil
		case matchPartial:
			return data[at:]
		}
		data = data[at+len(x.set.patterns[i].text):]
		v := &x.values[i]
		if !v.Found {
			*v = http.Val(x.set.patterns[i].value.Eval(r))
		}
		x.emit(buf.Bytes(v.S))
		x.applied++
	}
}

// skip tells the matcher which patterns are done with.
func (x *ctx) skip(i int) bool { return x.once && x.values[i].Found }

func (x *ctx) emit(b []byte) {
	if len(b) > 0 {
		x.out = append(x.out, http.Buf{B: b})
	}
}
