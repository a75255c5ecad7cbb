package upstream

import (
	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
)

// Balancer chooses the peers of one exchange.
type Balancer interface {
	// Get chooses the next peer to try and calls Exchange.Use with it; false
	// means that there is none.
	Get(e *Exchange) bool
	// Free is told how the exchange with the peer went.
	Free(e *Exchange, how Outcome)
}

// Outcome is how the exchange with a peer went.
type Outcome uint8

// The outcomes; a peer that answered with 403 or 404 is alive though another is
// asked.
const (
	PeerDone Outcome = iota
	PeerNext
	PeerFailed
)

// InitRoundRobin completes an upstream: nginx's
// ngx_http_upstream_init_round_robin.
func InitRoundRobin(cf *conf.Conf, u *Upstream) error {
	u.Init = initRoundRobin
	if u.Servers == nil && !u.state {
		return u.initImplicit(cf)
	}
	u.Peers = newPeers(u, false)
	if len(u.Peers.List) == 0 && !u.resolves() && !u.state {
		return u.errorf(cf, "no servers")
	}
	if err := u.checkResolve(cf); err != nil {
		return err
	}
	if backup := newPeers(u, true); len(backup.List) > 0 && u.Features&FeatureBackup != 0 {
		backup.Single, u.Peers.Single = false, false
		u.Peers.Backup = backup
	}
	return nil
}

// resolves tells whether there are names to be resolved while running.
func (u *Upstream) resolves() bool {
	for i := range u.Servers {
		if u.Servers[i].Resolve && !u.Servers[i].Backup {
			return true
		}
	}
	return false
}

// initImplicit resolves the name that a proxy_pass or the like gave.
func (u *Upstream) initImplicit(cf *conf.Conf) error {
	if u.Port == 0 {
		return u.errorf(cf, "no port")
	}
	url, err := http.ParseURL(cf, u.Host, http.URLOptions{DefaultPort: u.Port})
	if err != nil {
		return u.errorf(cf, err.Error())
	}
	u.Servers = []Server{{Addrs: addrs(url.Addrs), Weight: 1, MaxFails: 1, FailTimeout: 10}}
	u.Peers = newPeers(u, false)
	return nil
}

func initRoundRobin(e *Exchange) error {
	e.RR.Start(e, e.Upstream.View())
	e.Balancer = &e.RR
	return nil
}

// RoundRobin is the smooth weighted round-robin, and the part of other methods
// that counts connections and failures: nginx's
// ngx_http_upstream_rr_peer_data_t.
type RoundRobin struct {
	Peers   *Peers
	current *Peer
	tried   []uint64
	few     [1]uint64
}

// Start prepares for choosing among peers.
func (b *RoundRobin) Start(e *Exchange, p *Peers) {
	b.Peers, b.current = p, nil
	n := len(p.List)
	if p.Backup != nil {
		n = max(n, len(p.Backup.List))
	}
	b.few[0] = 0
	if b.tried = b.few[:]; n > 64 {
		b.tried = make([]uint64, (n+63)/64)
	}
	e.Tries = p.tries()
}

// Tried reports whether the exchange has tried the i-th peer.
func (b *RoundRobin) Tried(i int) bool { return b.tried[i>>6]&(1<<(i&63)) != 0 }

// Try notes the i-th peer as tried and chosen. The peers must be locked.
func (b *RoundRobin) Try(e *Exchange, i int) {
	p := b.Peers.List[i]
	b.tried[i>>6] |= 1 << (i & 63)
	if now := e.Now(); now-p.Checked > p.FailTimeout {
		p.Checked = now
	}
	b.use(e, p)
}

func (b *RoundRobin) use(e *Exchange, p *Peer) {
	b.current = p
	p.Conns++
	if z := b.Peers.zone; z != nil {
		z.ref(p)
	}
	e.Use(p)
}

// Usable reports whether the i-th peer may be tried now.
func (b *RoundRobin) Usable(i int, now int64) bool {
	p := b.Peers.List[i]
	return !b.Tried(i) && !p.Down && !p.Failed(now) && !p.Full()
}

// Get implements Balancer.
func (b *RoundRobin) Get(e *Exchange) bool {
	peers := b.Peers
	peers.Lock()
	stale := peers.Stale()
	ok := !stale && b.get(e)
	peers.Unlock()
	if ok {
		return true
	}
	if !stale && b.UseBackup() && b.Get(e) {
		return true
	}
	e.NoPeer(peers)
	return false
}

// UseBackup goes on with the backup peers; false if there are none.
func (b *RoundRobin) UseBackup() bool {
	if b.Peers.Backup == nil {
		return false
	}
	b.Peers = b.Peers.Backup
	clear(b.tried)
	return true
}

func (b *RoundRobin) get(e *Exchange) bool {
	if len(b.Peers.List) == 0 {
		return false
	}
	if b.Peers.Single {
		p := b.Peers.List[0]
		if i := b.Session(e); i < 0 && (p.Down || p.Full()) {
			return false
		}
		b.use(e, p)
		return true
	}
	i := b.choose(e)
	if i < 0 {
		return false
	}
	b.Try(e, i)
	return true
}

// choose finds the peer whose turn it is.
func (b *RoundRobin) choose(e *Exchange) int {
	now := e.Now()
	session := b.Session(e)
	if session >= 0 {
		// One request in a row may disturb the order, others do not count.
		p := b.Peers.List[session]
		if p.CurrentWeight <= (p.Weight-b.Peers.TotalWeight)*b.Peers.unit {
			return session
		}
	}
	best, total := b.weigh(now, nil)
	if session >= 0 {
		best = session
	}
	if best >= 0 {
		b.Peers.List[best].CurrentWeight -= total
	}
	return best
}

// Turn finds the peer whose turn it is among the usable ones that among says
// yes to, -1 if there is none. The peers must be locked.
func (b *RoundRobin) Turn(now int64, among func(i int) bool) int {
	best, total := b.weigh(now, among)
	if best >= 0 {
		b.Peers.List[best].CurrentWeight -= total
	}
	return best
}

// weigh adds to the weights of the usable peers and finds the greatest.
func (b *RoundRobin) weigh(now int64, among func(i int) bool) (best int, total int64) {
	best = -1
	for i, p := range b.Peers.List {
		if !b.Usable(i, now) || among != nil && !among(i) {
			continue
		}
		weight := b.Peers.Share(p, p.EffectiveWeight, now)
		p.CurrentWeight += weight
		total += weight
		if p.EffectiveWeight < p.Weight {
			p.EffectiveWeight++
		}
		if best < 0 || p.CurrentWeight > b.Peers.List[best].CurrentWeight {
			best = i
		}
	}
	return best, total
}

// Session finds the peer that the client has a session with, -1 if there is
// none that can be used. The peers must be locked.
func (b *RoundRobin) Session(e *Exchange) int {
	if e.Hint == "" {
		return -1
	}
	for i, p := range b.Peers.List {
		if p.SID != e.Hint {
			continue
		}
		if b.Tried(i) || p.Down && !p.Drain || p.Failed(e.Now()) || p.Full() {
			return -1
		}
		return i
	}
	return -1
}

// Free implements Balancer.
func (b *RoundRobin) Free(e *Exchange, how Outcome) {
	b.Peers.Lock()
	defer b.Peers.Unlock()
	p := b.current
	if z := b.Peers.zone; z != nil {
		if b.Peers.generation != z.Shm.Generation() {
			e.Tries = max(e.Tries-1, 0)
			return // the zone was emptied: the record is not there any more
		}
		defer z.unref(p)
	}
	p.Conns--
	if b.Peers.Single {
		p.Fails = 0
		e.Tries = 0
		return
	}
	if how == PeerFailed {
		now := e.Now()
		p.Fails++
		p.Accessed, p.Checked = now, now
		if p.MaxFails != 0 {
			p.EffectiveWeight -= p.Weight / p.MaxFails
			if p.Fails >= p.MaxFails {
				e.R.Logf(log.Warn, nil, "upstream server temporarily disabled")
			}
		}
		p.EffectiveWeight = max(p.EffectiveWeight, 0)
	} else if p.Accessed < p.Checked {
		if p.SlowStart > 0 && p.MaxFails != 0 && p.Fails >= p.MaxFails {
			p.Recovered = e.Now()
		}
		p.Fails = 0
	}
	if e.Tries > 0 {
		e.Tries--
	}
}
