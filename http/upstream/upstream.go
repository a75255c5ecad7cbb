package upstream

import (
	"strings"
	"time"

	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream/cache"
)

// Main is what the http block knows of upstreams, and what a worker keeps for
// its exchanges.
type Main struct {
	// Upstreams are all of them, the implicit ones of proxy_pass included.
	Upstreams []*Upstream

	// caches are those of each module, by the prefix of its directives.
	caches map[string][]*cache.Cache
	pool   pool
}

var (
	mainSlot = &conf.Slot[Main]{Level: conf.LevelMain}
	slot     = &conf.Slot[block]{Level: conf.LevelServer, New: func() *block { return &block{newUpstream()} }}
)

// block is where the directives of an upstream block find the group, which a
// proxy_pass before it may have created.
type block struct{ *Upstream }

// Module is the upstream module: the block, its servers, kept connections and
// the variables.
var Module = &http.Module{
	Module: conf.Module{
		Name:    "http_upstream",
		Slots:   []conf.AnySlot{mainSlot, slot},
		Objects: []string{"ngx_http_cache_purge_module.so"}, // PREFIX_cache_purge, in purge.go
		Directives: append([]conf.Directive{
			conf.Command("upstream", conf.HTTPMain, conf.Braces|conf.Take1, upstreamBlock),
			slot.Custom("server", conf.HTTPUpstream, conf.OneMore, serverDirective),
			slot.Custom("state", conf.HTTPUpstream, conf.Take1, stateDirective),
			slot.Custom("zone", conf.HTTPUpstream, conf.Take12, zoneDirective),
			conf.Value(slot, "resolver", conf.HTTPUpstream, conf.OneMore,
				func(b *block) *conf.Opt[*http.ResolverConf] { return &b.resolver }, nil, http.ParseResolver),
			slot.Msec("resolver_timeout", conf.HTTPUpstream, func(b *block) *optTime { return &b.resolverTimeout }, 30*second),
		}, keepaliveRows()...),
	},
	Variables:  variables,
	InitMain:   initMain,
	InitWorker: initWorker,
}

// Feature is what a balancing method makes of the parameters of "server".
type Feature uint

// The parameters that a method supports.
const (
	FeatureWeight Feature = 1 << iota
	FeatureMaxFails
	FeatureFailTimeout
	FeatureMaxConns
	FeatureDown
	FeatureBackup
	FeatureSlowStart
	// FeatureModify: names may be resolved again while running.
	FeatureModify
	// explicit: an upstream block, not an address in proxy_pass.
	explicit

	// FeatureAll is what round-robin supports.
	FeatureAll = FeatureWeight | FeatureMaxFails | FeatureFailTimeout | FeatureMaxConns | FeatureDown | FeatureBackup |
		FeatureSlowStart | FeatureModify
)

// Upstream is a group of servers: nginx's ngx_http_upstream_srv_conf_t.
type Upstream struct {
	Host   string
	Port   uint16
	NoPort bool
	// Features are those of the balancing method.
	Features Feature
	Servers  []Server
	// state: the servers are in a file, which may be empty.
	state bool

	// Method completes the group when the configuration has been read; a
	// balancing method other than round-robin sets it.
	Method func(cf *conf.Conf, u *Upstream) error
	// Init prepares an exchange for choosing peers.
	Init func(e *Exchange) error

	// MayTLS: the balancing method may turn TLS on.
	MayTLS bool

	// Peers are the servers' addresses that the configuration gives; see View.
	Peers *Peers

	// Names that are resolved while running.
	resolver        conf.Opt[*http.ResolverConf]
	resolverTimeout optTime
	zone            *zone

	keepalive keepalive
	scope     *conf.Scope
	file      string
	line      int
}

// Server is a "server" of the block.
type Server struct {
	Name                       string
	Addrs                      []Addr
	Weight, MaxConns, MaxFails int64
	FailTimeout                int64 // seconds
	Down, Drain, Backup        bool
	Route                      string
	Resolve                    bool
	Host, Service              string
	Port                       uint16
	SlowStart                  time.Duration
}

func newUpstream() *Upstream { return &Upstream{} }

// Of returns the upstream block being read.
func Of(cf *conf.Conf) *Upstream { return slot.Of(cf.Scope).Upstream }

// MainOf returns what the http block being read knows of upstreams.
func MainOf(cf *conf.Conf) *Main { return mainSlot.Of(cf.Scope) }

// MainIn returns what the http block of a finished configuration knows of
// upstreams.
func MainIn(sc *conf.Scope) *Main { return mainSlot.Of(sc) }

// Name is the upstream's, with the port if proxy_pass or the like gave one.
func (u *Upstream) Name() string {
	if u.Port == 0 {
		return u.Host
	}
	return u.Host + ":" + portText(u.Port)
}

// Scope holds the structs that directives of the block have filled; nil for
// an implicit upstream.
func (u *Upstream) Scope() *conf.Scope { return u.scope }

// Place is where the upstream was mentioned first.
func (u *Upstream) Place() (file string, line int) { return u.file, u.line }

// errorf complains about the upstream as a whole.
func (u *Upstream) errorf(cf *conf.Conf, text string) error {
	return &conf.Error{Msg: text + ` in upstream "` + u.Host + `"`, File: u.file, Line: u.line}
}

// upstreamBlock is "upstream name { … }".
func upstreamBlock(cf *conf.Conf) error {
	u, err := add(cf, &http.URL{Host: cf.Args[0], NoPort: true}, FeatureAll|explicit)
	if err != nil {
		return err
	}
	sc := cf.Cycle.Registry.NewScope(conf.HTTP, cf.Scope, conf.LevelServer, conf.LevelLocation)
	slot.Of(sc).Upstream, u.scope = u, sc
	if err := cf.Block(conf.HTTPUpstream, sc); err != nil {
		return err
	}
	if len(u.Servers) == 0 && !u.state {
		return cf.Errorf("no servers are inside upstream")
	}
	return nil
}

// stateDirective is "state file", where the servers of the group are. It may be
// empty or missing. (It is of the commercial nginx, which also writes the file.)
func stateDirective(cf *conf.Conf, b *block) error {
	switch {
	case b.state:
		return conf.ErrDuplicate
	case len(b.Servers) > 0:
		return cf.Errorf(`"state" and "server" directives are mutually exclusive`)
	}
	err := cf.IncludeIfThere(cf.Args[0])
	b.state = true
	return err
}

// Add returns the upstream that a URL of the configuration names, which is
// implicit if no block has its name.
func Add(cf *conf.Conf, url string, o http.URLOptions) (*Upstream, *http.URL, error) {
	o.NoResolve = true
	u, err := http.ParseURL(cf, url, o)
	if err != nil {
		return nil, nil, cf.Errorf(`%s in upstream "%s"`, err, url)
	}
	up, err := add(cf, u, 0)
	return up, u, err
}

// add finds or makes an upstream: nginx's ngx_http_upstream_add.
func add(cf *conf.Conf, url *http.URL, f Feature) (*Upstream, error) {
	m := MainOf(cf)
	for _, u := range m.Upstreams {
		if !strings.EqualFold(u.Host, url.Host) {
			continue
		}
		switch {
		case f&explicit != 0 && u.Features&explicit != 0:
			return nil, cf.Errorf(`duplicate upstream "%s"`, url.Host)
		case u.Features&explicit != 0 && !url.NoPort:
			return nil, cf.Errorf(`upstream "%s" may not have port %d`, url.Host, url.Port)
		case f&explicit != 0 && !u.NoPort:
			e := &conf.Error{File: u.file, Line: u.line}
			e.Msg = `upstream "` + url.Host + `" may not have port ` + portText(u.Port)
			return nil, e
		case u.Port != 0 && url.Port != 0 && u.Port != url.Port:
			continue
		}
		if f&explicit != 0 {
			u.Features, u.Port = f, 0
		}
		return u, nil
	}
	u := newUpstream()
	u.Host, u.Port, u.NoPort, u.Features = url.Host, url.Port, url.NoPort, f
	u.file, u.line = cf.Place()
	if len(url.Addrs) == 1 && (url.Port != 0 || url.Unix) {
		u.Servers = []Server{{Addrs: addrs(url.Addrs), Weight: 1, MaxFails: 1, FailTimeout: 10}}
	}
	m.Upstreams = append(m.Upstreams, u)
	return u, nil
}

// SetMethod is for the directives of balancing methods.
func (u *Upstream) SetMethod(cf *conf.Conf, f Feature, method func(cf *conf.Conf, u *Upstream) error) {
	if u.Method != nil {
		cf.Warnf("load balancing method redefined")
	}
	u.Method, u.Features = method, f|explicit
}

// Find returns the upstream of a name and port known only at run time, nil if
// there is none.
func (m *Main) Find(host string, port uint16, noPort bool) *Upstream {
	for _, u := range m.Upstreams {
		if (u.Port == 0 && noPort || u.Port == port) && strings.EqualFold(u.Host, host) {
			return u
		}
	}
	return nil
}

// initMain completes the upstreams.
func initMain(cf *conf.Conf, _ *http.MainConf) error {
	for _, u := range MainOf(cf).Upstreams {
		method := u.Method
		if method == nil {
			method = InitRoundRobin
		}
		if err := method(cf, u); err != nil {
			return err
		}
		u.keepalive.complete(u)
	}
	return nil
}
