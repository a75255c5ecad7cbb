// Package tunnel connects clients that say CONNECT: nginx's
// ngx_http_tunnel_module.
package tunnel

import (
	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

type locConf struct{ upstream.Conf }

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "tunnel", Of: func(c *locConf) *upstream.Conf { return &c.Conf },
	Words: []conf.Word{
		{Name: "error", Value: upstream.FailError}, {Name: "timeout", Value: upstream.FailTimeout}, {Name: "off", Value: upstream.FailOff},
	},
}

var traits = &upstream.Traits{Module: "tunnel", IgnoreInput: true}

// Module is the tunnel module.
var Module = &http.Module{Module: conf.Module{Name: "http_tunnel", Slots: []conf.AnySlot{loc}, Directives: directives()}}

// defaultPass is where a request is for.
const defaultPass = "$host:$request_port"

func directives() []conf.Directive {
	list := []conf.Directive{
		loc.Custom("tunnel_pass", conf.HTTPServer|conf.HTTPLocation|conf.HTTPLocationIf, conf.NoArgs|conf.Take1, passDirective),
		rows.SendLowat(),
	}
	return append(append(list, rows.Common()...), rows.Sockets()...)
}

// passDirective is "tunnel_pass [address]".
func passDirective(cf *conf.Conf, c *locConf) error {
	address := defaultPass
	if len(cf.Args) == 1 {
		address = cf.Args[0]
	}
	http.ServerOf(cf).AllowConnect = true
	return c.SetPass(cf, traits, address, c.handle)
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	c.InheritPass(cf, &outer.Conf, c.handle)
	return nil
}

// handle connects the client: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	if r.Method != wire.CONNECT {
		return http.StatusNotAllowed
	}
	e := upstream.New(r, &c.Conf, traits, protocol{})
	if !e.EvalPass() {
		return http.StatusInternalServerError
	}
	if v := r.ReadBody(); v != http.OK {
		return v
	}
	return e.Run()
}

// protocol is that of a peer which is sent nothing and not waited for.
type protocol struct{}

// Request implements upstream.Protocol.
func (protocol) Request(e *upstream.Exchange) http.Verdict {
	e.Begin(e.Buffer(), upstream.BodyNone)
	return http.OK
}

// Restart implements upstream.Protocol.
func (protocol) Restart(*upstream.Exchange) {}

// Header implements upstream.Protocol.
func (protocol) Header(e *upstream.Exchange) upstream.Header {
	e.In.Status, e.In.StatusLine = int(http.StatusOK), "200 OK"
	e.R.KeepAlive, e.Upgrade = false, true
	return upstream.HeaderDone
}

// StartBody implements upstream.Protocol.
func (protocol) StartBody(*upstream.Exchange) error { return nil }

// Body implements upstream.Protocol.
func (protocol) Body(*upstream.Exchange, []byte) error { return nil }
