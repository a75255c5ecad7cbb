// Package cidr reads addresses and networks as nginx's ngx_inet.c does and
// keeps sets and tables of networks.
package cidr

import (
	"net/netip"
	"strings"

	"moongate/conf"
)

// ParseAddr reads an IP address without brackets, port or zone. As in nginx,
// octets may be empty or have leading zeros, and 255.255.255.255 is no address.
func ParseAddr(s string) (netip.Addr, bool) {
	if a, ok := parseInet4(s); ok {
		return a, a != broadcast
	}
	if strings.IndexByte(s, '%') >= 0 || strings.IndexByte(s, ':') < 0 {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(s)
	return a, err == nil
}

var broadcast = netip.AddrFrom4([4]byte{255, 255, 255, 255})

// parseInet4 reads four octets: ngx_inet_addr.
func parseInet4(s string) (netip.Addr, bool) {
	var ip [4]byte
	octet, n := 0, 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			if octet = octet*10 + int(c-'0'); octet > 255 {
				return netip.Addr{}, false
			}
		case c == '.' && n < 3:
			ip[n] = byte(octet)
			octet = 0
			n++
		default:
			return netip.Addr{}, false
		}
	}
	ip[3] = byte(octet)
	return netip.AddrFrom4(ip), n == 3
}

// ParseAddrPort reads "1.2.3.4", "1.2.3.4:80", "::1", "[::1]" or "[::1]:80";
// the port is 0 when there is none: ngx_parse_addr_port.
func ParseAddrPort(s string) (netip.AddrPort, bool) {
	if a, ok := ParseAddr(s); ok {
		return netip.AddrPortFrom(a, 0), true
	}
	host, port, found := strings.Cut(s, ":")
	if rest, ok := strings.CutPrefix(s, "["); ok {
		if host, port, found = strings.Cut(rest, "]"); !found {
			return netip.AddrPort{}, false
		}
		if port == "" {
			a, ok := ParseAddr(host)
			return netip.AddrPortFrom(a, 0), ok
		}
		port, found = strings.CutPrefix(port, ":")
	}
	n, ok := conf.ParseInt(port)
	if !found || !ok || n < 1 || n > 65535 {
		return netip.AddrPort{}, false
	}
	a, ok := ParseAddr(host)
	return netip.AddrPortFrom(a, uint16(n)), ok
}

// Parse reads an address or a network. It is exact unless bits behind the
// prefix were set, which is worth a warning: ngx_ptocidr.
func Parse(s string) (p netip.Prefix, exact, ok bool) {
	addr, bits, masked := strings.Cut(s, "/")
	a, ok := ParseAddr(addr)
	if !ok {
		return p, false, false
	}
	if !masked {
		return netip.PrefixFrom(a, a.BitLen()), true, true
	}
	n, ok := conf.ParseInt(bits)
	if !ok || n > int64(a.BitLen()) {
		return p, false, false
	}
	p = netip.PrefixFrom(a, int(n))
	return p.Masked(), p == p.Masked(), true
}

// Set is a list of networks. The zero Set is empty.
type Set struct {
	networks []netip.Prefix
	unix     bool
}

// Add appends a network.
func (s *Set) Add(p netip.Prefix) { s.networks = append(s.networks, p) }

// AddUnix appends what comes from unix domain sockets.
func (s *Set) AddUnix() { s.unix = true }

// Empty reports whether nothing was added.
func (s *Set) Empty() bool { return len(s.networks) == 0 && !s.unix }

// Has reports whether an address is in the set; the zero Addr stands for a
// unix domain socket. IPv4 addresses mapped to IPv6 count as IPv4:
// ngx_cidr_match.
func (s *Set) Has(a netip.Addr) bool {
	if !a.IsValid() {
		return s.unix
	}
	a = a.Unmap()
	for i := range s.networks {
		if s.networks[i].Contains(a) {
			return true
		}
	}
	return false
}
