package upstream

import (
	"crypto/md5"
	"encoding/hex"

	"moongate/core/shm"
	"moongate/core/tls"
)

// Peer is one address of a server: nginx's ngx_http_upstream_rr_peer_t.
type Peer struct {
	Addr
	// Server is the server's name in the configuration.
	Server string
	// SID names the peer to sticky: its route, or a hash of its address.
	SID                        string
	Weight, MaxConns, MaxFails int64
	// FailTimeout is in seconds, SlowStart in milliseconds.
	FailTimeout, SlowStart int64

	*PeerState
	record shm.Ptr // in a zone
	// session is the one to resume with the peer, nil for none, and context what
	// it was made with: the verdict on the peer's certificate, which comes with
	// it, means nothing to others.
	session *tls.Session
	context *sslContext
}

// PeerState is what changes about a peer. It may be in memory that workers
// share, so that it holds no Go pointers.
type PeerState struct {
	// CurrentWeight and EffectiveWeight are the smooth round-robin's.
	CurrentWeight, EffectiveWeight int64
	// Conns are the connections in use.
	Conns int64
	// Fails are the failures in the current period; Accessed and Checked are
	// when the last one was and when the peer was tried last, in Unix seconds.
	Fails, Accessed, Checked int64
	// Recovered is when a peer that starts slowly came back, 0 when it has its
	// whole weight.
	Recovered int64
	// Down takes the peer out of service; Drain leaves it to those that have
	// a session there.
	Down, Drain bool

	// HeaderTime and ResponseTime are moving averages in milliseconds, and
	// Inflight… what is known of the requests that have not been answered:
	// least_time's.
	HeaderTime, ResponseTime                                      int64
	InflightTime, InflightReqs, InflightLast, InflightReqsChanged int64
}

// Peers is a list of peers, the primary or the backup ones.
type Peers struct {
	// Name is the upstream's.
	Name string
	List []*Peer
	// Single: there is just one, which is tried whatever happened before.
	Single bool
	// Weighted: not all weights are 1.
	Weighted    bool
	TotalWeight int64
	// unit is what a weight of 1 counts for: more than 1 if there are fractions
	// of it, because some peers start slowly.
	unit int64
	// Tries is how many of the peers may be tried.
	Tries int
	// Backup are the peers to use when none of these can be.
	Backup *Peers

	zone                *zone
	version, generation uint32
	// Aux is what a balancing method derives from the list.
	Aux any
}

// Lock keeps other processes from changing the peers' states.
func (p *Peers) Lock() {
	if p.zone != nil {
		p.zone.lock()
	}
}

// Unlock ends what Lock began.
func (p *Peers) Unlock() {
	if p.zone != nil {
		p.zone.unlock()
	}
}

// tries is how many peers an exchange may try.
func (p *Peers) tries() int {
	if p.Backup == nil {
		return p.Tries
	}
	return p.Tries + p.Backup.Tries
}

// Failed reports whether the peer had so many failures that it is left alone
// for the time being.
func (p *Peer) Failed(now int64) bool {
	return p.MaxFails != 0 && p.Fails >= p.MaxFails && now-p.Checked <= p.FailTimeout
}

// Full reports whether the peer has all the connections that it may have.
func (p *Peer) Full() bool { return p.MaxConns != 0 && p.Conns >= p.MaxConns }

// slowUnit is the unit of weights where some peers start slowly.
const slowUnit = 256

// complete derives what hangs on the whole list.
func (p *Peers) complete() {
	p.Single = len(p.List) == 1
	p.Weighted = p.TotalWeight != int64(len(p.List))
	p.unit = 1
	for _, peer := range p.List {
		if peer.SlowStart > 0 {
			p.unit = slowUnit
		}
	}
}

// Share is the part of a weight that a peer takes now, in the units of the
// list: all of it, unless it came back less than its slow start ago. Then it
// grows with the time, from nearly nothing.
func (p *Peers) Share(peer *Peer, weight, now int64) int64 {
	weight *= p.unit
	if peer.Recovered == 0 {
		return weight
	}
	gone := (now - peer.Recovered) * 1000
	if gone >= peer.SlowStart {
		peer.Recovered = 0
		return weight
	}
	return max(weight*max(gone, 0)/peer.SlowStart, 1)
}

// newPeers lists the addresses of servers, either the primary or the backup
// ones.
func newPeers(u *Upstream, backup bool) *Peers {
	p := &Peers{Name: u.Host}
	for i := range u.Servers {
		s := &u.Servers[i]
		if s.Backup != backup || s.Resolve {
			continue
		}
		for _, a := range s.Addrs {
			p.List = append(p.List, s.peer(a))
			p.TotalWeight += s.Weight
			if !s.Down {
				p.Tries++
			}
		}
	}
	p.complete()
	return p
}

// peer makes a peer of one of a server's addresses.
func (s *Server) peer(a Addr) *Peer {
	p := &Peer{
		Addr: a, Server: s.Name, SID: s.Route, Weight: s.Weight, MaxConns: s.MaxConns, MaxFails: s.MaxFails,
		FailTimeout: s.FailTimeout, SlowStart: s.SlowStart.Milliseconds(), PeerState: &PeerState{EffectiveWeight: s.Weight, Down: s.Down, Drain: s.Drain},
	}
	if p.SID == "" && a.Text != "" {
		sum := md5.Sum([]byte(a.Text))
		p.SID = hex.EncodeToString(sum[:])
	}
	return p
}

// WithPeers calls f with the peers as they are now. Nobody else changes their
// states meanwhile.
func (u *Upstream) WithPeers(f func(*Peers)) {
	if u.zone == nil {
		f(u.Peers)
		return
	}
	u.zone.lock()
	defer u.zone.unlock()
	f(u.zone.current())
}
