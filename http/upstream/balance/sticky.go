package balance

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"moongate/conf"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire"
)

// Sticky is the module of "sticky cookie | route | learn …", which sends the
// requests of one session to one peer.
var Sticky = &http.Module{Module: conf.Module{
	Name:       "http_upstream_sticky",
	Slots:      []conf.AnySlot{stickySlot},
	Directives: []conf.Directive{stickySlot.Custom("sticky", conf.HTTPUpstream, conf.TwoMore, stickyDirective)},
}}

// stickyConf is how the sessions of an upstream are known.
type stickyConf struct {
	set bool
	// lookup are the variables that name a client's session, create those that
	// name a new one.
	lookup, create []*http.Variable
	sessions       *sessions
	// onHeader: sessions are learnt as soon as the header is there.
	onHeader bool
	cookie   cookieConf
}

// cookieConf is the cookie that names the peer.
type cookieConf struct {
	name             string
	domain, sameSite *http.Complex
	path             string
	expires          time.Duration
	maxExpires, set  bool // "expires=max"; expires was given
	httpOnly, secure bool
}

var stickySlot = slotOf[stickyConf]()

// predicate is a complaint that the directive's name precedes.
type predicate string

func (p predicate) Error() string { return string(p) }

func stickyDirective(cf *conf.Conf, c *stickyConf) error {
	if c.set {
		return conf.ErrDuplicate
	}
	c.set = true
	u := upstream.Of(cf)
	outer := u.Method
	if outer == nil {
		outer = upstream.InitRoundRobin
	}
	u.Method = func(cf *conf.Conf, u *upstream.Upstream) error {
		if err := outer(cf, u); err != nil {
			return err
		}
		init := u.Init
		u.Init = func(e *upstream.Exchange) error {
			if err := init(e); err != nil {
				return err
			}
			c.start(e)
			return nil
		}
		return nil
	}
	switch cf.Args[0] {
	case "cookie":
		return c.cookieMethod(cf)
	case "route":
		for _, arg := range cf.Args[1:] {
			name, ok := strings.CutPrefix(arg, "$")
			if !ok {
				return cf.Errorf(`invalid variable name "%s"`, arg)
			}
			v, err := http.MainOf(cf).Variable(cf, name)
			if err != nil {
				return err
			}
			c.lookup = append(c.lookup, v)
		}
		return nil
	case "learn":
		return c.learnMethod(cf, u)
	}
	return cf.Errorf(`unknown parameter "%s"`, cf.Args[0])
}

// cookieMethod reads "sticky cookie name [expires=time] [domain=domain]
// [httponly] [samesite=…] [secure] [path=path]".
func (c *stickyConf) cookieMethod(cf *conf.Conf) error {
	k := &c.cookie
	if k.name = cf.Args[1]; k.name == "" {
		return predicate("empty cookie name")
	}
	for _, arg := range cf.Args[2:] {
		if err := k.parameter(cf, arg); err != nil {
			return err
		}
	}
	v, err := http.MainOf(cf).Variable(cf, "cookie_"+k.name)
	c.lookup = append(c.lookup, v)
	return err
}

func (k *cookieConf) parameter(cf *conf.Conf, arg string) (err error) {
	name, value, assigned := strings.Cut(arg, "=")
	duplicate := predicate(`parameter "` + name + `" is duplicate`)
	switch {
	case name == "domain" && assigned:
		switch {
		case k.domain != nil:
			return duplicate
		case value == "":
			return predicate(`no value for "domain"`)
		}
		k.domain, err = http.CompileArg(cf, value)
	case name == "path" && assigned:
		switch {
		case k.path != "":
			return duplicate
		case value == "":
			return predicate(`no value for "path"`)
		}
		k.path = value
	case name == "expires" && assigned:
		if k.set {
			return duplicate
		}
		ok := true
		if k.set, k.maxExpires = true, value == "max"; !k.maxExpires {
			k.expires, ok = conf.ParseSec(value)
		}
		if !ok {
			return predicate(`invalid "expires" parameter value`)
		}
	case arg == "httponly":
		if k.httpOnly {
			return duplicate
		}
		k.httpOnly = true
	case arg == "secure":
		if k.secure {
			return duplicate
		}
		k.secure = true
	case name == "samesite" && assigned:
		if k.sameSite != nil {
			return duplicate
		}
		if k.sameSite, err = http.CompileArg(cf, value); err == nil && k.sameSite.Static() && !validSameSite(value) {
			return predicate(`invalid "samesite" parameter value`)
		}
	default:
		return cf.Errorf(`unknown parameter "%s"`, arg)
	}
	return err
}

func validSameSite(s string) bool {
	return slices.ContainsFunc([]string{"strict", "lax", "none"}, func(v string) bool { return strings.EqualFold(v, s) })
}

// learnMethod reads "sticky learn create=$variable lookup=$variable
// zone=name:size [timeout=time] [header]".
func (c *stickyConf) learnMethod(cf *conf.Conf, u *upstream.Upstream) error {
	var zone string
	var size int64
	var timeout time.Duration
	for _, arg := range cf.Args[1:] {
		name, value, assigned := strings.Cut(arg, "=")
		ok := true
		switch {
		case name == "zone" && assigned:
			var err error
			if size != 0 {
				return predicate("duplicate zone")
			}
			if zone, size, err = zoneArg(value); err != nil {
				return err
			}
		case name == "timeout" && assigned:
			if timeout != 0 {
				return predicate("duplicate timeout")
			}
			if timeout, ok = conf.ParseMsec(value); !ok || timeout == 0 {
				return predicate("invalid timeout")
			}
		case (name == "create" || name == "lookup") && assigned:
			if value, ok = strings.CutPrefix(value, "$"); !ok {
				return predicate(`missing variable in the "` + name + `" parameter`)
			}
			v, err := http.MainOf(cf).Variable(cf, value)
			if err != nil {
				return err
			}
			if name == "create" {
				c.create = append(c.create, v)
			} else {
				c.lookup = append(c.lookup, v)
			}
		case arg == "header":
			c.onHeader = true
		default:
			return cf.Errorf(`unknown parameter "%s"`, arg)
		}
	}
	switch {
	case c.lookup == nil:
		return predicate(`"lookup" parameter is not specified`)
	case c.create == nil:
		return predicate(`"create" parameter is not specified`)
	case size == 0:
		return predicate(`"zone" parameter is not specified`)
	case timeout == 0:
		timeout = 10 * time.Minute
	}
	return c.addSessions(cf, u, zone, size, timeout)
}

// addSessions declares the zone of the sessions.
func (c *stickyConf) addSessions(cf *conf.Conf, u *upstream.Upstream, name string, size int64, timeout time.Duration) error {
	z, err := process.Of(cf.Cycle).AddZone(cf, name, size, sessionsTag{})
	if err != nil {
		return err
	}
	if s, ok := z.Data.(*sessions); ok {
		return cf.Errorf(`sticky zone "%s" is already used in upstream "%s"`, name, s.host)
	}
	c.sessions = &sessions{zone: z, host: u.Host, timeout: timeout.Milliseconds()}
	z.Data, z.Init = c.sessions, initSessions
	return nil
}

// stickyPick has another method choose, with the peer of the client's session
// as a hint.
type stickyPick struct {
	upstream.Balancer
	conf *stickyConf
	e    *upstream.Exchange
	// id is what the client's request names: a session, or a peer.
	id string
	// cookie is 1 + the place of the cookie in the response's header.
	cookie int
}

func (c *stickyConf) start(e *upstream.Exchange) {
	x := &stickyPick{Balancer: e.Balancer, conf: c, e: e, id: firstOf(e.R, c.lookup)}
	e.Balancer = x
	if c.sessions != nil && c.onHeader {
		next := e.OnHeader
		e.OnHeader = func() {
			x.learn()
			if next != nil {
				next()
			}
		}
	}
}

// firstOf returns the first value that is not empty.
func firstOf(r *http.Request, vars []*http.Variable) string {
	for _, v := range vars {
		if s := v.Value(r).S; s != "" {
			return s
		}
	}
	return ""
}

// Get implements upstream.Balancer.
func (x *stickyPick) Get(e *upstream.Exchange) bool {
	if e.Hint == "" && x.id != "" {
		e.Hint = x.id
		if s := x.conf.sessions; s != nil {
			e.Hint = s.find(x.id)
		}
	}
	ok := x.Balancer.Get(e)
	e.Hint = ""
	if ok && x.conf.cookie.name != "" {
		x.setCookie()
	}
	return ok
}

// Free implements upstream.Balancer.
func (x *stickyPick) Free(e *upstream.Exchange, how upstream.Outcome) {
	if how == upstream.PeerDone && x.conf.sessions != nil && !x.conf.onHeader {
		x.learn()
	}
	x.Balancer.Free(e, how)
}

// learn notes the peer for the session that the response, or else the request,
// names.
func (x *stickyPick) learn() {
	id := firstOf(x.e.R, x.conf.create)
	create := id != ""
	if !create {
		id = x.id
	}
	if id != "" {
		x.conf.sessions.note(id, x.e.Peer.SID, create, x.e.R)
	}
}

// setCookie sends the client a cookie that names the peer.
func (x *stickyPick) setCookie() {
	k, r := &x.conf.cookie, x.e.R
	b := append(append(append([]byte(nil), k.name...), '='), x.e.Peer.SID...)
	switch {
	case k.maxExpires:
		b = append(b, "; expires=Thu, 31-Dec-37 23:55:55 GMT; max-age=315360000"...)
	case k.set:
		seconds := int64(k.expires / time.Second)
		b = wire.AppendCookieDate(append(b, "; expires="...), x.e.Now()+seconds)
		b = strconv.AppendInt(append(b, "; max-age="...), seconds, 10)
	}
	if k.domain != nil {
		if s := k.domain.Eval(r); s != "" {
			b = append(append(b, "; domain="...), s...)
		}
	}
	if k.httpOnly {
		b = append(b, "; httponly"...)
	}
	if k.secure {
		b = append(b, "; secure"...)
	}
	if k.sameSite != nil {
		s := k.sameSite.Eval(r)
		if s != "" && !validSameSite(s) {
			s = "strict"
		}
		if s != "" {
			b = append(append(b, "; samesite="...), s...)
		}
	}
	if k.path != "" {
		b = append(append(b, "; path="...), k.path...)
	}
	if x.cookie == 0 {
		r.Out.Add("Set-Cookie", "")
		x.cookie = len(r.Out.List)
	}
	r.Out.List[x.cookie-1].Value = r.Pool.String(b)
}
