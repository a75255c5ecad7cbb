package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// upgradeVariable is the environment variable through which an old binary,
// Moongate or nginx, hands its listening sockets to a new one: "3;4;5;".
const upgradeVariable = "NGINX"

// Opening is tried again while another server still has an address
// (ngx_open_listening_sockets).
const (
	bindTries = 5
	bindPause = 500 * time.Millisecond
)

// errReported is the error of a step that has logged what went wrong.
var errReported = errors.New("process: reported already")

// openSockets opens the sockets that the cycle did not get from the old one.
func (c *Cycle) openSockets() error {
	for try := 1; ; try++ {
		busy := false
		for _, ls := range c.listening {
			again, err := c.openSocket(ls)
			if err != nil {
				return err
			}
			busy = busy || again
		}
		if !busy {
			return nil
		}
		c.log.Log(log.Notice, nil, "try again to bind() after 500ms")
		time.Sleep(bindPause)
		if try == bindTries {
			c.log.Log(log.Emerg, nil, "still could not bind()")
			return errReported
		}
	}
}

// openSocket opens one socket; busy says that its address is in use.
func (c *Cycle) openSocket(ls *Listening) (busy bool, err error) {
	if ls.reshare || ls.reprotect {
		// The old socket and those to come can only share the address when
		// all of them say so.
		c.setsockopt(ls, log.Alert, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT")
		ls.reshare = false
	}
	if ls.FD >= 0 && !ls.reprotect {
		return false, nil
	}
	fd, err := unix.Socket(ls.Addr.family(), ls.Type|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, ls.Protocol)
	if err != nil {
		c.log.Log(log.Emerg, err, "socket() %s failed", ls.Addr)
		return false, errReported
	}
	busy, err = c.bind(fd, ls)
	if busy || err != nil {
		if cerr := unix.Close(fd); cerr != nil {
			c.log.Log(log.Emerg, cerr, "close() socket %s failed", ls.Addr)
		}
		return busy && !c.Conf.Test, err
	}
	ls.FD, ls.ours, ls.relisten, ls.reprotect = fd, true, ls.Type == unix.SOCK_STREAM, false
	return false, nil
}

// bind gives a new socket its address and lets it listen.
func (c *Cycle) bind(fd int, ls *Listening) (busy bool, err error) {
	if err := c.beforeBind(fd, ls); err != nil {
		return false, err
	}
	test := c.Conf.Test
	if err := unix.Bind(fd, ls.Addr.Sockaddr()); err != nil {
		if err != unix.EADDRINUSE || !test {
			c.log.Log(log.Emerg, err, "bind() to %s failed", ls.Addr)
		}
		return c.inUse(err)
	}
	if ls.Addr.Unix != "" {
		if err := unix.Chmod(ls.Addr.Unix, 0o666); err != nil {
			c.log.Log(log.Emerg, err, `chmod() "%s" failed`, ls.Addr.Unix)
		}
		if test {
			c.unlink(ls.Addr.Unix)
		}
	}
	if ls.Type != unix.SOCK_STREAM {
		return false, nil
	}
	if err := unix.Listen(fd, ls.Backlog); err != nil {
		if err != unix.EADDRINUSE || !test {
			c.log.Log(log.Emerg, err, "listen() to %s, backlog %d failed", ls.Addr, ls.Backlog)
		}
		return c.inUse(err)
	}
	return false, nil
}

func (c *Cycle) inUse(err error) (busy bool, _ error) {
	if err == unix.EADDRINUSE {
		return true, nil
	}
	return false, errReported
}

// beforeBind sets the options that must be there when the socket is bound.
func (c *Cycle) beforeBind(fd int, ls *Listening) error {
	set := func(level, opt, value int, name string) error {
		if err := unix.SetsockoptInt(fd, level, opt, value); err != nil {
			c.log.Log(log.Emerg, err, "setsockopt(%s) %s failed", name, ls.Addr)
			return errReported
		}
		return nil
	}
	// A test of the configuration may not take datagrams from a running server.
	if ls.Type != unix.SOCK_DGRAM || !c.Conf.Test {
		if err := set(unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, "SO_REUSEADDR"); err != nil {
			return err
		}
	}
	if (ls.Reuseport || ls.reprotect) && !c.Conf.Test {
		if err := set(unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT"); err != nil {
			return err
		}
	}
	if ls.Addr.family() == unix.AF_INET6 {
		only := 0
		if ls.IPv6Only {
			only = 1
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
			c.log.Log(log.Emerg, err, "setsockopt(IPV6_V6ONLY) %s failed, ignored", ls.Addr)
		}
	}
	return nil
}

// configureSockets applies the options that may change from one cycle to the
// next. None of them is worth failing for (ngx_configure_listening_sockets).
func (c *Cycle) configureSockets() {
	for _, ls := range c.listening {
		c.configureBuffers(ls)
		c.configureKeepalive(ls)
		if ls.Fastopen != 0 {
			c.setsockopt(ls, log.Alert, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, ls.Fastopen, "TCP_FASTOPEN")
		}
		if ls.relisten && ls.Type == unix.SOCK_STREAM {
			if err := unix.Listen(ls.FD, ls.Backlog); err != nil {
				c.log.Log(log.Alert, err, "listen() to %s, backlog %d failed, ignored", ls.Addr, ls.Backlog)
			}
			ls.relisten = false
		}
		// How long a connection waited already is unknown, so one second it is.
		switch ls.deferral {
		case +1:
			c.setsockopt(ls, log.Alert, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 1, "TCP_DEFER_ACCEPT, 1")
		case -1:
			c.setsockopt(ls, log.Alert, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 0, "TCP_DEFER_ACCEPT, 0")
		}
		ls.deferral = 0
		if ls.Type == unix.SOCK_DGRAM {
			c.configureDatagrams(ls)
		}
	}
}

func (c *Cycle) configureBuffers(ls *Listening) {
	if ls.RcvBuf != 0 {
		c.setsockopt(ls, log.Alert, unix.SOL_SOCKET, unix.SO_RCVBUF, ls.RcvBuf, fmt.Sprintf("SO_RCVBUF, %d", ls.RcvBuf))
	}
	if ls.SndBuf != 0 {
		c.setsockopt(ls, log.Alert, unix.SOL_SOCKET, unix.SO_SNDBUF, ls.SndBuf, fmt.Sprintf("SO_SNDBUF, %d", ls.SndBuf))
	}
}

func (c *Cycle) configureKeepalive(ls *Listening) {
	k := ls.Keepalive
	if k.Mode != 0 {
		on := 2 - k.Mode
		c.setsockopt(ls, log.Alert, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on, fmt.Sprintf("SO_KEEPALIVE, %d", on))
	}
	for _, o := range []struct {
		name       string
		opt, value int
	}{
		{"TCP_KEEPIDLE", unix.TCP_KEEPIDLE, k.Idle},
		{"TCP_KEEPINTVL", unix.TCP_KEEPINTVL, k.Interval},
		{"TCP_KEEPCNT", unix.TCP_KEEPCNT, k.Count},
	} {
		if o.value != 0 {
			c.setsockopt(ls, log.Alert, unix.IPPROTO_TCP, o.opt, o.value, fmt.Sprintf("%s, %d", o.name, o.value))
		}
	}
}

func (c *Cycle) configureDatagrams(ls *Listening) {
	v6 := ls.Addr.family() == unix.AF_INET6
	if ls.Wildcard {
		if v6 {
			c.setsockopt(ls, log.Alert, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO")
		} else {
			c.setsockopt(ls, log.Alert, unix.IPPROTO_IP, unix.IP_PKTINFO, 1, "IP_PKTINFO")
		}
	}
	if ls.QUIC {
		if v6 {
			c.setsockopt(ls, log.Alert, unix.IPPROTO_IPV6, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_DO, "IPV6_MTU_DISCOVER")
		} else {
			c.setsockopt(ls, log.Alert, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_DO, "IP_MTU_DISCOVER")
		}
	}
}

// setsockopt sets an option the server can do without.
func (c *Cycle) setsockopt(ls *Listening, level log.Level, layer, opt, value int, what string) {
	if err := unix.SetsockoptInt(ls.FD, layer, opt, value); err != nil {
		c.log.Log(level, err, "setsockopt(%s) %s failed, ignored", what, ls.Addr)
	}
}

// closeSocket closes a socket the server no longer listens on.
func (c *Cycle) closeSocket(ls *Listening) {
	if ls.FD < 0 {
		return
	}
	if err := unix.Close(ls.FD); err != nil {
		c.log.Log(log.Emerg, err, "close() socket %s failed", ls.Addr)
	}
	ls.FD = -1
}

func (c *Cycle) unlink(path string) {
	if err := unix.Unlink(path); err != nil {
		c.log.Log(log.Emerg, err, "unlink() %s failed", path)
	}
}

// inheritedSockets describes the sockets that an old binary has passed on, as
// if they were those of an old cycle (ngx_add_inherited_sockets).
func inheritedSockets(value string, l *log.Logger) []*Listening {
	l.Log(log.Notice, nil, `using inherited sockets from "%s"`, value)
	var list []*Listening
	for rest := value; rest != ""; {
		end := strings.IndexAny(rest, ";:")
		if end < 0 {
			l.Log(log.Emerg, nil, `invalid socket number "%s" in NGINX environment variable, ignoring`, rest)
			break
		}
		fd, err := strconv.ParseUint(rest[:end], 10, 31)
		if err != nil {
			l.Log(log.Emerg, nil, `invalid socket number "%s" in NGINX environment variable, ignoring the rest of the variable`, rest)
			break
		}
		rest = rest[end+1:]
		if ls := inheritedSocket(int(fd), l); ls != nil {
			list = append(list, ls)
		}
	}
	return list
}

func inheritedSocket(fd int, l *log.Logger) *Listening {
	sa, err := unix.Getsockname(fd)
	if err != nil {
		l.Log(log.Crit, err, "getsockname() of the inherited socket #%d failed", fd)
		return nil
	}
	addr, ok := addrOf(sa)
	if !ok {
		l.Log(log.Crit, nil, "the inherited socket #%d has an unsupported protocol family", fd)
		return nil
	}
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		l.Log(log.Crit, err, "getsockopt(SO_TYPE) %s failed", addr)
		return nil
	}
	unix.CloseOnExec(fd)
	// Whoever is not nginx may pass on a socket on which accepting would block.
	if err := unix.SetNonblock(fd, true); err != nil {
		l.Log(log.Crit, err, "fcntl(O_NONBLOCK) %s failed", addr)
		return nil
	}
	ls := &Listening{Addr: addr, Type: typ, FD: fd, inherited: true}
	ls.Backlog = DefaultBacklog
	get := func(layer, opt int) int {
		v, err := unix.GetsockoptInt(fd, layer, opt)
		if err != nil {
			return 0
		}
		return v
	}
	ls.Reuseport = get(unix.SOL_SOCKET, unix.SO_REUSEPORT) != 0
	if typ != unix.SOCK_STREAM || addr.Unix != "" {
		return ls
	}
	if ls.Protocol = get(unix.SOL_SOCKET, unix.SO_PROTOCOL); ls.Protocol == unix.IPPROTO_TCP {
		ls.Protocol = 0
	}
	ls.Deferred = get(unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT) != 0
	return ls
}

// takeInherited reads and removes the variable of an upgrade.
func takeInherited(l *log.Logger) (list []*Listening, inherited bool) {
	value, ok := os.LookupEnv(upgradeVariable)
	if !ok {
		return nil, false
	}
	os.Unsetenv(upgradeVariable)
	return inheritedSockets(value, l), true
}
