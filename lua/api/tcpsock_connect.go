package api

import (
	"errors"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/vm"
)

// tcpBind is sock:bind(address, port?).
func tcpBind(l *lua.LState) int {
	countArgs(l, 2, 3, "expecting 2 or 3 arguments, but got %d")
	c := yieldableCtx(l)
	_ = vm.CheckTable(l, 1)
	var port uint16
	if l.GetTop() == 3 {
		if !isNumber(l.Get(3)) {
			return fail(l, "expecting port to be anumber but got type: "+vm.TypeName(l.Get(3)))
		}
		var reason string
		if port, reason = checkPort(l, 3); reason != "" {
			return fail(l, reason)
		}
	}
	sa, ok := localAddr(vm.CheckString(l, 2), port)
	if !ok {
		return fail(l, "bad address")
	}
	if s := socketArg[tcpSock](l); s != nil && s.c == c {
		s.bind, s.bindText = sa, vm.CheckString(l, 2)
		c.debugf("lua tcp socket bind ip: %s", s.bindText)
	}
	return ret(l, lua.LTrue)
}

// yieldableCtx is the Ctx of a method that may only be called where it can wait.
func yieldableCtx(l *lua.LState) *Ctx {
	c := ctxOf(l)
	if c.Phase&yieldable == 0 {
		disabled(c, l, yieldable)
	}
	return c
}

// connectOptions are those of sock:connect and the parts of the key of the pool.
type connectOptions struct {
	pool     string
	custom   bool
	poolSize int
	backlog  int // -1 for none
}

// parse reads the table of options at argument n.
func (o *connectOptions) parse(c *Ctx, l *lua.LState, n int) {
	t := l.Get(n).(*lua.LTable)
	switch v := l.GetField(t, "pool_size"); {
	case isNumber(v):
		num, _ := vm.ToNumber(v)
		if o.poolSize = int(num); o.poolSize <= 0 {
			vm.ArgError(l, n, `bad "pool_size" option value: `+vm.FormatNumber(float64(o.poolSize)))
		}
	case v != lua.LNil:
		vm.ArgError(l, n, `bad "pool_size" option type: `+vm.TypeName(v))
	}
	if v := l.GetField(t, "backlog"); isNumber(v) {
		num, _ := vm.ToNumber(v)
		if o.backlog = int(num); o.backlog < 0 {
			vm.ArgError(l, n, `bad "backlog" option value: `+vm.FormatNumber(float64(o.backlog)))
		}
		if o.poolSize == 0 {
			o.poolSize = int(Loc.Of(c.scope()).PoolSize.V)
		}
	}
	v := l.GetField(t, "pool")
	if v == lua.LNil {
		return
	}
	if o.pool, o.custom = vm.ToString(v); !o.custom {
		vm.ArgError(l, n, `bad "pool" option type: `+vm.TypeName(v))
	}
}

// tcpConnect is sock:connect(host, port, options?) and sock:connect("unix:/path", options?).
func tcpConnect(l *lua.LState) int {
	countArgs(l, 2, 4, "ngx.socket connect: expecting 2, 3, or 4 arguments (including the object), but seen %d")
	c := yieldableCtx(l)
	s := socketArg[tcpSock](l)
	host := vm.CheckString(l, 2)
	o := connectOptions{backlog: -1}
	n := l.GetTop()
	if _, ok := l.Get(n).(*lua.LTable); ok {
		o.parse(c, l, n)
		n--
	}
	e := endpoint{host: host}
	switch {
	case n >= 3 && isNumber(l.Get(3)):
		var reason string
		if e.port, reason = checkPort(l, 3); reason != "" {
			return fail(l, reason)
		}
	case len(host) >= 5 && strings.EqualFold(host[:5], "unix:"):
	default:
		return fail(l, "missing the port number")
	}
	if s == nil {
		s = &tcpSock{c: c}
		vm.CheckTable(l, 1).RawSetInt(1, &lua.LUserData{Value: s, Metatable: lua.LNil})
	}
	if !s.used && !s.ended {
		s.c = c // it may have been made in another phase
	}
	s.mine(c, l)
	if msg := s.busy(true, true, true); msg != "" {
		return fail(l, msg)
	}
	if s.kind != upstreamSock {
		vm.Errorf(l, "attempt to re-connect a request socket")
	}
	s.reset(e)
	if !o.custom {
		s.pool, s.key = c.sockets.pool(host, l.Get(3), n >= 3)
	} else {
		s.pool, s.key = c.sockets.pools[o.pool], o.pool
	}
	if s.pool == nil && o.poolSize > 0 {
		s.pool = c.newPool(s.key, o.poolSize, o.backlog)
	}
	return s.connect(l)
}

// reset makes the socket ready to connect, closing it if it is open.
func (s *tcpSock) reset(e endpoint) {
	if s.conn != nil {
		s.c.debugf("lua tcp socket reconnect without shutting down")
		s.finalize()
	}
	if s.used {
		s.c.debugf("lua reuse socket upstream ctx")
	}
	conf := Loc.Of(s.c.scope())
	s.peer, s.pool, s.was, s.reused = e, nil, nil, 0
	s.defaults = timeouts{conf.ConnectTimeout.V, conf.SendTimeout.V, conf.ReadTimeout.V}
	s.bufLen = int(conf.BufferSize.V)
	s.readClosed, s.writeClosed, s.eof, s.used = false, false, false, true
	if !s.listed {
		s.listed = true
		s.c.owned.add(s)
	}
}

// connect takes an idle connection from the pool, or makes one when the pool has room.
func (s *tcpSock) connect(l *lua.LState) int {
	p := s.pool
	if p == nil {
		return s.dial(l)
	}
	if p.take(s) {
		return done(l)
	}
	p.connections++
	if p.backlog >= 0 && p.connections > p.size+p.backlog {
		p.connections--
		return fail(l, "too many waiting connect operations")
	}
	if p.backlog >= 0 && p.connections > p.size {
		if !p.wait(s, l) {
			if s.c.socketLog() {
				s.c.Logf(log.Error, "lua tcp socket queued connect timed out, when trying to connect to %s:%d%s",
					s.peer.host, s.peer.port, s.peer.upstream())
			}
			return fail(l, textTimeout)
		}
		if p.take(s) {
			return done(l)
		}
		p.connections++
	}
	return s.dial(l)
}

// dial makes a new connection, which counts in the pool already.
func (s *tcpSock) dial(l *lua.LState) int {
	s.connecting = true
	if s.c.debugging() {
		s.c.debugf("lua tcp socket connect timeout: %d", or(s.wants.connect, s.defaults.connect).Milliseconds())
	}
	reason := s.locate(l)
	if reason == "" {
		if err := s.open(l); err != nil {
			reason = socketError(err)
		}
	}
	s.connecting = false
	if reason != "" {
		s.readClosed, s.writeClosed = true, true
		if s.pool != nil {
			s.pool.lost(s.c.entryLog())
		}
		return fail(l, reason)
	}
	return done(l)
}

// locate finds the address of the peer. A thread killed meanwhile leaves nothing behind.
func (s *tcpSock) locate(l *lua.LState) (reason string) {
	returned := false
	defer func() {
		if !returned {
			s.c.debugf("lua tcp socket abort resolver")
			s.abandon()
		}
	}()
	reason = s.peer.locate(s.c, l)
	returned = true
	return reason
}

// abandon ends a connect whose thread was killed.
func (s *tcpSock) abandon() {
	s.connecting, s.readClosed, s.writeClosed = false, true, true
	if s.conn == nil && s.pool != nil {
		s.pool.lost(s.c.entryLog())
	}
}

// open connects to the peer's address.
func (s *tcpSock) open(l *lua.LState) (err error) {
	opts := event.DialOptions{
		Bind: s.bind, Transparent: s.transparent, Timeout: or(s.wants.connect, s.defaults.connect),
	}
	var conn *event.Conn
	returned := false
	s.dialing = true
	defer func() {
		s.dialing = false
		if !returned {
			s.c.debugf("lua finalize socket")
			if conn != nil {
				conn.Close()
			}
			s.abandon()
		}
	}()
	s.c.wait(l, func() { conn, err = s.c.Loop.Dial(sockaddr(s.peer.addr), opts) })
	returned = true
	if err != nil {
		s.logConnect(err)
		return err
	}
	s.conn, s.io = conn, conn
	if s.c.debugging() {
		s.c.debugf("lua tcp socket connected: fd:%d", conn.FD())
	}
	return nil
}

// logConnect logs why a connection was not made.
func (s *tcpSock) logConnect(err error) {
	var errno unix.Errno
	switch {
	case errors.Is(err, event.ErrTimeout):
		s.logTimeout("connect")
	case errors.Is(err, event.ErrConnections):
		s.c.Logf(log.Alert, "%d worker_connections are not enough", s.c.Cycle.Events.Connections.V)
	case !errors.As(err, &errno):
	case s.peer.addr.Unix != "" || failedCall(err) != "connect":
		// It failed at once, and nginx logs that by itself.
		level := log.Crit
		switch errno {
		case unix.ECONNREFUSED, unix.EAGAIN, unix.ECONNRESET, unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH:
			level = log.Error
		}
		what := "connect() to " + s.peer.addr.String()
		if call := failedCall(err); call == "bind" {
			what = "bind(" + s.bindText + ")"
		} else if call != "connect" {
			what = call + "()"
		}
		s.c.Logf(level, "%s%s", log.AppendError([]byte(what+" failed"), errno), s.peer.upstream())
	case s.c.socketLog():
		s.logFailed(errno, "connect() failed")
	}
}

// failedCall is the name of the system call that failed.
func failedCall(err error) string {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Syscall
	}
	return "connect"
}

// setNoDelay turns Nagle's algorithm off as the location wants it.
func (s *tcpSock) setNoDelay() error {
	if s.kind == bodySock || s.conn.NoDelay() || !http.CoreIn(s.c.scope()).TCPNodelay.V {
		return nil
	}
	s.c.debugf("lua socket tcp_nodelay")
	return s.conn.SetNoDelay(true)
}
