package upstream

import (
	"net/netip"
	"strings"
	"unsafe"

	"moongate/conf"
	"moongate/core/process"
	"moongate/core/shm"
)

// zone is where the workers share the peers of an upstream and their states:
// nginx's ngx_http_upstream_zone_module. The peers of names that are resolved
// while running come and go; each process has a view of the list that it makes
// again when the version has changed.
type zone struct {
	*process.Zone
	u *Upstream
	// view is this process's, of a version and a generation of the memory.
	view       *Peers
	version    uint32
	generation uint32
}

// groupRecord is an upstream in the zone. All of it lives in shared memory.
type groupRecord struct {
	next    shm.Ptr
	name    stringRecord
	version uint32
	lists   [2]shm.Ptr // the first of the primary and the backup peers
}

// peerRecord is a peer in the zone.
type peerRecord struct {
	next               shm.Ptr
	addr, server, sid  stringRecord
	weight             int64
	template           int32 // the server that it was resolved for, -1 for a fixed one
	refs               uint32
	gone               bool // not in the list any more, freed with the last reference
	routed             bool
	maxConns, maxFails int64
	failTimeout        int64 // seconds
	slowStart          int64 // milliseconds
	state              PeerState
}

// stringRecord is a string in the zone.
type stringRecord struct {
	at shm.Ptr
	n  uint32
}

// zoneTag marks the zones of upstreams.
type zoneTag struct{}

// zoneData is what a cycle keeps with a zone.
type zoneData struct{ main *Main }

// zoneDirective is "zone name [size]".
func zoneDirective(cf *conf.Conf, b *block) error {
	name := cf.Args[0]
	if name == "" {
		return cf.Errorf(`invalid zone name "%s"`, name)
	}
	size := int64(0)
	if len(cf.Args) == 2 {
		n, ok := conf.ParseSize(cf.Args[1])
		switch {
		case !ok:
			return cf.Errorf(`invalid zone size "%s"`, cf.Args[1])
		case n < shm.MinSize:
			return cf.Errorf(`zone "%s" is too small`, name)
		}
		size = n
	}
	z, err := process.Of(cf.Cycle).AddZone(cf, name, size, zoneTag{})
	if err != nil {
		return err
	}
	m := MainOf(cf)
	z.NoReuse, z.Data = true, &zoneData{m}
	z.Init = func(z *process.Zone, old any) error {
		var before *Main
		if d, ok := old.(*zoneData); ok {
			before = d.main
		}
		return m.initZone(z, before)
	}
	b.zone = &zone{Zone: z, u: b.Upstream}
	return nil
}

// initZone puts the peers of the zone's upstreams there.
func (m *Main) initZone(z *process.Zone, before *Main) error {
	build := func() bool {
		for _, u := range m.Upstreams {
			if u.zone != nil && u.zone.Zone == z && !u.zone.build() {
				return false
			}
		}
		return true
	}
	z.Shm.OnReset(func() { build() })
	if z.Exists {
		return nil
	}
	z.Shm.Lock()
	defer z.Shm.Unlock()
	if !build() {
		return &conf.Error{Msg: `not enough memory in upstream zone "` + z.Name + `"`}
	}
	if before == nil {
		return nil
	}
	for _, u := range m.Upstreams {
		if u.zone == nil || u.zone.Zone != z {
			continue
		}
		for _, old := range before.Upstreams {
			if old.zone != nil && old.zone.Name == z.Name && old.Host == u.Host {
				u.zone.preresolve(old.zone)
			}
		}
	}
	return nil
}

func (z *zone) lock()   { z.Shm.Lock() }
func (z *zone) unlock() { z.Shm.Unlock() }

// group finds the upstream's record, nil if there is none.
func (z *zone) group() *groupRecord {
	for p := z.Shm.Root(); p != 0; {
		g := shm.At[groupRecord](z.Shm, p)
		if z.text(g.name) == z.u.Host {
			return g
		}
		p = g.next
	}
	return nil
}

// text is a string of the zone, in place.
func (z *zone) text(s stringRecord) string {
	if s.n == 0 {
		return ""
	}
	b := z.Shm.Bytes(s.at, int(s.n))
	return unsafe.String(&b[0], len(b))
}

// putText copies a string into the zone.
func (z *zone) putText(s string) (stringRecord, bool) {
	if s == "" {
		return stringRecord{}, true
	}
	at := z.Shm.Alloc(len(s))
	if at == 0 {
		return stringRecord{}, false
	}
	copy(z.Shm.Bytes(at, len(s)), s)
	return stringRecord{at, uint32(len(s))}, true
}

// build makes the upstream's record, with the peers whose addresses are fixed.
func (z *zone) build() bool {
	at := z.Shm.Calloc(int(unsafe.Sizeof(groupRecord{})))
	if at == 0 {
		return false
	}
	g := shm.At[groupRecord](z.Shm, at)
	var ok bool
	if g.name, ok = z.putText(z.u.Host); !ok {
		return false
	}
	g.next = z.Shm.Root()
	z.Shm.SetRoot(at)
	for i := range z.u.Servers {
		s := &z.u.Servers[i]
		if s.Resolve {
			continue
		}
		for _, a := range s.Addrs {
			if !z.addPeer(g, -1, s, s.Backup, a.Key, s.Name, s.Weight) {
				return false
			}
		}
	}
	g.version = 1
	return true
}

// addPeer appends a peer of a server to one of the lists; false when there is
// no memory.
func (z *zone) addPeer(g *groupRecord, template int, s *Server, backup bool, a process.Addr, server string, weight int64) bool {
	z.Shm.Begin()
	ok := z.appendPeer(g, template, s, backup, a, server, weight)
	z.Shm.End()
	return ok
}

// appendPeer is addPeer while the zone is being changed.
func (z *zone) appendPeer(g *groupRecord, template int, s *Server, backup bool, a process.Addr, server string, weight int64) bool {
	at := z.Shm.Calloc(int(unsafe.Sizeof(peerRecord{})))
	if at == 0 {
		return false
	}
	peer := (&Server{
		Weight: weight, MaxConns: s.MaxConns, MaxFails: s.MaxFails, FailTimeout: s.FailTimeout, Down: s.Down, Drain: s.Drain, Route: s.Route,
	}).peer(newAddr(a))
	p := shm.At[peerRecord](z.Shm, at)
	p.template, p.routed = int32(template), s.Route != ""
	p.weight, p.maxConns, p.maxFails, p.failTimeout = weight, s.MaxConns, s.MaxFails, s.FailTimeout
	p.slowStart = s.SlowStart.Milliseconds()
	p.state = *peer.PeerState
	var ok [3]bool
	p.addr, ok[0] = z.putText(peer.Text)
	p.server, ok[1] = z.putText(server)
	p.sid, ok[2] = z.putText(peer.SID)
	if ok != [3]bool{true, true, true} {
		z.free(at, p)
		return false
	}
	link := &g.lists[listOf(backup)]
	for *link != 0 {
		link = &shm.At[peerRecord](z.Shm, *link).next
	}
	*link = at
	g.version++
	return true
}

func listOf(backup bool) int {
	if backup {
		return 1
	}
	return 0
}

// free gives the memory of a peer back.
func (z *zone) free(at shm.Ptr, p *peerRecord) {
	for _, s := range []stringRecord{p.addr, p.server, p.sid} {
		if s.n > 0 {
			z.Shm.Free(s.at)
		}
	}
	z.Shm.Free(at)
}

// remove takes the peer that link points to out of its list.
func (z *zone) remove(g *groupRecord, link *shm.Ptr) {
	z.Shm.Begin()
	at := *link
	p := shm.At[peerRecord](z.Shm, at)
	*link = p.next
	g.version++
	if p.gone = true; p.refs == 0 {
		z.free(at, p)
	}
	z.Shm.End()
}

// current is the present view of the peers. The zone must be locked.
func (z *zone) current() *Peers {
	g := z.group()
	if g == nil {
		return z.u.Peers
	}
	if z.view != nil && z.version == g.version && z.generation == z.Shm.Generation() {
		return z.view
	}
	z.version, z.generation = g.version, z.Shm.Generation()
	primary, backup := z.list(g, false), z.list(g, true)
	if len(backup.List) > 0 && z.u.Features&FeatureBackup != 0 {
		primary.Backup = backup
		primary.Single = false
	}
	backup.Single = false
	z.view = primary
	return primary
}

// list makes the view of one of the lists.
func (z *zone) list(g *groupRecord, backup bool) *Peers {
	v := &Peers{Name: z.u.Host, zone: z, version: g.version, generation: z.Shm.Generation()}
	for at := g.lists[listOf(backup)]; at != 0; {
		p := shm.At[peerRecord](z.Shm, at)
		v.List = append(v.List, &Peer{
			Addr: parseAddr(strings.Clone(z.text(p.addr))), Server: strings.Clone(z.text(p.server)), SID: strings.Clone(z.text(p.sid)),
			Weight: p.weight, MaxConns: p.maxConns, MaxFails: p.maxFails, FailTimeout: p.failTimeout, SlowStart: p.slowStart,
			PeerState: &p.state, record: at,
		})
		v.TotalWeight += p.weight
		if !p.state.Down {
			v.Tries++
		}
		at = p.next
	}
	v.complete()
	return v
}

// parseAddr reads an address as Addr.Text has it.
func parseAddr(s string) Addr {
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		return newAddr(process.Addr{Unix: path})
	}
	ip, _ := netip.ParseAddrPort(s)
	return newAddr(process.Addr{IP: ip})
}

// ref notes that an exchange uses a peer, unref that it does not any more. The
// zone must be locked.
func (z *zone) ref(p *Peer) { shm.At[peerRecord](z.Shm, p.record).refs++ }

func (z *zone) unref(p *Peer) {
	rec := shm.At[peerRecord](z.Shm, p.record)
	if rec.refs--; rec.refs == 0 && rec.gone {
		z.Shm.Begin()
		z.free(p.record, rec)
		z.Shm.End()
	}
}

// View is the upstream's peers as they are now.
func (u *Upstream) View() *Peers {
	if u.zone == nil {
		return u.Peers
	}
	u.zone.lock()
	defer u.zone.unlock()
	return u.zone.current()
}

// Stale reports whether the list has changed since the view was made. The
// peers must be locked.
func (p *Peers) Stale() bool {
	if p.zone == nil {
		return false
	}
	g := p.zone.group()
	return g == nil || g.version != p.version || p.generation != p.zone.Shm.Generation()
}
