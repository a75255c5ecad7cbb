package api

import (
	"errors"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/lua/vm"
)

// udpSock is a socket of ngx.socket.udp (ngx_http_lua_socket_udp_upstream_t).
type udpSock struct {
	object  vm.Object
	c       *Ctx
	conn    *event.PacketConn // nil when closed
	peer    endpoint
	want    time.Duration // the timeout that the script has set, 0 for the location's
	bind    unix.Sockaddr
	waiting bool
	ended   bool
	listed  bool
}

// udpMethods are the methods of sockets of ngx.socket.udp.
var udpMethods = []socketMethod{
	{"setpeername", udpSetPeerName},
	{"send", udpSend},
	{"receive", udpReceive},
	{"settimeout", udpSetTimeout},
	{"close", udpClose},
	{"bind", udpBind},
}

// newUDPSock is ngx.socket.udp().
func newUDPSock(c *Ctx, l *lua.LState) int {
	countArgs(l, 0, 0, "expecting zero arguments, but got %d")
	s := &udpSock{c: c}
	return ret(l, s.object.Init(s, classOf(l, udpClass)))
}

// errBusy is what the functions return while another thread waits on the socket.
const errBusy = "socket busy"

func (s *udpSock) mine(c *Ctx, l *lua.LState) {
	if s.c != c || s.ended {
		vm.Errorf(l, "bad request")
	}
}

// end closes the socket with its request.
func (s *udpSock) end() {
	s.close()
	s.ended = true
}

func (s *udpSock) close() {
	if s.conn != nil {
		s.conn.Close()
		s.conn = nil
	}
}

// udpSetPeerName is sock:setpeername(host, port) and sock:setpeername("unix:/path").
func udpSetPeerName(l *lua.LState) int {
	countArgs(l, 2, 3, "ngx.socket.udp setpeername: expecting 2 or 3 arguments (including the object), but seen %d")
	c := yieldableCtx(l)
	s := socketArg[udpSock](l)
	e := endpoint{host: vm.CheckString(l, 2)}
	if l.GetTop() == 3 {
		vm.CheckNumber(l, 3)
		var reason string
		if e.port, reason = checkPort(l, 3); reason != "" {
			return fail(l, reason)
		}
	}
	if s == nil {
		s = &udpSock{c: c}
		vm.CheckTable(l, 1).RawSetInt(1, &lua.LUserData{Value: s, Metatable: lua.LNil})
	}
	if !s.listed && !s.ended {
		s.c = c
	}
	s.mine(c, l)
	if s.waiting {
		return fail(l, errBusy)
	}
	if s.conn != nil {
		c.debugf("lua udp socket reconnect without shutting down")
		s.close()
	}
	if s.listed {
		c.debugf("lua reuse socket upstream ctx")
	}
	s.peer = e
	if !s.listed {
		s.listed = true
		c.owned.add(s)
	}
	s.waiting = true
	defer func() { s.waiting = false }()
	if reason := s.peer.locate(c, l); reason != "" {
		return fail(l, reason)
	}
	opts := event.DialOptions{Bind: s.bind}
	if s.peer.addr.Unix != "" {
		opts.Bind = &unix.SockaddrUnix{} // so that the peer can answer
	}
	conn, err := c.Loop.DialPacket(sockaddr(s.peer.addr), opts)
	if err != nil {
		var errno unix.Errno
		if errors.As(err, &errno) {
			c.Logf(log.Crit, "%s%s", log.AppendError([]byte(failedCall(err)+"() failed"), errno), s.peer.upstream())
		}
		return fail(l, socketError(err))
	}
	s.conn = conn
	return done(l)
}

func udpBind(l *lua.LState) int {
	countArgs(l, 2, 2, "expecting 2 arguments, but got %d")
	yieldableCtx(l)
	_ = vm.CheckTable(l, 1)
	sa, ok := localAddr(vm.CheckString(l, 2), 0)
	if !ok {
		return fail(l, "bad address")
	}
	if s := socketArg[udpSock](l); s != nil {
		s.bind = sa
	}
	return done(l)
}

// open checks that the socket is connected and free; n is the number of results when it is not.
func (s *udpSock) open(c *Ctx, l *lua.LState, what string) (n int, ok bool) {
	if s == nil || s.conn == nil {
		if c.socketLog() {
			c.Logf(log.Error, "attempt to %s data on a closed socket: u:%p, c:%016X", what, s, 0)
		}
		return fail(l, textClosed), false
	}
	s.mine(c, l)
	if s.waiting {
		return fail(l, errBusy), false
	}
	return 0, true
}

// udpSend is sock:send(datagram).
func udpSend(l *lua.LState) int {
	countArgs(l, 2, 2, "expecting 2 arguments (including the object), but got %d")
	s, c := socketArg[udpSock](l), ctxOf(l)
	if n, ok := s.open(c, l, "send"); !ok {
		return n
	}
	var data []byte
	if str, ok := l.Get(2).(lua.LString); ok {
		data = buf.Bytes(string(str)) // only read
	} else {
		data = appendSend(nil, l, l.Get(2), 2)
	}
	n, err := s.conn.TrySendMsg(data, nil, netip.AddrPort{})
	if c.debugging() {
		c.debugf("send: fd:%d %d of %d", s.conn.FD(), n, len(data))
	}
	switch {
	case err != nil && err != event.ErrAgain:
		s.logFailed(err, "send() failed")
		return fail(l, socketError(err))
	case n != len(data):
		return fail(l, "partial write")
	}
	return done(l)
}

func (s *udpSock) logFailed(err error, what string) {
	var errno unix.Errno
	if errors.As(err, &errno) {
		s.c.Logf(log.Alert, "%s%s", log.AppendError([]byte(what), errno), s.peer.upstream())
	}
}

// maxDatagram is the size of the longest datagram received, in bytes.
const maxDatagram = 64 << 10

// udpReceive is sock:receive(size?).
func udpReceive(l *lua.LState) int {
	countArgs(l, 1, 2, "expecting 1 or 2 arguments (including the object), but got %d")
	s, c := socketArg[udpSock](l), ctxOf(l)
	if n, ok := s.open(c, l, "receive"); !ok {
		return n
	}
	size := int(min(vm.OptNumber(l, 2, maxDatagram), maxDatagram))
	if size < 0 {
		size = maxDatagram
	}
	if c.debugging() {
		c.debugf("lua udp socket calling receive() method")
		c.debugf("lua udp socket read timeout: %d", or(s.want, Loc.Of(c.scope()).ReadTimeout.V).Milliseconds())
		c.debugf("lua udp socket receive buffer size: %d", size)
	}
	if c.sockets.datagram == nil {
		c.sockets.datagram = make([]byte, maxDatagram)
	}
	for {
		n, _, _, _, err := s.conn.TryRecvMsg(c.sockets.datagram[:size], nil)
		if err == nil {
			return retString(l, string(c.sockets.datagram[:n]))
		}
		if err == event.ErrAgain {
			err = s.await(l)
		}
		switch {
		case err == nil:
		case err == event.ErrTimeout:
			if c.socketLog() {
				c.Logf(log.Error, "lua udp socket read timed out%s", s.peer.upstream())
			}
			return fail(l, textTimeout)
		default:
			s.logFailed(err, "recv() failed")
			return fail(l, socketError(err))
		}
	}
}

// await parks the thread until there may be a datagram. When it is killed the socket is closed.
func (s *udpSock) await(l *lua.LState) (err error) {
	returned := false
	s.waiting = true
	defer func() {
		s.waiting = false
		if !returned {
			s.close()
		}
	}()
	conn, d := s.conn, or(s.want, Loc.Of(s.c.scope()).ReadTimeout.V)
	s.c.wait(l, func() { err = conn.WaitReadable(d) })
	returned = true
	return err
}

func udpSetTimeout(l *lua.LState) int {
	countArgs(l, 2, 2, "ngx.socket settimeout: expecting at least 2 arguments (including the object) but seen %d")
	if s := socketArg[udpSock](l); s != nil {
		s.want = timeoutArg(l, 2)
	}
	return 0
}

func udpClose(l *lua.LState) int {
	countArgs(l, 1, 1, "expecting 1 argument (including the object) but seen %d")
	s, c := socketArg[udpSock](l), ctxOf(l)
	if s == nil || s.conn == nil {
		return fail(l, textClosed)
	}
	s.mine(c, l)
	if s.waiting {
		return fail(l, errBusy)
	}
	s.close()
	return done(l)
}
