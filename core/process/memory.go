package process

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
)

// Limits of the garbage collector in a worker: the heap may grow by
// heapHeadroom between two collections, but never by more than
// workerGOGC percent and never by less than leastGOGC. Requests need little
// live memory and leave much garbage, so a large percentage saves processor
// time where the configuration is small; where it is large the same percentage
// would only waste memory.
const (
	heapHeadroom = 64 << 20
	leastGOGC    = 100
)

// settleMemory gives back what reading the configuration took and sets the
// collector for what is left, unless the environment sets it.
func settleMemory(environ []string) {
	debug.FreeOSMemory()
	if v, ok := lookup(environ, "GOGC"); ok && v != workerGOGC {
		return
	}
	(&collector{sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}).settle()
}

// collector sets GOGC anew after each collection: a load may make the heap many
// times what it was at the start.
type collector struct {
	sample  []metrics.Sample
	percent int
}

// token is garbage whose finalizer tells of a collection. It is too large for
// the allocator to put it together with others.
type token struct{ _ [16]byte }

// settle sets GOGC for the heap as it is, now and after each collection.
func (c *collector) settle() {
	metrics.Read(c.sample)
	if c.sample[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	// Setting it stops all threads for a moment, which a small change is not worth.
	const much = 4
	if p := gcPercent(c.sample[0].Value.Uint64()); max(p-c.percent, c.percent-p) > c.percent/much {
		c.percent = p
		debug.SetGCPercent(p)
	}
	runtime.SetFinalizer(new(token), func(*token) { c.settle() })
}

// gcPercent is GOGC for a heap of that many live bytes.
func gcPercent(live uint64) int {
	most, _ := strconv.Atoi(workerGOGC)
	return int(min(max(heapHeadroom*100/max(live, 1), leastGOGC), uint64(most)))
}
