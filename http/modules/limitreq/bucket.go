package limitreq

import (
	"math"
	"unsafe"

	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http/limit"
)

// bucket is a "limit_req_zone" directive: how much of each key has come, and
// runs off at the rate. All times are in milliseconds, all numbers of requests
// in thousandths.
type bucket struct {
	key  limit.Key
	rate int64 // in a second
	log  func() *log.Logger

	zone  *process.Zone
	table *shm.Table
}

// Key implements limit.Bound.
func (b *bucket) Key() *limit.Key { return &b.key }

// level is the state of a key, in shared memory.
type level struct {
	last   int64 // when excess was computed
	excess int64
	// claims counts the requests that have found the key and not settled yet;
	// it is not to be evicted meanwhile.
	claims int64
}

// overhead makes an entry as large as nginx's node, beside its key.
const overhead = 80 - int(unsafe.Sizeof(level{}))

// init is the zone's Init.
func (b *bucket) init(z *process.Zone, old any) error {
	if err := limit.SameKey("limit_req", z.Name, &b.key, old); err != nil {
		return err
	}
	b.zone, b.table = z, z.Shm.Table(overhead)
	return nil
}

func (l *limitation) bucket() *bucket { return l.zone.Data.(*bucket) }

func (b *bucket) at(p shm.Ptr) *level { return shm.At[level](b.zone.Shm, b.table.ValuePtr(p)) }

// found is what a key came to.
type found int

const (
	free   found = iota // there is room
	full                // there is none
	failed              // the zone has no memory
)

// farBack is how far a clock that was set back may be behind before it is
// believed.
const farBack = 60000

// flow returns the excess at the time now with one request more, and the time
// that has passed.
func (b *bucket) flow(v *level, now int64) (excess, passed int64) {
	passed = now - v.last
	switch {
	case passed < -farBack:
		passed = 1
	case passed < 0:
		passed = 0
	}
	return max(v.excess-b.drain(passed)+1000, 0), passed
}

// drain is what runs off in a time.
func (b *bucket) drain(ms int64) int64 {
	if ms > math.MaxInt64/b.rate {
		return math.MaxInt64 / 1000
	}
	return b.rate * ms / 1000
}

// look finds the level of a key, or makes one. With take the request counts at
// once, otherwise it has a claim on the key: nginx's ngx_http_limit_req_lookup.
func (b *bucket) look(key string, burst, now int64, take bool) (result found, excess int64, p shm.Ptr) {
	b.zone.Shm.Lock()
	defer b.zone.Shm.Unlock()
	if p = b.table.LookupString(key); p == 0 {
		if p = b.create(key, now); p == 0 {
			return failed, 0, 0
		}
		v := b.at(p)
		if *v = (level{}); take {
			v.last = now
		} else {
			v.claims = 1
		}
		return free, 0, p
	}
	b.table.Touch(p)
	v := b.at(p)
	excess, passed := b.flow(v, now)
	switch {
	case excess > burst:
		return full, excess, 0
	case !take:
		v.claims++
	default:
		v.excess = excess
		if passed != 0 {
			v.last = now
		}
	}
	return free, excess, p
}

// create adds a key, at the cost of the oldest one if need be.
func (b *bucket) create(key string, now int64) shm.Ptr {
	b.evict(now, false)
	p := b.table.InsertString(key, int(unsafe.Sizeof(level{})), 0)
	if p != 0 {
		return p
	}
	b.evict(now, true)
	if p = b.table.InsertString(key, int(unsafe.Sizeof(level{})), 0); p == 0 {
		b.log().Log(log.Alert, nil, `could not allocate node in limit_req zone "%s"`, b.zone.Name)
	}
	return p
}

// evict drops up to two keys that have run off long since, and by force the
// oldest one before.
func (b *bucket) evict(now int64, force bool) {
	n := 1
	if force {
		n = 0
	}
	for ; n < 3; n++ {
		p := b.table.Oldest()
		if p == 0 {
			return
		}
		v := b.at(p)
		if v.claims != 0 {
			return
		}
		if n != 0 {
			idle := max(now-v.last, v.last-now)
			if idle < farBack || v.excess > b.drain(idle) {
				return
			}
		}
		b.table.Delete(p)
	}
}

// claim is a key that counts once all limits have room.
type claim struct {
	limit      *limitation
	key        shm.Ptr
	generation uint32
}

// account is a request before the limits of a location.
type account struct {
	now    int64
	claims []claim
	any    bool // some limit applied
	// excess is that of the last limit asked, taken if it counts already.
	excess int64
	taken  *limitation
}

// add asks a limit, the last one if last.
func (a *account) add(l *limitation, key string, last bool) (result found) {
	b := l.bucket()
	var p shm.Ptr
	result, a.excess, p = b.look(key, l.burst, a.now, last)
	a.any = true
	switch {
	case result != free:
	case last:
		a.taken = l
	default:
		a.claims = append(a.claims, claim{l, p, b.zone.Shm.Generation()})
	}
	return result
}

// release gives up the claims.
func (a *account) release() {
	for i := range a.claims {
		a.claims[i].update(func(_ *bucket, v *level) { v.claims-- })
	}
}

// settle makes the claims count. It returns how long the request has to wait,
// and the excess and the zone that say so: nginx's ngx_http_limit_req_account.
func (a *account) settle() (delay, excess int64, zone string) {
	if a.taken != nil {
		delay, excess, zone = a.taken.wait(a.excess), a.excess, a.taken.zone.Name
	}
	for i := len(a.claims) - 1; i >= 0; i-- {
		c := &a.claims[i]
		var e int64
		c.update(func(b *bucket, v *level) {
			var passed int64
			if e, passed = b.flow(v, a.now); passed != 0 {
				v.last = a.now
			}
			v.excess = e
			v.claims--
		})
		if d := c.limit.wait(e); d > delay {
			delay, excess, zone = d, e, c.limit.zone.Name
		}
	}
	return delay, excess, zone
}

// wait is how long a request with that excess waits.
func (l *limitation) wait(excess int64) int64 {
	if excess <= l.delay {
		return 0
	}
	return (excess - l.delay) * 1000 / l.bucket().rate
}

// update runs f on a claimed key, unless the zone was reset meanwhile.
func (c *claim) update(f func(b *bucket, v *level)) {
	b := c.limit.bucket()
	b.zone.Shm.Lock()
	defer b.zone.Shm.Unlock()
	if b.zone.Shm.Generation() == c.generation {
		f(b, b.at(c.key))
	}
}
