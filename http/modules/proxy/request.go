package proxy

import (
	"strconv"
	"strings"

	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

// exchange is the state of one request: nginx's ngx_http_proxy_ctx_t.
type exchange struct {
	*upstream.Exchange
	conf *locConf
	vars vars

	status  wire.StatusLine
	header  wire.HeaderLine
	lines   bool // the status line is complete, header lines follow
	chunks  wire.Chunked
	trailer *trailerReader

	// head: the response has no body.
	head bool
	// streaming: the body is passed on as it arrives; chunked: in chunks.
	streaming, chunked bool
	bodyLength         int64
	frame              [20]byte
}

var ctxKey = &http.Ctx[exchange]{}

// newExchange prepares the exchange of a request.
func newExchange(r *http.Request, c *locConf) *exchange {
	x := &exchange{conf: c}
	x.Exchange = upstream.New(r, &c.Conf, traits, x)
	ctxKey.Set(r, x)
	return x
}

func (x *exchange) ssl() bool { return len(x.Schema) == len(schemaHTTPS) }

// Request implements upstream.Protocol: nginx's ngx_http_proxy_create_request.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	r, c := e.R, x.conf
	b := e.Buffer()
	method := r.MethodName
	switch {
	case e.Method != "":
		method = e.Method
	case c.method.V != nil:
		method = c.method.V.Eval(r)
	}
	x.head = strings.EqualFold(method, "HEAD")
	b = append(append(b, method...), ' ')
	start := len(b)
	b = x.appendURI(b)
	if len(b) == start {
		r.Error("zero length URI to proxy")
		return http.StatusInternalServerError
	}
	e.URI = r.Pool.String(b[start:])
	if c.version.V == http.Version11 {
		b = append(b, " HTTP/1.1\r\n"...)
	} else {
		b = append(b, " HTTP/1.0\r\n"...)
	}
	setBody := ""
	if c.setBody.V != nil {
		setBody = c.setBody.V.Eval(r)
	}
	if x.measureBody(setBody); x.chunked {
		e.Protocol = chunkedBody{x}
	}
	b = x.appendHeader(b)
	b = append(b, '\r', '\n')
	switch {
	case c.setBody.V != nil:
		e.Begin(append(b, setBody...), upstream.BodyNone)
	case x.streaming:
		e.Begin(b, upstream.BodyStreamed)
	case c.PassRequestBody.V && r.Body != nil && r.Body.Size > 0:
		e.Begin(b, upstream.BodyRead)
	default:
		e.Begin(b, upstream.BodyNone)
	}
	return http.OK
}

// measureBody finds out what Content-Length and Transfer-Encoding say.
func (x *exchange) measureBody(setBody string) {
	r := x.R
	switch {
	case x.conf.setBody.V != nil:
		x.bodyLength = int64(len(setBody))
	case x.streaming && r.In.Chunked:
		x.bodyLength, x.chunked = -1, true
	case r.In.Chunked && r.Body != nil:
		x.bodyLength = r.Body.Size
	default:
		x.bodyLength = r.In.ContentLength
	}
}

// appendURI appends the URI of the request line.
func (x *exchange) appendURI(b []byte) []byte {
	r, uri := x.R, x.vars.uri
	switch {
	case x.conf.pass != nil && uri != "":
		return append(b, uri...)
	case uri == "" && r.ValidUnparsed:
		return append(b, r.UnparsedURI...)
	}
	rest := r.URI
	if r.ValidLocation {
		b = append(b, uri...)
		if uri != "" {
			rest = rest[min(len(x.conf.location), len(rest)):]
		}
	}
	if r.QuotedURI || r.Internal {
		b = wire.AppendEscaped(b, rest, wire.EscapeURI)
	} else {
		b = append(b, rest...)
	}
	if r.Args != "" {
		b = append(append(b, '?'), r.Args...)
	}
	return b
}

// appendHeader appends the header fields.
func (x *exchange) appendHeader(b []byte) []byte {
	r, c := x.R, x.conf
	h := c.headers
	if x.Cacheable {
		h = c.cacheHeaders
	}
	host := x.vars.host
	if h.host != nil {
		if s := h.host.Eval(r); s != "" || c.version.V != http.Version11 {
			host = s
		}
	}
	if host != "" {
		b = appendField(b, "Host", host)
	}
	for i := range h.set {
		if v := h.set[i].value.Eval(r); v != "" {
			b = appendField(b, h.set[i].name, v)
		}
	}
	if !c.PassRequestHeaders.V {
		return b
	}
	for i := range r.In.List {
		if f := &r.In.List[i]; !h.drop.Has(f) {
			b = appendField(b, f.Name, f.Value)
		}
	}
	return b
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), '\r', '\n')
}

// chunkedBody is an exchange whose request body is sent in chunks.
type chunkedBody struct{ *exchange }

// maxChunk is how much of a body goes into one chunk.
const maxChunk = 64 << 10

// MaxFrame implements upstream.Framer.
func (chunkedBody) MaxFrame() int { return maxChunk }

var crlf = []byte("\r\n")

// Frame implements upstream.Framer.
func (x chunkedBody) Frame(_ *upstream.Exchange, n int) (head, tail []byte) {
	if n == 0 {
		return []byte(wire.LastChunk), nil
	}
	head = strconv.AppendInt(x.frame[:0], int64(n), 16)
	return append(head, '\r', '\n'), crlf
}
