package http

import (
	"net/netip"
	"strings"

	"moongate/conf"
	"moongate/core/cidr"
	"moongate/http/wire"
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

// Proxies are the networks whose X-Forwarded-For is believed, as the "proxy"
// directives of geo, geoip and geoip2 list them.
type Proxies struct {
	Set       cidr.Set
	Recursive bool
}

// Client returns the address that a request comes from when those proxies are
// believed; addr is that of the one which sent it.
func (p *Proxies) Client(r *Request, addr netip.Addr) netip.Addr {
	if p.Set.Empty() {
		return addr
	}
	var few [8]string
	values := few[:0]
	for i := range r.In.List {
		if h := &r.In.List[i]; h.ID == wire.HeaderXForwardedFor {
			values = append(values, h.Value)
		}
	}
	found, _ := Forwarded(netip.AddrPortFrom(addr, 0), values, &p.Set, p.Recursive)
	return found.Addr()
}

// ParseNetwork reads a network in a block of addresses, with nginx's complaints.
func ParseNetwork(cf *conf.Conf, text string) (netip.Prefix, error) {
	if text == "255.255.255.255" { // stands for unix domain sockets and invalid addresses
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 32), nil
	}
	p, exact, ok := cidr.Parse(text)
	switch {
	case !ok:
		return p, cf.Errorf(`invalid network "%s"`, text)
	case !exact:
		cf.Warnf("low address bits of %s are meaningless", text)
	}
	return p, nil
}

// add enters the network of a directive.
func (p *Proxies) add(cf *conf.Conf) error {
	network, err := ParseNetwork(cf, cf.Args[0])
	if err == nil {
		p.Set.Add(network)
	}
	return err
}

// ProxyDirectives are the rows "name network;" and "name_recursive on | off;" of
// a module's main configuration.
func ProxyDirectives[C any](s *conf.Slot[C], name string, field func(*C) *conf.Opt[Proxies]) []conf.Directive {
	return []conf.Directive{
		s.Custom(name, conf.HTTPMain, conf.Take1, func(cf *conf.Conf, c *C) error { return field(c).V.add(cf) }),
		s.Custom(name+"_recursive", conf.HTTPMain, conf.FlagArg, func(cf *conf.Conf, c *C) (err error) {
			o := field(c)
			if o.Set {
				return conf.ErrDuplicate
			}
			o.Set = true
			o.V.Recursive, err = conf.ParseFlag(cf, cf.Args[0])
			return err
		}),
	}
}
