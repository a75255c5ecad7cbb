// Package fastcgi passes requests on to FastCGI servers: nginx's
// ngx_http_fastcgi_module.
package fastcgi

import (
	"strings"

	"moongate/conf"
	"moongate/core/build"
	"moongate/core/log"
	"moongate/core/regex"
	"moongate/http"
	"moongate/http/upstream"
)

type locConf struct {
	upstream.Conf
	params upstream.ParamConf
	index  conf.Opt[string]
	// split is fastcgi_split_path_info, nil without.
	split       conf.Opt[*http.Regex]
	catchStderr conf.Opt[[]string]
	keepConn    conf.Opt[bool]
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "fastcgi", Of: func(c *locConf) *upstream.Conf { return &c.Conf }, Words: upstream.CGIWords,
}

var traits = &upstream.Traits{
	Module: "fastcgi", Schema: "fastcgi://", TempPath: build.FastCGITemp, ChangeBuffering: true,
	HideHeaders: []string{"Status", "X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset"},
}

// Module is the FastCGI module.
var Module = &http.Module{
	Module: conf.Module{Name: "http_fastcgi", Slots: []conf.AnySlot{loc}, Directives: directives()},
	Variables: []http.Variable{
		{Name: "fastcgi_script_name", Volatile: true, Get: getScriptName},
		{Name: "fastcgi_path_info", Volatile: true, Get: getPathInfo},
	},
	Ctx: []http.AnyCtx{splitKey},
}

func directives() []conf.Directive {
	const in = conf.HTTPAny
	return append(rows.All(),
		rows.PassRow(traits, (*locConf).handle),
		loc.Str("fastcgi_index", in, func(c *locConf) *conf.Opt[string] { return &c.index }, ""),
		conf.Repeat(loc, "fastcgi_split_path_info", in, conf.Take1, func(c *locConf) *conf.Opt[*http.Regex] { return &c.split }, nil, splitDirective),
		conf.Repeat(loc, "fastcgi_catch_stderr", in, conf.Take1, func(c *locConf) *conf.Opt[[]string] { return &c.catchStderr }, nil,
			func(cf *conf.Conf, o *conf.Opt[[]string]) error {
				o.Put(append(o.V, cf.Args[0]))
				return nil
			}),
		loc.Flag("fastcgi_keep_conn", in, func(c *locConf) *conf.Opt[bool] { return &c.keepConn }, false),
		rows.Param(func(c *locConf) *upstream.ParamConf { return &c.params }),
		rows.SendLowat(),
	)
}

// splitDirective is "fastcgi_split_path_info regex".
func splitDirective(cf *conf.Conf, o *conf.Opt[*http.Regex]) error {
	re, err := http.MainOf(cf).CompileRegex(cf, cf.Args[0], regex.Options(0))
	if err != nil {
		return err
	}
	if re.Groups() != 2 {
		return cf.Errorf(`pattern "%s" must have 2 captures`, cf.Args[0])
	}
	o.Put(re)
	return nil
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	c.InheritPass(cf, &outer.Conf, c.handle)
	return c.params.Merge(cf, &c.Conf, &outer.params)
}

// handle passes a request on: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	return c.Pass(r, traits, &exchange{conf: c})
}

// split is the URI taken apart by fastcgi_split_path_info.
type split struct{ script, path string }

var splitKey = &http.Ctx[split]{}

func splitOf(r *http.Request) *split {
	s := splitKey.Of(r)
	if s != nil && s.script != "" {
		return s
	}
	s = &split{script: r.URI}
	splitKey.Set(r, s)
	re := loc.Of(r.Scope).split.V
	if re == nil {
		return s
	}
	var pairs [6]int
	ok, err := re.Find(r.URI, pairs[:])
	if err != nil {
		r.Logf(log.Alert, nil, "%s", err)
	}
	if ok {
		s.script, s.path = r.URI[pairs[2]:pairs[3]], r.URI[pairs[4]:pairs[5]]
	}
	return s
}

func getScriptName(r *http.Request, _ any) http.Value {
	name := splitOf(r).script
	if strings.HasSuffix(name, "/") {
		name = r.Pool.Concat(name, loc.Of(r.Scope).index.V)
	}
	return http.Val(name)
}

func getPathInfo(r *http.Request, _ any) http.Value { return http.Val(splitOf(r).path) }
