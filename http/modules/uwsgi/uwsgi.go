// Package uwsgi passes requests on to uWSGI servers: nginx's
// ngx_http_uwsgi_module.
package uwsgi

import (
	"encoding/binary"
	"math"

	"moongate/conf"
	"moongate/core/build"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/upstream"
)

type locConf struct {
	upstream.Conf
	params               upstream.ParamConf
	str                  conf.Opt[string]
	modifier1, modifier2 conf.Opt[int64]
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "uwsgi", Of: func(c *locConf) *upstream.Conf { return &c.Conf }, Words: upstream.CGIWords,
}

var traits = &upstream.Traits{
	Module: "uwsgi", Schema: "uwsgi://", SchemaTLS: "suwsgi://", TempPath: build.UWSGITemp, ChangeBuffering: true, LengthFirst: true,
	HideHeaders: []string{"X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset"},
}

// Module is the uWSGI module.
var Module = &http.Module{Module: conf.Module{Name: "http_uwsgi", Slots: []conf.AnySlot{loc}, Directives: directives()}}

func directives() []conf.Directive {
	const in = conf.HTTPAny
	list := append(rows.All(),
		rows.PassRow(traits, (*locConf).handle),
		loc.Num("uwsgi_modifier1", in, func(c *locConf) *conf.Opt[int64] { return &c.modifier1 }, 0, conf.Between(0, 255)),
		loc.Num("uwsgi_modifier2", in, func(c *locConf) *conf.Opt[int64] { return &c.modifier2 }, 0, conf.Between(0, 255)),
		loc.Str("uwsgi_string", in, func(c *locConf) *conf.Opt[string] { return &c.str }, ""),
		rows.Param(func(c *locConf) *upstream.ParamConf { return &c.params }),
	)
	return append(list, rows.SSL()...)
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	c.InheritPass(cf, &outer.Conf, c.handle)
	if err := c.MergeSSL(cf, &outer.Conf, "uwsgi"); err != nil {
		return err
	}
	return c.params.Merge(cf, &c.Conf, &outer.params)
}

// exchange is the state of one request.
type exchange struct {
	upstream.CGI
	conf *locConf
}

// handle passes a request on: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	return c.Pass(r, traits, &exchange{conf: c})
}

// Request implements upstream.Protocol: a head of four bytes, and names and
// values that their lengths precede.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	c := x.conf
	b := append(e.Buffer(), byte(c.modifier1.V), 0, 0, byte(c.modifier2.V))
	b = c.params.For(e).Append(b, e, func(b []byte, name, value string) []byte {
		b = append(binary.LittleEndian.AppendUint16(b, uint16(len(name))), name...)
		return append(binary.LittleEndian.AppendUint16(b, uint16(len(value))), value...)
	})
	b = append(b, c.str.V...)
	n := len(b) - 4
	if n > math.MaxUint16 {
		e.R.Logf(log.Alert, nil, "uwsgi request is too big: %d", n)
		return http.StatusInternalServerError
	}
	binary.LittleEndian.PutUint16(b[1:], uint16(n))
	e.Begin(b, e.BodyKind())
	return http.OK
}
