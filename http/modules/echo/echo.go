// Package echo writes what the configuration says: the third-party module
// echo-nginx-module, with which OpenResty's documentation and tests show what
// happens.
//
// The commands of a location run one after the other in the request's fiber;
// those for the filter put text before and after the body of any response.
package echo

import (
	"moongate/conf"
	"moongate/http"
)

// locConf is what a location has of this module.
type locConf struct {
	commands      []command // of the content handler
	before, after []command // of the body filter
	status        conf.Opt[int64]
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: mergeLoc}

// Module is the echo module.
var Module = &http.Module{
	Module: conf.Module{
		Name:       "http_echo",
		Slots:      []conf.AnySlot{slot},
		Directives: directives(),
		Arguments:  []string{"--add-module=../echo-nginx-module-0.65"},
		Objects:    []string{"ngx_http_echo_module.so"},
	},
	Variables: variables,
	Ctx:       []http.AnyCtx{&state},
	Header:    headerFilter,
	Where:     slot.Where(func(c *locConf) bool { return c.before != nil || c.after != nil }),
	Body:      bodyFilter,
}

const in = conf.HTTPLocation | conf.HTTPLocationIf

func directives() []conf.Directive {
	rows := []conf.Directive{
		slot.Num("echo_status", in, func(c *locConf) *conf.Opt[int64] { return &c.status }, int64(http.StatusOK)),
		filterRow("echo_before_body", func(c *locConf) *[]command { return &c.before }),
		filterRow("echo_after_body", func(c *locConf) *[]command { return &c.after }),
	}
	for _, row := range handlerRows {
		rows = append(rows, slot.Custom(row.name, in, row.args, func(cf *conf.Conf, c *locConf) error {
			if c.commands == nil {
				http.LocOf(cf).Handler = handler
			}
			return add(cf, &c.commands, row.run)
		}))
	}
	return rows
}

func filterRow(name string, list func(c *locConf) *[]command) conf.Directive {
	return slot.Custom(name, in, conf.AnyArgs, func(cf *conf.Conf, c *locConf) error { return add(cf, list(c), nil) })
}

// mergeLoc inherits each list of commands as a whole.
func mergeLoc(_ *conf.Conf, outer, c *locConf) error {
	for _, list := range []struct{ own, outer *[]command }{
		{&c.commands, &outer.commands}, {&c.before, &outer.before}, {&c.after, &outer.after},
	} {
		if *list.own == nil {
			*list.own = *list.outer
		}
	}
	return nil
}

// command is one directive.
type command struct {
	run func(x *exec, c *command) http.Verdict
	// closes: it is echo_end.
	closes bool
	// option is the first of the words with a "-" before the arguments, without
	// it.
	option string
	args   []*http.Complex
}

// add appends a command made from the current directive's arguments. Words that
// begin with "-" and have no variables are options, until any other or "--".
func add(cf *conf.Conf, list *[]command, run func(x *exec, c *command) http.Verdict) error {
	c := command{run: run, closes: cf.Name == "echo_end"}
	args := cf.Args
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		compiled, err := http.CompileArg(cf, args[0])
		if err != nil {
			return err
		}
		if !compiled.Static() {
			break
		}
		option := args[0][1:]
		args = args[1:]
		if option[0] == '-' {
			break
		}
		if c.option == "" {
			c.option = option
		}
	}
	for _, arg := range args {
		compiled, err := http.CompileArg(cf, arg)
		if err != nil {
			return err
		}
		c.args = append(c.args, compiled)
	}
	*list = append(*list, c)
	return nil
}

// arg evaluates argument n, "" when there is none.
func (c *command) arg(r *http.Request, n int) string {
	if n >= len(c.args) {
		return ""
	}
	return c.args[n].Eval(r)
}

// text is what echo writes: the arguments with blanks between them and, without
// the option -n, the end of the line.
func (c *command) text(r *http.Request) string {
	var few [16]string
	parts := few[:0]
	for i, arg := range c.args {
		if i > 0 {
			parts = append(parts, " ")
		}
		parts = append(parts, arg.Eval(r))
	}
	if c.option != "n" {
		parts = append(parts, "\n")
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return r.Pool.Concat(parts...)
}
