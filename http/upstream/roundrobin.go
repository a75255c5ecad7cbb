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
	if u.Servers == nil {
		return u.initImplicit(cf)
	}
	u.Peers = newPeers(u, false)
	if len(u.Peers.List) == 0 {
		return u.errorf(cf, "no servers")
	}
	if backup := newPeers(u, true); len(backup.List) > 0 && u.Features&FeatureBackup != 0 {
		backup.Single, u.Peers.Single = false, false
		u.Peers.Backup = backup
	}
	return nil
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
	e.RR.Start(e, e.Upstream.Peers)
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
	if now := e.now(); now-p.Checked > p.FailTimeout {
		p.Checked = now
	}
	b.use(e, p)
}

func (b *RoundRobin) use(e *Exchange, p *Peer) {
	b.current = p
	p.Conns++
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
	ok := b.get(e)
	peers.Unlock()
	if ok {
		return true
	}
	if peers.Backup != nil {
		b.Peers = peers.Backup
		clear(b.tried)
		if b.Get(e) {
			return true
		}
	}
	e.peerName = peers.Name
	return false
}

func (b *RoundRobin) get(e *Exchange) bool {
	if b.Peers.Single {
		p := b.Peers.List[0]
		if i := b.sticky(e); i < 0 && (p.Down || p.Full()) {
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
	now := e.now()
	session := b.sticky(e)
	if session >= 0 {
		// One request in a row may disturb the order, others do not count.
		p := b.Peers.List[session]
		if p.CurrentWeight <= p.Weight-b.Peers.TotalWeight {
			return session
		}
	}
	best, total := -1, int64(0)
	for i, p := range b.Peers.List {
		if !b.Usable(i, now) {
			continue
		}
		p.CurrentWeight += p.EffectiveWeight
		total += p.EffectiveWeight
		if p.EffectiveWeight < p.Weight {
			p.EffectiveWeight++
		}
		if best < 0 || p.CurrentWeight > b.Peers.List[best].CurrentWeight {
			best = i
		}
	}
	if session >= 0 {
		best = session
	}
	if best >= 0 {
		b.Peers.List[best].CurrentWeight -= total
	}
	return best
}

// sticky finds the peer that the client has a session with, -1 if none.
func (b *RoundRobin) sticky(e *Exchange) int {
	if e.Hint == "" {
		return -1
	}
	for i, p := range b.Peers.List {
		if p.SID != e.Hint {
			continue
		}
		if b.Tried(i) || p.Down && !p.Drain || p.Failed(e.now()) || p.Full() {
			return -1
		}
		return i
	}
	return -1
}

// Session is sticky for other methods: the peer of the client's session, -1
// if there is none that can be used.
func (b *RoundRobin) Session(e *Exchange) int { return b.sticky(e) }

// Free implements Balancer.
func (b *RoundRobin) Free(e *Exchange, how Outcome) {
	b.Peers.Lock()
	defer b.Peers.Unlock()
	p := b.current
	p.Conns--
	if b.Peers.Single {
		p.Fails = 0
		e.Tries = 0
		return
	}
	if how == PeerFailed {
		now := e.now()
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
		p.Fails = 0
	}
	if e.Tries > 0 {
		e.Tries--
	}
}
