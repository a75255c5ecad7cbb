package upstream

import (
	"errors"
	"math"

	"moongate/conf"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/upstream/cache"
	"moongate/http/wire"
)

// CacheConf is what a location decides about its cache.
type CacheConf struct {
	use   conf.Opt[cacheUse]
	purge conf.Opt[purging]
	// purger makes the location one that only purges.
	purger *purger

	Key            conf.Opt[*http.Complex]
	Bypass, Refuse conf.Opt[http.Predicates]
	Valid          conf.Opt[[]cache.Valid]
	MinUses        conf.Opt[int64]
	MaxRangeOffset conf.Opt[int64]
	UseStale       conf.Opt[int]
	Methods        conf.Opt[int]

	Lock                 conf.Opt[bool]
	LockTimeout, LockAge optTime

	Revalidate, ConvertHead, BackgroundUpdate conf.Opt[bool]
}

// cacheUse is the value of PREFIX_cache: a zone, or a name with variables.
type cacheUse struct {
	on   bool
	zone *process.Zone
	name *http.Complex
}

// On reports whether the location has a cache.
func (c *CacheConf) On() bool { return c.use.V.on }

// kept tells which of the two ways to keep responses a block has chosen.
type kept uint8

const (
	keptInherited kept = iota
	keptStored
	keptCached
)

// cacheTag marks the zones of a module's caches.
type cacheTag string

var cacheMethods = []conf.Word{
	{Name: "GET", Value: int(wire.GET)}, {Name: "HEAD", Value: int(wire.HEAD)}, {Name: "POST", Value: int(wire.POST)},
}

// Cache are the directives of the cache.
func (w Rows[C]) Cache() []conf.Directive {
	s, p := w.Slot, w.Prefix+"_"
	of := func(c *C) *CacheConf { return &w.Of(c).Cache }
	flag := func(name string, field func(*CacheConf) *conf.Opt[bool], def bool) conf.Directive {
		return s.Flag(p+name, in, func(c *C) *conf.Opt[bool] { return field(of(c)) }, def)
	}
	return []conf.Directive{
		conf.Value(s, p+"cache", in, conf.Take1, func(c *C) *conf.Opt[cacheUse] { return &of(c).use }, cacheUse{},
			func(cf *conf.Conf) (cacheUse, error) { return w.Of(s.Of(cf.Scope)).parseCache(cf, w.Prefix) }),
		conf.Command(p+"cache_path", conf.HTTPMain, conf.TwoMore, func(cf *conf.Conf) error {
			return MainOf(cf).addCache(cf, w.Prefix)
		}),
		conf.Value(s, p+"cache_key", in, conf.Take1, func(c *C) *conf.Opt[*http.Complex] { return &of(c).Key }, nil,
			func(cf *conf.Conf) (*http.Complex, error) { return http.CompileArg(cf, cf.Args[0]) }),
		http.PredicatesDirective(s, p+"cache_bypass", in, func(c *C) *conf.Opt[http.Predicates] { return &of(c).Bypass }),
		http.PredicatesDirective(s, p+"no_cache", in, func(c *C) *conf.Opt[http.Predicates] { return &of(c).Refuse }),
		conf.Repeat(s, p+"cache_valid", in, conf.OneMore, func(c *C) *conf.Opt[[]cache.Valid] { return &of(c).Valid }, nil, cache.ParseValid),
		s.Num(p+"cache_min_uses", in, func(c *C) *conf.Opt[int64] { return &of(c).MinUses }, 1),
		s.Offset(p+"cache_max_range_offset", in, func(c *C) *conf.Opt[int64] { return &of(c).MaxRangeOffset }, math.MaxInt64),
		s.Bitmask(p+"cache_use_stale", in, func(c *C) *conf.Opt[int] { return &of(c).UseStale }, FailOff, w.Words),
		s.Bitmask(p+"cache_methods", in, func(c *C) *conf.Opt[int] { return &of(c).Methods }, 0, cacheMethods),
		w.purgeRow(),
		flag("cache_lock", func(c *CacheConf) *conf.Opt[bool] { return &c.Lock }, false),
		s.Msec(p+"cache_lock_timeout", in, func(c *C) *optTime { return &of(c).LockTimeout }, 5*second),
		s.Msec(p+"cache_lock_age", in, func(c *C) *optTime { return &of(c).LockAge }, 5*second),
		flag("cache_revalidate", func(c *CacheConf) *conf.Opt[bool] { return &c.Revalidate }, false),
		flag("cache_background_update", func(c *CacheConf) *conf.Opt[bool] { return &c.BackgroundUpdate }, false),
	}
}

// ConvertHead is the row "PREFIX_cache_convert_head".
func (w Rows[C]) ConvertHead() conf.Directive {
	return w.flag("cache_convert_head", func(c *Conf) *conf.Opt[bool] { return &c.Cache.ConvertHead }, true)
}

// parseCache reads "PREFIX_cache zone | off"; the zone may have variables.
func (c *Conf) parseCache(cf *conf.Conf, prefix string) (cacheUse, error) {
	arg := cf.Args[0]
	if arg == "off" {
		return cacheUse{}, nil
	}
	if c.Store.V.on {
		return cacheUse{}, errors.New(`is incompatible with "` + prefix + `_store"`)
	}
	c.kept = keptCached
	name, err := http.CompileArg(cf, arg)
	if err != nil || !name.Static() {
		return cacheUse{on: true, name: name}, err
	}
	z, err := process.Of(cf.Cycle).AddZone(cf, arg, 0, cacheTag(prefix))
	return cacheUse{on: true, zone: z}, err
}

// addCache is "PREFIX_cache_path".
func (m *Main) addCache(cf *conf.Conf, prefix string) error {
	c, err := cache.Declare(cf, cacheTag(prefix))
	if err != nil {
		return err
	}
	if m.caches == nil {
		m.caches = make(map[string][]*cache.Cache)
	}
	m.caches[prefix] = append(m.caches[prefix], c)
	return nil
}

// mergeCache completes what a block says of its cache.
func (c *Conf) mergeCache(cf *conf.Conf, t *Traits) error {
	switch c.kept {
	case keptStored:
		c.Cache.use.V = cacheUse{}
	case keptCached:
		c.Store.V = StorePath{}
	}
	a := &c.Cache
	uses := []*cacheUse{&a.use.V}
	if a.purger != nil {
		uses = append(uses, &a.purger.use)
	}
	for _, u := range uses {
		if u.zone != nil && cache.Of(u.zone) == nil {
			return cf.Errorf(`"%s_cache" zone "%s" is unknown`, t.Module, u.zone.Name)
		}
	}
	if a.On() && a.Key.V == nil && !t.DefaultKey {
		cf.Warnf(`no "%s_cache_key" for "%[1]s_cache"`, t.Module)
	}
	if a.UseStale.V&FailOff != 0 {
		a.UseStale.V = FailOff
	}
	if a.UseStale.V&FailError != 0 {
		a.UseStale.V |= FailNoLive
	}
	a.Methods.V |= int(wire.GET | wire.HEAD)
	return nil
}

// choose is the cache of a request among those of the module, nil if it has
// none. It is false if there is no cache of that name, which is in the log.
func (u *cacheUse) choose(r *http.Request, caches []*cache.Cache) (*cache.Cache, bool) {
	if u.zone != nil {
		return cache.Of(u.zone), true
	}
	name := u.name.Eval(r)
	if name == "" || name == "off" {
		return nil, true
	}
	for _, c := range caches {
		if c.Name() == name {
			return c, true
		}
	}
	r.Error(`cache "%s" not found`, name)
	return nil, false
}

// chooseCache is the cache of the exchange (see choose).
func (e *Exchange) chooseCache() (*cache.Cache, bool) {
	return e.Conf.Cache.use.V.choose(e.R, e.main.caches[e.Traits.Module])
}
