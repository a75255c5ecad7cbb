package upstream

import (
	"errors"
	"strings"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/build"
	"moongate/core/cidr"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/upstream/cache"
	"moongate/http/wire"
)

// purging says which requests remove the response from the cache that they
// would get else: the first form of PREFIX_cache_purge, of the module
// ngx_cache_purge. The zero purging is "off".
type purging struct {
	method string
	// all: every response of the cache is removed.
	all bool
	// from are the clients that may, everybody if it is empty.
	from cidr.Set
}

// purgeRow is the row "PREFIX_cache_purge on | off | method [purge_all] [from
// all | network …]" or "PREFIX_cache_purge zone key".
func (w Rows[C]) purgeRow() conf.Directive {
	s := w.Slot
	return conf.Value(s, w.Prefix+"_cache_purge", in, conf.OneMore, func(c *C) *conf.Opt[purging] { return &w.Of(c).Cache.purge }, purging{},
		func(cf *conf.Conf) (purging, error) {
			if len(cf.Args) != 2 {
				return parsePurge(cf)
			}
			return purging{}, w.Of(s.Of(cf.Scope)).parsePurger(cf, w.Prefix)
		})
}

func parsePurge(cf *conf.Conf) (p purging, err error) {
	switch arg := cf.Args[0]; arg {
	case "off":
		return p, nil
	case "on":
		p.method = "PURGE"
	default:
		p.method = arg
	}
	if len(cf.Args) == 1 {
		return p, nil
	}
	from := cf.Args[1:]
	if p.all = from[0] == "purge_all"; p.all {
		from = from[1:]
	}
	if from[0] != "from" || len(from) == 1 {
		return p, cf.Errorf(`invalid parameter "%s", expected "from" keyword`, from[0])
	}
	if from[1] == "all" {
		return p, nil
	}
	for _, arg := range from[1:] {
		network, exact, ok := cidr.Parse(arg)
		switch {
		case !ok:
			return p, cf.Errorf(`invalid parameter "%s"`, arg)
		case !exact:
			cf.Warnf("low address bits of %s are meaningless", arg)
		}
		p.from.Add(network)
	}
	return p, nil
}

// purger is the second form of the directive: a location of its own, each
// request of which removes the response with a key.
type purger struct {
	use cacheUse
	key *http.Complex
}

// parsePurger reads "PREFIX_cache_purge zone key" and makes the location
// answer so.
func (c *Conf) parsePurger(cf *conf.Conf, prefix string) error {
	l := http.LocOf(cf)
	switch {
	case cf.In != conf.HTTPLocation:
		return errors.New("(separate location syntax) is not allowed here")
	case c.Cache.On():
		return errors.New(`is incompatible with "` + prefix + `_cache"`)
	case l.Handler != nil:
		return errors.New(`is incompatible with "` + prefix + `_pass"`)
	case c.Store.V.on:
		return errors.New(`is incompatible with "` + prefix + `_store"`)
	}
	zone, err := http.CompileArg(cf, cf.Args[0])
	if err != nil {
		return err
	}
	p := &purger{}
	if p.key, err = http.CompileArg(cf, cf.Args[1]); err != nil {
		return err
	}
	p.use = cacheUse{on: true, name: zone}
	if zone.Static() {
		if p.use.zone, err = process.Of(cf.Cycle).AddZone(cf, cf.Args[0], 0, cacheTag(prefix)); err != nil {
			return err
		}
	}
	c.Cache.purger = p
	main := MainOf(cf)
	l.Handler = func(r *http.Request) http.Verdict { return p.handle(r, main.caches[prefix]) }
	return nil
}

func (p *purger) handle(r *http.Request, caches []*cache.Cache) http.Verdict {
	c, ok := p.use.choose(r, caches)
	switch {
	case !ok:
		return http.StatusInternalServerError
	case c == nil:
		return http.StatusNotFound
	}
	n := new(cache.Entry)
	n.Begin(c)
	n.SetKey(append(n.Key(), p.key.Eval(r)...))
	return purge(r, c, n, make([]byte, cache.MaxStart), false)
}

// purges reports whether the request is to remove what it would get else, and
// does so.
func (e *Exchange) purges() (v http.Verdict, done bool) {
	r, p := e.R, &e.Conf.Cache.purge.V
	if p.method == "" || r.MethodName != p.method {
		return http.OK, false
	}
	if !p.from.Empty() && !p.from.Has(r.Conn.Peer.Addr) {
		return http.StatusForbidden, true
	}
	if !e.Conf.Cache.On() {
		return http.StatusNotFound, true
	}
	zone, ok := e.chooseCache()
	switch {
	case !ok:
		return http.StatusInternalServerError, true
	case zone == nil || !e.beginEntry(zone):
		return http.StatusNotFound, true
	}
	n := e.entry
	e.entry, n.Lock = nil, false // nothing is going to be kept, nor waited for
	e.makeBuf()
	return purge(r, zone, n, e.buf, p.all), true
}

// purge removes the response of an entry, those whose keys begin with what
// comes before a "*" at the end of its key, or all; and says so.
func purge(r *http.Request, c *cache.Cache, n *cache.Entry, mem []byte, all bool) (v http.Verdict) {
	prefix, several := strings.CutSuffix(n.KeyText(), "*")
	switch {
	case all:
		v = c.PurgeAll(r, "")
	case several:
		v = c.PurgeAll(r, prefix)
	case n.HeaderStart > cache.MaxStart:
		v = http.StatusNotFound // no file has such a key
	default:
		v = n.Purge(r, mem)
	}
	if v != http.OK {
		return v
	}
	const (
		top = "<html>\r\n<head><title>Successful purge</title></head>\r\n<body bgcolor=\"white\">\r\n" +
			"<center><h1>Successful purge</h1>\r\n<br>Key : "
		middle = "\r\n<br>Path: "
		tail   = "\r\n</center>\r\n<hr><center>" + build.Server + "</center>\r\n</body>\r\n</html>\r\n"
	)
	b := wire.AppendHTML([]byte(top), n.KeyText())
	b = append(append(append(b, middle...), n.Path()...), tail...)
	return r.Respond(http.StatusOK, "text/html", buf.String(b))
}
