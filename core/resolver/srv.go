package resolver

import (
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"
)

// Endpoint is one address of a service.
type Endpoint struct {
	Addr             netip.AddrPort
	Name             string // the target of its SRV record
	Priority, Weight uint16
}

// ResolveSRV returns the addresses of a service at a name, from its SRV
// records: a service "http" is asked for as "_http._tcp.NAME", one with a dot
// in it as it is. They come by rising priority; among equals, the record to
// start with is chosen at random by weight (ngx_resolver_report_srv).
//
// The targets are resolved each within the timeout. It is a failure if none
// of them has an address. Other limits and failures are those of Resolve.
func (r *Resolver) ResolveSRV(service, name string, timeout time.Duration) ([]Endpoint, time.Time, error) {
	name = strings.TrimSuffix(name, ".")
	full := service + "." + name
	if !strings.Contains(service, ".") {
		full = "_" + service + "._tcp." + name
	}
	n, _, err := r.resolve(kindSRV, full, timeout)
	if err != nil {
		if e, ok := err.(*Error); ok {
			e.Name = strings.ToLower(name)
		}
		return nil, time.Time{}, err
	}

	// All targets are asked for at once, then waited for one by one.
	for _, s := range n.srvs {
		r.start(kindName, s.target) // fails again below
	}
	valid := time.Unix(n.valid, 0)
	targets := make([]target, len(n.srvs))
	var failure *Error
	for i, s := range n.srvs {
		addrs, until, err := r.Resolve(nil, s.target, timeout)
		if err != nil {
			e, ok := err.(*Error)
			if !ok {
				return nil, time.Time{}, err
			}
			if failure == nil || e.Code == NotFound {
				failure = &Error{Name: strings.ToLower(name), Code: e.Code, Valid: r.failureValid()}
			}
			continue
		}
		targets[i] = target{&n.srvs[i], addrs}
		if !until.IsZero() && until.Before(valid) {
			valid = until
		}
	}
	if out := order(targets); len(out) > 0 {
		return out, valid, nil
	}
	return nil, time.Time{}, failure
}

// target is an SRV record with the addresses of its target; the record is nil
// if there are none.
type target struct {
	srv   *srv
	addrs []netip.Addr
}

// order lists the addresses of targets, which are sorted by priority.
func order(targets []target) []Endpoint {
	var out []Endpoint
	for from := 0; from < len(targets); {
		if targets[from].srv == nil {
			from++
			continue
		}
		to, weight := from, 0
		for ; to < len(targets); to++ {
			t := targets[to]
			if t.srv != nil && t.srv.priority != targets[from].srv.priority {
				break
			}
			weight += t.weight()
		}
		group := targets[from:to]
		from = to
		pick := rand.IntN(weight)
		first := 0
		for pick >= group[first].weight() {
			pick -= group[first].weight()
			first++
		}
		for i := range group {
			t := group[(first+i)%len(group)]
			for _, addr := range t.addrs {
				out = append(out, Endpoint{
					netip.AddrPortFrom(addr, t.srv.port), t.srv.target, t.srv.priority, t.srv.weight,
				})
			}
		}
	}
	return out
}

// weight is the target's share in its group: every address counts.
func (t target) weight() int {
	if t.srv == nil {
		return 0
	}
	return int(t.srv.weight) * len(t.addrs)
}
