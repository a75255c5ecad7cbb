package upstream

import (
	"time"

	"moongate/conf"
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
	pool  IdlePool
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
	k.pool.Max = k.Max.V
}
