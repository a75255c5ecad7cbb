// Package geo makes variables whose values depend on the client's address:
// nginx's ngx_http_geo_module.
//
// The ".bin" files that nginx makes of large included ranges only spare it the
// parsing; they are neither written nor read.
package geo

import (
	"net/netip"
	"strings"

	"moongate/conf"
	"moongate/core/cidr"
	"moongate/http"
)

// Module is the geo module.
var Module = &http.Module{
	Module: conf.Module{
		Name: "http_geo",
		Directives: []conf.Directive{
			conf.Command("geo", conf.HTTPMain, conf.Braces|conf.Take12, geoDirective),
		},
	},
}

// base is a "geo" block.
type base struct {
	// source has the address; nil for the client's.
	source   *http.Variable
	proxies  http.Proxies
	volatile bool

	networks cidr.Tree[string]
	entered  bool // something was looked for in networks
	// ranges instead of networks.
	ranges *ranges
}

// noAddress is looked for where there is no IPv4 or IPv6 address.
var noAddress = netip.AddrFrom4([4]byte{255, 255, 255, 255})

var (
	allIPv4 = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	allIPv6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
)

// geoDirective is "geo [$address] $variable { … }".
func geoDirective(cf *conf.Conf) error {
	m := http.MainOf(cf)
	b := &base{}
	name, err := variableName(cf, cf.Args[0])
	if err == nil && len(cf.Args) == 2 {
		if b.source, err = m.Variable(cf, name); err == nil {
			name, err = variableName(cf, cf.Args[1])
		}
	}
	if err != nil {
		return err
	}
	v, err := m.AddVariable(cf, http.Variable{Name: name, Changeable: true, Get: get, Data: b})
	if err != nil {
		return err
	}
	if err := cf.Lines(b.line); err != nil {
		return err
	}
	v.Volatile = b.volatile
	return nil
}

func variableName(cf *conf.Conf, arg string) (string, error) {
	name, ok := strings.CutPrefix(arg, "$")
	if !ok {
		return "", cf.Errorf(`invalid variable name "%s"`, arg)
	}
	return name, nil
}

// line reads one line of the block.
func (b *base) line(cf *conf.Conf) error {
	if len(cf.Args) == 0 {
		switch cf.Name {
		case "ranges":
			if b.entered {
				return cf.Errorf(`the "ranges" directive must be the first directive inside "geo" block`)
			}
			if b.ranges == nil {
				b.ranges = &ranges{}
			}
			return nil
		case "proxy_recursive":
			b.proxies.Recursive = true
			return nil
		case "volatile":
			b.volatile = true
			return nil
		}
	}
	switch {
	case len(cf.Args) != 1:
		return cf.Errorf("invalid number of the geo parameters")
	case cf.Name == "proxy":
		p, err := http.ParseNetwork(cf, cf.Args[0])
		if err == nil {
			b.proxies.Set.Add(p)
		}
		return err
	case b.ranges != nil:
		return b.ranges.line(cf)
	}
	b.entered = true
	return b.networkLine(cf)
}

// networkLine is "default value", "delete network" or "network value".
func (b *base) networkLine(cf *conf.Conf) error {
	switch cf.Name {
	case "default":
		b.insert(cf, allIPv4, cf.Name, cf.Args[0])
		b.insert(cf, allIPv6, cf.Name, cf.Args[0])
		return nil
	case "delete":
		p, err := http.ParseNetwork(cf, cf.Args[0])
		if err == nil && !b.networks.Delete(p) {
			cf.Warnf(`no network "%s" to delete`, cf.Args[0])
		}
		return err
	}
	p, err := http.ParseNetwork(cf, cf.Name)
	if err == nil {
		b.insert(cf, p, cf.Name, cf.Args[0])
	}
	return err
}

func (b *base) insert(cf *conf.Conf, p netip.Prefix, text, value string) {
	if b.networks.Insert(p, value) {
		return
	}
	old, _ := b.networks.Find(p.Addr())
	cf.Warnf(`duplicate network "%s", value: "%s", old value: "%s"`, text, value, old)
	b.networks.Delete(p)
	b.networks.Insert(p, value)
}

// get is the getter of the variable.
func get(r *http.Request, data any) http.Value {
	b := data.(*base)
	addr, ok := b.address(r)
	if addr = addr.Unmap(); !ok || !addr.IsValid() {
		addr = noAddress
	}
	if b.ranges != nil {
		return http.Val(b.ranges.find(addr))
	}
	value, _ := b.networks.Find(addr)
	return http.Val(value)
}

// address is the address to look for; the zero Addr is a unix domain socket.
func (b *base) address(r *http.Request) (netip.Addr, bool) {
	addr := r.Conn.Peer.Addr
	if b.source != nil {
		v := b.source.Value(r)
		var ok bool
		if addr, ok = cidr.ParseAddr(v.S); !ok {
			return addr, false
		}
	}
	return b.proxies.Client(r, addr), true
}
