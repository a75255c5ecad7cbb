package proxy

import (
	"moongate/http"
	"moongate/http/wire"
)

// variables are those of the module; the internal ones are what Content-Length
// and Transfer-Encoding are set to by default.
var variables = []http.Variable{
	{Name: "proxy_host", Changeable: true, Volatile: true, Get: ctxVar(func(_ *http.Request, x *exchange) http.Value {
		return http.Val(x.vars.host)
	})},
	{Name: "proxy_port", Changeable: true, Volatile: true, Get: ctxVar(func(_ *http.Request, x *exchange) http.Value {
		return http.Val(x.vars.port)
	})},
	{Name: "proxy_add_x_forwarded_for", Get: getForwardedFor},
	{Name: "proxy_internal_body_length", Volatile: true, Get: ctxVar(func(r *http.Request, x *exchange) http.Value {
		if x.bodyLength < 0 {
			return http.Value{}
		}
		return http.Val(r.Pool.Int(x.bodyLength))
	})},
	{Name: "proxy_internal_chunked", Volatile: true, Get: ctxVar(func(_ *http.Request, x *exchange) http.Value {
		if !x.chunked {
			return http.Value{}
		}
		return http.Val("chunked")
	})},
}

// ctxVar is a getter for what only exists while a request is proxied.
func ctxVar(get func(r *http.Request, x *exchange) http.Value) http.Getter {
	return func(r *http.Request, _ any) http.Value {
		x := ctxKey.Of(r)
		if x == nil {
			return http.Value{}
		}
		return get(r, x)
	}
}

func getForwardedFor(r *http.Request, _ any) http.Value {
	var parts []string
	for i := range r.In.List {
		if f := &r.In.List[i]; f.ID == wire.HeaderXForwardedFor {
			parts = append(parts, f.Value, ", ")
		}
	}
	if len(parts) == 0 {
		return http.Val(r.Conn.Peer.Text)
	}
	return http.Val(r.Pool.Concat(append(parts, r.Conn.Peer.Text)...))
}
