package upstream

import (
	"strconv"

	"moongate/core/buf"
	"moongate/http"
	"moongate/http/wire"
)

// variables are those of the upstream module.
var variables = []http.Variable{
	stateVar("upstream_addr", func(b []byte, s *State) []byte { return append(b, s.Peer...) }),
	stateVar("upstream_status", func(b []byte, s *State) []byte {
		if s.Status == 0 {
			return append(b, '-')
		}
		return strconv.AppendInt(b, int64(s.Status), 10)
	}),
	stateVar("upstream_connect_time", func(b []byte, s *State) []byte { return appendMsec(b, s.ConnectTime) }),
	stateVar("upstream_header_time", func(b []byte, s *State) []byte { return appendMsec(b, s.HeaderTime) }),
	stateVar("upstream_response_time", func(b []byte, s *State) []byte { return appendMsec(b, s.ResponseTime) }),
	stateVar("upstream_response_length", func(b []byte, s *State) []byte { return strconv.AppendInt(b, s.ResponseLength, 10) }),
	stateVar("upstream_bytes_received", func(b []byte, s *State) []byte { return strconv.AppendInt(b, s.BytesReceived, 10) }),
	stateVar("upstream_bytes_sent", func(b []byte, s *State) []byte { return strconv.AppendInt(b, s.BytesSent, 10) }),
	{Name: "upstream_cache_status", Volatile: true, Get: getCacheStatus},
	{Name: "upstream_cache_last_modified", Volatile: true, Get: getCacheLastModified},
	{Name: "upstream_cache_etag", Volatile: true, Get: getCacheETag},
	{Name: "upstream_http_", Prefix: true, Volatile: true, Get: func(r *http.Request, data any) http.Value {
		e := OfRequest(r)
		if e == nil {
			return http.Value{}
		}
		return fieldValue(r, e.In.List, data.(string))
	}},
	{Name: "upstream_trailer_", Prefix: true, Volatile: true, Get: func(r *http.Request, data any) http.Value {
		e := OfRequest(r)
		if e == nil {
			return http.Value{}
		}
		return fieldValue(r, e.In.Trailers, data.(string))
	}},
	{Name: "upstream_cookie_", Prefix: true, Volatile: true, Get: getCookie},
}

// stateVar is a variable with a value for each try.
func stateVar(name string, add func(b []byte, s *State) []byte) http.Variable {
	return http.Variable{Name: name, Volatile: true, Get: func(r *http.Request, _ any) http.Value {
		e := OfRequest(r)
		if e == nil || len(e.states) == 0 {
			return http.Value{}
		}
		return http.Val(joinStates(r, e.states, add))
	}}
}

// joinStates lists the values of the tries: those of one group of servers with
// commas, and with a colon what an internal redirect separates.
func joinStates(r *http.Request, states []State, add func(b []byte, s *State) []byte) string {
	var tmp [128]byte
	b := tmp[:0]
	for i := 0; ; {
		b = add(b, &states[i])
		if i++; i == len(states) {
			break
		}
		if states[i].Peer != "" {
			b = append(b, ", "...)
			continue
		}
		b = append(b, " : "...)
		if i++; i == len(states) {
			break
		}
	}
	return r.Pool.String(b)
}

// appendMsec appends milliseconds as seconds.
func appendMsec(b []byte, ms int64) []byte {
	if ms == unset {
		return append(b, '-')
	}
	ms = max(ms, 0)
	b = strconv.AppendInt(b, ms/1000, 10)
	ms %= 1000
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10))
}

// fieldValue is the value of a field whose name, in lower case and with
// underscores, a variable gives; several are joined.
func fieldValue(r *http.Request, list []http.Header, name string) http.Value {
	var few [8]string
	parts := few[:0]
	for i := range list {
		if f := &list[i]; !f.Off && http.VariableNames(f.Name, name) {
			parts = append(parts, f.Value, ", ")
		}
	}
	switch len(parts) {
	case 0:
		return http.Value{}
	case 2:
		return http.Val(parts[0])
	}
	return http.Val(r.Pool.Concat(parts[:len(parts)-1]...))
}

func getCookie(r *http.Request, data any) http.Value {
	e := OfRequest(r)
	if e == nil {
		return http.Value{}
	}
	for i := range e.In.List {
		if f := &e.In.List[i]; f.ID == wire.HeaderSetCookie {
			if v, ok := wire.SetCookie(buf.Bytes(f.Value), data.(string)); ok {
				return http.Val(buf.String(v))
			}
		}
	}
	return http.Value{}
}
