package process

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// TestCollectorFollowsHeap: when the heap has grown, it may grow by less.
func TestCollectorFollowsHeap(t *testing.T) {
	old := debug.SetGCPercent(400)
	t.Cleanup(func() { debug.SetGCPercent(old) })
	new(collector).settle()
	live := make([]byte, 2*heapHeadroom)
	gogc := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		if metrics.Read(gogc); gogc[0].Value.Uint64() == leastGOGC {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("GOGC is %d with %d bytes in use", gogc[0].Value.Uint64(), len(live))
		}
	}
	runtime.KeepAlive(live)
}

// TestMemoryAfterPeak: what a peak took is given back when the process has
// become quiet, and only then.
func TestMemoryAfterPeak(t *testing.T) {
	peak := make([]byte, 8*worthFreeing)
	for i := range peak {
		peak[i] = 1
	}
	runtime.KeepAlive(peak)
	peak = nil
	runtime.GC()
	if unneeded() < worthFreeing {
		t.Fatalf("%d bytes are not needed after the peak", unneeded())
	}

	c := new(collector)
	c.used = processorTime() - quietTime // as if the process had been at work
	c.watching.Store(true)
	c.rest()
	if !c.watching.Load() || unneeded() < worthFreeing {
		t.Error("a process at work gives memory back")
	}
	c.watch.Stop()
	c.used = processorTime()
	c.rest()
	if n := unneeded(); c.watching.Load() || n >= worthFreeing {
		t.Errorf("%d bytes are not given back", n)
	}
}
