package proxy

import (
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/upstream/h2"
	"moongate/http/wire/http2"
)

// exchangeH2 is an exchange with a peer that speaks HTTP/2: nginx's
// ngx_http_proxy_v2_ctx_t.
type exchangeH2 struct {
	h2.Stream
	exchange exchange
}

// Request implements upstream.Protocol: nginx's ngx_http_proxy_v2_create_request.
func (x *exchangeH2) Request(e *upstream.Exchange) http.Verdict {
	p := &x.exchange
	r, c := e.R, p.conf
	method := p.method()
	x.Head = p.head
	path := p.appendURI(nil)
	if len(path) == 0 {
		r.Error("zero length URI to proxy")
		return http.StatusInternalServerError
	}
	h := c.headers.For(e)
	body := e.BodyKind()
	if c.setBody.V != nil {
		e.Given, body = []byte(c.setBody.V.Eval(r)), upstream.BodyGiven
		if len(e.Given) == 0 {
			body = upstream.BodyNone
		}
	}
	p.measureBody(len(e.Given))
	p.chunked = false // there are frames anyway
	b := x.Open(e, method, r.Pool.String(path), p.vars.host, h)
	x.Close(e, h.Append(b, e, http2.AppendField), body)
	return http.OK
}

// AppendKey implements upstream.Keyer.
func (x *exchangeH2) AppendKey(e *upstream.Exchange, key []byte) []byte {
	return x.exchange.AppendKey(e, key)
}

// Redirect implements upstream.Rewriter.
func (x *exchangeH2) Redirect(e *upstream.Exchange, value string, from int) (string, bool) {
	return x.exchange.Redirect(e, value, from)
}

// Cookie implements upstream.Rewriter.
func (x *exchangeH2) Cookie(e *upstream.Exchange, value string) (string, bool) {
	return x.exchange.Cookie(e, value)
}
