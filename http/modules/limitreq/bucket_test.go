package limitreq

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http"
	"moongate/http/limit"
)

// newBucket makes a zone of the least size.
func newBucket(t testing.TB, rate int64) (*bucket, *limitation) {
	t.Helper()
	memory, err := shm.Create("test", shm.MinSize)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { memory.Close() })
	b := &bucket{key: limit.Key{Complex: &http.Complex{Text: "$key"}, Max: maxKey}, rate: rate, log: func() *log.Logger { return nil }}
	z := &process.Zone{Name: "test", Shm: memory, Data: b}
	if err := b.init(z, nil); err != nil {
		t.Fatal(err)
	}
	return b, &limitation{zone: z}
}

// TestFlow: the excess of a key is what came less what ran off since.
func TestFlow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		rate := int64(rapid.IntRange(16, 5000).Draw(rt, "rate"))
		burst := int64(rapid.IntRange(0, 5).Draw(rt, "burst")) * 1000
		b, _ := newBucket(t, rate)
		now, excess, last := int64(1_000_000), int64(-1), int64(0)
		for range rapid.IntRange(1, 30).Draw(rt, "requests") {
			now += int64(rapid.IntRange(0, 3000).Draw(rt, "pause"))
			result, got, _ := b.look("key", burst, now, true)
			want := int64(0)
			if excess >= 0 {
				want = max(excess-rate*(now-last)/1000+1000, 0)
			}
			if got != want || (result == full) != (want > burst) {
				rt.Fatalf("excess %d (%d), want %d", got, result, want)
			}
			if result == free {
				if excess = want; now > last {
					last = now
				}
			}
		}
	})
}

// TestClaims: a request that one limit refuses does not count at the others.
func TestClaims(t *testing.T) {
	first, one := newBucket(t, 1000)
	_, two := newBucket(t, 1000)
	try := func() found {
		a := account{now: 5000}
		if result := a.add(one, "key", false); result != free {
			return result
		}
		result := a.add(two, "key", true)
		if result != free {
			a.release()
			return result
		}
		a.settle()
		return free
	}
	if got := try(); got != free {
		t.Fatalf("first request: %d", got)
	}
	one.burst = 10_000
	if got := try(); got != full {
		t.Fatalf("second request: %d", got)
	}
	if v := first.at(first.table.LookupString("key")); v.claims != 0 || v.excess != 0 {
		t.Errorf("the first limit has %+v", *v)
	}
}

// TestEviction: a full zone drops the oldest keys, but none that is claimed.
func TestEviction(t *testing.T) {
	b, _ := newBucket(t, 1000)
	b.look("claimed", 0, 0, false)
	keys := 0
	for i := range 10_000 {
		result, _, _ := b.look(fmt.Sprintf("key%d", i), 0, int64(i), true)
		if result != free {
			break
		}
		keys++
	}
	if keys == 0 || keys == 10_000 {
		t.Fatalf("%d keys beside a claimed one", keys)
	}
	if b.table.LookupString("claimed") == 0 {
		t.Error("the claimed key is gone")
	}
	b.at(b.table.LookupString("claimed")).claims = 0
	for i := range 10_000 {
		if result, _, _ := b.look(fmt.Sprintf("more%d", i), 0, int64(i), true); result != free {
			t.Fatalf("key %d: %d", i, result)
		}
	}
}

func TestAllocations(t *testing.T) {
	b, _ := newBucket(t, 1000)
	now := int64(0)
	if n := testing.AllocsPerRun(100, func() {
		now += 10
		b.look("key", 1000, now, true)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
