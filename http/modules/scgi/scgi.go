// Package scgi passes requests on to SCGI servers: nginx's
// ngx_http_scgi_module.
package scgi

import (
	"strconv"

	"moongate/conf"
	"moongate/core/build"
	"moongate/http"
	"moongate/http/upstream"
)

type locConf struct {
	upstream.Conf
	params upstream.ParamConf
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "scgi", Of: func(c *locConf) *upstream.Conf { return &c.Conf }, Words: upstream.CGIWords,
}

var traits = &upstream.Traits{
	Module: "scgi", Schema: "scgi://", TempPath: build.SCGITemp, ChangeBuffering: true, LengthFirst: true,
	HideHeaders: []string{"Status", "X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset"},
}

// Module is the SCGI module.
var Module = &http.Module{Module: conf.Module{Name: "http_scgi", Slots: []conf.AnySlot{loc}, Directives: directives()}}

func directives() []conf.Directive {
	return append(rows.All(),
		rows.PassRow(traits, (*locConf).handle),
		rows.Param(func(c *locConf) *upstream.ParamConf { return &c.params }),
	)
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	c.InheritPass(cf, &outer.Conf, c.handle)
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

// Request implements upstream.Protocol: a netstring of names and values that
// end with NUL, CONTENT_LENGTH being the first.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	var tmp [512]byte
	p := append(tmp[:0], "CONTENT_LENGTH\x00"...)
	p = strconv.AppendInt(p, max(e.BodyLength(), 0), 10)
	p = append(p, 0)
	p = x.conf.params.For(e).Append(p, e, func(b []byte, name, value string) []byte {
		return append(append(append(append(b, name...), 0), value...), 0)
	})
	b := strconv.AppendInt(e.Buffer(), int64(len(p)), 10)
	b = append(append(append(b, ':'), p...), ',')
	e.Begin(b, e.BodyKind())
	return http.OK
}
