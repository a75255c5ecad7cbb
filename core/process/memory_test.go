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
	(&collector{sample: []metrics.Sample{{Name: "/gc/heap/live:bytes"}}}).settle()
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
