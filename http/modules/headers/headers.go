// Package headers adds fields to responses: nginx's
// ngx_http_headers_filter_module.
package headers

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// Values of add_header_inherit and add_trailer_inherit.
const (
	inheritOff = iota
	inheritOn
	inheritMerge
)

var inheritWords = []conf.Word{{Name: "off", Value: inheritOff}, {Name: "on", Value: inheritOn}, {Name: "merge", Value: inheritMerge}}

// locConf is what a location says.
type locConf struct {
	expires                         conf.Opt[expires]
	headers, trailers               []field
	inheritHeaders, inheritTrailers conf.Opt[int]
}

// field is an add_header or add_trailer.
type field struct {
	name   string
	value  *http.Complex
	always bool
	set    func(r *http.Request, name, value string)
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLoc}

// Module is the headers filter.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_headers_filter",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			conf.Value(slot, "expires", conf.HTTPAnyIf, conf.Take12,
				func(c *locConf) *conf.Opt[expires] { return &c.expires }, expires{}, parseExpires),
			slot.Custom("add_header", conf.HTTPAnyIf, conf.Take23, func(cf *conf.Conf, c *locConf) (err error) {
				c.headers, err = addField(cf, c.headers, setters[strings.ToLower(cf.Args[0])])
				return err
			}),
			slot.Custom("add_trailer", conf.HTTPAnyIf, conf.Take23, func(cf *conf.Conf, c *locConf) (err error) {
				c.trailers, err = addField(cf, c.trailers, nil)
				return err
			}),
			slot.Enum("add_header_inherit", conf.HTTPAnyIf,
				func(c *locConf) *conf.Opt[int] { return &c.inheritHeaders }, inheritOn, inheritWords),
			slot.Enum("add_trailer_inherit", conf.HTTPAnyIf,
				func(c *locConf) *conf.Opt[int] { return &c.inheritTrailers }, inheritOn, inheritWords),
		},
	},
	Header: headerFilter,
	Where: slot.Where(func(c *locConf) bool {
		return c.expires.V.kind != expiresOff || c.headers != nil || c.trailers != nil
	}),
	Body: bodyFilter,
}

// setters are what add_header does for the fields that are not simply added.
var setters = map[string]func(r *http.Request, name, value string){
	"last-modified": setLastModified,
	"etag":          setField,
}

// addField reads "add_header name value [always]".
func addField(cf *conf.Conf, list []field, set func(r *http.Request, name, value string)) ([]field, error) {
	value, err := http.CompileArg(cf, cf.Args[1])
	if err != nil {
		return nil, err
	}
	f := field{name: cf.Args[0], value: value, set: set}
	if len(cf.Args) == 3 {
		if cf.Args[2] != "always" {
			return nil, cf.Errorf(`invalid parameter "%s"`, cf.Args[2])
		}
		f.always = true
	}
	return append(list, f), nil
}

func mergeLoc(_ *conf.Conf, outer, l *locConf) error {
	l.headers = inherit(l.headers, outer.headers, l.inheritHeaders.V)
	l.trailers = inherit(l.trailers, outer.trailers, l.inheritTrailers.V)
	return nil
}

func inherit(own, outer []field, how int) []field {
	switch {
	case how == inheritOff:
	case own == nil:
		return outer
	case how == inheritMerge:
		return append(own, outer...)
	}
	return own
}

// safe reports whether a response with that status gets fields without
// "always".
func safe(status int) bool {
	switch http.Verdict(status) {
	case http.StatusOK, http.StatusCreated, http.StatusNoContent, http.StatusPartialContent,
		http.StatusMovedPermanently, http.StatusMovedTemporarily, http.StatusSeeOther, http.StatusNotModified,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

func headerFilter(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if !r.IsMain() {
		return http.OK
	}
	all := safe(r.Out.Status)
	if all {
		c.expires.V.apply(r)
	}
	for i := range c.headers {
		f := &c.headers[i]
		if !all && !f.always {
			continue
		}
		value := f.value.Eval(r)
		switch {
		case f.set != nil:
			f.set(r, f.name, value)
		case value != "":
			r.Out.AddBeside(f.name, value)
		}
	}
	for i := range c.trailers {
		if all || c.trailers[i].always {
			r.ExpectTrailers = true
			r.FilterOwnBody()
			break
		}
	}
	return http.OK
}

// bodyFilter adds the trailers at the end of the body, when their values are
// known.
func bodyFilter(r *http.Request, in []http.Buf, next http.Next) error {
	c := slot.Of(r.Scope)
	for i := range in {
		if !in[i].Last || r.HeaderOnly {
			continue
		}
		all := safe(r.Out.Status)
		for j := range c.trailers {
			f := &c.trailers[j]
			if !all && !f.always {
				continue
			}
			if value := f.value.Eval(r); value != "" {
				r.Out.Trailers = append(r.Out.Trailers, http.Header{Name: f.name, Value: value})
			}
		}
	}
	return next.Write(in)
}

// setField leaves one field with the name, or none when the value is empty.
func setField(r *http.Request, name, value string) {
	if f := r.Out.Find(name); f != nil {
		f.Name = name
	}
	r.Out.Set(name, value)
}

// setLastModified also changes the time that conditional requests are compared
// with.
func setLastModified(r *http.Request, name, value string) {
	setField(r, name, value)
	r.Out.LastModified = -1
	if t, ok := wire.ParseDate(buf.Bytes(value)); ok {
		r.Out.LastModified = t
	}
}
