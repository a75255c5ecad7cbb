package upstream

import (
	"net/netip"
	"time"

	"moongate/core/process"
	"moongate/http"
)

// Terms are what a balancer may decide for an exchange beside the peer. What
// it does not say stays as it is for further tries.
type Terms struct {
	// ConnectTimeout, SendTimeout and ReadTimeout begin as the location's.
	ConnectTimeout, SendTimeout, ReadTimeout time.Duration
	// Local is the address to connect from in place of PREFIX_bind's.
	Local netip.AddrPort
	// Host is the peer's name, for TLS where there is no PREFIX_ssl_name; in
	// lower case.
	Host string
	// Reuse has connections kept by the balancer, not by the upstream.
	Reuse Reuse
	// CountCached: a kept connection that turns out to be closed counts as a
	// try of the peer.
	CountCached bool
}

// Reuse says how a balancer has connections kept.
type Reuse struct {
	// Pool is where, nil for the upstream's.
	Pool *IdlePool
	// Timeout is how long a connection stays idle; with 0 it is not kept.
	Timeout time.Duration
	// Requests is how many it serves, 0 for any number.
	Requests int64
}

// refusal is why a balancer gives no peer.
type refusal struct {
	fail int
	v    http.Verdict
}

// Refuse is how a balancer whose Get is about to return false says why: with
// fail, one of the Fail…, the next peer is asked if one may be, and with v
// the request ends. Without it there are no live peers.
func (e *Exchange) Refuse(fail int, v http.Verdict) { e.refusal = refusal{fail, v} }

// Custom returns a peer that is in no list.
func Custom(a Addr) *Peer { return &Peer{Addr: a, PeerState: &PeerState{}} }

// NewAddr is an address in the forms that are needed.
func NewAddr(a process.Addr) Addr { return newAddr(a) }

// SetTLS has the peers be spoken to over TLS or not.
func (e *Exchange) SetTLS(on bool) {
	e.TLS = on
	switch e.Schema {
	case "http://", "https://":
		if e.Schema = "http://"; on {
			e.Schema = "https://"
		}
	}
}

// Recreate builds the request anew, as the balancer may have changed what it
// is made of.
func (e *Exchange) Recreate() bool {
	return e.Protocol.Request(e) == http.OK
}

// LastStatus is that of the try before, 0 if there was none.
func (e *Exchange) LastStatus() int {
	if n := len(e.states); n > 1 {
		return e.states[n-2].Status
	}
	return 0
}

// ParseLocal reads an IP address with or without a port.
func ParseLocal(s string) (netip.AddrPort, bool) { return parseAddrPort(s) }
