package http

import (
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/build"
	"moongate/core/log"
	"moongate/http/wire"
)

// coreVariables are the variables of nginx's ngx_http_variables.c.
var coreVariables = []Variable{
	{Name: "http_", Get: getHeaderIn, Prefix: true},
	{Name: "http_cookie", Get: getJoinedIn, Data: "; "},
	{Name: "http_x_forwarded_for", Get: getJoinedIn, Data: ", "},
	{Name: "sent_http_", Get: getHeaderOut, Prefix: true},
	{Name: "sent_trailer_", Get: getTrailerOut, Prefix: true},
	{Name: "cookie_", Get: getCookie, Prefix: true},
	{Name: "arg_", Get: getArg, Prefix: true, Volatile: true},
	{Name: "proxy_protocol_tlv_", Get: getProxyTLV, Prefix: true},

	{Name: "content_length", Get: getContentLength, Volatile: true},
	{Name: "content_type", Get: getContentType},
	{Name: "host", Get: getHost},
	{Name: "binary_remote_addr", Get: func(r *Request, _ any) Value { return Val(buf.String(r.Conn.Peer.AppendBinary(r.Pool.Alloc(16)[:0]))) }},
	{Name: "remote_addr", Get: func(r *Request, _ any) Value { return Val(r.Conn.Peer.Text) }},
	{Name: "remote_port", Get: func(r *Request, _ any) Value { return port(r, int(r.Conn.Peer.Port)) }},
	{Name: "proxy_protocol_addr", Get: getProxyProtocol, Data: proxySrcAddr},
	{Name: "proxy_protocol_port", Get: getProxyProtocol, Data: proxySrcPort},
	{Name: "proxy_protocol_server_addr", Get: getProxyProtocol, Data: proxyDstAddr},
	{Name: "proxy_protocol_server_port", Get: getProxyProtocol, Data: proxyDstPort},
	{Name: "server_addr", Get: func(r *Request, _ any) Value { a, _ := r.Conn.LocalText(); return Val(a) }},
	{Name: "server_port", Get: func(r *Request, _ any) Value { _, p := r.Conn.LocalText(); return port(r, p) }},
	{Name: "server_protocol", Get: func(r *Request, _ any) Value { return nonEmpty(r.HTTPProtocol) }},
	{Name: "scheme", Get: func(r *Request, _ any) Value { return Val(r.Conn.Scheme()) }},
	{Name: "https", Get: getHTTPS},
	{Name: "request_port", Get: func(r *Request, _ any) Value { return port(r, r.Port) }},
	{Name: "is_request_port", Get: getIsRequestPort},
	{Name: "request_uri", Get: func(r *Request, _ any) Value { return nonEmpty(r.UnparsedURI) }},
	{Name: "uri", Get: getURI, Volatile: true},
	{Name: "document_uri", Get: getURI, Volatile: true},
	{Name: "request", Get: func(r *Request, _ any) Value { return foundValue(r.logLine(), r.logLine() != "") }},
	{Name: "document_root", Get: getDocumentRoot, Volatile: true},
	{Name: "realpath_root", Get: getRealpathRoot, Volatile: true},
	{Name: "query_string", Get: getArgs, Volatile: true},
	{Name: "args", Get: getArgs, Set: setArgs, Changeable: true, Volatile: true},
	{Name: "is_args", Get: getIsArgs, Volatile: true},
	{Name: "request_filename", Get: getRequestFilename, Volatile: true},
	{Name: "server_name", Get: func(r *Request, _ any) Value { return Val(r.Server.Name) }},
	{Name: "request_method", Get: getMethod, Volatile: true},
	{Name: "remote_user", Get: getRemoteUser},
	{Name: "bytes_sent", Get: func(r *Request, _ any) Value { return Val(r.Pool.Int(r.Main.BytesSent)) }, Volatile: true},
	{Name: "body_bytes_sent", Get: getBodyBytesSent, Volatile: true},
	{Name: "pipe", Get: getPipe},
	{Name: "request_completion", Get: getCompletion, Volatile: true},
	{Name: "request_body", Get: getRequestBody, Volatile: true},
	{Name: "request_body_file", Get: getRequestBodyFile, Volatile: true},
	{Name: "request_length", Get: func(r *Request, _ any) Value { return Val(r.Pool.Int(r.Main.RequestLength)) }, Volatile: true},
	{Name: "request_time", Get: func(r *Request, _ any) Value { return seconds(r, r.Loop().Now().Sub(r.Start).Milliseconds()) }, Volatile: true},
	{Name: "request_id", Get: getRequestID},
	{Name: "status", Get: getStatus, Volatile: true},
	{Name: "sent_http_content_type", Get: getSentContentType},
	{Name: "sent_http_content_length", Get: getSentContentLength},
	{Name: "sent_http_last_modified", Get: getSentLastModified},
	{Name: "sent_http_connection", Get: getSentConnection},
	{Name: "sent_http_keep_alive", Get: getSentKeepAlive},
	{Name: "sent_http_transfer_encoding", Get: getSentTransferEncoding},
	{Name: "sent_http_cache_control", Get: getJoinedOut, Data: "Cache-Control"},
	{Name: "sent_http_link", Get: getJoinedOut, Data: "Link"},
	{Name: "limit_rate", Get: getLimitRate, Set: setLimitRate, Changeable: true, Volatile: true},
	{Name: "connection", Get: func(r *Request, _ any) Value { return Val(r.Pool.Int(int64(r.Conn.Number))) }},
	{Name: "connection_requests", Get: func(r *Request, _ any) Value { return Val(r.Pool.Int(r.Conn.Requests)) }},
	{Name: "connection_time", Get: getConnectionTime, Volatile: true},
	{Name: "nginx_version", Get: func(*Request, any) Value { return Val(build.NginxVersion) }},
	{Name: "hostname", Get: func(r *Request, _ any) Value { return Val(Hostname()) }},
	{Name: "pid", Get: func(r *Request, _ any) Value { return Val(r.Pool.Int(int64(os.Getpid()))) }},
	{Name: "msec", Get: func(r *Request, _ any) Value { return seconds(r, r.Loop().Now().UnixMilli()) }, Volatile: true},
	{Name: "time_iso8601", Get: func(r *Request, _ any) Value { return Val(r.Conn.Worker.Clock.Times().ISO8601) }, Volatile: true},
	{Name: "time_local", Get: func(r *Request, _ any) Value { return Val(r.Conn.Worker.Clock.Times().Common) }, Volatile: true},
	{Name: "tcpinfo_rtt", Get: getTCPInfo, Data: 0, Volatile: true},
	{Name: "tcpinfo_rttvar", Get: getTCPInfo, Data: 1, Volatile: true},
	{Name: "tcpinfo_snd_cwnd", Get: getTCPInfo, Data: 2, Volatile: true},
	{Name: "tcpinfo_rcv_space", Get: getTCPInfo, Data: 3, Volatile: true},
}

func foundValue(s string, ok bool) Value { return Value{s, ok} }

func nonEmpty(s string) Value { return Value{s, s != ""} }

func port(r *Request, n int) Value {
	if n <= 0 || n > 65535 {
		return Val("")
	}
	return Val(r.Pool.Int(int64(n)))
}

// seconds prints milliseconds as nginx prints times: "12.345".
func seconds(r *Request, ms int64) Value {
	ms = max(ms, 0)
	var tmp [24]byte
	b := strconv.AppendInt(tmp[:0], ms/1000, 10)
	f := ms % 1000
	b = append(b, '.', byte('0'+f/100), byte('0'+f/10%10), byte('0'+f%10))
	return Val(r.Pool.String(b))
}

// VariableNames reports whether the rest of a variable's name, such as $http_x,
// names a header field: in any case, and with "_" for "-".
func VariableNames(field, name string) bool {
	if len(field) != len(name) {
		return false
	}
	for i := range len(field) {
		c := field[i]
		switch {
		case c >= 'A' && c <= 'Z':
			c |= 0x20
		case c == '-':
			c = '_'
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// joined returns the values of all fields that match, joined.
func joined(r *Request, list []Header, sep string, match func(*Header) bool) Value {
	var parts [8]string
	vals := parts[:0]
	for i := range list {
		if h := &list[i]; !h.Off && match(h) {
			if len(vals) > 0 {
				vals = append(vals, sep)
			}
			vals = append(vals, h.Value)
		}
	}
	switch len(vals) {
	case 0:
		return Value{}
	case 1:
		return Val(vals[0])
	}
	return Val(r.Pool.Concat(vals...))
}

func joinedByVariable(r *Request, list []Header, sep, name string) Value {
	return joined(r, list, sep, func(h *Header) bool { return VariableNames(h.Name, name) })
}

func getHeaderIn(r *Request, data any) Value {
	return joinedByVariable(r, r.In.List, ", ", data.(string))
}

func getJoinedIn(r *Request, data any) Value {
	name := "cookie"
	if data == ", " {
		name = "x_forwarded_for"
	}
	return joinedByVariable(r, r.In.List, data.(string), name)
}

func getHeaderOut(r *Request, data any) Value {
	return joinedByVariable(r, r.Out.List, ", ", data.(string))
}

func getJoinedOut(r *Request, data any) Value {
	return joined(r, r.Out.List, ", ", func(h *Header) bool { return strings.EqualFold(h.Name, data.(string)) })
}

func getTrailerOut(r *Request, data any) Value {
	return joinedByVariable(r, r.Out.Trailers, ", ", data.(string))
}

func getCookie(r *Request, data any) Value {
	for i := range r.In.List {
		if h := &r.In.List[i]; h.ID == wire.HeaderCookie {
			if v, ok := wire.Cookie(buf.Bytes(h.Value), data.(string)); ok {
				return Val(buf.String(v))
			}
		}
	}
	return Value{}
}

func getArg(r *Request, data any) Value {
	v, ok := wire.Arg(buf.Bytes(r.Args), data.(string))
	return foundValue(buf.String(v), ok)
}

func getProxyTLV(r *Request, data any) Value {
	if r.Conn.Proxy == nil || r.Conn.Proxy.TLV == nil {
		return Value{}
	}
	return foundValue(r.Conn.Proxy.TLV(data.(string)))
}

const (
	proxySrcAddr = iota
	proxySrcPort
	proxyDstAddr
	proxyDstPort
)

func getProxyProtocol(r *Request, data any) Value {
	p := r.Conn.Proxy
	if p == nil {
		return Value{}
	}
	switch data.(int) {
	case proxySrcAddr:
		return Val(p.SrcAddr)
	case proxySrcPort:
		return port(r, int(p.SrcPort))
	case proxyDstAddr:
		return Val(p.DstAddr)
	}
	return port(r, int(p.DstPort))
}

func getContentLength(r *Request, _ any) Value {
	if v, ok := r.In.Get(wire.HeaderContentLength); ok {
		return Val(v)
	}
	if r.In.ContentLength >= 0 {
		return Val(r.Pool.Int(r.In.ContentLength))
	}
	if r.In.Chunked && r.Body != nil {
		return Val(r.Pool.Int(r.Body.Size)) // known since it was read
	}
	return Value{}
}

func getContentType(r *Request, _ any) Value {
	return joined(r, r.In.List, ", ", func(h *Header) bool { return strings.EqualFold(h.Name, "Content-Type") })
}

func getHost(r *Request, _ any) Value {
	if r.HostName != "" {
		return Val(r.HostName)
	}
	return Val(r.Server.Name)
}

func getHTTPS(r *Request, _ any) Value {
	if r.Conn.TLS != nil {
		return Val("on")
	}
	return Val("")
}

func getIsRequestPort(r *Request, _ any) Value {
	if r.Port == 0 {
		return Val("")
	}
	return Val(":")
}

// getURI is found, if empty, for a request line whose URI cannot be read.
func getURI(r *Request, _ any) Value { return Value{r.URI, r.URI != "" || r.RequestLine != ""} }

func getArgs(r *Request, _ any) Value { return Value{r.Args, r.Args != "" || r.EmptyArgs} }

func setArgs(r *Request, v Value, _ any) {
	r.SetArgs(v.S)
}

func getIsArgs(r *Request, _ any) Value {
	if r.Args == "" {
		return Val("")
	}
	return Val("?")
}

func getDocumentRoot(r *Request, _ any) Value { return Val(r.documentRoot()) }

func getRealpathRoot(r *Request, _ any) Value {
	root := r.documentRoot()
	path, err := filepath.EvalSymlinks(root)
	if err != nil {
		r.Logf(log.Crit, err, `realpath() "%s" failed`, root)
		return Value{}
	}
	return Val(path)
}

func getRequestFilename(r *Request, _ any) Value { return foundValue(r.MapPath()) }

func getMethod(r *Request, _ any) Value { return nonEmpty(r.Main.MethodName) }

func getRemoteUser(r *Request, _ any) Value {
	if !r.ParseBasicAuth() {
		return Value{}
	}
	return Val(r.In.User)
}

func getBodyBytesSent(r *Request, _ any) Value {
	return Val(r.Pool.Int(max(r.Main.BytesSent-r.Main.HeaderSize, 0)))
}

func getPipe(r *Request, _ any) Value {
	if r.Main.Pipelined {
		return Val("p")
	}
	return Val(".")
}

func getCompletion(r *Request, _ any) Value {
	if r.Main.Complete {
		return Val("OK")
	}
	return Val("")
}

func getRequestBody(r *Request, _ any) Value {
	if r.Body == nil || r.Body.File != nil {
		return Value{}
	}
	return nonEmpty(r.Pool.String(r.Body.Bytes))
}

func getRequestBodyFile(r *Request, _ any) Value {
	if r.Body == nil || r.Body.File == nil {
		return Value{}
	}
	return Val(r.Body.Path)
}

func getRequestID(r *Request, _ any) Value {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return Value{}
	}
	b := r.Pool.Alloc(32)
	hex.Encode(b, id[:])
	return Val(buf.String(b))
}

func getStatus(r *Request, _ any) Value {
	n := r.ErrStatus
	if n == 0 {
		n = r.Out.Status
	}
	if n == 0 && r.Version == Version9 {
		n = 9
	}
	b := r.Pool.Alloc(3)
	b[0], b[1], b[2] = byte('0'+n/100%10), byte('0'+n/10%10), byte('0'+n%10)
	return Val(buf.String(b))
}

func getSentContentType(r *Request, _ any) Value {
	if r.Out.ContentType == "" {
		return Value{}
	}
	if r.Out.Charset != "" && !strings.Contains(r.Out.ContentType, "charset=") {
		return Val(r.Pool.Concat(r.Out.ContentType, "; charset=", r.Out.Charset))
	}
	return Val(r.Out.ContentType)
}

func getSentContentLength(r *Request, _ any) Value {
	if r.Out.ContentLength >= 0 {
		return Val(r.Pool.Int(r.Out.ContentLength))
	}
	return foundValue(r.Out.Get("Content-Length"))
}

func getSentLastModified(r *Request, _ any) Value {
	if v, ok := r.Out.Get("Last-Modified"); ok {
		return Val(v)
	}
	if r.Out.LastModified < 0 {
		return Value{}
	}
	return Val(r.Pool.String(wire.AppendDate(r.Pool.Alloc(32)[:0], r.Out.LastModified)))
}

func getSentConnection(r *Request, _ any) Value {
	switch {
	case r.Out.Status == int(StatusSwitchingProtocols):
		return Val("upgrade")
	case r.Main.KeepAlive:
		return Val("keep-alive")
	}
	return Val("close")
}

func getSentKeepAlive(r *Request, _ any) Value {
	if !r.Main.KeepAlive || r.Core.Keepalive.V.Header == 0 {
		return Value{}
	}
	return Val(r.Pool.Concat("timeout=", r.Pool.Int(int64(r.Core.Keepalive.V.Header.Seconds()))))
}

func getSentTransferEncoding(r *Request, _ any) Value {
	if r.Chunked {
		return Val("chunked")
	}
	return Value{}
}

func getLimitRate(r *Request, _ any) Value { return Val(r.Pool.Int(r.LimitRate)) }

func setLimitRate(r *Request, v Value, _ any) {
	n, ok := conf.ParseSize(v.S)
	if !ok {
		r.Error(`invalid $limit_rate "%s"`, v.S)
		return
	}
	r.LimitRate, r.LimitRateSet = n, true
}

func getConnectionTime(r *Request, _ any) Value {
	return seconds(r, r.Loop().NowMsec()-r.Conn.Start)
}

func getTCPInfo(r *Request, data any) Value {
	ti, err := unix.GetsockoptTCPInfo(r.Conn.FD(), unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return Value{}
	}
	n := [...]uint32{ti.Rtt, ti.Rttvar, ti.Snd_cwnd, ti.Rcv_space}[data.(int)]
	return Val(r.Pool.Int(int64(n)))
}

// logLine is the request line, or what there is of one.
func (r *Request) logLine() string {
	if r.RequestLine != "" {
		return r.RequestLine
	}
	return r.partialLine
}
