package event

import (
	"net/netip"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// PacketConn is a non-blocking datagram socket of a loop (UDP, or Unix-domain for syslog). As with
// Conn, one fiber may wait to receive and one to send.
type PacketConn struct {
	c   *Conn
	msg unix.Msghdr
	iov unix.Iovec
	sa  unix.RawSockaddrAny
}

// AdoptPacket makes a PacketConn of a non-blocking datagram socket, which belongs to it from then on;
// when it fails it is still the caller's.
func (l *Loop) AdoptPacket(fd int) (*PacketConn, error) {
	c, err := l.adopt(fd, flagReadable|flagWritable|flagShared, true)
	if err != nil {
		return nil, err
	}
	return &PacketConn{c: c}, nil
}

// DialPacket makes a datagram socket connected to sa. Of the options, the timeout means nothing.
func (l *Loop) DialPacket(sa unix.Sockaddr, opts DialOptions) (*PacketConn, error) {
	fd, err := dialSocket(sa, unix.SOCK_DGRAM, &opts)
	if err != nil {
		return nil, err
	}
	c, err := l.dialConn(fd, sa, flagReadable, &opts)
	if err != nil {
		_ = sysClose(fd)
		return nil, err
	}
	return &PacketConn{c: c}, nil
}

// FD is the descriptor, -1 when closed.
func (p *PacketConn) FD() int { return p.c.FD() }

// Loop is the loop the socket belongs to.
func (p *PacketConn) Loop() *Loop { return p.c.loop }

// LocalAddr is this side's address.
func (p *PacketConn) LocalAddr() Addr { return p.c.LocalAddr() }

// Close closes the socket. Fibers waiting on it get ErrClosed.
func (p *PacketConn) Close() { p.c.Close() }

// SetTimeouts limits each wait to receive and to send; 0 means no limit.
func (p *PacketConn) SetTimeouts(read, write time.Duration) {
	p.c.ReadTimeout, p.c.WriteTimeout = read, write
}

// SetOption sets an integer socket option.
func (p *PacketConn) SetOption(level, name, value int) error {
	return p.c.SetOption(level, name, value)
}

// WaitReadable parks the current fiber until there may be a datagram, at most d (0: without limit).
func (p *PacketConn) WaitReadable(d time.Duration) error { return p.c.WaitReadable(d) }

// WaitWritable is WaitReadable for sending.
func (p *PacketConn) WaitWritable(d time.Duration) error { return p.c.WaitWritable(d) }

// Interest is for Loop.WaitAny.
func (p *PacketConn) Interest(read, write bool) Interest { return Interest{p.c, read, write} }

// Read receives a datagram on a connected socket.
func (p *PacketConn) Read(b []byte) (int, error) { return p.c.Read(b) }

// Write sends a datagram on a connected socket.
func (p *PacketConn) Write(b []byte) (int, error) { return p.SendMsg(b, nil, netip.AddrPort{}) }

// RecvFrom receives a datagram and its sender; what does not fit into b is lost.
func (p *PacketConn) RecvFrom(b []byte) (int, netip.AddrPort, error) {
	n, _, _, from, err := p.RecvMsg(b, nil)
	return n, from, err
}

// TryRecvMsg receives a datagram with its control messages into oob; flags are those of recvmsg(2)
// (MSG_TRUNC, MSG_CTRUNC). ErrAgain when there is none.
func (p *PacketConn) TryRecvMsg(b, oob []byte) (n, oobn, flags int, from netip.AddrPort, err error) {
	c := p.c
	if !c.Readable() || c.has(flagClosed) {
		return 0, 0, 0, from, c.notReady()
	}
	p.sa.Addr.Family = unix.AF_UNSPEC
	p.prepare(b, oob, unix.SizeofSockaddrAny)
	n, e := sysRecvmsg(int(c.fd), &p.msg)
	oobn, flags = int(p.msg.Controllen), int(p.msg.Flags)
	p.release()
	switch {
	case e == unix.EAGAIN:
		c.flags &^= flagReadable
		return 0, 0, 0, from, ErrAgain
	case e != 0:
		return 0, 0, 0, from, os.NewSyscallError("recvmsg", e)
	}
	var a compactAddr
	a.set(&p.sa)
	return n, oobn, flags, a.addrPort(), nil
}

// RecvMsg is TryRecvMsg that waits.
func (p *PacketConn) RecvMsg(b, oob []byte) (n, oobn, flags int, from netip.AddrPort, err error) {
	for {
		n, oobn, flags, from, err = p.TryRecvMsg(b, oob)
		if err != ErrAgain {
			p.c.loop.Spend(n)
			return n, oobn, flags, from, err
		}
		if err = p.c.WaitReadable(p.c.ReadTimeout); err != nil {
			return 0, 0, 0, from, err
		}
	}
}

// TrySendMsg sends a datagram with control messages; the zero to is for connected sockets. ErrAgain
// when the kernel's queue is full.
func (p *PacketConn) TrySendMsg(b, oob []byte, to netip.AddrPort) (int, error) {
	c := p.c
	if !c.Writable() || c.has(flagClosed) {
		return 0, c.notReady()
	}
	var n uint32
	if to.IsValid() {
		n = rawAddrPort(&p.sa, to, 0)
	}
	p.prepare(b, oob, n)
	sent, e := sysSendmsg(int(c.fd), &p.msg, unix.MSG_NOSIGNAL)
	p.release()
	if e != 0 && e != unix.EAGAIN {
		return 0, os.NewSyscallError("sendmsg", e)
	}
	return c.sent(sent, len(b), "sendmsg", e)
}

// SendMsg is TrySendMsg that waits.
func (p *PacketConn) SendMsg(b, oob []byte, to netip.AddrPort) (int, error) {
	for {
		n, err := p.TrySendMsg(b, oob, to)
		if err != ErrAgain {
			p.c.loop.Spend(n)
			return n, err
		}
		if err := p.c.WaitWritable(p.c.WriteTimeout); err != nil {
			return 0, err
		}
	}
}

// SendTo sends a datagram.
func (p *PacketConn) SendTo(b []byte, to netip.AddrPort) (int, error) { return p.SendMsg(b, nil, to) }

// prepare fills the message header in.
func (p *PacketConn) prepare(b, oob []byte, salen uint32) {
	p.msg = unix.Msghdr{}
	if salen > 0 {
		p.msg.Name, p.msg.Namelen = (*byte)(unsafe.Pointer(&p.sa)), salen
	}
	p.iov = unix.Iovec{Base: (*byte)(bytesPtr(b))}
	p.iov.SetLen(len(b))
	p.msg.Iov = &p.iov
	p.msg.SetIovlen(1)
	if len(oob) > 0 {
		p.msg.Control = &oob[0]
		p.msg.SetControllen(len(oob))
	}
}

// release drops the references to the caller's memory.
func (p *PacketConn) release() { p.msg, p.iov = unix.Msghdr{}, unix.Iovec{} }
