// Package balance has the methods of choosing a peer other than round-robin,
// which all of them fall back to: nginx's ngx_http_upstream_hash_module,
// ip_hash, least_conn, least_time, random and sticky.
package balance

import (
	"moongate/conf"
	"moongate/http/upstream"
)

// maxTries is how often a method picks a peer that cannot be used before it
// leaves the choice to round-robin.
const maxTries = 20

// noBackup are the parameters of servers that most methods support.
const noBackup = upstream.FeatureAll &^ (upstream.FeatureBackup | upstream.FeatureSlowStart)

// slotOf is the place of a method's own configuration in an upstream block.
func slotOf[T any]() *conf.Slot[T] { return &conf.Slot[T]{Level: conf.LevelServer} }

// method makes the initialization of an upstream with a method: each exchange
// starts as with round-robin, and then pick chooses.
func method[T any](start func(e *upstream.Exchange, x *T), balancer func(x *T) upstream.Balancer) func(*conf.Conf, *upstream.Upstream) error {
	return func(cf *conf.Conf, u *upstream.Upstream) error {
		if err := upstream.InitRoundRobin(cf, u); err != nil {
			return err
		}
		u.Init = func(e *upstream.Exchange) error {
			e.RR.Start(e, u.View())
			x := new(T)
			start(e, x)
			e.Balancer = balancer(x)
			return nil
		}
		return nil
	}
}

// byWeight finds the peer that a number below the total weight falls to.
func byWeight(p *upstream.Peers, w int64) int {
	for i, peer := range p.List {
		if w -= peer.Weight; w < 0 {
			return i
		}
	}
	return len(p.List) - 1
}

// free is the part of a Balancer that all methods share.
type free struct{}

// Free implements upstream.Balancer.
func (free) Free(e *upstream.Exchange, how upstream.Outcome) { e.RR.Free(e, how) }
