package h1

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
)

// takeKnown draws the consequences of a header field that the server looks at,
// before it is added to the list (ngx_http_headers_in).
func takeKnown(r *http.Request, f *http.Header) http.Verdict {
	switch f.ID {
	case wire.HeaderHost:
		return takeHost(r, f)
	case wire.HeaderConnection:
		v := buf.Bytes(f.Value)
		switch {
		case wire.HasToken(v, "close"):
			r.In.ConnectionClose, r.In.ConnectionKeepAlive = true, false
		case wire.HasToken(v, "keep-alive"):
			r.In.ConnectionClose, r.In.ConnectionKeepAlive = false, true
		}
	case wire.HeaderUserAgent:
		r.In.TakeUserAgent(f.Value)
	case wire.HeaderIfModifiedSince, wire.HeaderIfUnmodifiedSince, wire.HeaderIfMatch, wire.HeaderIfNoneMatch,
		wire.HeaderContentLength, wire.HeaderContentRange, wire.HeaderIfRange, wire.HeaderTransferEncoding,
		wire.HeaderExpect, wire.HeaderAuthorization, wire.HeaderProxyAuthorization:
		return unique(r, f, "header line")
	}
	return http.OK
}

// unique refuses a second field of the same name.
func unique(r *http.Request, f *http.Header, what string) http.Verdict {
	if !r.In.Has(f.ID) {
		return http.OK
	}
	old := r.In.Find(f.Name)
	r.Logf(log.Info, nil, `client sent duplicate %s: "%s: %s", previous value: "%s: %s"`, what, f.Name, f.Value, old.Name, old.Value)
	return http.StatusBadRequest
}

// takeHost finds the server that Host names; a host in the request line
// prevails.
func takeHost(r *http.Request, f *http.Header) http.Verdict {
	if v := unique(r, f, "host header"); v != http.OK {
		return v
	}
	host, port, ok := wire.ParseHost(r.Pool.Alloc(len(f.Value)), buf.Bytes(f.Value))
	if !ok {
		r.Logf(log.Info, nil, "client sent invalid host header")
		return http.StatusBadRequest
	}
	if r.HostName != "" {
		return http.OK
	}
	if v := r.ChooseServer(buf.String(host)); v != http.OK {
		return v
	}
	r.HostName, r.Port = buf.String(host), int(port)
	return http.OK
}

// checkHeader judges the header as a whole: nginx's
// ngx_http_process_request_header.
func checkHeader(r *http.Request) http.Verdict {
	if r.HostName == "" {
		if v := r.ChooseServer(""); v != http.OK {
			return v
		}
	}
	if !r.In.Has(wire.HeaderHost) && r.Version > http.Version10 {
		return refuse(r, http.StatusBadRequest, `client sent HTTP/1.1 request without "Host" header`)
	}
	if v, ok := r.In.Get(wire.HeaderContentLength); ok {
		if r.In.ContentLength, ok = wire.ParseLength(v); !ok {
			r.In.ContentLength = -1
			return refuse(r, http.StatusBadRequest, `client sent invalid "Content-Length" header`)
		}
	}
	if te, ok := r.In.Get(wire.HeaderTransferEncoding); ok {
		if v := checkTransferEncoding(r, te); v != http.OK {
			return v
		}
	}
	if v, ok := r.In.Get(wire.HeaderKeepAlive); ok && r.In.ConnectionKeepAlive {
		if n, ok := conf.ParseInt(v); ok {
			r.In.KeepAlive = n
		}
	}
	return checkMethod(r)
}

func checkTransferEncoding(r *http.Request, te string) http.Verdict {
	switch {
	case r.Version < http.Version11:
		return refuse(r, http.StatusBadRequest, `client sent HTTP/1.0 request with "Transfer-Encoding" header`)
	case !strings.EqualFold(te, "chunked"):
		r.Logf(log.Info, nil, `client sent unknown "Transfer-Encoding": "%s"`, te)
		return http.StatusNotImplemented
	case r.In.Has(wire.HeaderContentLength):
		return refuse(r, http.StatusBadRequest, `client sent "Content-Length" and "Transfer-Encoding" headers at the same time`)
	}
	r.In.Chunked = true
	return http.OK
}

func checkMethod(r *http.Request) http.Verdict {
	switch r.Method {
	case wire.CONNECT:
		if r.Version != http.Version11 || !r.Server.AllowConnect {
			return refuse(r, http.StatusNotAllowed, "client sent CONNECT method")
		}
		if r.HasBody() {
			return refuse(r, http.StatusBadRequest, "client sent CONNECT request with body")
		}
	case wire.TRACE:
		return refuse(r, http.StatusNotAllowed, "client sent TRACE method")
	}
	return http.OK
}

func refuse(r *http.Request, v http.Verdict, why string) http.Verdict {
	r.Logf(log.Info, nil, "%s", why)
	return v
}
