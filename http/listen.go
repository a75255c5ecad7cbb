package http

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/process"
)

// Listen is one address of a "listen" directive with its parameters: nginx's
// ngx_http_listen_opt_t.
type Listen struct {
	Addr process.Addr
	// Options are the parameters of the socket itself.
	Options process.Options
	// Set: some parameter says how the socket is made; only one directive for
	// an address may.
	Set bool
	// Bind: the address gets a socket of its own although "*" of the same port
	// is listened on too.
	Bind          bool
	DefaultServer bool
	SSL           bool
	HTTP2         bool
	ProxyProtocol bool
}

func (l *Listen) wildcard() bool { return l.Addr.Unix == "" && l.Addr.IP.Addr().IsUnspecified() }

// protocols are the parameters that all directives for an address should
// agree on, as a mask.
func (l *Listen) protocols() int {
	mask := 0
	for i, on := range [...]bool{l.ProxyProtocol, l.SSL, l.HTTP2} {
		if on {
			mask |= 1 << i
		}
	}
	return mask
}

// Address is an address with the servers that listen on it: nginx's
// ngx_http_conf_addr_t and ngx_http_addr_conf_t.
type Address struct {
	Listen
	// Default is the server for requests whose host no server has.
	Default *ServerConf
	// Servers are all of them in the order of the configuration.
	Servers []*ServerConf

	text  string
	names *virtualNames

	// What the directives so far said of protocols, for the warning that they
	// do not agree.
	agreed             int
	agreedSet, changed bool
}

// Text returns the address as messages show it: "0.0.0.0:80".
func (a *Address) Text() string { return a.text }

// Port is a port number of an address family with all its addresses.
type Port struct {
	Family int // unix.AF_INET, AF_INET6 or AF_UNIX
	Number uint16
	Addrs  []*Address
	// Sockets are what is to be opened for them.
	Sockets []*Socket
}

// Socket is a listening socket and the addresses that connections accepted
// from it may have come in on.
type Socket struct {
	// Address is the one the socket is bound to.
	*Address
	// others are addresses that a socket bound to "*" covers.
	others []*Address
	// Listening is the socket in the registry of the process.
	Listening *process.Listening
}

// Shared reports whether Find needs a connection's local address.
func (s *Socket) Shared() bool { return len(s.others) > 0 }

// Find returns the configured address for a connection by its local address.
func (s *Socket) Find(local process.Addr) *Address {
	for _, a := range s.others {
		if a.Addr.IP.Addr() == local.IP.Addr() {
			return a
		}
	}
	return s.Address
}

// Ports returns the ports of the configuration, complete after reading.
func (m *MainConf) Ports() []*Port { return m.ports }

// listenDirective is "listen address[:port] [parameters]": nginx's
// ngx_http_core_listen.
func listenDirective(cf *conf.Conf, s *ServerConf) error {
	u, err := ParseURL(cf, cf.Args[0], URLOptions{Listen: true, DefaultPort: 80})
	if err != nil {
		return cf.Errorf(`%s in "%s" of the "listen" directive`, err, cf.Args[0])
	}
	l := &Listen{Options: process.Options{IPv6Only: true}}
	for _, arg := range cf.Args[1:] {
		if err := l.parameter(cf, arg); err != nil {
			return err
		}
	}
	seen := make(map[process.Addr]bool)
	for _, addr := range u.Addrs {
		if seen[addr] {
			continue
		}
		seen[addr] = true
		one := *l
		one.Addr = addr
		if err := MainOf(cf).addListen(cf, s, &one); err != nil {
			return err
		}
	}
	return nil
}

// defaultListen gives a server without "listen" an address.
func (s *ServerConf) defaultListen(cf *conf.Conf) error {
	if len(s.listens) > 0 {
		return nil
	}
	port := "80"
	if os.Getuid() != 0 {
		port = "8000"
	}
	u, err := ParseURL(cf, port, URLOptions{Listen: true})
	if err != nil {
		return err
	}
	return coreMain.Of(s.scope).addListen(cf, s, &Listen{Addr: u.Addrs[0]})
}

// parameter reads one parameter of "listen".
func (l *Listen) parameter(cf *conf.Conf, arg string) error {
	name, value, hasValue := strings.Cut(arg, "=")
	if hasValue {
		return l.valueParameter(cf, arg, name, value)
	}
	switch name {
	case "default_server", "default":
		l.DefaultServer = true
	case "ssl":
		if MainOf(cf).Options.TLS == nil {
			return cf.Errorf(`the "ssl" parameter requires ngx_http_ssl_module`)
		}
		l.SSL = true
	case "http2":
		cf.Warnf(`the "listen ... http2" directive is deprecated, use the "http2" directive instead`)
		l.HTTP2 = true
	case "quic":
		return cf.Errorf(`the "quic" parameter requires ngx_http_v3_module`)
	case "proxy_protocol":
		l.ProxyProtocol = true
	case "bind":
		l.own()
	case "deferred":
		l.Options.Deferred = true
		l.own()
	case "reuseport":
		l.Options.Reuseport = true
		l.own()
	case "multipath":
		l.Options.Protocol = unix.IPPROTO_MPTCP
		l.own()
	default:
		return cf.Errorf(`invalid parameter "%s"`, arg)
	}
	return nil
}

// own notes that the address needs a socket made to these parameters.
func (l *Listen) own() { l.Set, l.Bind = true, true }

// valueParameter reads a parameter of the form name=value.
func (l *Listen) valueParameter(cf *conf.Conf, arg, name, value string) error {
	o := &l.Options
	switch name {
	case "backlog", "fastopen":
		n, ok := conf.ParseInt(value)
		if !ok || n == 0 && name == "backlog" || n > maxSocketNumber {
			return cf.Errorf(`invalid %s "%s"`, name, arg)
		}
		if name == "backlog" {
			o.Backlog = int(n)
		} else {
			o.Fastopen = int(n)
		}
	case "rcvbuf", "sndbuf":
		n, ok := conf.ParseSize(value)
		if !ok || n > maxSocketNumber {
			return cf.Errorf(`invalid %s "%s"`, name, arg)
		}
		if name == "rcvbuf" {
			o.RcvBuf = int(n)
		} else {
			o.SndBuf = int(n)
		}
	case "accept_filter":
		cf.Logf(conf.LogEmerg, `accept filters "%s" are not supported on this platform, ignored`, arg)
		return nil
	case "ipv6only":
		switch {
		case value == "on" || value == "off":
			o.IPv6Only = value == "on"
		case strings.HasPrefix(value, "o"):
			return cf.Errorf(`invalid ipv6only flags "%s"`, value)
		default:
			return cf.Errorf(`invalid parameter "%s"`, arg)
		}
	case "so_keepalive":
		ok := false
		if o.Keepalive, ok = parseSoKeepalive(value); !ok {
			return cf.Errorf(`invalid so_keepalive value: "%s"`, value)
		}
	default:
		return cf.Errorf(`invalid parameter "%s"`, arg)
	}
	l.own()
	return nil
}

// maxSocketNumber is the largest number that a socket option takes.
const maxSocketNumber = 1<<31 - 1

// parseSoKeepalive reads on, off or idle:interval:count, each of which may be
// left out but not all.
func parseSoKeepalive(s string) (k process.Keepalive, ok bool) {
	switch s {
	case "on":
		return process.Keepalive{Mode: 1}, true
	case "off":
		return process.Keepalive{Mode: 2}, true
	}
	k.Mode = 1
	idle, rest, _ := strings.Cut(s, ":")
	interval, count, _ := strings.Cut(rest, ":")
	for _, t := range []struct {
		text string
		to   *int
	}{{idle, &k.Idle}, {interval, &k.Interval}} {
		if t.text == "" {
			continue
		}
		d, ok := conf.ParseSec(t.text)
		if !ok {
			return k, false
		}
		*t.to = int(d / second)
	}
	if count != "" {
		n, ok := conf.ParseInt(count)
		if !ok || n > maxSocketNumber {
			return k, false
		}
		k.Count = int(n)
	}
	return k, k.Idle != 0 || k.Interval != 0 || k.Count != 0
}

// addListen enters an address of a server: nginx's ngx_http_add_listen.
func (m *MainConf) addListen(cf *conf.Conf, s *ServerConf, l *Listen) error {
	s.listens = append(s.listens, l)
	family, number := familyOf(l.Addr), l.Addr.IP.Port()
	var port *Port
	for _, p := range m.ports {
		if p.Number == number && p.Family == family {
			port = p
		}
	}
	if port == nil {
		port = &Port{Family: family, Number: number}
		m.ports = append(m.ports, port)
	}
	for _, a := range port.Addrs {
		if a.Addr == l.Addr {
			return a.join(cf, s, l)
		}
	}
	port.Addrs = append(port.Addrs, &Address{Listen: *l, Default: s, Servers: []*ServerConf{s}, text: l.Addr.String()})
	return nil
}

func familyOf(a process.Addr) int {
	switch {
	case a.Unix != "":
		return unix.AF_UNIX
	case a.IP.Addr().Is4():
		return unix.AF_INET
	}
	return unix.AF_INET6
}

// join adds a server to an address that others listen on already: nginx's
// ngx_http_add_addresses.
func (a *Address) join(cf *conf.Conf, s *ServerConf, l *Listen) error {
	if slices.Contains(a.Servers, s) {
		return cf.Errorf("a duplicate listen %s", a.text)
	}
	a.Servers = append(a.Servers, s)

	old := a.Listen
	if l.Set {
		if old.Set {
			return cf.Errorf("duplicate listen options for %s", a.text)
		}
		a.Listen = *l
	}
	if l.DefaultServer {
		if old.DefaultServer {
			return cf.Errorf("a duplicate default server for %s", a.text)
		}
		a.Default = s
	}
	if a.disagrees(old.protocols(), l) {
		cf.Warnf("protocol options redefined for %s", a.text)
	}
	a.DefaultServer = old.DefaultServer || l.DefaultServer
	a.ProxyProtocol = old.ProxyProtocol || l.ProxyProtocol
	a.SSL = old.SSL || l.SSL
	a.HTTP2 = old.HTTP2 || l.HTTP2
	return nil
}

// disagrees reports whether a directive's protocols contradict those before.
// Adding some once and leaving some out once is taken as intended, as long as
// all directives can be read as "full" and "abbreviated" ones.
func (a *Address) disagrees(before int, l *Listen) (bad bool) {
	now := l.protocols()
	switch {
	case now&^before != 0: // some added
		bad = a.Set && !l.Set || a.changed || before&^now != 0
		a.agreed, a.changed = before, true
	case before&^now != 0: // some left out
		bad = l.Set || a.agreedSet && now != a.agreed
		a.agreed, a.changed = now, true
	default:
		bad = l.Set && a.changed || a.agreedSet && now != a.agreed
		a.agreed = now
	}
	a.agreedSet = true
	return bad
}

// buildPorts completes the addresses when all servers are known, and decides
// which sockets are needed: nginx's ngx_http_optimize_servers.
func (m *MainConf) buildPorts(cf *conf.Conf) error {
	for _, p := range m.ports {
		p.sort()
		for _, a := range p.Addrs {
			if err := a.buildNames(cf); err != nil {
				return err
			}
		}
		p.buildSockets(process.Of(cf.Cycle))
	}
	return nil
}

// sort puts addresses that get a socket of their own first and "*", the last
// resort, last.
func (p *Port) sort() {
	rank := func(a *Address) int {
		switch {
		case a.wildcard():
			return 2
		case a.Bind:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.Addrs, func(a, b *Address) int { return rank(a) - rank(b) })
}

// buildSockets lets a socket for "*" serve the addresses that need none of
// their own, and registers the sockets: nginx's ngx_http_init_listening.
func (p *Port) buildSockets(engine *process.Cycle) {
	last := p.Addrs[len(p.Addrs)-1]
	if last.wildcard() {
		last.Bind = true
	}
	var covered []*Address
	for _, a := range p.Addrs {
		if last.wildcard() && !a.Bind {
			covered = append(covered, a)
			continue
		}
		p.Sockets = append(p.Sockets, &Socket{
			Address: a, others: covered,
			Listening: engine.Listen(a.Addr, unix.SOCK_STREAM, a.Options),
		})
		covered = nil
	}
}
