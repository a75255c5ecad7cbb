package limitconn

import (
	"unsafe"

	"moongate/conf"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http"
)

// counters is a "limit_conn_zone" directive: how many requests with each key
// are in progress.
type counters struct {
	key *http.Complex

	zone  *process.Zone
	table *shm.Table
}

// counter is the value of a key, in shared memory.
type counter struct{ requests uint32 }

// overhead makes an entry as large as nginx's node, beside its key, or as small
// as it can be.
const overhead = 36 - int(unsafe.Sizeof(counter{}))

// init is the zone's Init.
func (c *counters) init(z *process.Zone, old any) error {
	if o, ok := old.(*counters); ok && o.key.Text != c.key.Text {
		return &conf.Error{Msg: `limit_conn_zone "` + z.Name + `" uses the "` + c.key.Text +
			`" key while previously it used the "` + o.key.Text + `" key`}
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

// enter counts a request unless there are limit already.
func (c *counters) enter(key string, limit uint32) (place, result) {
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
	if v.requests >= limit {
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
