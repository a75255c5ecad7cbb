// Package memc speaks most of memcached's text protocol: the third-party module
// memc-nginx-module. The variables $memc_cmd, $memc_key, $memc_value,
// $memc_flags and $memc_exptime say what is asked.
package memc

import (
	"slices"

	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

// locConf is a location's part of the configuration.
type locConf struct {
	upstream.Conf
	allowed        []string // memc_cmds_allowed, nil for all
	flagsAsTime    conf.Opt[bool]
	key, cmd, data *http.Variable
	flags, exptime *http.Variable
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "memc", Of: func(c *locConf) *upstream.Conf { return &c.Conf },
	Words: []conf.Word{
		{Name: "error", Value: upstream.FailError}, {Name: "timeout", Value: upstream.FailTimeout},
		{Name: "invalid_response", Value: upstream.FailInvalidHeader}, {Name: "not_found", Value: upstream.Fail404},
		{Name: "off", Value: upstream.FailOff},
	},
}

var traits = &upstream.Traits{Module: "memc", Schema: "memcached://", Intercept404: true}

// Module is the memc module.
var Module = &http.Module{
	Module: conf.Module{
		Name: "http_memc", Slots: []conf.AnySlot{loc}, Directives: directives(),
		Arguments: []string{"--add-module=../memc-nginx-module-0.21"},
		Objects:   []string{"ngx_http_memc_module.so"},
	},
	Variables: []http.Variable{
		{Name: "memc_key", Get: notFound, Changeable: true},
		{Name: "memc_cmd", Get: notFound, Changeable: true},
		{Name: "memc_value", Get: notFound, Changeable: true},
		{Name: "memc_flags", Get: notFound, Changeable: true},
		{Name: "memc_exptime", Get: notFound, Changeable: true},
		{Name: "memc_flags_as_http_time", Get: getFlagsAsTime},
	},
}

func notFound(*http.Request, any) http.Value { return http.Value{} }

const inIf = conf.HTTPLocation | conf.HTTPLocationIf

func directives() []conf.Directive {
	return append(rows.Common(),
		loc.Custom("memc_pass", inIf, conf.Take1, passDirective),
		loc.Custom("memc_cmds_allowed", conf.HTTPAnyIf, conf.OneMore, allowedDirective),
		loc.Flag("memc_flags_to_last_modified", inIf, func(c *locConf) *conf.Opt[bool] { return &c.flagsAsTime }, false),
		loc.Flag("memc_ignore_client_abort", inIf, func(c *locConf) *conf.Opt[bool] { return &c.IgnoreClientAbort }, false),
		elsewhere("memc_upstream_max_fails", "max_fails"),
		elsewhere("memc_upstream_fail_timeout", "fail_timeout"),
	)
}

// elsewhere refuses a directive that a parameter of "server" took the place of.
func elsewhere(name, parameter string) conf.Directive {
	return conf.Command(name, conf.HTTPAny, conf.Take1, func(cf *conf.Conf) error {
		return cf.Errorf(`"%s" is not supported, use the "%s" parameter of the "server" directive inside the "upstream" block`,
			cf.Name, parameter)
	})
}

func passDirective(cf *conf.Conf, c *locConf) error {
	if err := c.SetPass(cf, traits, cf.Args[0], c.handle); err != nil {
		return err
	}
	m := http.MainOf(cf)
	for _, v := range []struct {
		name  string
		field **http.Variable
	}{
		{"memc_key", &c.key}, {"memc_cmd", &c.cmd}, {"memc_value", &c.data}, {"memc_flags", &c.flags}, {"memc_exptime", &c.exptime},
	} {
		var err error
		if *v.field, err = m.Variable(cf, v.name); err != nil {
			return err
		}
	}
	return nil
}

func allowedDirective(cf *conf.Conf, c *locConf) error {
	for _, name := range cf.Args {
		if _, ok := commands[name]; !ok {
			return cf.Errorf(`Unknown memcached command "%s" used in "memc_cmds_allowed"`, name)
		}
	}
	c.allowed = cf.Args
	return nil
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if c.key == nil {
		c.key, c.cmd, c.data, c.flags, c.exptime = outer.key, outer.cmd, outer.data, outer.flags, outer.exptime
	}
	if c.allowed == nil {
		c.allowed = outer.allowed
	}
	c.InheritPass(cf, &outer.Conf, c.handle)
	c.InterceptErrors.V = true
	return c.Conf.Merge(cf, &outer.Conf, traits)
}

// methods are the commands for requests without $memc_cmd.
var methods = map[http.Method]string{
	wire.GET: "get", wire.HEAD: "get", wire.POST: "add", wire.PUT: "set", wire.DELETE: "delete",
}

// handle runs the command: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	x := &exchange{conf: c, name: c.cmd.Value(r).S}
	x.Flags = x.flags
	if x.name == "" {
		if x.name = methods[r.Method]; x.name == "" {
			r.Error("ngx_memc: $memc_cmd variable not found for HTTP %s requests", r.MethodName)
			return http.StatusBadRequest
		}
		c.cmd.Assign(r, http.Val(x.name))
	}
	var ok bool
	if x.command, ok = commands[x.name]; !ok {
		r.Error(`ngx_memc: unknown $memc_cmd "%s"`, x.name)
		return http.StatusBadRequest
	}
	if c.allowed != nil && !slices.Contains(c.allowed, x.name) {
		r.Error(`ngx_memc: memcached command "%s" not allowed`, x.name)
		return http.StatusForbidden
	}
	r.SetContentType()
	if v := x.check(r); v != http.OK {
		return v
	}
	if v := r.ReadBody(); v != http.OK {
		return v
	}
	e := upstream.New(r, &c.Conf, traits, x)
	if !e.EvalPass() {
		return http.StatusInternalServerError
	}
	return e.Run()
}

// getFlagsAsTime is $memc_flags as a date.
func getFlagsAsTime(r *http.Request, _ any) http.Value {
	v := r.LookupVariable("memc_flags")
	if v == nil || !r.Indexed(v) {
		return http.Value{}
	}
	n, ok := conf.ParseInt(v.Value(r).S)
	if !ok {
		return http.Value{}
	}
	return http.Val(r.Pool.String(wire.AppendDate(r.Pool.Alloc(32)[:0], n)))
}
