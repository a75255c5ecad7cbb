package limitconn

import (
	"unsafe"

	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http/limit"
)

// counters is a "limit_conn_zone" directive: how many requests with each key
// are in progress.
type counters struct {
	key limit.Key

	zone  *process.Zone
	table *shm.Table
}

// Key implements limit.Bound.
func (c *counters) Key() *limit.Key { return &c.key }

// counter is the value of a key, in shared memory.
type counter struct{ requests uint32 }

// overhead makes an entry as large as nginx's node, beside its key, or as small
// as it can be.
const overhead = 36 - int(unsafe.Sizeof(counter{}))

// init is the zone's Init.
func (c *counters) init(z *process.Zone, old any) error {
	if err := limit.SameKey("limit_conn_zone", z.Name, &c.key, old); err != nil {
		return err
	}
	c.zone, c.table = z, z.Shm.Table(overhead)
	return nil
}

func (c *counters) at(p shm.Ptr) *counter { return shm.At[counter](c.zone.Shm, c.table.ValuePtr(p)) }

// result is what a key came to.
type result int

const (
	entered result = iota
	full           // there are as many already
	failed         // the zone has no memory
)

// place is where a request counts.
type place struct {
	counters   *counters
	key        shm.Ptr
	generation uint32
}

// enter counts a request unless there are most already.
func (c *counters) enter(key string, most uint32) (place, result) {
	memory := c.zone.Shm
	memory.Lock()
	defer memory.Unlock()
	p := c.table.LookupString(key)
	if p == 0 {
		if p = c.table.InsertString(key, int(unsafe.Sizeof(counter{})), 0); p == 0 {
			return place{}, failed
		}
		*c.at(p) = counter{}
	}
	v := c.at(p)
	if v.requests >= most {
		return place{}, full
	}
	v.requests++
	return place{c, p, memory.Generation()}, entered
}

// leave counts the request no longer, unless the zone was reset meanwhile.
func (p *place) leave() {
	c := p.counters
	memory := c.zone.Shm
	memory.Lock()
	defer memory.Unlock()
	if memory.Generation() != p.generation {
		return
	}
	if v := c.at(p.key); v.requests > 1 {
		v.requests--
		return
	}
	c.table.Delete(p.key)
}
