package balance

import (
	"math/rand/v2"

	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
)

// Random is the module of "random [two [least_conn]]".
var Random = &http.Module{Module: conf.Module{
	Name:       "http_upstream_random",
	Slots:      []conf.AnySlot{randomSlot},
	Directives: []conf.Directive{randomSlot.Custom("random", conf.HTTPUpstream, conf.NoArgs|conf.Take12, randomDirective)},
}}

type randomConf struct{ two bool }

var randomSlot = slotOf[randomConf]()

func randomDirective(cf *conf.Conf, c *randomConf) error {
	upstream.Of(cf).SetMethod(cf, noBackup, method(c.start, func(x *randomPick) upstream.Balancer { return x }))
	for i, arg := range cf.Args {
		if arg != [...]string{"two", "least_conn"}[i] {
			return cf.Errorf(`invalid parameter "%s"`, arg)
		}
		c.two = true
	}
	return nil
}

// randomPick chooses a peer at random by the weights; of two, the one with
// fewer connections.
type randomPick struct {
	free
	two   bool
	tries int
}

func (c *randomConf) start(_ *upstream.Exchange, x *randomPick) { x.two = c.two }

// Get implements upstream.Balancer.
func (x *randomPick) Get(e *upstream.Exchange) bool {
	p := e.RR.Peers
	if len(p.List) < 2 {
		return e.RR.Get(e)
	}
	return get(e, x)
}

func (x *randomPick) pick(e *upstream.Exchange) int {
	now, peers := e.Now(), e.RR.Peers
	first := -1
	for ; x.tries <= maxTries; x.tries++ {
		i := byWeight(peers, rand.Int64N(peers.TotalWeight))
		switch {
		case i == first || !e.RR.Usable(i, now):
			continue
		case !x.two:
			return i
		case first < 0:
			first = i
			continue
		}
		if a, b := peers.List[i], peers.List[first]; a.Conns*b.Weight > b.Conns*a.Weight {
			return first
		}
		return i
	}
	return -1
}
