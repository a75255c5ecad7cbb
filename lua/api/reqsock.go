package api

import (
	"io"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/http"
	"moongate/lua/vm"
)

// reqMethods are the methods of ngx.req.socket(), rawMethods those of ngx.req.socket(true).
var (
	reqMethods = []socketMethod{
		{"receive", tcpReceive},
		{"receiveany", tcpReceiveAny},
		{"receiveuntil", tcpReceiveUntil},
		{"settimeout", tcpSetTimeout},
		{"settimeouts", tcpSetTimeouts},
		{"setoption", tcpSetOption},
		{"getoption", tcpGetOption},
		{"getfd", tcpGetFD},
	}
	rawMethods = append([]socketMethod{{"send", tcpSend}}, reqMethods...)
)

// reqSocket is ngx.req.socket(raw?): a socket that reads the request body, or the client's connection itself.
func reqSocket(c *Ctx, l *lua.LState) int {
	countArgs(l, 0, 1, "expecting 0 or 1 argument, but got %d")
	r, raw := c.R, lua.LVAsBool(l.Get(1))
	switch {
	case !r.IsMain():
		vm.Errorf(l, "attempt to read the request body in a subrequest")
	case r.Version >= http.Version30:
		vm.Errorf(l, "http v3 not supported yet")
	case r.Version >= http.Version20:
		vm.Errorf(l, "http v2 not supported yet")
	case !raw && r.In.Chunked:
		return fail(l, "chunked request bodies not supported yet")
	}
	s := &tcpSock{c: c, conn: r.Conn.Conn, used: true, listed: true}
	conf := c.loc()
	s.defaults = timeouts{conf.ConnectTimeout.V, conf.SendTimeout.V, conf.ReadTimeout.V}
	s.bufLen = int(conf.BufferSize.V)
	class, reason := reqClass, ""
	if raw {
		class = rawClass
		reason = c.takeConnection(s)
	} else {
		reason = c.takeBody(s)
	}
	if reason != "" {
		return fail(l, reason)
	}
	c.owned.add(s)
	return ret(l, s.object.Init(s, classOf(l, class)))
}

// takeBody has the socket read the request body, which nobody else reads from then on.
func (c *Ctx) takeBody(s *tcpSock) (reason string) {
	r := c.R
	poller, ok := r.Stream.(http.BodyPoller)
	switch {
	case r.Body != nil:
		return "request body already exists"
	case r.DiscardingBody():
		return "request body discarded"
	case r.In.ContentLength <= 0 || r.BodyDiscarded || !ok:
		return "no body"
	}
	if v := c.undisturbed(r.ExpectContinue); v != http.OK {
		return "test expect failed"
	}
	r.Body = &http.Body{}
	s.kind, s.io = bodySock, &bodyTransport{Conn: s.conn, r: r, body: poller}
	return ""
}

// bodyTransport reads a request body.
type bodyTransport struct {
	*event.Conn
	r    *http.Request
	body http.BodyPoller
}

// TryRead implements transport.
func (t *bodyTransport) TryRead(p []byte) (int, error) {
	n, v := t.body.PollBody(t.r, p)
	switch {
	case v == http.Declined:
		return 0, event.ErrAgain
	case v != http.OK:
		return 0, errClientAborted
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// takeConnection has the socket take over the client's connection: nothing else is sent on it.
func (c *Ctx) takeConnection(s *tcpSock) (reason string) {
	r := c.R
	stream, ok := r.Stream.(http.Tunneler)
	switch {
	case c.readingBody:
		return "pending request body reading in some other thread"
	case c.raw:
		return "duplicate call"
	case c.buffering:
		return "http 1.0 buffering"
	case !ok:
		return "not supported for this connection"
	}
	if r.HeaderSent && c.undisturbed(r.Flush) != http.OK {
		return "pending data to write"
	}
	if r.Body == nil {
		r.Body = &http.Body{}
	}
	r.HeaderSent, r.KeepAlive, r.LingeringClose = true, false, true
	c.eof, c.raw = true, true
	first := stream.TakeOver(r)
	if len(first) > s.bufLen {
		s.bufLen = len(first)
	}
	s.in = make([]byte, s.bufLen)
	s.wr = copy(s.in, first)
	var io transport = s.conn
	if t := c.secured(); t != nil {
		io = &tlsTransport{conn: t, raw: s.conn}
	}
	s.kind, s.io = rawSock, &rawTransport{transport: io, r: r, abort: c.loc().CheckClientAbort.V}
	return ""
}

// rawTransport is the connection of a client.
type rawTransport struct {
	transport
	r *http.Request
	// abort: the end of the client's data is an error (lua_check_client_abort).
	abort bool
}

// TryRead implements transport.
func (t *rawTransport) TryRead(p []byte) (int, error) {
	n, err := t.transport.TryRead(p)
	if err == io.EOF && t.abort {
		err = errClientAborted
	}
	return n, err
}

// TryWrite implements transport.
func (t *rawTransport) TryWrite(p []byte) (int, error) {
	n, err := t.transport.TryWrite(p)
	t.r.BytesSent += int64(n)
	return n, err
}
