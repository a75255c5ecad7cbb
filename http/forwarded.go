package http

import (
	"net/netip"
	"strings"

	"moongate/core/cidr"
)

// Forwarded goes back from the address that a request came from to the one
// that a trusted proxy names: the last in the value of a header. With recursive
// it goes on as long as what was found is trusted as well. Values are those of
// the header's fields in their order, addresses within one are separated by
// commas and blanks. The zero Addr stands for a unix domain socket. It reports
// false when nothing was found: nginx's ngx_http_get_forwarded_addr.
func Forwarded(from netip.AddrPort, values []string, trusted *cidr.Set, recursive bool) (addr netip.AddrPort, found bool) {
	addr = from
	for i := len(values) - 1; i >= 0; i-- {
		for rest := values[i]; ; {
			if !trusted.Has(addr.Addr()) {
				return addr, found
			}
			rest = strings.TrimRight(rest, " ,")
			last := strings.LastIndexAny(rest, " ,") + 1
			a, ok := cidr.ParseAddrPort(rest[last:])
			if !ok {
				return addr, found
			}
			addr, found = a, true
			if !recursive {
				return addr, found
			}
			if rest = rest[:last]; rest == "" {
				break
			}
		}
	}
	return addr, found
}
