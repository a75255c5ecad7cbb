// Package grpc passes requests on to gRPC servers: nginx's
// ngx_http_grpc_module.
package grpc

import (
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/upstream/h2"
	"moongate/http/wire"
	"moongate/http/wire/http2"
)

type locConf struct {
	upstream.Conf
	headers upstream.HeaderConf
}

var loc = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}

var rows = upstream.Rows[locConf]{
	Slot: loc, Prefix: "grpc", Of: func(c *locConf) *upstream.Conf { return &c.Conf }, Words: words(),
}

// words are those of grpc_next_upstream.
func words() (list []conf.Word) {
	for _, w := range upstream.HTTPWords {
		if w.Value != upstream.FailUpdating {
			list = append(list, w)
		}
	}
	return list
}

var traits = &upstream.Traits{
	Module: "grpc", Schema: "grpc://", SchemaTLS: "grpcs://", EarlyHints: true, PreserveOutput: true,
	Absent: []http.Header{{Name: "Server", ID: wire.HeaderServer}, {Name: "Date", ID: wire.HeaderDate}},
	HideHeaders: []string{
		"Date", "Server", "X-Accel-Expires", "X-Accel-Redirect", "X-Accel-Limit-Rate", "X-Accel-Buffering", "X-Accel-Charset",
	},
}

// defaultHeaders are the fields that have values of their own unless
// grpc_set_header gives others.
var defaultHeaders = []upstream.Default{
	{Name: "Content-Length", Value: "$content_length"},
	{Name: "TE", Value: "$grpc_internal_trailers"},
	{Name: "Host"},
	{Name: "Connection"},
	{Name: "Proxy-Connection"},
	{Name: "Transfer-Encoding"},
	{Name: "Keep-Alive"},
	{Name: "Expect"},
	{Name: "Upgrade"},
}

// Module is the gRPC module.
var Module = &http.Module{
	Module: conf.Module{Name: "http_grpc", Slots: []conf.AnySlot{loc}, Directives: directives()},
	Variables: []http.Variable{
		{Name: "grpc_internal_trailers", Volatile: true, Get: getTrailers},
	},
}

func directives() []conf.Directive {
	list := append(rows.Common(),
		rows.PassRow(traits, (*locConf).handle),
		rows.SetHeader(func(c *locConf) *upstream.HeaderConf { return &c.headers }),
	)
	list = append(list, rows.Sockets()...)
	list = append(list, rows.Headers()...)
	return append(list, rows.SSL()...)
}

func merge(cf *conf.Conf, outer, c *locConf) error {
	if err := c.Conf.Merge(cf, &outer.Conf, traits); err != nil {
		return err
	}
	c.PassRequestHeaders.V, c.PassRequestBody.V, c.PassTrailers.V = true, true, true
	c.InheritPass(cf, &outer.Conf, c.handle)
	if err := c.MergeSSL(cf, &outer.Conf, "grpc"); err != nil {
		return err
	}
	return c.headers.Merge(cf, &c.Conf, &outer.headers, defaultHeaders, nil)
}

// getTrailers is what TE says to the peer.
func getTrailers(r *http.Request, _ any) http.Value {
	const trailers = "trailers"
	if v, ok := r.In.Get(wire.HeaderTE); ok && strings.Contains(strings.ToLower(v), trailers) {
		return http.Val(trailers)
	}
	return http.Value{}
}

// exchange is the state of one request: nginx's ngx_http_grpc_ctx_t.
type exchange struct {
	h2.Stream
	conf *locConf
}

// handle passes a request on: the location's content handler.
func (c *locConf) handle(r *http.Request) http.Verdict {
	return c.Pass(r, traits, &exchange{conf: c})
}

// Request implements upstream.Protocol: nginx's ngx_http_grpc_create_request.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	r, h := e.R, x.conf.headers.For(e)
	e.ALPN = h2.ALPN
	x.Head = r.Method == wire.HEAD
	b := x.Open(e, r.MethodName, path(r), e.Authority, h)
	x.Close(e, h.Append(b, e, http2.AppendField), e.BodyKind())
	return http.OK
}

// path is the URI of the request with its arguments, as the client sent it if
// it is still that.
func path(r *http.Request) string {
	if r.ValidUnparsed {
		return r.UnparsedURI
	}
	b := wire.AppendEscaped(nil, r.URI, wire.EscapeURI)
	if r.Args != "" {
		b = append(append(b, '?'), r.Args...)
	}
	return r.Pool.String(b)
}

// Header implements upstream.Protocol.
func (x *exchange) Header(e *upstream.Exchange) upstream.Header {
	h := x.Stream.Header(e)
	if h == upstream.HeaderDone && x.Ended() && e.In.ContentLength == -1 {
		e.In.ContentLength = 0
	}
	return h
}
