package api

import (
	"crypto/x509"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/tls"
	"moongate/http"
	"moongate/lua/vm"
)

// Handshake is a TLS handshake with a client that Lua takes part in. There is no request yet; OpenResty makes a fake one.
type Handshake struct {
	*Ctx
	conn *http.Conn
	tls  *tls.Conn
	// sessionID and session are those of the phases about sessions.
	sessionID, session []byte
}

// NewHandshake prepares for the code of one phase of a handshake. It is given back with Close.
func (e *Engine) NewHandshake(p Phase, t *tls.Conn) *Handshake {
	c := e.newCtx()
	h := &Handshake{Ctx: c, conn: t.Data.(*http.Conn), tls: t}
	c.Phase, c.handshake = p, h
	c.peer = string([]byte(h.conn.Peer.Text))
	c.log = h.conn.Log.WithContext(h)
	return h
}

// Close gives the handshake's Ctx back.
func (h *Handshake) Close() { h.put() }

// SetSession is what the code is asked about: the number of a session, and the session that is to be stored.
func (h *Handshake) SetSession(id, session []byte) { h.sessionID, h.session = id, session }

// Session is the session that the code found, nil if none.
func (h *Handshake) Session() []byte { return h.session }

// AppendLog implements log.Context.
func (h *Handshake) AppendLog(b []byte) []byte {
	b = append(append(b, ", context: "...), h.Phase.Context()...)
	b = append(append(b, ", client: "...), h.peer...)
	return append(append(b, ", server: "...), h.conn.Addr.Text()...)
}

// statusError is what a phase comes to whose code failed.
const statusError = int(http.StatusInternalServerError)

// Run executes the code of a phase that may wait, in the fiber of the handshake. It returns a status: 500 after an error,
// the code given to ngx.exit, or 0.
func (h *Handshake) Run(proto *lua.FunctionProto) int {
	t := h.VM.GetThread()
	t.Data, t.Yield = h.Ctx, yieldMain
	h.entry, h.fiber = t, h.Loop.Current()
	err, gone := t.RunExit(proto, 0, 0)
	if err != nil {
		h.logAborted("entry", err)
		gone = true
	}
	h.drain(t, gone)
	switch {
	case err != nil:
		return statusError
	case h.exited:
		return h.exitCode
	}
	return 0
}

// Refused tells that a status ends the handshake.
func Refused(status int) bool {
	return status == int(http.Error) || status >= int(http.StatusSpecialResponse)
}

// RunUpstream executes the code of a phase of a handshake with an upstream server, in the fiber of the request. It returns
// a status as Run does. certs are those of the server, where they are to be verified.
func (c *Ctx) RunUpstream(p Phase, t *tls.Conn, certs []*x509.Certificate, proto *lua.FunctionProto) int {
	outer := c.Phase
	c.Phase, c.proxied, c.upstreamCerts = p, t, certs
	c.exited, c.exitCode, c.jumped, c.execURI = false, 0, false, ""
	status := 0
	switch c.runEntry(proto) {
	case aborted:
		status = statusError
	case left:
		status = int(http.Error)
		if c.exited {
			status = c.exitCode
		}
	}
	c.exited, c.exitCode = false, 0
	c.Phase, c.proxied, c.upstreamCerts = outer, nil, nil
	return status
}

// secured is the TLS connection with the client, nil if there is none.
func (c *Ctx) secured() *tls.Conn {
	switch {
	case c.handshake != nil:
		return c.handshake.tls
	case c.R != nil:
		t, _ := c.R.Conn.TLS.(*tls.Conn)
		return t
	}
	return nil
}

// Errors that functions of ngx.ssl and its relatives return.
const (
	errBadRequest  = "bad request"
	errBadUpstream = "bad upstream connection"
)

// connected makes a function of one that is about the TLS connection with the client.
func connected(call func(c *Ctx, l *lua.LState, t *tls.Conn) int) func(c *Ctx, l *lua.LState) int {
	return func(c *Ctx, l *lua.LState) int {
		if c.Phase == Init {
			vm.Errorf(l, "no request found")
		}
		t := c.secured()
		if t == nil {
			return fail(l, errBadRequest)
		}
		return call(c, l, t)
	}
}

// retErr returns two nils and a message, as functions with two results do.
func retErr(l *lua.LState, msg string) int {
	l.Push(lua.LNil)
	return 1 + fail(l, msg)
}

// logHandshake logs a line of nginx's debug log.
func (h *Handshake) logHandshake(format string, args ...any) {
	if e := h.conn.Log; e.Enabled(log.DebugHTTP) {
		e.Log(log.DebugHTTP, nil, format, args...)
	}
}

// Entered logs that a phase begins, what nginx's handler says first.
func (h *Handshake) Entered(what string) { h.logHandshake("%s: connection reusable: 0", what) }

// Left logs what a phase came to.
func (h *Handshake) Left(directive, callback string, status, exit int) {
	h.logHandshake("%s: handler return value: %d, %s exit code: %d", directive, status, callback, exit)
	h.logHandshake("%s: %s exit code: %d", directive, callback, exit)
}

// rawAddr returns the bytes of an address and their kind, as raw_server_addr does.
func rawAddr(l *lua.LState, a event.Addr) int {
	kind, b := "inet", []byte(a.Path)
	switch ip := a.Addr().Unmap(); {
	case a.Unix:
		kind = "unix"
	case ip.Is6():
		kind = "inet6"
		fallthrough
	default:
		b = ip.AsSlice()
	}
	l.Push(lua.LString(b))
	l.Push(lua.LString(kind))
	return 2
}
