// Package uwsgi passes requests on to uWSGI servers: nginx's
// ngx_http_uwsgi_module.
package uwsgi

import (
	"encoding/binary"
	"math"
	"strings"

	"moongate/conf"
	"moongate/core/build"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/upstream"
)

type locConf struct {
	upstream.Conf
	params               conf.Opt[[]upstream.Param]
	set                  *upstream.ParamSet
	str                  conf.Opt[*http.Complex]
	modifier1, modifier2 conf.Opt[int64]
	// secure: the address begins with suwsgi.
	secure bool
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "uwsgi", Of: func(c *locConf) *upstream.Conf { return &c.Conf }, Words: upstream.CGIWords,
}

var traits = &upstream.Traits{
	Module: "uwsgi", TempPath: build.UWSGITemp, ChangeBuffering: true,
	HideHeaders: []string{"X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset"},
}

// Module is the uWSGI module.
var Module = &http.Module{Module: conf.Module{Name: "http_uwsgi", Slots: []conf.AnySlot{loc}, Directives: directives()}}

const (
	schema    = "uwsgi://"
	schemaTLS = "suwsgi://"
)

func directives() []conf.Directive {
	const in = conf.HTTPAny
	list := []conf.Directive{
		loc.Custom("uwsgi_pass", conf.HTTPLocation|conf.HTTPLocationIf|conf.HTTPLimitExcept, conf.Take1, passDirective),
		loc.Num("uwsgi_modifier1", in, func(c *locConf) *conf.Opt[int64] { return &c.modifier1 }, 0, conf.Between(0, 255)),
		loc.Num("uwsgi_modifier2", in, func(c *locConf) *conf.Opt[int64] { return &c.modifier2 }, 0, conf.Between(0, 255)),
		conf.Value(loc, "uwsgi_string", in, conf.Take1, func(c *locConf) *conf.Opt[*http.Complex] { return &c.str }, nil,
			func(cf *conf.Conf) (*http.Complex, error) { return http.CompileArg(cf, cf.Args[0]) }),
		rows.Param(func(c *locConf) *conf.Opt[[]upstream.Param] { return &c.params }),
	}
	list = append(list, rows.Common()...)
	list = append(list, rows.Sockets()...)
	list = append(list, rows.Headers()...)
	list = append(list, rows.Bodies()...)
	list = append(list, rows.Cache()...)
	return append(list, rows.SSL()...)
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// passDirective is "uwsgi_pass [uwsgi://]address".
func passDirective(cf *conf.Conf, c *locConf) error {
	arg := cf.Args[0]
	if hasPrefixFold(arg, schemaTLS) {
		arg = arg[len(schemaTLS):]
		c.secure = true
		c.SSL.UseTLS()
	} else if hasPrefixFold(arg, schema) {
		arg = arg[len(schema):]
	}
	if strings.Contains(arg, "$") {
		c.SSL.UseTLS()
	}
	return c.SetPass(cf, arg, 0, c.handle)
}

func merge(cf *conf.Conf, outer, c *locConf) (err error) {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	if c.InheritPass(cf, &outer.Conf, c.handle) {
		c.secure = outer.secure
		c.SSL.InheritUse(&outer.SSL)
	}
	if err := c.MergeSSL(cf, &outer.Conf, "uwsgi"); err != nil {
		return err
	}
	c.set, err = upstream.MergeParams(cf, &c.Conf, &c.params, &outer.params, &outer.set)
	return err
}

// exchange is the state of one request.
type exchange struct {
	upstream.CGI
	conf      *locConf
	streaming bool
}

// handle passes a request on: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	x := &exchange{conf: c}
	e := upstream.New(r, &c.Conf, traits, x)
	e.Schema = schema
	if e.TLS = c.secure; e.TLS {
		e.Schema = schemaTLS
	}
	ok := e.EvalPass(0, func(s string) string {
		switch {
		case hasPrefixFold(s, schema):
			e.Schema = s[:len(schema)]
			return s[len(schema):]
		case hasPrefixFold(s, schemaTLS):
			e.TLS, e.Schema = true, s[:len(schemaTLS)]
			return s[len(schemaTLS):]
		}
		return s
	})
	if !ok {
		return http.StatusInternalServerError
	}
	var v http.Verdict
	if x.streaming, v = e.ReadBody(); v != http.OK {
		return v
	}
	return e.Run()
}

// Request implements upstream.Protocol: a head of four bytes, and names and
// values that their lengths precede.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	c := x.conf
	b := append(e.Buffer(), byte(c.modifier1.V), 0, 0, byte(c.modifier2.V))
	b = c.set.For(e).Append(b, e.R, c.PassRequestHeaders.V, func(b []byte, name, value string) []byte {
		b = append(binary.LittleEndian.AppendUint16(b, uint16(len(name))), name...)
		return append(binary.LittleEndian.AppendUint16(b, uint16(len(value))), value...)
	})
	if c.str.V != nil {
		b = append(b, c.str.V.Eval(e.R)...)
	}
	n := len(b) - 4
	if n > math.MaxUint16 {
		e.R.Logf(log.Alert, nil, "uwsgi request is too big: %d", n)
		return http.StatusInternalServerError
	}
	binary.LittleEndian.PutUint16(b[1:], uint16(n))
	e.BeginWith(b, x.streaming)
	return http.OK
}
