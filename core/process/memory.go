package process

import (
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
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return
	}
	debug.SetGCPercent(gcPercent(sample[0].Value.Uint64()))
}

// gcPercent is GOGC for a heap of that many live bytes.
func gcPercent(live uint64) int {
	most, _ := strconv.Atoi(workerGOGC)
	return int(min(max(heapHeadroom*100/max(live, 1), leastGOGC), uint64(most)))
}
