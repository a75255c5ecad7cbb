package process

import (
	"net/netip"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/event"
)

// Addr is the address of a listening socket: an IP address with port or the
// path of a unix domain socket.
type Addr struct {
	IP   netip.AddrPort
	Unix string
}

// String is the address as messages show it: "0.0.0.0:80", "[::]:80",
// "unix:/run/web.sock" (ngx_sock_ntop).
func (a Addr) String() string {
	switch {
	case a.Unix != "":
		return "unix:" + a.Unix
	case a.IP.Addr().Is4():
		return a.IP.String()
	}
	return "[" + a.IP.Addr().WithZone("").String() + "]:" + strconv.Itoa(int(a.IP.Port()))
}

func (a Addr) family() int {
	switch {
	case a.Unix != "":
		return unix.AF_UNIX
	case a.IP.Addr().Is4():
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// Sockaddr is the address in the form of the system.
func (a Addr) Sockaddr() unix.Sockaddr {
	switch a.family() {
	case unix.AF_UNIX:
		return &unix.SockaddrUnix{Name: a.Unix}
	case unix.AF_INET:
		return &unix.SockaddrInet4{Port: int(a.IP.Port()), Addr: a.IP.Addr().As4()}
	}
	return &unix.SockaddrInet6{Port: int(a.IP.Port()), Addr: a.IP.Addr().As16()}
}

// addrOf is the inverse of Sockaddr; it reports false for other families.
func addrOf(sa unix.Sockaddr) (Addr, bool) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return Addr{IP: netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))}, true
	case *unix.SockaddrInet6:
		return Addr{IP: netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))}, true
	case *unix.SockaddrUnix:
		return Addr{Unix: sa.Name}, true
	}
	return Addr{}, false
}

// Options are the parameters of a listening socket that belong to the socket
// itself. Their zero values leave the kernel's defaults, except that Backlog 0
// means DefaultBacklog; Fastopen 0 means off.
type Options struct {
	Backlog        int
	RcvBuf, SndBuf int // bytes
	Fastopen       int // length of the queue of half-open connections
	Deferred       bool
	Reuseport      bool
	IPv6Only       bool
	Keepalive      Keepalive
	// Protocol is 0 or unix.IPPROTO_MPTCP.
	Protocol int
	// Wildcard: a datagram socket asks for the address each packet was sent
	// to, because it is bound to any.
	Wildcard bool
	// QUIC: packets may not be fragmented, and the socket outlives a graceful
	// shutdown because its connections go on through it.
	QUIC bool
}

// Keepalive is the so_keepalive parameter of listen.
type Keepalive struct {
	// Mode is 0 for the system's setting, 1 on, 2 off.
	Mode int
	// Idle and Interval are seconds; 0 is the system's setting, as for Count.
	Idle, Interval, Count int
}

// DefaultBacklog is the length of the queue of connections not yet accepted
// (NGX_LISTEN_BACKLOG).
const DefaultBacklog = 511

// Listening is a socket that the server listens on (ngx_listening_t).
type Listening struct {
	Addr Addr
	// Type is unix.SOCK_STREAM or unix.SOCK_DGRAM.
	Type int
	Options

	// Server gets the connections of a stream socket.
	Server event.Server
	// Packets takes over a datagram socket in a worker, in its loop; the
	// socket is non-blocking and stays the property of the process.
	Packets func(w *Worker, ls *Listening) error

	// Timeout is how long a new connection may stay silent before the
	// Server's IdleTimeout; Immediate serves it without waiting for data.
	Timeout   time.Duration
	Immediate bool

	// FD is the socket, -1 when this process has not opened or got it.
	FD int
	// Worker is the worker that the socket is for: with reuseport each has
	// its own, otherwise it is 0 and all share the socket.
	Worker int

	inherited bool // from the binary that started this one
	ours      bool // opened by this cycle, to be closed when the cycle fails
	relisten  bool // the backlog is new
	deferral  int  // +1: TCP_DEFER_ACCEPT is to be set, -1: to be cleared
	reshare   bool // SO_REUSEPORT is to be set on the old socket
	reprotect bool // the protocol changes: the socket is opened anew
	remain    bool // the next cycle uses the socket
	accept    *event.Listener
}

// Listen registers a listening socket of the cycle. It is opened after the
// configuration has been read; Server and Packets are used in the workers.
func (c *Cycle) Listen(addr Addr, typ int, opt Options) *Listening {
	if opt.Backlog == 0 {
		opt.Backlog = DefaultBacklog
	}
	ls := &Listening{Addr: addr, Type: typ, Options: opt, FD: -1}
	c.listening = append(c.listening, ls)
	return ls
}

// Listening are the sockets of the cycle, in the order of registration.
func (c *Cycle) Listening() []*Listening { return c.listening }

// cloneReuseport gives each worker a socket of its own where the kernel is to
// spread the connections (ngx_clone_listening).
func (c *Cycle) cloneReuseport(workers int) {
	for _, ls := range c.listening {
		if !ls.Reuseport || ls.Worker != 0 {
			continue
		}
		for n := 1; n < workers; n++ {
			clone := *ls
			clone.Worker = n
			c.listening = append(c.listening, &clone)
		}
	}
}

// inheritFrom takes over the sockets that the old cycle has for the same
// addresses and notes what is to be changed about them.
func (c *Cycle) inheritFrom(old []*Listening) {
	for _, ls := range old {
		ls.remain = false
	}
	for _, ls := range c.listening {
		if prev := ls.previous(old); prev != nil {
			ls.adopt(prev)
		} else if ls.Deferred {
			ls.deferral = +1
		}
	}
}

// previous finds the socket of the old cycle for the same address that is not
// taken yet. Sockets with reuseport are as good as one another.
func (ls *Listening) previous(old []*Listening) *Listening {
	addr := ls.Addr.String()
	for _, prev := range old {
		if !prev.remain && prev.FD >= 0 && prev.Type == ls.Type && prev.Addr.String() == addr {
			return prev
		}
	}
	return nil
}

func (ls *Listening) adopt(prev *Listening) {
	ls.FD = prev.FD
	if prev.Protocol != ls.Protocol {
		ls.reprotect = true
	} else {
		ls.inherited = prev.inherited
		prev.remain = true
	}
	ls.relisten = prev.Backlog != ls.Backlog
	switch {
	case ls.Deferred && !prev.Deferred:
		ls.deferral = +1
	case !ls.Deferred && prev.Deferred:
		ls.deferral = -1
	}
	ls.reshare = ls.Reuseport && !prev.Reuseport
}
