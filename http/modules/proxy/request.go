package proxy

import (
	"strconv"
	"strings"

	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/upstream/h2"
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
	// chunked: the body is passed on in chunks.
	chunked    bool
	bodyLength int64
	frame      [20]byte
}

var ctxKey = &http.Ctx[exchange]{}

// newExchange prepares the exchange of a request.
func newExchange(r *http.Request, c *locConf) *exchange {
	var x *exchange
	if c.version.V == http.Version20 {
		x2 := &exchangeH2{exchange: exchange{conf: c}}
		x = &x2.exchange
		x.Exchange = upstream.New(r, &c.Conf, traitsH2, x2)
		x.ALPN = h2.ALPN
	} else {
		e := upstream.New(r, &c.Conf, traits, nil)
		var ok bool
		if x, ok = e.Kept.(*exchange); !ok {
			x = new(exchange)
			e.Kept = x
		}
		*x = exchange{conf: c, Exchange: e}
		e.Protocol = x
	}
	ctxKey.Set(r, x)
	return x
}

func (x *exchange) ssl() bool { return len(x.Schema) == len(schemaHTTPS) }

// Request implements upstream.Protocol: nginx's ngx_http_proxy_create_request.
func (x *exchange) Request(e *upstream.Exchange) http.Verdict {
	r, c := e.R, x.conf
	b := append(append(e.Buffer(), x.method()...), ' ')
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
	if x.measureBody(len(setBody)); x.chunked {
		e.Protocol = chunkedBody{x}
	}
	b = x.appendHeader(b)
	b = append(b, '\r', '\n')
	if c.setBody.V != nil {
		e.Begin(append(b, setBody...), upstream.BodyNone)
	} else {
		e.Begin(b, e.BodyKind())
	}
	return http.OK
}

// method is the method of the request to the peer.
func (x *exchange) method() string {
	s := x.R.MethodName
	switch {
	case x.Method != "":
		s = x.Method
	case x.conf.method.V != nil:
		s = x.conf.method.V.Eval(x.R)
	}
	x.head = strings.EqualFold(s, "HEAD")
	return s
}

// measureBody finds out what Content-Length and Transfer-Encoding say.
func (x *exchange) measureBody(setBody int) {
	r := x.R
	switch {
	case x.conf.setBody.V != nil:
		x.bodyLength = int64(setBody)
	case x.Streaming && r.In.Chunked:
		x.bodyLength, x.chunked = -1, true
	default:
		x.bodyLength = x.BodyLength()
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
	h := x.conf.headers.For(x.Exchange)
	host := x.vars.host
	if h.Host != nil {
		host = h.Host.Eval(x.R)
	}
	if host != "" {
		b = appendField(b, "Host", host)
	}
	return h.Append(b, x.Exchange, appendField)
}

func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ": "...)
	return append(append(b, value...), '\r', '\n')
}

// chunkedBody is an exchange whose request body is sent in chunks.
type chunkedBody struct{ *exchange }

// maxChunk is how much of a body goes into one chunk.
const maxChunk = 64 << 10

// Room implements upstream.Framer.
func (chunkedBody) Room(_ *upstream.Exchange, n int, _ bool) (int, error) {
	return min(n, maxChunk), nil
}

var (
	chunkEnd = []byte("\r\n")
	lastEnd  = []byte("\r\n" + wire.LastChunk)
)

// Frame implements upstream.Framer.
func (x chunkedBody) Frame(_ *upstream.Exchange, n int, last bool) (head, tail []byte) {
	if n == 0 {
		return nil, lastEnd[len(chunkEnd):]
	}
	head = append(strconv.AppendInt(x.frame[:0], int64(n), 16), '\r', '\n')
	if last {
		return head, lastEnd
	}
	return head, chunkEnd
}
