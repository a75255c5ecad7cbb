package h1

import (
	"strconv"
	"time"

	"moongate/core/build"
	"moongate/http"
	"moongate/http/wire"
)

const (
	serverOff   = "Server: nginx\r\n"
	serverOn    = "Server: " + build.Server + "\r\n"
	serverBuild = "Server: " + build.ServerBuild + "\r\n"
)

// SendHeader implements http.Stream: it puts the header into the output, to
// leave with the first bytes of the body unless it alone has the size that
// postpone_output gathers.
func (h *conn) SendHeader(r *http.Request) error {
	if r.Version < http.Version10 {
		return nil
	}
	h.decideFraming(r)
	start := len(h.out)
	b := append(h.out, "HTTP/1.1 "...)
	if r.Out.StatusLine != "" {
		b = append(b, r.Out.StatusLine...)
	} else {
		b = http.AppendStatus(b, r.Out.Status)
	}
	b = append(b, '\r', '\n')
	b = h.appendFixed(b, r)
	for i := range r.Out.List {
		if f := &r.Out.List[i]; !f.Off {
			b = append(append(append(append(b, f.Name...), ": "...), f.Value...), '\r', '\n')
		}
	}
	h.out = append(b, '\r', '\n')
	r.HeaderSize = int64(len(h.out) - start)
	if r.HeaderOnly || int64(len(h.out)) >= r.Core.PostponeOutput.V {
		return h.flush(r)
	}
	return nil
}

// decideFraming chooses how the end of the body is marked: by its length, by
// chunks or by closing the connection (ngx_http_chunked_filter_module).
func (h *conn) decideFraming(r *http.Request) {
	o := &r.Out
	switch {
	case o.Status == 304 || o.Status == 204 || o.Status < 200 || r.Method == wire.HEAD:
		return
	case o.ContentLength != -1 && !r.ExpectTrailers:
		return
	case r.Version < http.Version11 || !r.Core.ChunkedTransferEncoding.V:
		if o.ContentLength == -1 {
			r.KeepAlive = false
		}
		return
	}
	o.ContentLength = -1
	r.Chunked = true
}

// appendFixed appends the fields that the server itself decides, in nginx's
// order.
func (h *conn) appendFixed(b []byte, r *http.Request) []byte {
	o, lc, t := &r.Out, r.Core, h.c.Worker.Clock.Times()
	if !o.Decided("Server") {
		switch lc.ServerTokens.V {
		case http.ServerTokensOn:
			b = append(b, serverOn...)
		case http.ServerTokensBuild:
			b = append(b, serverBuild...)
		default:
			b = append(b, serverOff...)
		}
	}
	if !o.Decided("Date") {
		b = append(append(append(b, "Date: "...), t.HTTP...), '\r', '\n')
	}
	if o.ContentType != "" {
		b = append(append(b, "Content-Type: "...), o.ContentType...)
		if o.Charset != "" && !o.TypeHasParams() {
			b = append(append(b, "; charset="...), o.Charset...)
		}
		b = append(b, '\r', '\n')
	}
	if o.ContentLength >= 0 && o.Find("Content-Length") == nil {
		b = strconv.AppendInt(append(b, "Content-Length: "...), o.ContentLength, 10)
		b = append(b, '\r', '\n')
	}
	if o.LastModified >= 0 && o.Find("Last-Modified") == nil {
		b = wire.AppendDate(append(b, "Last-Modified: "...), o.LastModified)
		b = append(b, '\r', '\n')
	}
	b = h.appendLocation(b, r)
	if r.Chunked {
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	switch {
	case o.Status == int(http.StatusSwitchingProtocols):
		b = append(b, "Connection: upgrade\r\n"...)
	case r.KeepAlive:
		b = append(b, "Connection: keep-alive\r\n"...)
		if d := lc.Keepalive.V.Header; d > 0 {
			b = strconv.AppendInt(append(b, "Keep-Alive: timeout="...), int64(d/time.Second), 10)
			b = append(b, '\r', '\n')
		}
	default:
		b = append(b, "Connection: close\r\n"...)
	}
	if r.GzipVary {
		if lc.GzipVary.V {
			b = append(b, "Vary: Accept-Encoding\r\n"...)
		} else {
			r.GzipVary = false
		}
	}
	return b
}

// appendLocation sends Location in absolute form if so configured.
func (h *conn) appendLocation(b []byte, r *http.Request) []byte {
	f := r.Out.Find("Location")
	if f == nil || f.AsIs || f.Value == "" || f.Value[0] != '/' || r.Out.RawLocation || !r.Core.AbsoluteRedirect.V {
		return b
	}
	f.Off = true
	b = append(append(append(b, "Location: "...), h.c.Scheme()...), "://"...)
	host := r.HostName
	if r.Core.ServerNameInRedirect.V {
		host = r.Server.Name
	}
	addr, port := h.c.LocalText()
	if host == "" {
		host = addr
	}
	b = append(b, host...)
	if r.Core.PortInRedirect.V && port != 0 && port != h.c.DefaultPort() {
		b = strconv.AppendInt(append(b, ':'), int64(port), 10)
	}
	b = append(append(b, f.Value...), '\r', '\n')
	return b
}
