package ssi

import (
	"strings"

	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// Values of command.conditional and ctx.conditional.
const (
	afterIf = iota + 1
	afterElse
)

// command is one of the commands. Its arguments are in the order of params, nil
// for those that were not given.
type command struct {
	name   string
	params []paramRule
	// conditional: it stands in a condition, at afterIf or already at afterElse.
	conditional int
	block       bool // it acts where there is no output, too
	run         func(x *ctx, args []*string, next http.Next) (ok bool, err error)
}

type paramRule struct {
	name      string
	mandatory bool
}

// simple makes a command of one that sends nothing.
func simple(f func(x *ctx, args []*string) bool) func(*ctx, []*string, http.Next) (bool, error) {
	return func(x *ctx, args []*string, _ http.Next) (bool, error) { return f(x, args), nil }
}

var commands = []command{
	{name: "include", params: []paramRule{{name: "virtual"}, {name: "file"}, {name: "wait"}, {name: "set"}, {name: "stub"}},
		run: (*ctx).include},
	{name: "echo", params: []paramRule{{"var", true}, {name: "default"}, {name: "encoding"}}, run: simple((*ctx).echo)},
	{name: "config", params: []paramRule{{name: "errmsg"}, {name: "timefmt"}}, run: simple((*ctx).config)},
	{name: "set", params: []paramRule{{"var", true}, {"value", true}}, run: (*ctx).set},
	{name: "if", params: []paramRule{{"expr", true}}, run: (*ctx).condition},
	{name: "elif", params: []paramRule{{"expr", true}}, conditional: afterIf, run: (*ctx).condition},
	{name: "else", conditional: afterIf, run: simple((*ctx).otherwise)},
	{name: "endif", conditional: afterElse, run: simple((*ctx).endIf)},
	{name: "block", params: []paramRule{{"name", true}}, run: simple((*ctx).beginBlock)},
	{name: "endblock", block: true, run: simple((*ctx).endBlock)},
}

func findCommand(name []byte) *command {
	for i := range commands {
		if commands[i].name == string(name) {
			return &commands[i]
		}
	}
	return nil
}

// command carries out the command that was read. It reports false for a
// mistake, which was logged; an error ends the response.
func (x *ctx) command(next http.Next) (ok bool, err error) {
	s := &x.scan
	c := findCommand(s.command)
	if c == nil {
		if x.output {
			x.r.Error(`invalid SSI command: "%s"`, s.command)
		}
		return !x.output, nil
	}
	if !x.output && !c.block {
		if x.inBlock {
			x.keepCommand()
			return true, nil
		}
		if c.conditional == 0 {
			return true, nil
		}
	}
	if c.conditional != 0 && (x.conditional == 0 || x.conditional > c.conditional) {
		x.r.Error(`invalid context of SSI command: "%s"`, s.command)
		return false, nil
	}
	var args [5]*string
	if !x.arguments(c, args[:]) {
		return false, nil
	}
	return c.run(x, args[:], next)
}

// arguments sorts the parameters by the rules of a command.
func (x *ctx) arguments(c *command, args []*string) bool {
	s := &x.scan
	if len(s.params) > maxParams {
		x.r.Error(`too many SSI command parameters: "%s"`, s.command)
		return false
	}
next:
	for i := range s.params {
		p := &s.params[i]
		for j, rule := range c.params {
			if rule.name != string(p.name) {
				continue
			}
			if args[j] != nil {
				x.r.Error(`duplicate "%s" parameter in "%s" SSI command`, p.name, s.command)
				return false
			}
			value := x.r.Pool.String(p.value)
			args[j] = &value
			continue next
		}
		x.r.Error(`invalid parameter name: "%s" in "%s" SSI command`, p.name, s.command)
		return false
	}
	for j, rule := range c.params {
		if rule.mandatory && args[j] == nil {
			x.r.Error(`mandatory "%s" parameter is absent in "%s" SSI command`, rule.name, s.command)
			return false
		}
	}
	return true
}

// keepCommand adds the command to the text of the block that it is in.
func (x *ctx) keepCommand() {
	last := x.page.blocks[len(x.page.blocks)-1]
	b := append(append(last.text, "<!--#"...), x.scan.command...)
	for i := range x.scan.params {
		p := &x.scan.params[i]
		b = append(append(append(b, ' '), p.name...), '=', '"')
		b = append(append(b, p.value...), '"')
	}
	last.text = append(b, " -->"...)
}

// echo writes a variable.
func (x *ctx) echo(args []*string) bool {
	name, def, enc := args[0], args[1], args[2]
	value, found := x.variable(strings.ToLower(*name))
	switch {
	case found:
	case def != nil:
		value = *def
	default:
		value = "(none)"
	}
	if value == "" {
		return true
	}
	if enc != nil {
		switch *enc {
		case "none":
			x.encoding = encodeNone
		case "url":
			x.encoding = encodeURL
		case "entity":
			x.encoding = encodeEntity
		default:
			x.r.Error(`unknown encoding "%s" in the "echo" command`, *enc)
		}
	}
	b := buf.Bytes(value)
	switch x.encoding {
	case encodeURL:
		b = wire.AppendEscaped(nil, value, wire.EscapeHTML)
	case encodeEntity:
		b = wire.AppendHTML(nil, value)
	}
	x.emit(b)
	return true
}

// config sets the text of errors and the format of dates.
func (x *ctx) config(args []*string) bool {
	if text := args[0]; text != nil {
		x.errorText = *text
	}
	if format := args[1]; format != nil {
		x.timeFormat = *format
	}
	return true
}

// set gives a variable a value.
func (x *ctx) set(args []*string, _ http.Next) (bool, error) {
	value, ok := x.evaluate(*args[1], false)
	if ok {
		x.page.vars[strings.ToLower(*args[0])] = value
	}
	return ok, nil
}

// otherwise is "else".
func (x *ctx) otherwise([]*string) bool {
	x.output = !x.chosen
	x.conditional = afterElse
	return true
}

func (x *ctx) endIf([]*string) bool {
	x.output, x.chosen, x.conditional = true, false, 0
	return true
}

func (x *ctx) beginBlock(args []*string) bool {
	x.page.blocks = append(x.page.blocks, &block{name: *args[0]})
	x.output, x.inBlock = false, true
	return true
}

func (x *ctx) endBlock([]*string) bool {
	x.output, x.inBlock = true, false
	return true
}

// inclusion is an "include" command: whether it is waited for, where its output
// goes, and what is shown when it has none.
type inclusion struct {
	uri, args string
	wait      bool
	set       *string
	stub      *block
}

// include puts the response of a subrequest in the place of the command.
func (x *ctx) include(args []*string, next http.Next) (bool, error) {
	n, ok := x.inclusion(args)
	if !ok {
		return false, nil
	}
	if err := x.flush(next); err != nil {
		return false, err
	}
	var o http.SubrequestOptions
	switch {
	case n.set != nil:
		o.InMemory = true
		if name := strings.ToLower(*n.set); x.page.vars[name] == "" {
			x.page.vars[name] = "" // those that are under way see it already
		}
	case n.stub != nil:
		o.Done = n.stub.show
	}
	sr := x.r.Subrequest(n.uri, n.args, o)
	if sr == nil {
		return false, nil
	}
	if !n.wait && n.set == nil {
		return true, nil
	}
	if err := sr.Wait(); err != nil {
		return false, err
	}
	if n.set != nil {
		if b := sr.Captured(); b != nil && sr.Out.Status < int(http.StatusSpecialResponse) {
			x.page.vars[strings.ToLower(*n.set)] = string(b)
		}
	}
	return true, nil
}

// inclusion checks the parameters of "include".
func (x *ctx) inclusion(args []*string) (n inclusion, ok bool) {
	virtual, file, wait, set, stub := args[0], args[1], args[2], args[3], args[4]
	r := x.r
	switch {
	case virtual != nil && file != nil:
		r.Error(`inclusion may be either virtual="%s" or file="%s"`, *virtual, *file)
		return n, false
	case virtual == nil && file == nil:
		r.Error(`no parameter in "include" SSI command`)
		return n, false
	case set != nil && stub != nil:
		r.Error(`"set" and "stub" cannot be used together in "include" SSI command`)
		return n, false
	case wait != nil && virtual == nil:
		r.Error(`"wait" cannot be used with file="%s"`, *file)
		return n, false
	case wait != nil && !strings.EqualFold(*wait, "no") && !strings.EqualFold(*wait, "yes"):
		r.Error(`invalid value "%s" in the "wait" parameter`, *wait)
		return n, false
	}
	text := virtual
	if text == nil {
		text = file
	}
	n.wait = file != nil || wait != nil && strings.EqualFold(*wait, "yes")
	uri, ok := x.evaluate(*text, true)
	if !ok {
		return n, false
	}
	path, query, ok := wire.ParseUnsafeURI(r.Pool.Alloc(len(uri)), buf.Bytes(uri))
	if !ok {
		r.Error(`unsafe URI "%s" was detected`, uri)
		return n, false
	}
	n.uri, n.args, n.set = buf.String(path), buf.String(query), set
	if stub == nil {
		return n, true
	}
	for _, b := range x.page.blocks {
		if b.name == *stub {
			n.stub = b
			return n, true
		}
	}
	r.Error(`"stub"="%s" for "include" not found`, *stub)
	return n, false
}

// show sends the block in the place of a subrequest that had no output.
func (b *block) show(sr *http.Request, v http.Verdict) http.Verdict {
	if v == http.Error || sr.Conn.Failed || sr.HadOutput {
		return v
	}
	if !sr.HeaderSent {
		sr.Out.ContentType = sr.Parent.Out.ContentType
		if sr.SendHeader() == http.Error {
			return http.Error
		}
	}
	return sr.OutputBytes(b.text, true)
}
