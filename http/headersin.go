package http

import (
	"strings"

	"moongate/core/buf"
	"moongate/http/wire"
)

// SetHeaderIn leaves one field of the request header with the name, or none
// when value is empty, and draws the consequences. It reports false, and leaves
// all as it was, for a value that cannot be. lower is the name in lower case.
func (r *Request) SetHeaderIn(name, lower, value string) bool {
	in := &r.In
	switch wire.LookupHeader(lower) {
	case wire.HeaderHost:
		if value == "" {
			r.HostName, r.Port = "", 0
			break
		}
		host, port, ok := wire.ParseHost(r.Pool.Alloc(len(value)), buf.Bytes(value))
		if !ok {
			return false
		}
		r.HostName, r.Port = buf.String(host), int(port)
	case wire.HeaderContentLength:
		n, ok := wire.ParseLength(value)
		switch {
		case value == "":
			n = -1
		case !ok:
			return false
		}
		in.ContentLength = n
	case wire.HeaderConnection:
		v := buf.Bytes(value)
		in.ConnectionClose = wire.HasToken(v, "close")
		in.ConnectionKeepAlive = !in.ConnectionClose && wire.HasToken(v, "keep-alive")
		if in.ConnectionClose {
			in.KeepAlive, r.KeepAlive = -1, false
		}
	case wire.HeaderUserAgent:
		in.TakeUserAgent(value)
	}
	if value == "" {
		in.Delete(name)
	} else {
		in.Set(name, lower, value)
	}
	return true
}

// TakeUserAgent recognizes the browsers that need special treatment.
func (h *HeadersIn) TakeUserAgent(ua string) {
	h.MSIE, h.MSIE6, h.Opera, h.Gecko, h.Chrome, h.Safari, h.Konqueror = false, false, false, false, false, false, false
	if i := strings.Index(ua, "MSIE "); i >= 0 && i+7 < len(ua) {
		h.MSIE = true
		if ua[i+6] == '.' {
			switch ua[i+5] {
			case '4', '5':
				h.MSIE6 = true
			case '6':
				h.MSIE6 = !strings.Contains(ua[i+7:], "SV1")
			}
		}
	}
	if strings.Contains(ua, "Opera") {
		h.Opera, h.MSIE, h.MSIE6 = true, false, false
	}
	if h.MSIE || h.Opera {
		return
	}
	switch {
	case strings.Contains(ua, "Gecko/"):
		h.Gecko = true
	case strings.Contains(ua, "Chrome/"):
		h.Chrome = true
	case strings.Contains(ua, "Safari/") && strings.Contains(ua, "Mac OS X"):
		h.Safari = true
	case strings.Contains(ua, "Konqueror"):
		h.Konqueror = true
	}
}
