package balance

import "moongate/http/upstream"

// picker chooses a peer by a method of its own: its index, or -1. The peers are
// locked meanwhile.
type picker interface {
	pick(e *upstream.Exchange) int
}

// get takes the peer of the client's session or the one that x picks; where
// there is neither, round-robin decides.
func get(e *upstream.Exchange, x picker) bool {
	p := e.RR.Peers
	p.Lock()
	i := -1
	if !p.Stale() {
		if i = e.RR.Session(e); i < 0 {
			i = x.pick(e)
		}
	}
	if i >= 0 {
		e.RR.Try(e, i)
	}
	p.Unlock()
	return i >= 0 || e.RR.Get(e)
}
