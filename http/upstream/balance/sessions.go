package balance

import (
	"crypto/md5"
	"strings"
	"time"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http"
)

// sessions is the shared memory of "sticky learn": which session belongs to
// which peer.
type sessions struct {
	zone    *process.Zone
	host    string
	timeout int64 // ms
	table   *shm.Table
}

// maxSID is the length of the longest name of a peer, which precedes it in an
// entry's value.
const maxSID = 32

// entryOverhead is the size of nginx's node without the name of the session,
// so that a zone holds as many.
const entryOverhead = 128

// zoneArg reads "name:size".
func zoneArg(s string) (name string, size int64, err error) {
	name, text, ok := strings.Cut(s, ":")
	switch {
	case !ok:
		return "", 0, predicate("zone size is not specified")
	case name == "":
		return "", 0, predicate("zone name is not specified")
	}
	if size, ok = conf.ParseSize(text); !ok {
		return "", 0, predicate("invalid zone size")
	}
	if size < shm.MinSize {
		return "", 0, predicate("zone is too small")
	}
	return name, size, nil
}

// initSessions implements process.Zone.Init.
func initSessions(z *process.Zone, old any) error {
	s := z.Data.(*sessions)
	if o, ok := old.(*sessions); ok && o.host != s.host {
		return &conf.Error{Msg: `sticky zone "` + z.Name + `" is used in upstream "` + s.host +
			`" while previously it was used in upstream "` + o.host + `"`}
	}
	s.table = z.Shm.Table(entryOverhead)
	return nil
}

// find returns the peer of a session, "" if it is not known.
func (s *sessions) find(id string) string {
	key := md5.Sum(buf.Bytes(id))
	s.zone.Shm.Lock()
	defer s.zone.Shm.Unlock()
	p := s.alive(key[:], time.Now().UnixMilli())
	if p == 0 {
		return ""
	}
	v := s.table.Value(p)
	return string(v[1 : 1+min(int(v[0]), maxSID)])
}

// alive looks a session up and drops what has expired. The zone must be locked.
func (s *sessions) alive(key []byte, now int64) shm.Ptr {
	s.table.Expire(now, 2)
	p := s.table.Lookup(key)
	if p != 0 && s.table.Expires(p) <= now {
		s.table.Delete(p)
		return 0
	}
	return p
}

// note records the peer of a session that is known, or that is to be created.
func (s *sessions) note(id, sid string, create bool, r *http.Request) {
	if len(sid) > maxSID {
		return
	}
	key := md5.Sum(buf.Bytes(id))
	now := time.Now().UnixMilli()
	s.zone.Shm.Lock()
	p := s.alive(key[:], now)
	lost := false
	if p == 0 && create {
		if p = s.table.Insert(key[:], 1+maxSID, 0); p == 0 {
			lost = true
			if oldest := s.table.Oldest(); oldest != 0 {
				s.table.Delete(oldest)
				p = s.table.Insert(key[:], 1+maxSID, 0)
			}
		}
	}
	if p != 0 {
		v := s.table.Value(p)
		v[0] = byte(len(sid))
		copy(v[1:], sid)
		s.table.SetExpires(p, now+s.timeout)
		s.table.Touch(p)
	}
	s.zone.Shm.Unlock()
	if lost {
		r.Logf(log.Warn, nil, `could not allocate node in sticky session zone "%s", expiring least recently used session`, s.zone.Name)
	}
}

// sessionsTag marks the zones of sessions.
type sessionsTag struct{}
