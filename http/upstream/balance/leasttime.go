package balance

import (
	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
)

// LeastTime is the module of "least_time header | last_byte [inflight]".
var LeastTime = &http.Module{Module: conf.Module{
	Name:       "http_upstream_least_time",
	Slots:      []conf.AnySlot{timeSlot},
	Directives: []conf.Directive{timeSlot.Custom("least_time", conf.HTTPUpstream, conf.Take12, leastTimeDirective)},
}}

type timeConf struct {
	set                bool
	lastByte, inflight bool
}

var timeSlot = slotOf[timeConf]()

func leastTimeDirective(cf *conf.Conf, c *timeConf) error {
	upstream.Of(cf).SetMethod(cf, upstream.FeatureAll, method(c.start, func(x *timePick) upstream.Balancer { return x }))
	if len(cf.Args) == 2 {
		if cf.Args[1] != "inflight" {
			return cf.Errorf(`invalid parameter "%s"`, cf.Args[1])
		}
		c.inflight = true
	}
	if c.set {
		return conf.ErrDuplicate
	}
	c.set = true
	switch cf.Args[0] {
	case "header":
	case "last_byte":
		c.lastByte = true
	default:
		return cf.Errorf(`invalid value "%s"`, cf.Args[0])
	}
	return nil
}

// timePick chooses the peer that is likely to be done first.
type timePick struct {
	leastPick
	conf *timeConf
	e    *upstream.Exchange
	// inflight: the peer counts this request as not answered.
	inflight bool
}

func (c *timeConf) start(e *upstream.Exchange, x *timePick) {
	x.conf, x.e = c, e
	x.cost = x.eta
	if c.inflight {
		x.chosen = x.began
		e.OnHeader = x.header
	}
}

const (
	// maxTime is the time in milliseconds from which peers are equally bad.
	maxTime = 5000
	// timeStep is the difference in milliseconds that does not count.
	timeStep = 20
)

// eta estimates the time in milliseconds that a peer needs for what it has got
// and one request more.
func (x *timePick) eta(p *upstream.Peer) int64 {
	if p.InflightReqs > 0 {
		average(&p.InflightTime, p.InflightLast/p.InflightReqs+x.e.Msec()-p.InflightReqsChanged)
	}
	t := p.HeaderTime
	if x.conf.lastByte {
		t = p.ResponseTime
	}
	if idle := x.e.Now() - p.Checked; idle > p.FailTimeout {
		// Slow peers get another chance now and then.
		t >>= min(idle/(p.FailTimeout+1), 63)
	}
	if p.InflightReqs > 0 {
		t = max(t, p.InflightTime)
	}
	if t > maxTime {
		t = maxTime
	} else {
		t += timeStep - t%timeStep
	}
	return t * (1 + p.Conns)
}

// average is an exponential moving average, rounded.
func average(avg *int64, v int64) {
	if *avg == 0 {
		*avg = v
		return
	}
	*avg = int64(0.5 + float64(v)*0.05 + float64(*avg)*0.95)
}

// began counts a request that has been given to a peer.
func (x *timePick) began(p *upstream.Peer) {
	now := x.e.Msec()
	if p.InflightReqs > 0 {
		p.InflightLast += (now - p.InflightReqsChanged) * p.InflightReqs
	}
	p.InflightReqsChanged = now
	p.InflightReqs++
	x.inflight = true
}

// answered ends what began started; last is what the answer took.
func (x *timePick) answered(p *upstream.Peer, last int64) {
	if p.InflightReqs == 1 {
		p.InflightLast = 0
	} else {
		now := x.e.Msec()
		p.InflightLast += (now-p.InflightReqsChanged)*p.InflightReqs - last
		p.InflightReqsChanged = now
	}
	p.InflightReqs--
	x.inflight = false
}

// header is told that the response's header is there.
func (x *timePick) header() {
	if x.conf.lastByte {
		return
	}
	e := x.e
	e.RR.Peers.Lock()
	defer e.RR.Peers.Unlock()
	last := e.State().HeaderTime
	average(&e.Peer.HeaderTime, last)
	if x.inflight {
		x.answered(e.Peer, last)
	}
}

// Free implements upstream.Balancer.
func (x *timePick) Free(e *upstream.Exchange, how upstream.Outcome) {
	p, s := e.Peer, e.State()
	e.RR.Peers.Lock()
	if x.inflight {
		x.answered(p, s.ResponseTime)
	}
	// Failures do not count, else a peer that fails would be preferred.
	if how == upstream.PeerDone && s.HeaderTime >= 0 {
		average(&p.ResponseTime, s.ResponseTime)
		if !x.conf.inflight || x.conf.lastByte {
			average(&p.HeaderTime, s.HeaderTime)
		}
	}
	e.RR.Peers.Unlock()
	e.RR.Free(e, how)
}
