package balance

import (
	"moongate/conf"
	"moongate/core/buf"
	"moongate/http"
	"moongate/http/upstream"
)

// IPHash is the module of "ip_hash".
var IPHash = &http.Module{Module: conf.Module{
	Name: "http_upstream_ip_hash",
	Directives: []conf.Directive{conf.Command("ip_hash", conf.HTTPUpstream, conf.NoArgs, func(cf *conf.Conf) error {
		upstream.Of(cf).SetMethod(cf, noBackup, method(startIP, func(x *ipPick) upstream.Balancer { return x }))
		return nil
	})},
}}

// ipPick chooses by the client's network: the first three bytes of an IPv4
// address, or all of an IPv6 address.
type ipPick struct {
	free
	addr  string
	hash  uint
	tries int
}

func startIP(e *upstream.Exchange, x *ipPick) {
	x.hash = 89
	switch addr := e.R.Conn.Peer.AppendBinary(e.R.Pool.Alloc(16)[:0]); len(addr) {
	case 4:
		x.addr = buf.String(addr[:3])
	case 16:
		x.addr = buf.String(addr)
	default:
		x.addr = "\x00\x00\x00"
	}
}

// Get implements upstream.Balancer.
func (x *ipPick) Get(e *upstream.Exchange) bool {
	p := e.RR.Peers
	if len(p.List) < 2 {
		return e.RR.Get(e)
	}
	return get(e, x)
}

func (x *ipPick) pick(e *upstream.Exchange) int {
	now := e.Now()
	for ; x.tries <= maxTries; x.tries++ {
		for j := range len(x.addr) {
			x.hash = (x.hash*113 + uint(x.addr[j])) % 6271
		}
		if i := byWeight(e.RR.Peers, int64(x.hash)%e.RR.Peers.TotalWeight); e.RR.Usable(i, now) {
			return i
		}
	}
	return -1
}
