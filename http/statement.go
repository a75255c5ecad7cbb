package http

import (
	"maps"
	"slices"

	"moongate/conf"
)

// SetFunc computes the value that a directive such as set_md5 assigns from the
// values of its arguments, which live as long as the request. It returns false,
// having logged why, to end the request with status 500.
type SetFunc func(r *Request, values []string) (string, bool)

// AddSet appends to the script of the block being read, which the rewrite module
// runs, an assignment of what f makes of values, strings with variables. The variable is given with its "$".
func AddSet(cf *conf.Conf, variable string, values []string, f SetFunc) error {
	return MainOf(cf).AppendSet(cf, variable, values, f)
}

// InSet are the contexts of directives that AddSet implements: those of "set",
// and the http block, where they do nothing (the NDK's ndk_set_var.h).
const InSet = conf.HTTPMain | conf.HTTPServer | conf.HTTPServerIf | conf.HTTPLocation | conf.HTTPLocationIf

// SetDirective is the row "name $variable value …" that assigns what f makes of
// the values.
func SetDirective(name string, args conf.Arity, f SetFunc) conf.Directive {
	return conf.Command(name, InSet, args, func(cf *conf.Conf) error {
		return AddSet(cf, cf.Args[0], cf.Args[1:], f)
	})
}

// UpdateDirective is the row "name $variable value …" that assigns what f makes
// of the variable's own value and the others.
func UpdateDirective(name string, args conf.Arity, f SetFunc) conf.Directive {
	return conf.Command(name, InSet, args, func(cf *conf.Conf) error {
		return AddSet(cf, cf.Args[0], cf.Args, f)
	})
}

// SetVars are directives "name $variable [value]" by name: without a value they
// work on the variable's own. Lua code can call them as ndk.set_var.NAME.
type SetVars map[string]SetFunc

// Directives are the rows of the directives, in the order of their names.
func (s SetVars) Directives(args conf.Arity) []conf.Directive {
	var rows []conf.Directive
	for _, name := range slices.Sorted(maps.Keys(s)) {
		f := s[name]
		rows = append(rows, conf.Command(name, InSet, args, func(cf *conf.Conf) error {
			values := cf.Args[1:]
			if len(values) == 0 {
				values = cf.Args
			}
			return AddSet(cf, cf.Args[0], values, f)
		}))
	}
	return rows
}

// Export lets Lua code call the directives.
func (s SetVars) Export(m *MainConf) { maps.Copy(m.SetVars, s) }
