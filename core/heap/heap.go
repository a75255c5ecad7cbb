// Package heap tells what Go's collector finds: how much of the heap is in use, after each of its cycles.
package heap

import (
	"runtime"
	"runtime/metrics"
)

// Live is what the last cycle found to be in use, in bytes; 0 when the runtime does not tell.
func Live() uint64 {
	sample := [1]metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample[:])
	if sample[0].Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return sample[0].Value.Uint64()
}

// token is garbage whose finalizer tells of a cycle. It is too large for the allocator to put it together with others.
type token struct{ _ [16]byte }

// Watch calls f after each cycle of the collector with what it found to be in use, until f returns false. f runs on the
// goroutine of the runtime's finalizers and must not wait.
func Watch(f func(live uint64) (more bool)) {
	runtime.SetFinalizer(new(token), func(*token) {
		if f(Live()) {
			Watch(f)
		}
	})
}
