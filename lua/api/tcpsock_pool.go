package api

import (
	"slices"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/lua/vm"
)

// sockPool are the connections of a worker under one key, "host:port" unless the script names it: those that wait to be
// used again, and with a backlog the threads that wait for one.
type sockPool struct {
	s    *sockets
	key  string
	size int
	// backlog is how many threads may wait, -1 when the connections are not limited.
	backlog int
	// connections counts those in use, idle and waited for.
	connections int
	idle        []*idleSock // the one used last at the end
	waiting     []*poolWaiter
}

// idleSock is a connection in a pool.
type idleSock struct {
	pool    *sockPool
	conn    *event.Conn
	io      transport
	peer    endpoint
	reused  int
	expires int64 // NowMsec, 0 for never
	log     *log.Logger
}

// poolWaiter is a thread that waits for a connection of a full pool.
type poolWaiter struct {
	fiber   *event.Fiber
	granted bool
}

func (c *Ctx) newPool(key string, size, backlog int) *sockPool {
	if c.sockets.pools == nil {
		c.sockets.pools = make(map[string]*sockPool)
	}
	p := &sockPool{s: &c.sockets, key: key, size: size, backlog: backlog}
	c.sockets.pools[key] = p
	c.debugf("lua tcp socket connection pool size: %d, backlog: %d", size, backlog)
	c.debugf(`lua tcp socket keepalive create connection pool for key "%s"`, key)
	return p
}

// pool finds the pool of a host and, with hasPort, a port, nil if there is none yet, and its key.
func (s *sockets) pool(host string, port lua.LValue, hasPort bool) (p *sockPool, key string) {
	b := append(s.key[:0], host...)
	if hasPort {
		b = append(b, ':')
		if n, ok := port.(lua.LNumber); ok {
			b = vm.AppendNumber(b, float64(n))
		} else {
			text, _ := vm.ToString(port)
			b = append(b, text...)
		}
	}
	s.key = b
	if p = s.pools[string(b)]; p != nil {
		return p, p.key
	}
	return nil, string(b)
}

// take gives an idle connection to a socket.
func (p *sockPool) take(s *tcpSock) bool {
	s.c.debugf("lua tcp socket pool get keepalive peer")
	for n := len(p.idle); n > 0; n = len(p.idle) {
		i := p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		if !i.conn.Take() {
			// Its server is about to run, and will count it as lost.
			continue
		}
		i.conn.Server = nil
		s.conn, s.io, s.peer, s.reused, s.was = i.conn, i.io, i.peer, i.reused+1, i
		if s.c.debugging() {
			s.c.debugf("lua tcp socket get keepalive peer: using connection %p, fd:%d", s.conn, s.conn.FD())
		}
		return true
	}
	s.c.debugf("lua tcp socket keepalive: connection pool empty")
	return false
}

// lost counts a connection less, and lets a waiting thread make one in its place.
func (p *sockPool) lost(l log.Entry) {
	p.connections--
	if p.connections == 0 && p.s.pools[p.key] == p {
		l.Log(log.DebugHTTP, nil, `lua tcp socket keepalive: free connection pool for "%s"`, p.key)
		delete(p.s.pools, p.key)
		return
	}
	p.grant()
}

// grant wakes the thread that has waited longest.
func (p *sockPool) grant() {
	if len(p.waiting) == 0 {
		return
	}
	w := p.waiting[0]
	p.waiting = p.waiting[1:]
	w.granted = true
	w.fiber.Ready()
}

// wait parks the thread until there is room in the pool, and tells whether there is.
func (p *sockPool) wait(s *tcpSock, l *lua.LState) bool {
	s.c.debugf(`lua tcp socket queue connect operation for connection pool "%s", connections: %d`, p.key, p.connections)
	w := &poolWaiter{fiber: s.c.Loop.Current()}
	p.waiting = append(p.waiting, w)
	s.connecting = true
	defer func() {
		s.connecting = false
		p.connections--
		if i := slices.Index(p.waiting, w); i >= 0 {
			p.waiting = slices.Delete(p.waiting, i, i+1)
		} else if w.fiber.Err() != nil {
			p.grant() // this one was killed
		}
	}()
	s.c.wait(l, func() { w.fiber.ParkFor(or(s.wants.connect, s.defaults.connect)) })
	return w.granted
}

// tcpSetKeepalive is sock:setkeepalive(msec?, size?).
func tcpSetKeepalive(l *lua.LState) int {
	countArgs(l, 1, 3, "expecting 1 to 3 arguments (including the object), but got %d")
	s, c := socketArg[tcpSock](l), ctxOf(l)
	conf := Loc.Of(c.scope())
	timeout, size := conf.KeepaliveTimeout.V, int(conf.PoolSize.V)
	if l.Get(2) != lua.LNil {
		timeout = inMsec(vm.CheckNumber(l, 2))
	}
	if l.Get(3) != lua.LNil {
		size = vm.CheckInt(l, 3)
	}
	if s.absent() || s.readClosed || s.writeClosed || s.eof || s.conn != nil && s.conn.PeerClosed() {
		return fail(l, textClosed)
	}
	s.mine(c, l)
	if msg := s.busy(true, true, true); msg != "" {
		return fail(l, msg)
	}
	if s.kind != upstreamSock {
		return fail(l, "key not found")
	}
	if s.rd < s.wr {
		return fail(l, "unread data in buffer")
	}
	if c.Worker.Exiting() {
		c.debugf("lua tcp socket set keepalive while process exiting, closing connection %p", s.conn)
		s.finalize()
		return done(l)
	}
	p := c.sockets.pools[s.key]
	if p == nil {
		if size <= 0 {
			vm.ArgError(l, l.GetTop(), `bad "pool_size" option value: `+vm.FormatNumber(float64(size)))
		}
		p = c.newPool(s.key, size, -1)
	}
	if !s.idle() {
		return fail(l, "connection in dubious state")
	}
	if c.debugging() {
		c.debugf("lua tcp socket set keepalive: saving connection %p", s.conn)
	}
	p.put(s, timeout)
	return done(l)
}

// idle tells whether the connection has nothing to say; one that has is closed.
func (s *tcpSock) idle() bool {
	if _, secure := s.io.(*tlsTransport); !secure && !s.conn.Readable() {
		return true
	}
	var b [1]byte
	if _, err := s.io.TryRead(b[:]); err == event.ErrAgain {
		return true
	}
	s.finalize()
	return false
}

// put takes the connection of a socket, which is closed afterwards.
func (p *sockPool) put(s *tcpSock, timeout time.Duration) {
	if s.pool == nil {
		p.connections++
	}
	if len(p.idle) >= p.size {
		oldest := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		release(oldest.io)
		oldest.conn.Close()
		p.connections--
	}
	i := s.was
	if i == nil {
		i = new(idleSock)
	}
	s.was = nil
	*i = idleSock{pool: p, conn: s.conn, io: s.io, peer: s.peer, reused: s.reused, log: s.c.Cycle.Log()}
	s.c.debugf("lua tcp socket clear current socket connection")
	if timeout > 0 {
		i.expires = s.c.Loop.NowMsec() + timeout.Milliseconds()
		if s.c.debugging() {
			s.c.debugf("lua tcp socket keepalive timeout: %d ms", timeout.Milliseconds())
		}
	} else {
		s.c.debugf("lua tcp socket keepalive timeout: unlimited")
	}
	s.conn, s.io, s.pool = nil, nil, nil
	s.finalize()
	p.idle = append(p.idle, i)
	i.conn.Server = i
	i.conn.Idle(max(timeout, 0))
	p.grant()
}

// Serve implements event.Server: the peer has closed an idle connection, or sends what nobody asked for.
func (i *idleSock) Serve(c *event.Conn) {
	i.log.Log(log.DebugHTTP, nil, "lua tcp socket keepalive close handler check stale events")
	var b [1]byte
	if _, err := i.io.TryRead(b[:]); err == event.ErrAgain {
		var left time.Duration
		if i.expires != 0 {
			left = time.Duration(i.expires-c.Loop().NowMsec()) * time.Millisecond
		}
		if left > 0 || i.expires == 0 {
			if slices.Contains(i.pool.idle, i) {
				c.Idle(left)
				return
			}
		}
	}
	i.drop()
}

// IdleTimeout implements event.Server.
func (i *idleSock) IdleTimeout(*event.Conn) {
	i.log.Log(log.DebugHTTP, nil, "lua tcp socket keepalive max idle timeout")
	i.drop()
}

func (i *idleSock) drop() {
	if i.log.Enabled(log.DebugHTTP) {
		i.log.Log(log.DebugHTTP, nil, "lua tcp socket keepalive close handler: fd:%d", i.conn.FD())
	}
	if n := slices.Index(i.pool.idle, i); n >= 0 {
		i.pool.idle = slices.Delete(i.pool.idle, n, n+1)
	}
	release(i.io)
	i.conn.Close()
	i.pool.lost(i.log.With(nil, 0))
}
