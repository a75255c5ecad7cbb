package cidr

import (
	"net/netip"
	"strconv"
	"strings"
)

// ParseNumeric reads what getaddrinfo(3) takes for an IPv4 address and not for
// a name, as inet_aton(3) does: one to four numbers between dots, each of them
// decimal, octal ("010") or hexadecimal ("0x7f"), the last of which fills the
// bytes that are left. So 127.1, 0x7f000001 and 2130706433 are 127.0.0.1.
func ParseNumeric(host string) (netip.Addr, bool) {
	var address uint64
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return netip.Addr{}, false
	}
	for i, part := range parts {
		bits := 8
		if i == len(parts)-1 {
			bits = 8 * (4 - i)
		}
		n, ok := parsePart(part, bits)
		if !ok {
			return netip.Addr{}, false
		}
		address = address<<bits | n
	}
	return netip.AddrFrom4([4]byte{byte(address >> 24), byte(address >> 16), byte(address >> 8), byte(address)}), true
}

// parsePart reads a number of so many bits in the notation of C.
func parsePart(s string, bits int) (uint64, bool) {
	base := 10
	switch {
	case len(s) > 1 && s[0] == '0' && s[1]|0x20 == 'x':
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		base = 8
	}
	n, err := strconv.ParseUint(s, base, bits)
	return n, err == nil
}
