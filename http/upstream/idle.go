package upstream

import (
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"moongate/core/event"
	"moongate/core/process"
)

// IdlePool are idle connections of a worker to peers. The zero IdlePool keeps
// none.
type IdlePool struct {
	// Max is how many are kept; the one idle for longest makes room.
	Max int64
	// idle connections, the most recently used last.
	idle []*link
}

// linkKey tells what a kept connection can be used for again.
type linkKey struct {
	addr  process.Addr
	local netip.AddrPort
	// host is the name that a balancer gave the peer, in lower case.
	host string
	// ssl is what the connection was made with over TLS: one that was verified
	// is not for who verifies otherwise, nor the other way round.
	ssl *sslContext
	// alpn is the protocol spoken, as in Exchange.ALPN.
	alpn string
	// tag is the location, where each has its own connections.
	tag *Conf
}

// limits are when a connection is not kept any more.
type limits struct {
	age, idle time.Duration
	requests  int64
}

// idlePool is where connections to the peer in use are kept, and under which
// key; nil if they are not kept.
func (e *Exchange) idlePool() (*IdlePool, linkKey) {
	key := linkKey{addr: e.Peer.Key, local: e.Local, host: e.Host, alpn: e.ALPN}
	if e.TLS {
		key.ssl = e.Conf.SSL.context
	}
	if p := e.Reuse.Pool; p != nil {
		if e.TLS {
			key.host = strings.ToLower(e.sslName())
		}
		return p, key
	}
	if e.Upstream == nil || e.Upstream.keepalive.pool.Max == 0 {
		return nil, key
	}
	if e.Upstream.keepalive.local {
		key.tag = e.Conf
	}
	return &e.Upstream.keepalive.pool, key
}

// keepLink keeps the connection of a try that ended well; false if it is not to
// be kept.
func (e *Exchange) keepLink() bool {
	pool, key := e.idlePool()
	if pool == nil {
		return false
	}
	if e.Reuse.Pool == nil {
		k := &e.Upstream.keepalive
		return pool.put(e.link, e, key, limits{k.Time.V, k.Timeout.V, k.Requests.V})
	}
	key.host = strings.Clone(key.host) // the request's memory goes
	max := limits{age: math.MaxInt64, idle: e.Reuse.Timeout, requests: e.Reuse.Requests}
	if max.requests == 0 {
		max.requests = math.MaxInt64
	}
	return max.idle > 0 && pool.put(e.link, e, key, max)
}

// take returns an idle connection of the key, nil if there is none.
func (p *IdlePool) take(key linkKey) *link {
	for i := len(p.idle) - 1; i >= 0; i-- {
		l := p.idle[i]
		if l.key != key {
			continue
		}
		p.idle = slices.Delete(p.idle, i, i+1)
		if !l.Take() {
			continue // something has arrived, and it is about to be closed
		}
		l.Server, l.sent = nil, 0
		return l
	}
	return nil
}

// put keeps a connection; false if it cannot be used again.
func (p *IdlePool) put(l *link, e *Exchange, key linkKey, max limits) bool {
	loop := l.Loop()
	switch {
	case p.Max == 0, l.writing, l.requests >= max.requests, l.EOF(), l.Closed(), e.R.Conn.Worker.Exiting(),
		loop.NowMsec()-l.Start > max.age.Milliseconds():
		return false
	}
	if l.Readable() {
		// The read before filled its buffer: is there something more?
		var b [1]byte
		if _, err := l.TryPeek(b[:]); err != event.ErrAgain {
			return false
		}
	}
	if int64(len(p.idle)) >= p.Max {
		oldest := p.idle[0]
		p.idle = slices.Delete(p.idle, 0, 1)
		oldest.Close()
	}
	l.key, l.pool, l.Server = key, p, l
	l.expires = loop.NowMsec() + max.idle.Milliseconds()
	p.idle = append(p.idle, l)
	l.Conn.WatchClose(nil)
	l.Idle(max.idle)
	return true
}

// Serve implements event.Server: an idle connection has become readable, which
// a peer causes by closing it, or should not cause at all.
func (l *link) Serve(c *event.Conn) {
	var b [1]byte
	if _, err := c.TryPeek(b[:]); err == event.ErrAgain {
		if left := l.expires - c.Loop().NowMsec(); left > 0 {
			c.Idle(time.Duration(left) * time.Millisecond)
			return
		}
	}
	l.drop()
}

// IdleTimeout implements event.Server.
func (l *link) IdleTimeout(*event.Conn) { l.drop() }

func (l *link) drop() {
	if i := slices.Index(l.pool.idle, l); i >= 0 {
		l.pool.idle = slices.Delete(l.pool.idle, i, i+1)
	}
	l.Close()
}
