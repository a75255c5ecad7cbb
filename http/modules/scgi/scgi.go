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
	params conf.Opt[[]upstream.Param]
	set    *upstream.ParamSet
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "scgi", Of: func(c *locConf) *upstream.Conf { return &c.Conf }, Words: upstream.CGIWords,
}

var traits = &upstream.Traits{
	Module: "scgi", TempPath: build.SCGITemp, ChangeBuffering: true,
	HideHeaders: []string{"Status", "X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset"},
}

// Module is the SCGI module.
var Module = &http.Module{Module: conf.Module{Name: "http_scgi", Slots: []conf.AnySlot{loc}, Directives: directives()}}

func directives() []conf.Directive {
	list := []conf.Directive{
		loc.Custom("scgi_pass", conf.HTTPLocation|conf.HTTPLocationIf|conf.HTTPLimitExcept, conf.Take1, func(cf *conf.Conf, c *locConf) error {
			return c.SetPass(cf, cf.Args[0], 0, c.handle)
		}),
		rows.Param(func(c *locConf) *conf.Opt[[]upstream.Param] { return &c.params }),
	}
	list = append(list, rows.Common()...)
	list = append(list, rows.Sockets()...)
	list = append(list, rows.Headers()...)
	list = append(list, rows.Bodies()...)
	return append(list, rows.Cache()...)
}

func merge(cf *conf.Conf, outer, c *locConf) (err error) {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	c.InheritPass(cf, &outer.Conf, c.handle)
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
	e.Schema = "scgi://"
	if !e.EvalPass(0, nil) {
		return http.StatusInternalServerError
	}
	var v http.Verdict
	if x.streaming, v = e.ReadBody(); v != http.OK {
		return v
	}
	return e.Run()
}

// Request implements upstream.Protocol: a netstring of names and values that
// end with NUL, CONTENT_LENGTH being the first.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	var tmp [512]byte
	p := append(tmp[:0], "CONTENT_LENGTH\x00"...)
	p = strconv.AppendInt(p, max(e.BodyLength(), 0), 10)
	p = append(p, 0)
	p = x.conf.set.For(e).Append(p, e.R, x.conf.PassRequestHeaders.V, func(b []byte, name, value string) []byte {
		return append(append(append(append(b, name...), 0), value...), 0)
	})
	b := strconv.AppendInt(e.Buffer(), int64(len(p)), 10)
	b = append(append(append(b, ':'), p...), ',')
	e.BeginWith(b, x.streaming)
	return http.OK
}
