package phase

import (
	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/lua/api"
)

// balancerConf is the balancer of an upstream block.
type balancerConf struct {
	code *Code
	// keepalive is balancer_keepalive.
	keepalive conf.Opt[int64]
	pool      upstream.IdlePool
	// placeholder: the block had no server before the directive, and was given one that must not be used.
	placeholder bool
}

var balancerFamily = family[srvConf]{
	name: "balancer_by_lua", slot: srvSlot, in: conf.HTTPUpstream, forms: allForms,
	field: func(s *srvConf) **Code { return &s.balancer.code },
	used:  useBalancer,
}

func balancerDirectives() []conf.Directive {
	return append(balancerFamily.rows(),
		srvSlot.Custom("balancer_keepalive", conf.HTTPUpstream, conf.Take1, balancerKeepalive))
}

// defaultBalancerKeepalive is how many connections of enable_keepalive a worker keeps.
const defaultBalancerKeepalive = 32

// balancerKeepalive is "balancer_keepalive number".
func balancerKeepalive(cf *conf.Conf, s *srvConf) error {
	if s.balancer.keepalive.Set {
		return conf.ErrDuplicate
	}
	n, ok := conf.ParseInt(cf.Args[0])
	if !ok || n == 0 {
		return cf.Errorf(`invalid value "%s" in "%s" directive`, cf.Args[0], cf.Name)
	}
	s.balancer.keepalive.Put(n)
	return nil
}

// placeholderServer is the server that a block is given which has none: a block needs one.
const placeholderServer = "0.0.0.1"

const balancerFeatures = upstream.FeatureWeight | upstream.FeatureMaxFails | upstream.FeatureFailTimeout | upstream.FeatureDown

// useBalancer makes the code the method of the block being read, in front of the method that it had
// (ngx_http_lua_balancer_by_lua).
func useBalancer(cf *conf.Conf) {
	u, b := upstream.Of(cf), &srvSlot.Of(cf.Scope).balancer
	if len(u.Servers) == 0 {
		url, _ := http.ParseURL(nil, placeholderServer, http.URLOptions{DefaultPort: 80, NoResolve: true})
		u.Servers = append(u.Servers, upstream.Server{
			Name: placeholderServer, Addrs: []upstream.Addr{upstream.NewAddr(url.Addrs[0])},
		})
		b.placeholder = true
	}
	before := u.Method
	if before == nil {
		before = upstream.InitRoundRobin
	}
	u.MayTLS = true
	u.SetMethod(cf, balancerFeatures, func(cf *conf.Conf, u *upstream.Upstream) error {
		if err := before(cf, u); err != nil {
			return err
		}
		b.keepalive.Inherit(&conf.Opt[int64]{}, defaultBalancerKeepalive)
		b.pool.Max = b.keepalive.V
		begin := u.Init
		u.Init = func(e *upstream.Exchange) error {
			if err := begin(e); err != nil {
				return err
			}
			x := &balancer{conf: b, original: e.Balancer}
			x.E, x.Pool = e, &b.pool
			e.Balancer, e.CountCached = x, true
			return nil
		}
		return nil
	})
}

// balancer chooses the peers of one exchange.
type balancer struct {
	api.Balancing
	conf     *balancerConf
	original upstream.Balancer
}

// Get implements upstream.Balancer (ngx_http_lua_balancer_get_peer).
func (b *balancer) Get(e *upstream.Exchange) bool {
	if l := e.R.Log; l.Enabled(log.DebugHTTP) {
		l.Log(log.DebugHTTP, nil, "lua balancer: get peer, tries: %d", e.Tries)
	}
	b.Peer, b.MoreTries = nil, 0
	b.Tries++
	e.Reuse = upstream.Reuse{}
	if !b.run(e) {
		return false
	}
	if b.Peer != nil {
		e.Use(b.Peer)
		e.Tries += b.MoreTries
		return true
	}
	if !b.original.Get(e) {
		return false
	}
	if b.conf.placeholder && e.Peer.Server == placeholderServer {
		e.R.Error("lua balancer: no peer set")
		e.Refuse(0, http.StatusInternalServerError)
		return false
	}
	return true
}

// busy is ngx.BUSY.
const busy http.Verdict = -3

// run runs the code; false when there is to be no peer.
func (b *balancer) run(e *upstream.Exchange) bool {
	c := api.Of(e.R)
	if c == nil {
		e.Refuse(0, http.StatusInternalServerError)
		return false
	}
	proto, v := b.conf.code.load(c)
	if v != http.OK {
		e.Refuse(0, http.StatusInternalServerError)
		return false
	}
	v, err := c.RunBalancer(&b.Balancing, proto)
	switch {
	case err != nil:
		c.Logf(log.Error, "failed to run balancer_by_lua*: %s", api.FilterError(err))
		v = http.Error
	case v == http.OK:
		return true
	}
	switch {
	case v == http.Declined:
		e.Tries = max(e.Tries-1, 0)
		e.Refuse(upstream.FailError, http.OK)
	case v == busy: // there are no live upstreams
	case v >= http.StatusSpecialResponse:
		e.Refuse(0, v)
	default:
		e.Refuse(0, http.StatusInternalServerError)
	}
	return false
}

// Free implements upstream.Balancer.
func (b *balancer) Free(e *upstream.Exchange, how upstream.Outcome) {
	if l := e.R.Log; l.Enabled(log.DebugHTTP) {
		l.Log(log.DebugHTTP, nil, "lua balancer: free peer, tries: %d", e.Tries)
	}
	if b.Peer == nil {
		b.original.Free(e, how)
		return
	}
	b.Last = how
	e.Tries = max(e.Tries-1, 0)
}
