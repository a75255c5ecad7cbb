package http

import "moongate/core/buf"

// Buf is a piece of a response body; see core/buf.
type Buf = buf.Buf

// Next is the rest of the body filter chain behind a filter.
type Next struct {
	r  *Request
	at int
}

// Write passes bufs to the next filter. It returns when they are used up.
func (n Next) Write(bufs []Buf) error {
	r := n.r
	at := r.mainConf().Options.postpone
	if n.at < len(r.bodyChain) && r.bodyChain[n.at].bodyIndex < at {
		return r.runFilter(r.bodyChain[n.at], bufs, Next{r, n.at + 1})
	}
	if n.at > 0 && r.bodyChain[n.at-1].bodyIndex > at {
		return n.behind(bufs)
	}
	return r.postpone(bufs)
}

// behind goes on with the filters of the main request behind Postpone.
func (n Next) behind(bufs []Buf) error {
	if n.at < len(n.r.bodyChain) {
		return n.r.runFilter(n.r.bodyChain[n.at], bufs, Next{n.r, n.at + 1})
	}
	return n.r.Stream.SendBody(n.r, bufs)
}

// toClient hands bufs to the filters behind Postpone, which are the main
// request's.
func (r *Request) toClient(bufs []Buf) error {
	m := r.Main
	at := m.mainConf().Options.postpone
	i := 0
	for i < len(m.bodyChain) && m.bodyChain[i].bodyIndex < at {
		i++
	}
	return Next{m, i}.behind(bufs)
}

// FilterOwnBody is FilterBody for the module whose header filter is running. It
// saves that filter from naming its module, which Go would take for an
// initialization cycle.
func (r *Request) FilterOwnBody() { r.FilterBody(r.filter) }

// FilterBody puts a module's body filter into the way of r's response, at its
// place in the order of body filters. A second call has no effect.
func (r *Request) FilterBody(m *Module) {
	i := len(r.bodyChain)
	for i > 0 && r.bodyChain[i-1].bodyIndex >= m.bodyIndex {
		if r.bodyChain[i-1] == m {
			return
		}
		i--
	}
	r.bodyChain = append(r.bodyChain, nil)
	copy(r.bodyChain[i+1:], r.bodyChain[i:])
	r.bodyChain[i] = m
}
