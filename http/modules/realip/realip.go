// Package realip takes the client's address from what a trusted proxy says:
// nginx's ngx_http_realip_module.
package realip

import (
	"net/netip"
	"strings"

	"moongate/conf"
	"moongate/core/cidr"
	"moongate/http"
	"moongate/http/wire"
)

// locConf is whom a location believes what.
type locConf struct {
	from      cidr.Set
	source    conf.Opt[source]
	recursive conf.Opt[bool]
}

// source is where the address is: in the PROXY protocol, or in a header.
type source struct {
	proxy bool
	// list: all fields of the header form one list of addresses.
	list   bool
	header string // in lower case
}

// state is what a request keeps: where it really came from.
type state struct{ peer http.PeerAddr }

var (
	slot = &conf.Slot[locConf]{Level: conf.LevelLocation, Merge: merge}
	ctx  = http.Ctx[state]{Lasting: true}
)

// Module is the realip module.
var Module = &http.Module{
	Module: conf.Module{
		Name:      "http_realip",
		Arguments: []string{"--with-http_realip_module"},
		Slots:     []conf.AnySlot{slot},
		Directives: []conf.Directive{
			slot.Custom("set_real_ip_from", conf.HTTPAny, conf.Take1, fromDirective),
			conf.Value(slot, "real_ip_header", conf.HTTPAny, conf.Take1,
				func(c *locConf) *conf.Opt[source] { return &c.source }, source{header: "x-real-ip"}, parseSource),
			slot.Flag("real_ip_recursive", conf.HTTPAny, func(c *locConf) *conf.Opt[bool] { return &c.recursive }, false),
		},
	},
	Ctx: []http.AnyCtx{&ctx},
	Variables: []http.Variable{
		{Name: "realip_remote_addr", Get: func(r *http.Request, _ any) http.Value { return http.Val(peer(r).Text) }},
		{Name: "realip_remote_port", Get: remotePort},
	},
	Init: func(_ *conf.Conf, m *http.MainConf) error {
		where := slot.Where(func(c *locConf) bool { return !c.from.Empty() })
		m.Handle(http.PhasePostRead, where, handler)
		m.Handle(http.PhasePreAccess, where, handler)
		return nil
	},
}

func merge(_ *conf.Conf, outer, c *locConf) error {
	if c.from.Empty() {
		c.from = outer.from
	}
	return nil
}

// fromDirective is "set_real_ip_from network | unix: | hostname".
func fromDirective(cf *conf.Conf, c *locConf) error {
	arg := cf.Args[0]
	if arg == "unix:" {
		c.from.AddUnix()
		return nil
	}
	if p, exact, ok := cidr.Parse(arg); ok {
		if !exact {
			cf.Warnf("low address bits of %s are meaningless", arg)
		}
		c.from.Add(p)
		return nil
	}
	if arg == "" || strings.ContainsAny(arg, ":/") {
		return cf.Errorf(`host not found in set_real_ip_from "%s"`, arg)
	}
	u, err := http.ParseURL(cf, arg, http.URLOptions{})
	if err != nil {
		return cf.Errorf(`%s in set_real_ip_from "%s"`, err, arg)
	}
	for _, a := range u.Addrs {
		ip := a.IP.Addr()
		c.from.Add(netip.PrefixFrom(ip, ip.BitLen()))
	}
	return nil
}

// parseSource reads "header | proxy_protocol".
func parseSource(cf *conf.Conf) (source, error) {
	switch arg := cf.Args[0]; arg {
	case "proxy_protocol":
		return source{proxy: true}, nil
	case "X-Forwarded-For":
		return source{list: true, header: strings.ToLower(arg)}, nil
	default:
		return source{header: strings.ToLower(arg)}, nil
	}
}

func handler(r *http.Request) http.Verdict {
	c := slot.Of(r.Scope)
	if ctx.Of(r.Main) != nil {
		return http.Declined
	}
	var few [8]string
	values := c.source.V.values(r, few[:0])
	if len(values) == 0 {
		return http.Declined
	}
	conn := r.Conn
	from := netip.AddrPortFrom(conn.Peer.Addr, conn.Peer.Port)
	addr, found := http.Forwarded(from, values, &c.from, c.recursive.V)
	if !found {
		return http.Declined
	}
	if c.source.V.proxy {
		addr = netip.AddrPortFrom(addr.Addr(), conn.Proxy.SrcPort)
	}
	s := &state{conn.Peer}
	ctx.Set(r.Main, s)
	r.Main.Cleanup(func() { conn.Peer = s.peer })
	conn.Peer = http.NewPeer(addr)
	return http.Declined
}

// values appends what the source says.
func (s *source) values(r *http.Request, list []string) []string {
	if s.proxy {
		if r.Conn.Proxy != nil {
			list = append(list, r.Conn.Proxy.SrcAddr)
		}
		return list
	}
	for i := range r.In.List {
		h := &r.In.List[i]
		if s.list && h.ID == wire.HeaderXForwardedFor || !s.list && strings.EqualFold(h.Name, s.header) {
			list = append(list, h.Value)
			if !s.list {
				break
			}
		}
	}
	return list
}

// peer is where a request really came from.
func peer(r *http.Request) *http.PeerAddr {
	if s := ctx.Of(r.Main); s != nil {
		return &s.peer
	}
	return &r.Conn.Peer
}

// remotePort is the getter of $realip_remote_port.
func remotePort(r *http.Request, _ any) http.Value {
	if p := peer(r).Port; p != 0 {
		return http.Val(r.Pool.Int(int64(p)))
	}
	return http.Val("")
}
