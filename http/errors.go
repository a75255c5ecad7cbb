package http

import (
	"moongate/conf"
	"moongate/core/log"
	"moongate/http/wire"
)

// errInvalid is what setters say of a value that does not parse.
var errInvalid = conf.ErrInvalidValue

// Error logs at level error.
func (r *Request) Error(format string, args ...any) { r.Log.Log(log.Error, nil, format, args...) }

// Logf logs at any level, with the system error err if not nil.
func (r *Request) Logf(level log.Level, err error, format string, args ...any) {
	r.Log.Log(level, err, format, args...)
}

// Debug reports whether debug messages of this request are logged: to be asked
// before they are made.
func (r *Request) Debug() bool { return r.Log.Enabled(log.DebugHTTP) }

// Debugf logs a debug message, in nginx's words where it has one.
func (r *Request) Debugf(format string, args ...any) { r.Log.Log(log.DebugHTTP, nil, format, args...) }

// AppendLog appends what the error log says of the connection: nginx's
// ngx_http_log_error. With a request in progress its log context is added.
func (c *Conn) AppendLog(b []byte) []byte {
	r := c.Current
	if r != nil && r.sub.active != nil {
		return c.appendLog(b, r.sub.active)
	}
	return c.appendLog(b, r)
}

// subLog is a subrequest as the context of what it logs itself.
type subLog Request

// AppendLog implements log.Context.
func (sr *subLog) AppendLog(b []byte) []byte { return sr.Conn.appendLog(b, (*Request)(sr)) }

// appendLog is AppendLog for a request or subrequest, or none.
func (c *Conn) appendLog(b []byte, r *Request) []byte {
	if c.Action != "" {
		b = append(append(b, " while "...), c.Action...)
	}
	b = append(append(b, ", client: "...), c.Peer.Text...)
	if r != nil {
		return r.Main.appendLog(b, r)
	}
	return append(append(b, ", server: "...), c.Addr.Text()...)
}

// UpstreamLog is what a request's log context says of the upstream in use.
type UpstreamLog interface{ AppendLog(b []byte) []byte }

func (r *Request) appendLog(b []byte, cur *Request) []byte {
	if r.Server != nil {
		b = append(append(b, ", server: "...), r.Server.Name...)
	}
	line := r.RequestLine
	if line == "" {
		line = r.partialLine
	}
	if line != "" {
		b = append(append(append(b, `, request: "`...), line...), '"')
	}
	if cur != r {
		b = append(append(append(b, `, subrequest: "`...), cur.URI...), '"')
	}
	if cur.Upstream != nil {
		b = cur.Upstream.AppendLog(b)
	}
	if v, ok := r.In.Get(wire.HeaderHost); ok {
		b = append(append(append(b, `, host: "`...), v...), '"')
	}
	if v, ok := r.In.Get(wire.HeaderReferer); ok {
		b = append(append(append(b, `, referrer: "`...), v...), '"')
	}
	return b
}
