package heap

import (
	"runtime"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	const cycles = 3
	seen := make(chan uint64, cycles+1)
	n := 0
	Watch(func(live uint64) bool {
		seen <- live
		n++
		return n < cycles
	})
	for range cycles {
		deadline := time.Now().Add(30 * time.Second)
		for done := false; !done; {
			runtime.GC() // a cycle may begin before the token of the last one is garbage
			select {
			case live := <-seen:
				if live == 0 || live > 1<<40 {
					t.Errorf("%d bytes in use", live)
				}
				done = true
			case <-time.After(time.Millisecond):
				if time.Now().After(deadline) {
					t.Fatal("not called")
				}
			}
		}
	}
	for range 3 {
		runtime.GC()
	}
	select {
	case <-seen:
		t.Error("called after it returned false")
	default:
	}
}
