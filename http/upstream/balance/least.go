package balance

import (
	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
)

// LeastConn is the module of "least_conn".
var LeastConn = &http.Module{Module: conf.Module{
	Name: "http_upstream_least_conn",
	Directives: []conf.Directive{conf.Command("least_conn", conf.HTTPUpstream, conf.NoArgs, func(cf *conf.Conf) error {
		upstream.Of(cf).SetMethod(cf, upstream.FeatureAll, method(
			func(_ *upstream.Exchange, x *leastPick) { x.cost = func(p *upstream.Peer) int64 { return p.Conns } },
			func(x *leastPick) upstream.Balancer { return x }))
		return nil
	})},
}}

// leastPick chooses the peer that costs least by its weight; among several, by
// round-robin.
type leastPick struct {
	free
	cost func(p *upstream.Peer) int64
	// chosen, if not nil, is told of the peer; the peers are locked.
	chosen func(p *upstream.Peer)
}

// Get implements upstream.Balancer.
func (x *leastPick) Get(e *upstream.Exchange) bool {
	p := e.RR.Peers
	if p.Single {
		return e.RR.Get(e)
	}
	p.Lock()
	stale := p.Stale()
	i := -1
	if !stale {
		if i = e.RR.Session(e); i < 0 {
			i = x.pick(e)
		}
	}
	if i >= 0 {
		if x.chosen != nil {
			x.chosen(p.List[i])
		}
		e.RR.Try(e, i)
	}
	p.Unlock()
	if i >= 0 {
		return true
	}
	if !stale && e.RR.UseBackup() && x.Get(e) {
		return true
	}
	e.NoPeer(p)
	return false
}

func (x *leastPick) pick(e *upstream.Exchange) int {
	now := e.Now()
	list := e.RR.Peers.List
	best, many := -1, false
	var least, weight int64
	for i, p := range list {
		if !e.RR.Usable(i, now) {
			continue
		}
		cost, share := x.cost(p), e.RR.Peers.Share(p, p.Weight, now)
		switch {
		case best < 0 || cost*weight < least*share:
			best, least, weight, many = i, cost, share, false
		case cost*weight == least*share:
			many = true
		}
	}
	if !many {
		return best
	}
	return e.RR.Turn(now, func(i int) bool {
		return x.cost(list[i])*weight == least*e.RR.Peers.Share(list[i], list[i].Weight, now)
	})
}
