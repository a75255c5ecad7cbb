package h2

import (
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire"
	"moongate/http/wire/http2"
)

// builder makes a request of the fields of a header block.
type builder struct {
	s *stream
	r *http.Request

	method, path, scheme, authority string
	hasAuthority                    bool
	line                            bool // the request line is complete
	noBody                          bool // the header ends the request
	cookies                         []string
	lines                           int64
}

// begin makes it ready for the fields of a stream.
func (p *builder) begin(s *stream) {
	*p = builder{s: s, r: s.r, noBody: s.inClosed, cookies: p.cookies[:0]}
	p.r.EnterDefaultServer()
	p.r.Version = http.Version20
	p.r.HTTPProtocol = "HTTP/2.0"
}

func (p *builder) refuse(v http.Verdict, format string, args ...any) http.Verdict {
	p.r.Logf(log.Info, nil, format, args...)
	return v
}

// bad refuses a malformed request: the response is followed by a reset (RFC
// 9113, 8.1.1).
func (p *builder) bad(format string, args ...any) http.Verdict {
	p.s.malformed = true
	return p.refuse(http.StatusBadRequest, format, args...)
}

// field takes in one field.
func (p *builder) field(f http2.Field) http.Verdict {
	name, value := f.Name, f.Value
	invalid, v := p.validate(name, value)
	if v != http.OK {
		return v
	}
	if name[0] == ':' {
		return p.pseudo(name[1:], value)
	}
	if v := p.requestLine(); v != http.OK {
		return v
	}
	if invalid && p.r.Server.IgnoreInvalidHeaders.V {
		p.r.Logf(log.Info, nil, `client sent invalid header: "%s"`, name)
		return http.OK
	}
	if name == "cookie" {
		p.cookies = append(p.cookies, value)
		return http.OK
	}
	if p.lines++; p.lines > p.r.Server.MaxHeaders.V {
		return p.refuse(http.StatusRequestHeaderTooBig, "client sent too many header lines")
	}
	return p.add(name, value)
}

// validate checks the bytes of a field (ngx_http_v2_validate_header).
func (p *builder) validate(name, value string) (invalid bool, v http.Verdict) {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', c == '-', '0' <= c && c <= '9', c == '_' && p.r.Server.UnderscoresInHeaders.V, c == ':' && i == 0:
		case c <= ' ', c == 0x7f, c == ':', 'A' <= c && c <= 'Z':
			return false, p.bad(`client sent invalid header name: "%s"`, name)
		default:
			invalid = true
		}
	}
	if strings.ContainsAny(value, "\x00\r\n") {
		return false, p.bad(`client sent header "%s" with invalid value: "%s"`, name, value)
	}
	return invalid, http.OK
}

func (p *builder) pseudo(name, value string) http.Verdict {
	if p.line {
		return p.bad("client sent out of order pseudo-headers")
	}
	var to *string
	switch name {
	case "path":
		to = &p.path
	case "method":
		to = &p.method
	case "scheme":
		to = &p.scheme
	case "authority":
		return p.host(value)
	default:
		return p.bad(`client sent unknown pseudo-header ":%s"`, name)
	}
	switch {
	case *to != "":
		return p.bad("client sent duplicate :%s header", name)
	case value == "":
		return p.bad("client sent empty :%s header", name)
	}
	*to = value
	switch name {
	case "path":
		return p.target()
	case "method":
		return p.setMethod()
	default:
		return p.setScheme()
	}
}

// target takes the path apart as that of a request line of HTTP/1.
func (p *builder) target() http.Verdict {
	if p.path[0] != '/' || strings.ContainsAny(p.path, " \r\n") {
		return p.bad(`client sent invalid :path header: "%s"`, p.path)
	}
	r := p.r
	line := buf.Bytes(r.Pool.Concat("GET ", p.path, " HTTP/1.1\r\n"))
	var l wire.RequestLine
	if done, err := l.Parse(line); err != nil || !done {
		return p.bad(`client sent invalid :path header: "%s"`, p.path)
	}
	t, err := l.Target(r.Pool.Alloc(l.URIEnd-l.URIStart+1), line, r.Server.MergeSlashes.V)
	if err != nil {
		return p.bad("client sent invalid request")
	}
	r.UnparsedURI = buf.String(t.Raw)
	r.URI, r.Args, r.Exten = buf.String(t.Path), buf.String(t.Args), buf.String(t.Ext)
	r.ComplexURI, r.QuotedURI, r.PlusInURI = l.Complex, t.Quoted, t.Plus
	return http.OK
}

func (p *builder) setMethod() http.Verdict {
	for i := range len(p.method) {
		if c := p.method[i]; (c < 'A' || c > 'Z') && c != '_' && c != '-' {
			return p.bad(`client sent invalid method: "%s"`, p.method)
		}
	}
	p.r.MethodName = p.method
	p.r.Method = wire.LookupMethod(buf.Bytes(p.method))
	return http.OK
}

func (p *builder) setScheme() http.Verdict {
	for i := range len(p.scheme) {
		c := p.scheme[i] | 0x20
		other := p.scheme[i]
		if 'a' <= c && c <= 'z' || i > 0 && ('0' <= other && other <= '9' || other == '+' || other == '-' || other == '.') {
			continue
		}
		return p.bad(`client sent invalid :scheme header: "%s"`, p.scheme)
	}
	p.r.Schema = p.scheme
	return http.OK
}

// host takes the authority.
func (p *builder) host(value string) http.Verdict {
	if p.hasAuthority {
		return p.bad(`client sent duplicate ":authority" header`)
	}
	p.hasAuthority, p.authority = true, value
	host, port, ok := wire.ParseHost(p.r.Pool.Alloc(len(value)), buf.Bytes(value))
	if !ok {
		return p.bad(`client sent invalid ":authority" header`)
	}
	return p.choose(host, port)
}

func (p *builder) choose(host []byte, port uint16) http.Verdict {
	if v := p.r.ChooseServer(buf.String(host)); v != http.OK {
		return v
	}
	p.r.HostName, p.r.Port = buf.String(host), int(port)
	return http.OK
}

// requestLine completes what stands for the request line.
func (p *builder) requestLine() http.Verdict {
	if p.line {
		return http.OK
	}
	switch "" {
	case p.method:
		return p.bad("client sent no :method header")
	case p.scheme:
		return p.bad("client sent no :scheme header")
	case p.path:
		return p.bad("client sent no :path header")
	}
	p.line = true
	p.r.RequestLine = p.r.Pool.Concat(p.method, " ", p.path, " HTTP/2.0")
	return http.OK
}

// add puts a field into the header.
func (p *builder) add(name, value string) http.Verdict {
	f := http.Header{Name: name, Lower: name, Value: value, ID: wire.LookupHeader(name)}
	switch f.ID {
	case wire.HeaderHost:
		if p.r.In.Has(f.ID) {
			return p.bad(`client sent duplicate host header: "host: %s"`, value)
		}
		if !p.hasAuthority {
			host, port, ok := wire.ParseHost(p.r.Pool.Alloc(len(value)), buf.Bytes(value))
			if !ok {
				return p.bad("client sent invalid host header")
			}
			if v := p.choose(host, port); v != http.OK {
				return v
			}
		}
	case wire.HeaderUserAgent:
		p.r.In.TakeUserAgent(value)
	case wire.HeaderIfModifiedSince, wire.HeaderIfUnmodifiedSince, wire.HeaderIfMatch, wire.HeaderIfNoneMatch,
		wire.HeaderContentLength, wire.HeaderContentRange, wire.HeaderIfRange, wire.HeaderExpect,
		wire.HeaderAuthorization, wire.HeaderProxyAuthorization:
		if old, ok := p.r.In.Get(f.ID); ok {
			return p.bad(`client sent duplicate header line: "%s: %s", previous value: "%s: %s"`, name, value, name, old)
		}
	}
	p.r.In.Add(f)
	return http.OK
}

// finish judges the header as a whole (ngx_http_v2_run_request).
func (p *builder) finish() http.Verdict {
	r := p.r
	if !srvSlot.Of(r.Server.Scope()).enable.V && !r.Conn.Addr.HTTP2 {
		return p.refuse(http.StatusMisdirectedRequest,
			"client attempted to request the server name for which the negotiated protocol is disabled")
	}
	if v := p.requestLine(); v != http.OK {
		return v
	}
	if len(p.cookies) > 0 {
		if v := p.add("cookie", strings.Join(p.cookies, "; ")); v != http.OK {
			return v
		}
	}
	for _, name := range []string{"Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade"} {
		if r.In.Find(name) != nil {
			return p.bad(`client sent "%s" header`, name)
		}
	}
	if te := r.In.Find("te"); te != nil && !strings.EqualFold(te.Value, "trailers") {
		return p.bad(`client sent invalid "TE" header`)
	}
	if r.HostName == "" {
		return p.bad(`client sent neither ":authority" nor "Host" header`)
	}
	if p.hasAuthority {
		host, ok := r.In.Get(wire.HeaderHost)
		switch {
		case ok && host != p.authority:
			return p.bad(`client sent ":authority" and "Host" headers with different values`)
		case !ok: // for $http_host
			r.In.Add(http.Header{Name: "host", Lower: "host", Value: p.authority, ID: wire.HeaderHost})
		}
	}
	return p.body()
}

// body finds out about the body, and refuses what cannot be done.
func (p *builder) body() http.Verdict {
	r := p.r
	if v, ok := r.In.Get(wire.HeaderContentLength); ok {
		n, ok := conf.ParseInt(v)
		switch {
		case !ok:
			return p.bad(`client sent invalid "Content-Length" header`)
		case n > 0 && p.noBody:
			p.s.skip = true
			return p.bad("client prematurely closed stream")
		}
		r.In.ContentLength, p.s.declared = n, n
	} else if !p.noBody {
		r.In.Chunked = true
	}
	switch r.Method {
	case wire.CONNECT:
		return p.refuse(http.StatusNotAllowed, "client sent CONNECT method")
	case wire.TRACE:
		return p.refuse(http.StatusNotAllowed, "client sent TRACE method")
	}
	return http.OK
}
