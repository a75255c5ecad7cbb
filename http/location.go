package http

import (
	"strings"

	"moongate/conf"
	"moongate/core/regex"
	"moongate/http/wire"
)

// locationDirective is "location [= | ~ | ~* | ^~] uri { … }" and "location
// @name { … }": nginx's ngx_http_core_location.
func locationDirective(cf *conf.Conf) error {
	sc := cf.Cycle.Registry.NewLazyScope(conf.HTTP, cf.Scope, conf.LevelLocation)
	l := coreLoc.Of(sc)
	l.scope = sc
	modifier, name, err := locationName(cf)
	if err != nil {
		return err
	}
	l.Name = name
	switch modifier {
	case "=":
		l.Exact = true
	case "^~":
		l.NoRegex = true
	case "~", "~*":
		var options regex.Options
		if modifier == "~*" {
			options = regex.Caseless
		}
		if l.Regex, err = MainOf(cf).CompileRegex(cf, name, options); err != nil {
			return err
		}
	default:
		l.Named = len(cf.Args) == 1 && strings.HasPrefix(name, "@")
	}
	if cf.In == conf.HTTPLocation {
		if err := l.fits(cf, LocOf(cf)); err != nil {
			return err
		}
	}
	locationsOf(cf).add(cf, l)
	return cf.Block(conf.HTTPLocation, sc)
}

// locationsOf returns the set that the blocks inside the current one belong
// to.
func locationsOf(cf *conf.Conf) *locationSet {
	if cf.In == conf.HTTPServer {
		return &coreSrv.Of(cf.Scope).locations
	}
	return &LocOf(cf).locations
}

// locationName takes the arguments apart; the modifier may be glued to the
// name.
func locationName(cf *conf.Conf) (modifier, name string, err error) {
	if len(cf.Args) == 2 {
		switch modifier = cf.Args[0]; modifier {
		case "=", "^~", "~", "~*":
			return modifier, cf.Args[1], nil
		}
		return "", "", cf.Errorf(`invalid location modifier "%s"`, modifier)
	}
	arg := cf.Args[0]
	for _, modifier := range []string{"=", "^~", "~*", "~"} {
		if name, ok := strings.CutPrefix(arg, modifier); ok {
			return modifier, name, nil
		}
	}
	return "", arg, nil
}

// fits checks that a location may be inside another.
func (l *LocConf) fits(cf *conf.Conf, outer *LocConf) error {
	switch {
	case outer.Exact:
		return cf.Errorf(`location "%s" cannot be inside the exact location "%s"`, l.Name, outer.Name)
	case outer.Named:
		return cf.Errorf(`location "%s" cannot be inside the named location "%s"`, l.Name, outer.Name)
	case l.Named:
		return cf.Errorf(`named location "%s" can be on the server level only`, l.Name)
	case l.Regex == nil && !strings.HasPrefix(l.Name, outer.Name):
		return cf.Errorf(`location "%s" is outside location "%s"`, l.Name, outer.Name)
	}
	return nil
}

// newUnnamed makes a block inside the current location that has configuration
// but no URI of its own.
func newUnnamed(cf *conf.Conf) *LocConf {
	sc := cf.Cycle.Registry.NewScope(conf.HTTP, cf.Scope, conf.LevelLocation)
	l := coreLoc.Of(sc)
	l.scope, l.Name, l.NoName = sc, LocOf(cf).Name, true
	locationsOf(cf).add(cf, l)
	return l
}

// NewIfScope makes the configuration of an "if" block of the rewrite module,
// which is to be read with cf.Block(in, sc). A request enters it with
// EnterScope, unless in is conf.HTTPServerIf: what it could configure
// does not apply at server level.
func (m *MainConf) NewIfScope(cf *conf.Conf) (sc *conf.Scope, in conf.Context) {
	in = conf.HTTPLocationIf
	if cf.In == conf.HTTPServer {
		in = conf.HTTPServerIf
	}
	return newUnnamed(cf).scope, in
}

// limitable are the methods that limit_except can name.
const limitable = wire.GET | wire.HEAD | wire.POST | wire.PUT | wire.DELETE | wire.MKCOL | wire.COPY | wire.MOVE |
	wire.OPTIONS | wire.PROPFIND | wire.PROPPATCH | wire.LOCK | wire.UNLOCK | wire.PATCH

// limitExceptDirective is "limit_except method … { … }".
func limitExceptDirective(cf *conf.Conf, l *LocConf) error {
	if l.LimitExcept != 0 {
		return conf.ErrDuplicate
	}
	l.LimitExcept = ^Method(0)
	for _, arg := range cf.Args {
		method := wire.LookupMethod([]byte(strings.ToUpper(arg)))
		if method&limitable == 0 {
			return cf.Errorf(`invalid method "%s"`, arg)
		}
		l.LimitExcept &^= method
	}
	if l.LimitExcept&wire.GET == 0 {
		l.LimitExcept &^= wire.HEAD
	}
	l.LimitExceptScope = newUnnamed(cf).scope
	return cf.Block(conf.HTTPLimitExcept, l.LimitExceptScope)
}

// internalDirective is "internal".
func internalDirective(_ *conf.Conf, l *LocConf) error {
	if l.Internal.Set {
		return conf.ErrDuplicate
	}
	l.Internal.Put(true)
	return nil
}
