package ssl

import (
	"crypto/rand"
	"strings"
	"unsafe"

	"moongate/conf"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/core/tls"
)

// sessionCache is ssl_session_cache.
type sessionCache struct {
	set     bool
	builtin int // sessions that each worker keeps, cacheOff, cacheNone or cacheShared
	zone    *process.Zone
}

// What builtin says when it is not a number.
const (
	cacheOff    = -2
	cacheNone   = -3
	cacheShared = -5 // only the zone

	// defaultBuiltin is OpenSSL's SSL_SESSION_CACHE_MAX_SIZE_DEFAULT.
	defaultBuiltin = 1024 * 20
)

// parse reads "off | none | [builtin[:size]] [shared:name:size]".
func (s *sessionCache) parse(cf *conf.Conf) error {
	for _, arg := range cf.Args {
		kind, rest, more := strings.Cut(arg, ":")
		switch {
		case arg == "off":
			s.set, s.builtin = true, cacheOff
		case arg == "none":
			s.set, s.builtin = true, cacheNone
		case arg == "builtin":
			s.set, s.builtin = true, defaultBuiltin
		case kind == "builtin" && more:
			n, ok := conf.ParseInt(rest)
			if !ok || n > 1<<31 {
				return cf.Errorf(`invalid session cache "%s"`, arg)
			}
			s.set, s.builtin = true, int(n)
		case kind == "shared" && more:
			zone, err := sharedZone(cf, arg, "session cache", "http_ssl")
			if err != nil {
				return err
			}
			zone.Init = initZone
			s.zone = zone
		default:
			return cf.Errorf(`invalid session cache "%s"`, arg)
		}
	}
	if s.zone != nil && !s.set {
		s.set, s.builtin = true, cacheShared
	}
	return nil
}

// sharedZone reads "shared:name:size".
func sharedZone(cf *conf.Conf, arg, what, tag string) (*process.Zone, error) {
	rest, ok := strings.CutPrefix(arg, "shared:")
	name, sizeText, hasSize := strings.Cut(rest, ":")
	size, valid := conf.ParseSize(sizeText)
	if !ok || name == "" || !hasSize || !valid {
		return nil, cf.Errorf(`invalid %s "%s"`, what, arg)
	}
	if size < shm.MinSize {
		return nil, cf.Errorf(`%s "%s" is too small`, what, arg)
	}
	return process.Of(cf.Cycle).AddZone(cf, name, size, tag)
}

func (s *sessionCache) inherit(outer *sessionCache) {
	if !s.set {
		s.set, s.builtin = outer.set, outer.builtin
	}
	if !s.set {
		s.builtin = cacheNone
	}
	if s.zone == nil {
		s.zone = outer.zone
	}
}

// store is where sessions without tickets are kept, nil for nowhere.
func (s *sessionCache) store() tls.SessionStore {
	switch {
	case s.builtin == cacheOff, s.builtin == cacheNone:
		return nil
	case s.zone != nil:
		return zoneStore{s.zone}
	}
	return tls.NewMemoryStore(s.builtin)
}

// zoneKeys are the ticket keys in a zone: the current one, the one before and
// the one to come.
type zoneKeys [3]zoneKey

type zoneKey struct {
	expires int64 // Unix seconds until which tickets made with it may be used; 0: none yet
	bytes   [80]byte
}

// initZone prepares a zone of sessions (ngx_ssl_session_cache_init).
func initZone(z *process.Zone, _ any) error {
	if z.Shm.Root() != 0 {
		return nil
	}
	z.Shm.Lock()
	defer z.Shm.Unlock()
	build := func() { z.Shm.SetRoot(z.Shm.Calloc(int(unsafe.Sizeof(zoneKeys{})))) }
	build()
	z.Shm.OnReset(build)
	return nil
}

// zoneStore keeps sessions in a zone.
type zoneStore struct{ zone *process.Zone }

// maxSession is the size of the largest session that is kept
// (NGX_SSL_MAX_SESSION_SIZE).
const maxSession = 4096

// Put implements tls.SessionStore: one or two expired sessions make way, and
// the oldest one if that is not enough.
func (s zoneStore) Put(id [32]byte, session []byte, now, expires int64) {
	if len(session) > maxSession {
		return
	}
	z := s.zone.Shm
	z.Lock()
	defer z.Unlock()
	t := z.Table(0)
	t.Expire(now, 2)
	p := t.Insert(id[:], len(session), expires)
	for tries := 0; p == 0 && tries < 3; tries++ {
		if oldest := t.Oldest(); oldest != 0 {
			t.Delete(oldest)
		}
		p = t.Insert(id[:], len(session), expires)
	}
	if p != 0 {
		copy(t.Value(p), session)
	}
}

// Get implements tls.SessionStore.
func (s zoneStore) Get(id []byte, now int64) []byte {
	z := s.zone.Shm
	z.Lock()
	defer z.Unlock()
	t := z.Table(0)
	p := t.Lookup(id)
	if p == 0 {
		return nil
	}
	if t.Expires(p) <= now {
		t.Delete(p)
		return nil
	}
	return append([]byte(nil), t.Value(p)...)
}

// Delete implements tls.SessionStore.
func (s zoneStore) Delete(id []byte) {
	z := s.zone.Shm
	z.Lock()
	defer z.Unlock()
	t := z.Table(0)
	if p := t.Lookup(id); p != 0 {
		t.Delete(p)
	}
}

// ticketRing are the ticket keys of a zone as this process knows them.
type ticketRing struct {
	zone    *process.Zone
	keys    [2]*tls.TicketKey // current, previous
	expires [2]int64
}

func sharedKeys(zone *process.Zone) *ticketRing { return &ticketRing{zone: zone} }

// Current implements tls.TicketKeys.
func (r *ticketRing) Current(now, expires int64) *tls.TicketKey {
	r.rotate(now, expires)
	return r.keys[0]
}

// Find implements tls.TicketKeys.
func (r *ticketRing) Find(name []byte, now, expires int64) *tls.TicketKey {
	r.rotate(now, expires)
	for _, k := range r.keys {
		if string(k.Name[:]) == string(name) {
			return k
		}
	}
	return nil
}

// rotate brings the keys up to date: when the previous key is not needed any
// more, the current one becomes the previous one and the next one is put to
// use, which all workers know by then (ngx_ssl_rotate_ticket_keys).
func (r *ticketRing) rotate(now, expires int64) {
	if r.keys[0] != nil && r.expires[0] >= expires && r.expires[1] >= now {
		return
	}
	z := r.zone.Shm
	z.Lock()
	defer z.Unlock()
	k := shm.At[zoneKeys](z, z.Root())
	if k[0].expires == 0 {
		rand.Read(k[0].bytes[:])
		k[0].expires = expires
		k[2] = k[0]
	}
	if k[1].expires < now {
		k[1], k[0] = k[0], k[2]
		k[2].expires = 0
		rand.Read(k[2].bytes[:])
	}
	k[0].expires = max(k[0].expires, expires)
	for i := range r.keys {
		r.keys[i] = tls.NewTicketKey(append([]byte(nil), k[i].bytes[:]...))
		r.expires[i] = k[i].expires
	}
}
