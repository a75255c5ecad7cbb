// Package rewrite runs scripts of return, set, if, rewrite and break: nginx's
// ngx_http_rewrite_module and the parts of ngx_http_script.c that it uses.
//
// The directives of a block are compiled to a list of statements, an "if" to
// one with a list of its own, and run in their order: those of a server before
// the location is looked for, those of a location after.
package rewrite

import (
	"slices"
	"strings"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
)

// locConf is what a server, a location or an "if" block has of this module.
type locConf struct {
	log  conf.Opt[bool]
	warn conf.Opt[bool]
	// script is not inherited.
	script script
}

var slot = &conf.Slot[locConf]{Level: conf.LevelLocation}

const (
	inIf  = conf.HTTPServer | conf.HTTPServerIf | conf.HTTPLocation | conf.HTTPLocationIf
	inAny = conf.HTTPMain | inIf
)

// Module is the rewrite module.
var Module = &http.Module{
	Module: conf.Module{
		Name:  "http_rewrite",
		Slots: []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("rewrite", inIf, conf.Take23, rewriteDirective),
			slot.Custom("return", inIf, conf.Take12, returnDirective),
			slot.Custom("break", inIf, conf.NoArgs, breakDirective),
			slot.Custom("if", conf.HTTPServer|conf.HTTPLocation, conf.Braces|conf.OneMore, ifDirective),
			slot.Custom("set", inIf, conf.Take2, setDirective),
			slot.Flag("rewrite_log", inAny, func(c *locConf) *conf.Opt[bool] { return &c.log }, false),
			slot.Flag("uninitialized_variable_warn", inAny, func(c *locConf) *conf.Opt[bool] { return &c.warn }, true),
		},
	},
	Preconfiguration: func(_ *conf.Conf, m *http.MainConf) error {
		m.AppendSet = func(cf *conf.Conf, variable string, values []string, f http.SetFunc) error {
			return slot.Of(cf.Scope).addComputed(cf, variable, values, f)
		}
		return nil
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		where := slot.Where(func(c *locConf) bool { return c.script != nil })
		m.Handle(http.PhaseServerRewrite, where, handler)
		m.Handle(http.PhaseRewrite, where, locationHandler)
		return nil
	},
}

func (c *locConf) add(s statement) { c.script = append(c.script, s) }

// handler runs the script of the block in effect.
func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	return c.script.run(r, state{quote: true, log: c.log.V, verdict: http.Declined}).verdict
}

// locationHandler is handler in the rewrite phase; a server whose locations
// did not match does not run its script again.
func locationHandler(r *http.Request) http.Verdict {
	if r.Scope == r.Server.Scope() {
		return http.Declined
	}
	return handler(r)
}

// breakDirective is "break".
func breakDirective(_ *conf.Conf, c *locConf) error {
	c.add(breakStatement{})
	return nil
}

// isURL tells the beginnings that make an argument the target of a redirect.
func isURL(s string) bool {
	return strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "$scheme")
}

// maxReturn is the greatest code that "return" takes.
const maxReturn = 999

// returnDirective is "return code [text | URL]" and "return URL".
func returnDirective(cf *conf.Conf, c *locConf) (err error) {
	s := &returnStatement{}
	text := ""
	code, ok := conf.ParseInt(cf.Args[0])
	switch {
	case ok && code <= maxReturn:
		s.status = http.Verdict(code)
		if len(cf.Args) == 2 {
			text = cf.Args[1]
		}
	case !ok && len(cf.Args) == 1 && isURL(cf.Args[0]):
		s.status, text = http.StatusMovedTemporarily, cf.Args[0]
	default:
		return cf.Errorf(`invalid return code "%s"`, cf.Args[0])
	}
	s.bare = text == "" && s.status >= http.StatusBadRequest
	if s.text, err = http.CompileArg(cf, text); err != nil {
		return err
	}
	c.add(s)
	return nil
}

// setDirective is "set $variable value".
func setDirective(cf *conf.Conf, c *locConf) (err error) {
	s := &setStatement{}
	if s.variable, err = target(cf, cf.Args[0]); err != nil {
		return err
	}
	if s.value, err = compile(cf, cf.Args[1]); err != nil {
		return err
	}
	c.add(s)
	return nil
}

// addComputed adds an assignment of what f makes of values.
func (c *locConf) addComputed(cf *conf.Conf, variable string, values []string, f http.SetFunc) (err error) {
	s := &computedStatement{compute: f}
	if s.variable, err = target(cf, variable); err != nil {
		return err
	}
	for _, value := range values {
		t, err := compile(cf, value)
		if err != nil {
			return err
		}
		s.values = append(s.values, t)
	}
	c.add(s)
	return nil
}

// target defines the variable that is assigned to, given with its "$".
func target(cf *conf.Conf, arg string) (*http.Variable, error) {
	m := http.MainOf(cf)
	name, ok := strings.CutPrefix(arg, "$")
	if !ok {
		return nil, cf.Errorf(`invalid variable name "%s"`, arg)
	}
	def, err := m.AddVariable(cf, http.Variable{Name: name, Changeable: true, Weak: true})
	if err != nil {
		return nil, err
	}
	if def.Get == nil {
		def.Get, def.Data = uninitialized, def.Name
	}
	return m.Variable(cf, name)
}

// uninitialized is the getter of a variable that only "set" gives a value to.
func uninitialized(r *http.Request, name any) http.Value {
	if slot.Of(r.Scope).warn.V {
		r.Logf(log.Warn, nil, `using uninitialized "%s" variable`, name)
	}
	return http.Val("")
}

// rewriteDirective is "rewrite regex replacement [flag]".
func rewriteDirective(cf *conf.Conf, c *locConf) (err error) {
	target := cf.Args[1]
	if target == "" {
		return cf.Errorf("empty replacement")
	}
	s := &rewriteStatement{name: cf.Args[0]}
	if s.regex, err = http.MainOf(cf).CompileRegex(cf, cf.Args[0], 0); err != nil {
		return err
	}
	if isURL(target) {
		s.status, s.last = http.StatusMovedTemporarily, true
	}
	if len(cf.Args) == 3 {
		if err := s.flag(cf, cf.Args[2]); err != nil {
			return err
		}
	}
	// A "?" at the end drops the arguments of the request.
	target, drop := strings.CutSuffix(target, "?")
	s.addArgs = !drop
	// The redirect's arguments are a part of the URL, a URI's are not.
	path, args, found := strings.Cut(target, "?")
	s.hasArgs = found
	if s.status != 0 {
		path, args = target, ""
	}
	if s.path, err = compile(cf, path); err != nil {
		return err
	}
	if s.args, err = compile(cf, args); err != nil {
		return err
	}
	c.add(s)
	return nil
}

// flag reads the third argument of "rewrite".
func (s *rewriteStatement) flag(cf *conf.Conf, flag string) error {
	switch flag {
	case "last":
	case "break":
		s.stay = true
	case "redirect":
		s.status = http.StatusMovedTemporarily
	case "permanent":
		s.status = http.StatusMovedPermanently
	default:
		return cf.Errorf(`invalid parameter "%s"`, flag)
	}
	s.last = true
	return nil
}

// ifDirective is "if (condition) { … }".
func ifDirective(cf *conf.Conf, c *locConf) (err error) {
	s := &ifStatement{}
	sc, in := http.MainOf(cf).NewIfScope(cf)
	if s.condition, err = parseCondition(cf, slices.Clone(cf.Args)); err != nil {
		return err
	}
	if in == conf.HTTPLocationIf {
		s.scope = sc
	}
	c.add(s)
	if err := cf.Block(in, sc); err != nil {
		return err
	}
	// The script of the block is a part of the one around it.
	inner := slot.Of(sc)
	s.body, inner.script = inner.script, nil
	return nil
}
