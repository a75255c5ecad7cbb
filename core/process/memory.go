package process

import (
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/heap"
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
	new(collector).settle()
}

// collector sets GOGC anew after each collection: a load may make the heap many
// times what it was at the start. After the load it has what the peak took
// given back, which the runtime by itself keeps for the next one.
type collector struct {
	percent int

	// watch runs rest when the process may have become quiet; watching until
	// it has.
	watch    *time.Timer
	watching atomic.Bool
	// used is the processor time at the start of the current watch.
	used time.Duration
}

// settle sets GOGC for the heap as it is, now and after each collection.
func (c *collector) settle() {
	c.set(heap.Live())
	heap.Watch(func(live uint64) (more bool) {
		c.set(live)
		if c.watching.CompareAndSwap(false, true) {
			c.begin()
		}
		return true
	})
}

// set sets GOGC for a heap of that many live bytes; 0 if they are not known.
func (c *collector) set(live uint64) {
	// Setting it stops all threads for a moment, which a small change is not worth.
	const much = 4
	if p := gcPercent(live); live > 0 && max(p-c.percent, c.percent-p) > c.percent/much {
		c.percent = p
		debug.SetGCPercent(p)
	}
}

const (
	// quietTime is how long a process is watched to find out whether it is
	// quiet: if it needs less than one quietShare-th of the time.
	quietTime  = 2 * time.Second
	quietShare = 20
	// worthFreeing is how many bytes make it worth a collection and the page
	// faults of a load to come to give them back.
	worthFreeing = 8 << 20
)

// begin begins to watch.
func (c *collector) begin() {
	c.used = processorTime()
	if c.watch == nil {
		c.watch = time.AfterFunc(quietTime, c.rest)
		return
	}
	c.watch.Reset(quietTime)
}

// rest gives memory back if the process is quiet, and watches on if it is not.
// It ends with a collection, after which there is nothing to give back, or
// without one: a process that does nothing is not woken for this.
func (c *collector) rest() {
	if processorTime()-c.used > quietTime/quietShare {
		c.begin()
		return
	}
	c.watching.Store(false)
	if unneeded() >= worthFreeing {
		debug.FreeOSMemory()
	}
}

// processorTime is what the process has used so far.
func processorTime() time.Duration {
	var u unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// unneeded is how many bytes of the heap a collection and the kernel could have.
func unneeded() uint64 {
	s := []metrics.Sample{
		{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}, {Name: "/gc/heap/live:bytes"},
	}
	metrics.Read(s)
	for i := range s {
		if s[i].Value.Kind() != metrics.KindUint64 {
			return 0
		}
	}
	free, objects, live := s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64()
	return free + max(objects, live) - live
}

// gcPercent is GOGC for a heap of that many live bytes.
func gcPercent(live uint64) int {
	most, _ := strconv.Atoi(workerGOGC)
	return int(min(max(heapHeadroom*100/max(live, 1), leastGOGC), uint64(most)))
}
