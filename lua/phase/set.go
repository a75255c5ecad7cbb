package phase

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/api"
)

const inSet = http.InSet &^ conf.HTTPMain

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
	values := cf.Args[2:]
	if kind == asFile {
		code := &Code{dir: cf.Cycle.Prefix}
		return http.AddSet(cf, cf.Args[0], cf.Args[1:], func(r *http.Request, args []string) (string, bool) {
			return code.named(args[0]).set(r, args[1:])
		})
	}
	code, err := readCode(cf, "set_by_lua", kind, 1)
	if err != nil {
		return err
	}
	return http.AddSet(cf, cf.Args[0], values, code.set)
}

// named is the code of a file whose name is known now; it stays the same as long as the name does.
func (code *Code) named(path string) *Code {
	if !strings.HasPrefix(path, "/") {
		path = code.dir + path
	}
	if code.path != path {
		*code = Code{dir: code.dir, path: strings.Clone(path), file: &http.Complex{}}
	}
	return code
}

// set computes the value of a variable.
func (code *Code) set(r *http.Request, args []string) (value string, ok bool) {
	c := api.Of(r)
	if c == nil {
		return "", false
	}
	proto, v := code.load(c)
	if v != http.OK {
		return "", false
	}
	c.Arg = c.Arg[:0]
	for _, a := range args {
		c.Arg = append(c.Arg, lua.LString(strings.Clone(a)))
	}
	err := c.RunShort(api.Set, proto, 1, func(l *lua.LState) { value = api.VariableText(r, l, l.Get(-1)) })
	if err != nil {
		c.Logf(log.Error, "failed to run set_by_lua*: %s", api.FilterError(err))
		return "", false
	}
	return value, true
}
