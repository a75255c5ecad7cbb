package event

import (
	"errors"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Addr is a socket address: an IP address and port, or the path of a Unix-domain socket. IPv6 zones are
// left out, as in nginx.
type Addr struct {
	netip.AddrPort
	Path string // of a Unix-domain socket; empty when unnamed. "@name" is an abstract one
	Unix bool
}

// String writes the address as nginx does: "127.0.0.1:80", "[::1]:80", "unix:/path".
func (a Addr) String() string {
	if a.Unix {
		return "unix:" + a.Path
	}
	return a.AddrPort.String()
}

// RemoteAddr is the peer's address, the zero Addr when the descriptor has none.
func (c *Conn) RemoteAddr() Addr { return c.addr(&c.peer, unix.SYS_GETPEERNAME) }

// LocalAddr is this side's address; the system is asked once.
func (c *Conn) LocalAddr() Addr { return c.addr(&c.local, unix.SYS_GETSOCKNAME) }

func (c *Conn) addr(a *compactAddr, trap uintptr) Addr {
	if a.family == 0 || a.family == unix.AF_UNIX {
		if c.has(flagClosed) {
			return a.expand(nil, 0)
		}
		sa := &c.loop.name
		var n uint32
		if e := sysSockName(trap, int(c.fd), sa, &n); e != 0 {
			return a.expand(nil, 0)
		}
		a.set(sa)
		return a.expand(sa, n)
	}
	return a.expand(nil, 0)
}

// compactAddr is an IP address in the least space. Of Unix-domain addresses only the family is kept;
// the path is asked of the system again when needed, as good as never.
type compactAddr struct {
	ip     [16]byte
	zone   uint32
	port   uint16
	family uint8 // AF_INET, AF_INET6, AF_UNIX; 0 when not known yet
}

// set takes the address the kernel has written.
func (a *compactAddr) set(sa *unix.RawSockaddrAny) {
	a.family = uint8(sa.Addr.Family)
	switch sa.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(sa))
		copy(a.ip[:], in.Addr[:])
		a.port = swap16(in.Port)
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(sa))
		a.ip, a.port, a.zone = in.Addr, swap16(in.Port), in.Scope_id
	}
}

// addrPort is the IP address with its zone, which an answer to a link-local address needs.
func (a *compactAddr) addrPort() netip.AddrPort {
	ap := a.expand(nil, 0).AddrPort
	if a.zone != 0 {
		ap = netip.AddrPortFrom(ap.Addr().WithZone(strconv.FormatUint(uint64(a.zone), 10)), ap.Port())
	}
	return ap
}

// expand makes the public form; sa of length n is where a Unix-domain path stands.
func (a *compactAddr) expand(sa *unix.RawSockaddrAny, n uint32) Addr {
	switch a.family {
	case unix.AF_INET:
		return Addr{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.ip[:4])), a.port)}
	case unix.AF_INET6:
		return Addr{AddrPort: netip.AddrPortFrom(netip.AddrFrom16(a.ip), a.port)}
	case unix.AF_UNIX:
		return Addr{Unix: true, Path: unixPath(sa, n)}
	}
	return Addr{}
}

// unixPath is the path in a Unix-domain address of n bytes.
func unixPath(sa *unix.RawSockaddrAny, n uint32) string {
	const family = 2
	if sa == nil || n <= family {
		return ""
	}
	un := (*unix.RawSockaddrUnix)(unsafe.Pointer(sa))
	path := make([]byte, 0, len(un.Path))
	for i, ch := range un.Path[:min(int(n)-family, len(un.Path))] {
		if ch == 0 {
			if i > 0 {
				break
			}
			ch = '@' // an abstract name
		}
		path = append(path, byte(ch))
	}
	return string(path)
}

var errAddress = errors.New("event: unsupported socket address")

// rawSockaddr writes sa into raw and returns its length.
func rawSockaddr(raw *unix.RawSockaddrAny, sa unix.Sockaddr) (uint32, error) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return rawAddrPort(raw, netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port)), 0), nil
	case *unix.SockaddrInet6:
		return rawAddrPort(raw, netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port)), sa.ZoneId), nil
	case *unix.SockaddrUnix:
		un := (*unix.RawSockaddrUnix)(unsafe.Pointer(raw))
		if len(sa.Name) >= len(un.Path) {
			return 0, errAddress
		}
		*un = unix.RawSockaddrUnix{Family: unix.AF_UNIX}
		for i := range len(sa.Name) {
			un.Path[i] = int8(sa.Name[i])
		}
		n := uint32(2 + len(sa.Name))
		if sa.Name != "" && sa.Name[0] == '@' {
			un.Path[0] = 0
		} else {
			n++
		}
		return n, nil
	}
	return 0, errAddress
}

// rawAddrPort writes an IP address into raw and returns its length.
func rawAddrPort(raw *unix.RawSockaddrAny, ap netip.AddrPort, zone uint32) uint32 {
	if ap.Addr().Is4() {
		*(*unix.RawSockaddrInet4)(unsafe.Pointer(raw)) = unix.RawSockaddrInet4{
			Family: unix.AF_INET, Port: swap16(ap.Port()), Addr: ap.Addr().As4(),
		}
		return unix.SizeofSockaddrInet4
	}
	if zone == 0 && ap.Addr().Zone() != "" {
		z, _ := strconv.ParseUint(ap.Addr().Zone(), 10, 32)
		zone = uint32(z)
	}
	*(*unix.RawSockaddrInet6)(unsafe.Pointer(raw)) = unix.RawSockaddrInet6{
		Family: unix.AF_INET6, Port: swap16(ap.Port()), Addr: ap.Addr().As16(), Scope_id: zone,
	}
	return unix.SizeofSockaddrInet6
}

// swap16 converts between host and network order on our little-endian machines.
func swap16(v uint16) uint16 { return v<<8 | v>>8 }
