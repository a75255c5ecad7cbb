package upstream

import (
	"slices"
	"time"

	"moongate/conf"
	"moongate/core/event"
)

// keepalive are the idle connections of a worker to the peers of an upstream:
// nginx's ngx_http_upstream_keepalive_module.
type keepalive struct {
	Max      conf.Opt[int64]
	Time     conf.Opt[time.Duration]
	Timeout  conf.Opt[time.Duration]
	Requests conf.Opt[int64]

	// local: connections are kept for each location of its own.
	local bool
	// idle connections, the most recently used last.
	idle []*link
}

// defaultKept is how many connections an upstream block keeps that does not
// say how many.
const defaultKept = 32

func keepaliveRows() []conf.Directive {
	const in = conf.HTTPUpstream
	return []conf.Directive{
		slot.Custom("keepalive", in, conf.Take12, keepaliveDirective),
		slot.Msec("keepalive_time", in, func(u *block) *optTime { return &u.keepalive.Time }, 0),
		slot.Msec("keepalive_timeout", in, func(u *block) *optTime { return &u.keepalive.Timeout }, 0),
		slot.Num("keepalive_requests", in, func(u *block) *conf.Opt[int64] { return &u.keepalive.Requests }, 0),
	}
}

type optTime = conf.Opt[time.Duration]

// keepaliveDirective is "keepalive connections [local]".
func keepaliveDirective(cf *conf.Conf, b *block) error {
	k := &b.keepalive
	if k.Max.Set {
		return conf.ErrDuplicate
	}
	n, ok := conf.ParseInt(cf.Args[0])
	if !ok {
		return cf.Errorf(`invalid value "%s" in "%s" directive`, cf.Args[0], cf.Name)
	}
	k.Max.Put(n)
	if len(cf.Args) == 2 {
		if cf.Args[1] != "local" {
			return cf.Errorf(`invalid parameter "%s"`, cf.Args[1])
		}
		k.local = true
	}
	return nil
}

// complete sets what the block left open; implicit upstreams keep nothing.
func (k *keepalive) complete(u *Upstream) {
	if u.scope == nil {
		return
	}
	if !k.Max.Set {
		k.local, k.Max.V = true, defaultKept
	}
	k.Time.Inherit(&optTime{}, time.Hour)
	k.Timeout.Inherit(&optTime{}, 60*second)
	k.Requests.Inherit(&conf.Opt[int64]{}, 1000)
}

// take returns an idle connection to a peer, nil if there is none.
func (k *keepalive) take(p *Peer, c *Conf) *link {
	for i := len(k.idle) - 1; i >= 0; i-- {
		l := k.idle[i]
		if l.addr != p.Key || k.local && l.tag != c {
			continue
		}
		k.idle = slices.Delete(k.idle, i, i+1)
		if !l.Take() {
			continue // something has arrived, and it is about to be closed
		}
		l.Server, l.sent = nil, 0
		return l
	}
	return nil
}

// put keeps the connection of an exchange that ended well; false if it is not
// to be kept.
func (k *keepalive) put(l *link, e *Exchange) bool {
	loop := l.Loop()
	switch {
	case k.Max.V == 0, l.requests >= k.Requests.V, l.EOF(), l.Closed(), e.R.Conn.Worker.Exiting(),
		loop.NowMsec()-l.Start > k.Time.V.Milliseconds():
		return false
	}
	if l.Readable() {
		// The read before filled its buffer: is there something more?
		var b [1]byte
		if _, err := l.TryPeek(b[:]); err != event.ErrAgain {
			return false
		}
	}
	if int64(len(k.idle)) >= k.Max.V {
		oldest := k.idle[0]
		k.idle = slices.Delete(k.idle, 0, 1)
		oldest.Close()
	}
	l.tag, l.addr, l.pool, l.Server = e.Conf, e.Peer.Key, k, l
	l.expires = loop.NowMsec() + k.Timeout.V.Milliseconds()
	k.idle = append(k.idle, l)
	l.Conn.WatchClose(nil)
	l.Idle(k.Timeout.V)
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
