package event

import (
	"os"

	"golang.org/x/sys/unix"
)

// ShutdownWrite closes the sending side.
func (c *Conn) ShutdownWrite() error {
	if c.has(flagClosed) {
		return ErrClosed
	}
	if e := sysShutdown(int(c.fd), unix.SHUT_WR); e != 0 {
		return os.NewSyscallError("shutdown", e)
	}
	return nil
}

// SetOption sets an integer socket option.
func (c *Conn) SetOption(level, name, value int) error {
	if c.has(flagClosed) {
		return ErrClosed
	}
	if e := sysSetsockoptInt(int(c.fd), level, name, value); e != 0 {
		return os.NewSyscallError("setsockopt", e)
	}
	return nil
}

// SetNoDelay turns TCP_NODELAY on or off, with a system call only when that is a change. Unix-domain
// sockets have no use for it and none is made.
func (c *Conn) SetNoDelay(on bool) error { return c.toggle(flagNoDelay, unix.TCP_NODELAY, on) }

// NoDelay tells whether SetNoDelay has nothing to do for true.
func (c *Conn) NoDelay() bool { return c.has(flagNoDelay) || c.peer.family == unix.AF_UNIX }

// SetNoPush turns TCP_CORK on or off likewise (tcp_nopush).
func (c *Conn) SetNoPush(on bool) error { return c.toggle(flagNoPush, unix.TCP_CORK, on) }

// toggle sets a TCP option whose present state is in flag.
func (c *Conn) toggle(flag connFlags, name int, on bool) error {
	if c.has(flag) == on || c.peer.family == unix.AF_UNIX {
		return nil
	}
	value := 0
	if on {
		value = 1
	}
	if err := c.SetOption(unix.IPPROTO_TCP, name, value); err != nil {
		return err
	}
	c.flags ^= flag
	return nil
}
