package limitconn

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http"
	"moongate/http/limit"
)

func newCounters(t testing.TB) *counters {
	t.Helper()
	memory, err := shm.Create("test", shm.MinSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memory.Close() })
	c := &counters{key: limit.Key{Complex: &http.Complex{Text: "$key"}, Max: maxKey}}
	if err := c.init(&process.Zone{Name: "test", Shm: memory}, nil); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCounters compares with a map.
func TestCounters(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newCounters(t)
		held, counts := []place{}, map[string]uint32{}
		names := map[shm.Ptr]string{}
		for range rapid.IntRange(1, 50).Draw(rt, "steps") {
			if len(held) > 0 && rapid.Bool().Draw(rt, "leave") {
				i := rapid.IntRange(0, len(held)-1).Draw(rt, "which")
				counts[names[held[i].key]]--
				held[i].leave()
				held = append(held[:i], held[i+1:]...)
				continue
			}
			key, limit := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "key"), uint32(rapid.IntRange(1, 3).Draw(rt, "limit"))
			p, result := c.enter(key, limit)
			if (result == full) != (counts[key] >= limit) {
				rt.Fatalf("%q: %d with %d of %d", key, result, counts[key], limit)
			}
			if result == entered {
				counts[key]++
				names[p.key] = key
				held = append(held, p)
			}
		}
		for i := range held {
			held[i].leave()
		}
		if n := c.table.Len(); n != 0 {
			rt.Fatalf("%d keys are left", n)
		}
	})
}

// TestFullZone: requests are refused when there is no memory for their keys.
func TestFullZone(t *testing.T) {
	c := newCounters(t)
	for i := range 100_000 {
		if _, result := c.enter(fmt.Sprintf("key%d", i), 1); result == failed {
			return
		}
	}
	t.Error("the zone took everything")
}

// TestReset: what counted before a reset is not taken from what came after.
func TestReset(t *testing.T) {
	c := newCounters(t)
	p, _ := c.enter("key", 1)
	p.generation--
	p.leave()
	if _, result := c.enter("key", 1); result != full {
		t.Error("a stale place was left")
	}
}

func TestAllocations(t *testing.T) {
	c := newCounters(t)
	if n := testing.AllocsPerRun(100, func() {
		p, _ := c.enter("key", 1)
		p.leave()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
