package upstream

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"time"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/resolver"
	"moongate/core/shm"
	"moongate/http"
)

// nameWatch keeps the peers of one name up to date.
type nameWatch struct {
	z        *zone
	index    int // of the server
	w        *http.Worker
	timer    *event.Timer
	resolver *resolver.Resolver
	timeout  time.Duration
	log      log.Entry
}

// checkResolve completes an upstream whose servers have names to be resolved
// while running.
func (u *Upstream) checkResolve(cf *conf.Conf) error {
	if !slices.ContainsFunc(u.Servers, func(s Server) bool { return s.Resolve }) {
		return nil
	}
	if u.zone == nil {
		return &conf.Error{Msg: `resolving names at run time requires upstream "` + u.Host + `" in ` +
			u.file + ":" + portText(uint16(u.line)) + " to be in shared memory"}
	}
	if u.Features&FeatureModify == 0 {
		return u.errorf(cf, "load balancing method does not support resolving names at run time")
	}
	l := http.LocOf(cf)
	if !u.resolver.Set {
		u.resolver = l.Resolver
	}
	if !u.resolverTimeout.Set {
		u.resolverTimeout.V = 30 * second
		if l.ResolverTimeout.Set {
			u.resolverTimeout = l.ResolverTimeout
		}
	}
	if u.resolver.V == nil || len(u.resolver.V.Config.Servers) == 0 {
		return u.errorf(cf, "no resolver defined to resolve names at run time")
	}
	return nil
}

// initWorker starts the watches that fall to this worker.
func initWorker(w *http.Worker) error {
	m := mainSlot.Of(w.Main.Scope())
	workers := int(process.CoreOf(w.Cycle.Conf).Workers.V)
	n := 0
	for _, u := range m.Upstreams {
		for i := range u.Servers {
			if !u.Servers[i].Resolve {
				continue
			}
			if n++; (n-1)%max(workers, 1) != w.ID {
				continue
			}
			nw := &nameWatch{
				z: u.zone, index: i, w: w, timeout: u.resolverTimeout.V, resolver: u.resolver.V.On(w.Loop), log: w.Cycle.Log().With(nil, 0),
			}
			nw.timer = event.NewTimer(func() { w.Loop.Go(nw.run) })
			w.Loop.SetTimer(nw.timer, time.Millisecond)
		}
	}
	return nil
}

// run resolves the name once, in a fiber that nobody waits for.
func (n *nameWatch) run() {
	n.w.Ignore(1)
	wait := n.resolve()
	n.w.Ignore(-1)
	if !n.w.Exiting() {
		n.w.Loop.SetTimer(n.timer, wait)
	}
}

// endpoint is an address that a name stands for.
type endpoint struct {
	addr   process.Addr
	name   string
	weight int64
	backup bool
	known  bool
}

// resolve asks for the name, updates the peers, and returns when to ask again.
func (n *nameWatch) resolve() time.Duration {
	s := &n.z.u.Servers[n.index]
	var list []endpoint
	var valid time.Time
	var err error
	if s.Service != "" {
		list, valid, err = n.service(s)
	} else {
		var ips []netip.Addr
		ips, valid, err = n.resolver.Resolve(nil, s.Host, n.timeout)
		for _, ip := range ips {
			list = append(list, endpoint{addr: process.Addr{IP: netip.AddrPortFrom(ip, s.Port)}, name: s.Name, weight: s.Weight})
		}
	}
	if err != nil {
		var failed *resolver.Error
		if !errors.As(err, &failed) {
			return max(n.timeout, second)
		}
		if s.Service != "" {
			n.log.Log(log.Error, nil, "service %s of %s", s.Service, failed)
		} else {
			n.log.Log(log.Error, nil, "%s", failed)
		}
		if failed.Code != resolver.NotFound {
			return max(n.timeout, second)
		}
		list, valid = nil, failed.Valid
	}
	n.z.update(n.index, list, n.log)
	now := n.w.Loop.Now()
	if valid.After(now) {
		return valid.Sub(now) + second
	}
	return second
}

// service asks for the servers of a service. Those whose priority is not the
// first are backup ones.
func (n *nameWatch) service(s *Server) ([]endpoint, time.Time, error) {
	found, valid, err := n.resolver.ResolveSRV(s.Service, s.Host, n.timeout)
	first := uint16(math.MaxUint16)
	for i := range found {
		first = min(first, found[i].Priority)
	}
	list := make([]endpoint, len(found))
	for i, e := range found {
		weight := s.Weight
		if weight == 1 {
			weight = int64(e.Weight)
		}
		list[i] = endpoint{addr: process.Addr{IP: e.Addr}, name: e.Name, weight: weight, backup: e.Priority != first}
	}
	return list, valid, err
}

// update makes the peers of a server those that its name stands for now.
func (z *zone) update(index int, list []endpoint, l log.Entry) {
	s := &z.u.Servers[index]
	z.lock()
	defer z.unlock()
	g := z.group()
	if g == nil {
		return
	}
	for i := range list {
		// Without SRV records the server says itself what it is.
		list[i].backup = list[i].backup || s.Backup
	}
	for which := range g.lists {
		for link := &g.lists[which]; *link != 0; {
			p := shm.At[peerRecord](z.Shm, *link)
			if int(p.template) != index || z.matches(p, which == 1, list) {
				link = &p.next
				continue
			}
			z.remove(g, link)
		}
	}
	for i := range list {
		e := &list[i]
		if !e.known && !z.addPeer(g, index, s, e.backup, e.addr, e.name, e.weight) {
			l.Log(log.Error, nil, `cannot add new server to upstream "%s", memory exhausted`, z.u.Host)
			return
		}
	}
}

// matches finds a peer among those that there are to be.
func (z *zone) matches(p *peerRecord, backup bool, list []endpoint) bool {
	addr, server := z.text(p.addr), z.text(p.server)
	for i := range list {
		e := &list[i]
		if !e.known && e.backup == backup && e.weight == p.weight && e.name == server && e.addr.String() == addr {
			e.known = true
			return true
		}
	}
	return false
}

// preresolve takes over what the cycle before has resolved, so that a reload
// does not leave an upstream without peers.
func (z *zone) preresolve(old *zone) {
	g := z.group()
	if g == nil {
		return
	}
	type found struct {
		index  int
		addr   process.Addr
		name   string
		weight int64
		backup bool
	}
	var list []found
	old.lock()
	if og := old.group(); og != nil {
		for which := range og.lists {
			for at := og.lists[which]; at != 0; {
				p := shm.At[peerRecord](old.Shm, at)
				if i := z.sameServer(old, int(p.template)); i >= 0 {
					list = append(list, found{i, parseAddr(string([]byte(old.text(p.addr)))).Key, string([]byte(old.text(p.server))), p.weight, which == 1})
				}
				at = p.next
			}
		}
	}
	old.unlock()
	for _, f := range list {
		s := &z.u.Servers[f.index]
		if s.Service == "" {
			f.addr.IP = netip.AddrPortFrom(f.addr.IP.Addr(), s.Port)
			f.name, f.weight, f.backup = s.Name, s.Weight, s.Backup
		} else if s.Weight != 1 {
			f.weight = s.Weight
		}
		z.addPeer(g, f.index, s, f.backup, f.addr, f.name, f.weight)
	}
}

// sameServer finds the server of this cycle that has the name of one of the
// cycle before, -1 if there is none.
func (z *zone) sameServer(old *zone, index int) int {
	if index < 0 {
		return -1
	}
	o := &old.u.Servers[index]
	for i := range z.u.Servers {
		if s := &z.u.Servers[i]; s.Resolve && s.Host == o.Host && s.Service == o.Service {
			return i
		}
	}
	return -1
}
