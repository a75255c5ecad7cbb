// Package headersmore sets and removes any field of the request's and of the
// response's header: the third-party module headers-more-nginx-module.
package headersmore

import (
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is what a location has of this module: its commands behind those of
// the blocks around it.
type locConf struct {
	input, output []command
}

// mainConf is what the module has once.
type mainConf struct {
	input bool // some block changes request headers
}

var (
	slot     = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLoc}
	mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}
)

// Module is headers-more. Its filter sees a response before header_filter_by_lua
// does.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_headers_more_filter",
		Slots: []conf.AnySlot{mainSlot, slot},
		Directives: []conf.Directive{
			slot.Custom("more_set_headers", conf.HTTPAnyIf, conf.OneMore, outputDirective),
			slot.Custom("more_clear_headers", conf.HTTPAnyIf, conf.OneMore, outputDirective),
			slot.Custom("more_set_input_headers", conf.HTTPAnyIf, conf.OneMore, inputDirective),
			slot.Custom("more_clear_input_headers", conf.HTTPAnyIf, conf.OneMore, inputDirective),
		},
		Arguments: []string{"--add-module=../headers-more-nginx-module-0.40"},
		Objects:   []string{"ngx_http_headers_more_filter_module.so"},
	},
	Header: headerFilter,
	Where:  slot.Where(func(c *locConf) bool { return c.output != nil }),
	Init: func(cf *conf.Conf, m *http.MainConf) error {
		if mainSlot.Of(cf.Scope).input {
			m.Handle(http.PhaseRewrite, slot.Where(func(c *locConf) bool { return c.input != nil }), rewriteHandler)
		}
		return nil
	},
}

func mergeLoc(_ *conf.Conf, outer, c *locConf) error {
	c.input = inherit(outer.input, c.input)
	c.output = inherit(outer.output, c.output)
	return nil
}

func inherit(outer, own []command) []command {
	if own == nil {
		return outer
	}
	return append(outer[:len(outer):len(outer)], own...)
}

// command is one directive.
type command struct {
	types    []string // -t: only for these media types
	statuses []int    // -s: only for these statuses
	add      bool     // -a: beside the fields that are there
	replace  bool     // -r: only where there is such a field
	fields   []field
}

// field is what a directive says of one field.
type field struct {
	// name may end with "*" if wildcard.
	name, lower string
	wildcard    bool
	id          http.HeaderID
	// value is nil to remove the field.
	value *http.Complex
}

func outputDirective(cf *conf.Conf, c *locConf) error {
	d, err := parse(cf, "tsa")
	c.output = append(c.output, d)
	return err
}

func inputDirective(cf *conf.Conf, c *locConf) error {
	mainSlot.Of(cf.Scope).input = true
	d, err := parse(cf, "tr")
	c.input = append(c.input, d)
	return err
}

// parse reads a directive with options of which the letters are known.
func parse(cf *conf.Conf, options string) (d command, err error) {
	for args := cf.Args; len(args) > 0; args = args[1:] {
		arg := args[0]
		switch {
		case arg == "":
			continue
		case arg[0] != '-':
			if err := d.addField(cf, arg); err != nil {
				return d, err
			}
			continue
		case len(arg) != 2 || strings.IndexByte(options, arg[1]) < 0 || arg == "-a" && cf.Name != "more_set_headers":
			return d, cf.Errorf(`%s: invalid option name: "%s"`, cf.Name, arg)
		}
		switch arg[1] {
		case 'a':
			d.add = true
			continue
		case 'r':
			d.replace = true
			continue
		}
		if len(args) == 1 {
			return d, cf.Errorf("%s: option %s takes an argument.", cf.Name, arg)
		}
		args = args[1:]
		if arg[1] == 't' {
			d.types = append(d.types, strings.FieldsFunc(args[0], func(c rune) bool { return isSpace(c) || c == ';' })...)
		} else if err := d.addStatuses(cf, args[0]); err != nil {
			return d, err
		}
	}
	return d, d.check(cf)
}

// isSpace is C's isspace for ASCII.
func isSpace(c rune) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func (d *command) addStatuses(cf *conf.Conf, list string) error {
	for _, s := range strings.FieldsFunc(list, isSpace) {
		for i := range len(s) {
			if s[i] < '0' || s[i] > '9' {
				return cf.Errorf(`%s: invalid digit "%c" found in the status code list "%s"`, cf.Name, s[i], list)
			}
		}
		n, _ := conf.ParseInt(s)
		d.statuses = append(d.statuses, int(n))
	}
	return nil
}

// addField reads "name: value" or a name.
func (d *command) addField(cf *conf.Conf, arg string) error {
	colonOrSpace := func(c rune) bool { return c == ':' || isSpace(c) }
	name := strings.TrimLeftFunc(arg, isSpace)
	value := ""
	if i := strings.IndexFunc(name, colonOrSpace); i >= 0 {
		name, value = name[:i], strings.TrimLeftFunc(name[i:], colonOrSpace)
	}
	f := field{name: name, lower: strings.ToLower(name), wildcard: strings.HasSuffix(name, "*"), id: wire.LookupHeader(name)}
	switch {
	case name == "":
		return cf.Errorf("%s: no key found in the header argument: %s", cf.Name, arg)
	case name == "*":
		return cf.Errorf("%s: wildcard key too short: %s", cf.Name, arg)
	}
	if value != "" && !strings.HasPrefix(cf.Name, "more_clear_") {
		var err error
		if f.value, err = http.CompileArg(cf, value); err != nil {
			return err
		}
	}
	d.fields = append(d.fields, f)
	return nil
}

// check refuses -a for fields of which a response has one at most.
func (d *command) check(cf *conf.Conf) error {
	for i := range d.fields {
		if f := &d.fields[i]; d.add && f.single() {
			return cf.Errorf(`%s: can not append builtin headers "%s"`, cf.Name, f.name)
		}
	}
	return nil
}

// eval computes the value, "" to remove the field.
func (f *field) eval(r *http.Request) string {
	if f.value == nil {
		return ""
	}
	return f.value.Eval(r)
}

// matches reports whether a field of a header is meant.
func (f *field) matches(name string) bool {
	if !f.wildcard {
		return strings.EqualFold(name, f.name)
	}
	n := len(f.name) - 1
	return len(name) >= n && strings.EqualFold(name[:n], f.name[:n])
}
