package upstream

import (
	"errors"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/resolver"
	"moongate/http"
)

// errTimedOut is what nginx says of its own timers.
const errTimedOut = unix.ETIMEDOUT

// Target is an address that is known only at run time.
type Target struct {
	Host   string
	Port   uint16
	NoPort bool
	// Addr is the address, if the host is one.
	Addr process.Addr
}

// choosePeers finds the group of peers, resolving a name if need be.
func (e *Exchange) choosePeers() http.Verdict {
	if t := e.Target; t != nil {
		if e.Upstream = e.main.Find(t.Host, t.Port, t.NoPort); e.Upstream == nil {
			return e.resolve(t)
		}
	}
	if e.Upstream == nil || e.R.Core != e.Conf.block {
		e.R.Logf(log.Alert, nil, "no upstream configuration")
		return http.StatusInternalServerError
	}
	if err := e.Upstream.Init(e); err != nil {
		return http.StatusInternalServerError
	}
	return http.OK
}

// resolve makes peers of the addresses of a name.
func (e *Exchange) resolve(t *Target) http.Verdict {
	r := e.R
	if t.Addr.Unix == "" && t.Port == 0 {
		r.Error(`no port in upstream "%s"`, t.Host)
		return http.StatusInternalServerError
	}
	if t.Addr != (process.Addr{}) {
		e.useAddrs(t.Host, []process.Addr{t.Addr})
		return http.OK
	}
	conf := r.Core.Resolver.V
	if conf == nil || len(conf.Config.Servers) == 0 {
		r.Error("no resolver defined to resolve %s", t.Host)
		return http.StatusBadGateway
	}
	ips, _, err := conf.On(r.Loop()).Resolve(nil, t.Host, r.Core.ResolverTimeout.V)
	var failed *resolver.Error
	switch {
	case err == nil:
	case errors.As(err, &failed):
		r.Error("%s", failed)
		return http.StatusBadGateway
	case e.aborted(err):
		return http.StatusClientClosed
	default:
		return http.StatusInternalServerError
	}
	list := make([]process.Addr, len(ips))
	for i, ip := range ips {
		list[i] = process.Addr{IP: netip.AddrPortFrom(ip, t.Port)}
	}
	e.useAddrs(t.Host, list)
	return http.OK
}

// useAddrs makes a group of its own for the exchange.
func (e *Exchange) useAddrs(name string, list []process.Addr) {
	s := Server{Name: name, Addrs: addrs(list), Weight: 1, MaxFails: 1, FailTimeout: 10}
	p := &Peers{Name: name, Single: len(list) == 1, Tries: len(list), TotalWeight: int64(len(list))}
	for _, a := range s.Addrs {
		p.List = append(p.List, s.peer(a))
	}
	e.RR.Start(e, p)
	e.Balancer = &e.RR
}

// Use is how a balancer says which peer it chose.
func (e *Exchange) Use(p *Peer) {
	e.Peer, e.peerName = p, p.Text
}

// connect takes a kept connection to the next peer, or makes one.
func (e *Exchange) connect() (fail int, v http.Verdict) {
	r := e.R
	e.cached = false
	ok := e.Balancer.Get(e)
	e.state.Peer = e.peerName
	if !ok {
		return e.noPeer()
	}
	if pool, key := e.idlePool(); pool != nil {
		if e.link = pool.take(key); e.link != nil {
			e.cached = true
			e.link.requests++
			return 0, http.OK
		}
	}
	c := e.Conf
	opts := event.DialOptions{
		KeepAlive: c.SocketKeepalive.V, RecvBuffer: int(c.SocketRcvbuf.V), Timeout: e.ConnectTimeout,
	}
	if e.Local.IsValid() {
		opts.Bind = process.Addr{IP: e.Local}.Sockaddr()
	} else if b := c.Bind.V; b != nil {
		opts.Bind, opts.Transparent = e.bind, b.transparent
	}
	conn, err := r.Loop().Dial(e.Peer.Sock, opts)
	if err != nil {
		return e.connectFailed(err)
	}
	if n := int(c.SocketSndbuf.V); n > 0 {
		if err := conn.SetOption(unix.SOL_SOCKET, unix.SO_SNDBUF, n); err != nil {
			r.Logf(log.Alert, err, "setsockopt(SO_SNDBUF) failed")
		}
	}
	conn.Start = e.Msec()
	e.link = &link{Conn: conn, requests: 1}
	if e.TLS {
		return e.handshake()
	}
	return 0, http.OK
}

// noPeer ends a try for which the balancer has no peer.
func (e *Exchange) noPeer() (fail int, v http.Verdict) {
	if fail, v = e.refusal.fail, e.refusal.v; fail == 0 && v == http.OK {
		e.R.Error("no live upstreams")
		fail = FailNoLive
	}
	e.refusal.fail, e.refusal.v = 0, http.OK
	return fail, v
}

// connectFailed says in the log why there is no connection.
func (e *Exchange) connectFailed(err error) (fail int, v http.Verdict) {
	r := e.R
	if e.aborted(err) {
		return 0, http.StatusClientClosed
	}
	var call *os.SyscallError
	switch {
	case errors.Is(err, event.ErrTimeout):
		return FailTimeout, http.OK
	case errors.Is(err, event.ErrConnections):
		return 0, http.StatusInternalServerError
	case !errors.As(err, &call):
		r.Logf(log.Alert, err, "connecting failed")
		return 0, http.StatusInternalServerError
	}
	switch {
	case call.Syscall == "bind":
		r.Logf(log.Crit, call.Err, "bind(%s) failed", e.localText())
		return 0, http.StatusInternalServerError
	case call.Syscall != "connect":
		name := call.Syscall
		if !strings.HasSuffix(name, ")") {
			name += "()"
		}
		r.Logf(log.Alert, call.Err, "%s failed", name)
		return 0, http.StatusInternalServerError
	case connectFailsAtOnce(e.Peer, call.Err):
		level := log.Crit
		switch call.Err {
		case unix.ECONNREFUSED, unix.EAGAIN, unix.ECONNRESET, unix.ENETDOWN, unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH:
			level = log.Error
		}
		r.Logf(level, call.Err, "connect() to %s failed", e.Peer.Text)
	default:
		r.Logf(log.Error, call.Err, "connect() failed")
	}
	return FailError, http.OK
}

// localText is the address to connect from, for the log.
func (e *Exchange) localText() string {
	switch {
	case e.Local.IsValid() && e.Local.Port() == 0:
		return e.Local.Addr().String()
	case e.Local.IsValid():
		return e.Local.String()
	default:
		return e.bindText
	}
}

// connectFailsAtOnce tells the failures that the call itself reports, of which
// nginx names the address, from those that are known later.
func connectFailsAtOnce(p *Peer, err error) bool {
	if p.Key.Unix != "" {
		return true
	}
	switch err {
	case unix.ENETUNREACH, unix.ENETDOWN, unix.EADDRNOTAVAIL, unix.EACCES, unix.EPERM, unix.EAGAIN, unix.EINVAL, unix.EAFNOSUPPORT:
		return true
	}
	return false
}

// ioFailed says in the log that reading from or writing to the peer failed.
func (e *Exchange) ioFailed(err error) {
	var call *os.SyscallError
	if !errors.As(err, &call) {
		e.R.Error("%s", err)
		return
	}
	name := call.Syscall
	switch name {
	case "read":
		name = "recv"
	case "write":
		name = "send"
	}
	e.R.Logf(log.Error, call.Err, "%s() failed", name)
}
