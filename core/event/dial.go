package event

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// DialOptions say how Dial connects.
type DialOptions struct {
	Bind        unix.Sockaddr // local address; nil for the system's choice
	Transparent bool          // Bind may be an address that is not ours (IP_TRANSPARENT)
	KeepAlive   bool          // SO_KEEPALIVE
	RecvBuffer  int           // SO_RCVBUF; 0 for the system's
	Timeout     time.Duration // to connect; 0 for the system's
	Data        any           // for Conn.Data
}

// Dial connects a stream socket to sa, parking the current fiber meanwhile. The errors are
// ErrTimeout, ErrAgain outside a fiber, ErrConnections, the fiber's when cancelled, and *os.SyscallError naming the call that
// failed.
func (l *Loop) Dial(sa unix.Sockaddr, opts DialOptions) (*Conn, error) {
	fd, err := dialSocket(sa, unix.SOCK_STREAM, &opts)
	if err != nil {
		return nil, err
	}
	c, err := l.dialConn(fd, sa, flagStream|flagSocket, &opts)
	if err != nil {
		_ = sysClose(fd)
		return nil, err
	}
	if err := c.WaitWritable(opts.Timeout); err != nil {
		c.Close()
		return nil, err
	}
	if e, ge := sysGetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); e != 0 || ge != 0 {
		c.Close()
		if ge != 0 {
			e = int(ge)
		}
		return nil, os.NewSyscallError("connect", unix.Errno(e))
	}
	return c, nil
}

// dialConn starts connecting and makes the connection, not writable as long as that takes.
func (l *Loop) dialConn(fd int, sa unix.Sockaddr, flags connFlags, opts *DialOptions) (*Conn, error) {
	n, err := rawSockaddr(&l.name, sa)
	if err != nil {
		return nil, err
	}
	switch e := sysConnect(fd, &l.name, n); e {
	case 0:
		flags |= flagWritable
	case unix.EINPROGRESS:
	default:
		return nil, os.NewSyscallError("connect", e)
	}
	c, err := l.adopt(fd, flags, true)
	if err != nil {
		return nil, err
	}
	c.peer.set(&l.name)
	c.Data = opts.Data
	return c, nil
}

// dialSocket makes and prepares the socket.
func dialSocket(sa unix.Sockaddr, kind int, opts *DialOptions) (int, error) {
	family := unix.AF_UNIX
	switch sa.(type) {
	case *unix.SockaddrInet4:
		family = unix.AF_INET
	case *unix.SockaddrInet6:
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := dialPrepare(fd, family, opts); err != nil {
		_ = sysClose(fd)
		return -1, err
	}
	return fd, nil
}

func dialPrepare(fd, family int, opts *DialOptions) error {
	set := func(level, name, value int) error {
		if e := sysSetsockoptInt(fd, level, name, value); e != 0 {
			return os.NewSyscallError("setsockopt", e)
		}
		return nil
	}
	if opts.KeepAlive {
		if err := set(unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1); err != nil {
			return err
		}
	}
	if opts.RecvBuffer > 0 {
		if err := set(unix.SOL_SOCKET, unix.SO_RCVBUF, opts.RecvBuffer); err != nil {
			return err
		}
	}
	if opts.Bind == nil {
		return nil
	}
	if opts.Transparent {
		level, name, call := unix.SOL_IP, unix.IP_TRANSPARENT, "setsockopt(IP_TRANSPARENT)"
		if family == unix.AF_INET6 {
			level, name, call = unix.SOL_IPV6, unix.IPV6_TRANSPARENT, "setsockopt(IPV6_TRANSPARENT)"
		}
		if e := sysSetsockoptInt(fd, level, name, 1); e != 0 {
			return os.NewSyscallError(call, e)
		}
	}
	if family != unix.AF_UNIX && bindPort(opts.Bind) == 0 {
		// With the port chosen at connect, each peer has all local ports to itself. Kernels that
		// cannot are no worse off than before.
		_ = set(unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	}
	return os.NewSyscallError("bind", unix.Bind(fd, opts.Bind))
}

func bindPort(sa unix.Sockaddr) int {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return sa.Port
	case *unix.SockaddrInet6:
		return sa.Port
	}
	return 0
}
