package api

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/lua/vm"
)

// tcpSock is a socket of ngx.socket.tcp, or one that reads from or takes over the client's connection
// (ngx_http_lua_socket_tcp_upstream_t).
type tcpSock struct {
	object vm.Object
	// c is the request or timer it belongs to.
	c    *Ctx
	io   transport
	conn *event.Conn // io, or below it; nil when closed
	peer endpoint

	// wants are the timeouts that the script has set, 0 for the location's.
	wants    timeouts
	defaults timeouts
	bind     unix.Sockaddr
	bindText string
	// transparent: the address of bind may be foreign.
	transparent bool

	input
	bufLen int
	sized  sizeReader
	out    []byte
	eof    bool
	// until is the pattern that was read for last, of which part may have been seen.
	until *untilPattern

	connecting, reading, writing bool
	dialing                      bool // connecting, and the address is known
	readClosed, writeClosed      bool
	// ended: the request is over. used: connect was called.
	ended, used bool
	listed      bool // with its request, which ends it

	// clientCert is what a server is shown that asks for a certificate, nil for the location's.
	clientCert *clientCert

	kind   sockKind
	reused int
	key    string
	pool   *sockPool
	// was is what the connection was in its pool, to become that again.
	was *idleSock
}

type sockKind uint8

const (
	upstreamSock sockKind = iota
	bodySock              // the request body
	rawSock               // the client's connection
)

type timeouts struct{ connect, send, read time.Duration }

// or is d, or def when it is not set.
func or(d, def time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return def
}

// transport is the byte stream of a socket. Its errors are those of event.Conn.
type transport interface {
	TryRead(p []byte) (int, error)
	TryWrite(p []byte) (int, error)
	WaitReadable(d time.Duration) error
	WaitWritable(d time.Duration) error
}

// tcpMethods are the methods of sockets of ngx.socket.tcp.
var tcpMethods = []socketMethod{
	{"bind", tcpBind},
	{"connect", tcpConnect},
	{"receive", tcpReceive},
	{"receiveany", tcpReceiveAny},
	{"receiveuntil", tcpReceiveUntil},
	{"send", tcpSend},
	{"close", tcpClose},
	{"settimeout", tcpSetTimeout},
	{"settimeouts", tcpSetTimeouts},
	{"getreusedtimes", tcpGetReusedTimes},
	{"setkeepalive", tcpSetKeepalive},
	{"setoption", tcpSetOption},
	{"getoption", tcpGetOption},
	{"getfd", tcpGetFD},
	{"sslhandshake", sslHandshake},
	{"getsslsession", sslGetSession},
	{"getsslpointer", sslGetPointer},
	{"getsslctx", sslGetCtx},
	{"settrustedstore", sslSetTrustedStore},
	{"setclientcert", sslSetClientCert},
}

// tcpSock makes a socket.
func (c *Ctx) tcpSock(l *lua.LState) *lua.LTable {
	s := &tcpSock{c: c}
	return s.object.Init(s, classOf(l, tcpClass))
}

// newTCPSock is ngx.socket.tcp().
func newTCPSock(c *Ctx, l *lua.LState) int {
	countArgs(l, 0, 0, "expecting zero arguments, but got %d")
	return ret(l, c.tcpSock(l))
}

// socketConnect is ngx.socket.connect(...): tcp() and connect in one.
func socketConnect(c *Ctx, l *lua.LState) int {
	t := c.tcpSock(l)
	l.Insert(t, 1)
	n := tcpConnect(l)
	if n == 1 {
		return ret(l, t)
	}
	return n
}

// busy returns "socket busy …" when another thread is in the middle of one of the operations.
func (s *tcpSock) busy(connecting, reading, writing bool) string {
	switch {
	case connecting && s.connecting:
		return "socket busy connecting"
	case reading && s.reading:
		return "socket busy reading"
	case writing && s.writing:
		return "socket busy writing"
	}
	return ""
}

// mine raises an error for a socket of another request.
func (s *tcpSock) mine(c *Ctx, l *lua.LState) {
	if s.c != c || s.ended {
		vm.Errorf(l, "bad request")
	}
}

// await parks the thread in wait for at most d. When it is killed meanwhile the socket is closed.
func (s *tcpSock) await(l *lua.LState, wait func(time.Duration) error, d time.Duration) (err error) {
	returned := false
	if s.kind != upstreamSock {
		s.c.downstream++
		defer func() { s.c.downstream-- }()
	}
	defer func() {
		if !returned {
			s.connecting, s.reading, s.writing = false, false, false
			s.finalize()
		}
	}()
	s.c.wait(l, func() { err = wait(d) })
	returned = true
	return err
}

// closedOn logs that a closed socket was used and returns the error.
func (s *tcpSock) closedOn(c *Ctx, l *lua.LState, what string) int {
	if c.socketLog() {
		eof := 0
		var u, conn unsafe.Pointer
		if s != nil && s.used {
			u, conn = unsafe.Pointer(s), unsafe.Pointer(s.conn)
			if s.eof {
				eof = 1
			}
		}
		suffix := ""
		if conn != nil {
			suffix = s.peer.upstream()
		}
		c.Logf(log.Error, "attempt to %s data on a closed socket: u:%016X, c:%016X, ft:0 eof:%d%s", what, uintptr(u), uintptr(conn), eof, suffix)
	}
	return fail(l, textClosed)
}

// socketLog tells whether errors of sockets are logged.
func (c *Ctx) socketLog() bool { return Loc.Of(c.scope()).SocketLogErrors.V }

// logTimeout logs the end of a wait.
func (s *tcpSock) logTimeout(what string) {
	if s.c.socketLog() {
		suffix := ""
		if s.kind == upstreamSock {
			suffix = s.peer.upstream()
		}
		s.c.Logf(log.Error, "lua tcp socket %s timed out%s", what, suffix)
	}
}

// logFailed logs a system call that failed, "recv() failed" and its kind.
func (s *tcpSock) logFailed(err error, what string) {
	s.c.entryLog().Log(log.Error, err, "%s", what)
}

// end closes the socket with its request.
func (s *tcpSock) end() {
	if s.conn != nil && s.c.R != nil {
		s.c.debugf(`cleanup lua tcp socket request: "%s"`, s.c.R.URI)
	}
	s.finalize()
	s.ended = true
}

// finalize closes both sides (ngx_http_lua_socket_tcp_finalize).
func (s *tcpSock) finalize() {
	if s.conn != nil || s.dialing {
		s.c.debugf("lua finalize socket")
	}
	s.closeRead()
	s.writeClosed = true
	conn, io := s.conn, s.io
	s.conn, s.io = nil, nil
	if conn == nil || s.kind != upstreamSock {
		return
	}
	s.c.debugf("lua close socket connection")
	release(io)
	conn.Close()
	if s.pool != nil {
		s.pool.lost(s.c.entryLog())
	}
}

// closeRead gives up the reading side.
func (s *tcpSock) closeRead() {
	s.readClosed = true
	s.dropInput()
	s.until = nil
}

// dropInput gives the input buffer back.
func (s *tcpSock) dropInput() {
	if s.in != nil && len(s.in) == s.bufLen {
		s.c.sockets.putBuffer(s.in)
	}
	s.in, s.rd, s.wr = nil, 0, 0
}

// absent tells that there is no connection, nor one being made.
func (s *tcpSock) absent() bool { return s == nil || s.conn == nil && !s.dialing }

// closed tells that the socket can neither read nor write.
func (s *tcpSock) closed() bool { return s.absent() || s.readClosed && s.writeClosed }

// tcpClose is sock:close().
func tcpClose(l *lua.LState) int {
	countArgs(l, 1, 1, "expecting 1 argument (including the object) but seen %d")
	s, c := socketArg[tcpSock](l), ctxOf(l)
	if s.closed() {
		return fail(l, textClosed)
	}
	s.mine(c, l)
	if msg := s.busy(true, true, true); msg != "" {
		return fail(l, msg)
	}
	if s.kind != upstreamSock {
		return fail(l, "attempt to close a request socket")
	}
	s.finalize()
	return done(l)
}

// tcpSetTimeout is sock:settimeout(msec).
func tcpSetTimeout(l *lua.LState) int {
	countArgs(l, 2, 2, "ngx.socket settimeout: expecting 2 arguments (including the object) but seen %d")
	d := timeoutArg(l, 2)
	if s := socketArg[tcpSock](l); s != nil {
		s.wants = timeouts{d, d, d}
		s.showTimeouts(l, 2, 2, 2)
	}
	return 0
}

// tcpSetTimeouts is sock:settimeouts(connect, send, read).
func tcpSetTimeouts(l *lua.LState) int {
	countArgs(l, 4, 4, "ngx.socket settimeouts: expecting 4 arguments (including the object) but seen %d")
	want := timeouts{timeoutArg(l, 2), timeoutArg(l, 3), timeoutArg(l, 4)}
	if s := socketArg[tcpSock](l); s != nil {
		s.wants = want
		s.showTimeouts(l, 2, 3, 4)
	}
	return 0
}

// showTimeouts puts the arguments of those numbers into the object of a request's socket, where OpenResty has its
// timeouts. Those of other sockets, of which there are many, are not worth it.
func (s *tcpSock) showTimeouts(l *lua.LState, connect, send, read int) {
	if s.kind == upstreamSock {
		return
	}
	t := vm.CheckTable(l, 1)
	t.RawSetInt(2, l.Get(connect))
	t.RawSetInt(4, l.Get(send))
	t.RawSetInt(5, l.Get(read))
}

func tcpGetReusedTimes(l *lua.LState) int {
	countArgs(l, 1, 1, "expecting 1 argument (including the object), but got %d")
	s := socketArg[tcpSock](l)
	if s.closed() {
		return fail(l, textClosed)
	}
	return ret(l, vm.Number(s.reused))
}

// tcpOptions are the socket options that scripts know.
var tcpOptions = map[string]struct{ level, name int }{
	"keepalive":   {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	"reuseaddr":   {unix.SOL_SOCKET, unix.SO_REUSEADDR},
	"tcp-nodelay": {unix.IPPROTO_TCP, unix.TCP_NODELAY},
	"sndbuf":      {unix.SOL_SOCKET, unix.SO_SNDBUF},
	"rcvbuf":      {unix.SOL_SOCKET, unix.SO_RCVBUF},
	"keepintvl":   {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	"keepcnt":     {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
}

// unsupported is the error for an option that is not one of tcpOptions.
func unsupported(l *lua.LState, option lua.LValue) int {
	return fail(l, "unsupported option "+vm.ThreadOf(l).VM().Display(l, option))
}

// created is the socket a method was called on, once connect was called.
func created(l *lua.LState) *tcpSock {
	s := socketArg[tcpSock](l)
	if s == nil || !s.used {
		vm.Errorf(l, "socket is never created nor connected")
	}
	return s
}

// tcpSetOption is sock:setoption(name, value).
func tcpSetOption(l *lua.LState) int {
	option, value := l.Get(2), l.Get(3)
	if option == lua.LNil {
		return fail(l, `missing the "option" argument`)
	}
	if value == lua.LNil {
		return fail(l, `missing the "value" argument`)
	}
	if option == lua.LString("ip-transparent") {
		if s := socketArg[tcpSock](l); s != nil {
			s.transparent = lua.LVAsBool(value) && value != zero
		}
		return ret(l, lua.LTrue)
	}
	s := created(l)
	name, _ := option.(lua.LString)
	o, ok := tcpOptions[string(name)]
	if !ok {
		return unsupported(l, option)
	}
	n := 0
	if value == lua.LTrue {
		n = 1
	} else if value != lua.LFalse {
		n = vm.CheckInt(l, 3)
	}
	if s.conn == nil {
		return fail(l, textClosed)
	}
	if err := unix.SetsockoptInt(s.conn.FD(), o.level, o.name, n); err != nil {
		return fail(l, log.Strerror(err.(unix.Errno)))
	}
	return ret(l, lua.LTrue)
}

// tcpGetOption is sock:getoption(name).
func tcpGetOption(l *lua.LState) int {
	s := created(l)
	option := l.Get(2)
	if option == lua.LNil {
		return fail(l, `missing the "option" argument`)
	}
	name, _ := option.(lua.LString)
	o, ok := tcpOptions[string(name)]
	if !ok {
		return unsupported(l, option)
	}
	if s.conn == nil {
		return fail(l, textClosed)
	}
	n, err := unix.GetsockoptInt(s.conn.FD(), o.level, o.name)
	if err != nil {
		return fail(l, log.Strerror(err.(unix.Errno)))
	}
	return ret(l, vm.Number(n))
}

func tcpGetFD(l *lua.LState) int {
	s := created(l)
	if s.conn == nil {
		return fail(l, textClosed)
	}
	return ret(l, vm.Number(s.conn.FD()))
}

// sockets are what the sockets of a worker share.
type sockets struct {
	pools map[string]*sockPool
	// key is where the key of a pool is put together.
	key []byte
	// buffers are free input buffers, all of the same size.
	buffers [][]byte
	// datagram is where datagrams are received.
	datagram []byte
}

// maxBuffers bounds the input buffers kept.
const maxBuffers = 256

func (e *sockets) getBuffer(size int) []byte {
	if n := len(e.buffers); n > 0 && len(e.buffers[n-1]) == size {
		b := e.buffers[n-1]
		e.buffers = e.buffers[:n-1]
		return b
	}
	return make([]byte, size)
}

func (e *sockets) putBuffer(b []byte) {
	if n := len(e.buffers); n > 0 && len(e.buffers[0]) != len(b) {
		e.buffers = e.buffers[:0] // another location has another size
	}
	if len(e.buffers) < maxBuffers {
		e.buffers = append(e.buffers, b)
	}
}
