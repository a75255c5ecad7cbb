package phase

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/api"
)

// setVariable is one set_by_lua directive.
type setVariable struct {
	code *Code
	v    *http.Variable
	args []*http.Complex
}

const inSet = conf.HTTPServer | conf.HTTPServerIf | conf.HTTPLocation | conf.HTTPLocationIf

func setDirectives() []conf.Directive {
	row := func(kind form, args conf.Arity) conf.Directive {
		return conf.Command("set_by_lua"+forms[kind].suffix, inSet, args, func(cf *conf.Conf) error {
			return setByLua(cf, kind)
		})
	}
	return []conf.Directive{row(asString, conf.TwoMore), row(asBlock, conf.LuaBraces|conf.Take2), row(asFile, conf.TwoMore)}
}

// setByLua reads "set_by_lua $variable code [argument …]".
func setByLua(cf *conf.Conf, kind form) error {
	name, ok := strings.CutPrefix(cf.Args[0], "$")
	if !ok {
		return cf.Errorf(`invalid variable name "%s"`, cf.Args[0])
	}
	m := http.MainOf(cf)
	s := &setVariable{}
	if _, err := m.AddVariable(cf, http.Variable{Name: name, Changeable: true, Weak: true}); err != nil {
		return err
	}
	var err error
	if s.v, err = m.Variable(cf, name); err != nil {
		return err
	}
	if s.code, err = readCode(cf, "set_by_lua", kind, 1); err != nil {
		return err
	}
	for _, arg := range cf.Args[2:] {
		c, err := http.CompileArg(cf, arg)
		if err != nil {
			return err
		}
		s.args = append(s.args, c)
	}
	http.AddStatement(cf, s.run)
	return nil
}

// run computes the variable. OK lets the script of the location go on.
func (s *setVariable) run(r *http.Request) http.Verdict {
	c := api.Of(r)
	if c == nil {
		return http.StatusInternalServerError
	}
	proto, v := s.code.load(c)
	if v != http.OK {
		return http.StatusInternalServerError
	}
	c.Arg = c.Arg[:0]
	for _, a := range s.args {
		c.Arg = append(c.Arg, lua.LString(strings.Clone(a.Eval(r))))
	}
	var value http.Value
	err := c.RunShort(api.Set, proto, 1, func(l *lua.LState) { value = api.VariableValue(r, l, l.Get(-1)) })
	if err != nil {
		c.Logf(log.Error, "failed to run set_by_lua*: %s", api.FilterError(err))
		return http.StatusInternalServerError
	}
	s.v.Assign(r, value)
	return http.OK
}
