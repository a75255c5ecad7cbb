package shdict

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moongate/core/shm"
)

func newDict(t testing.TB, size int64) *Dict {
	t.Helper()
	z, err := shm.Create("dogs", size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	d, err := New(z, true)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func str(s string) Value  { return Value{Kind: String, Str: s} }
func num(n float64) Value { return Value{Kind: Number, Num: n} }

func TestStoreAndGet(t *testing.T) {
	d := newDict(t, 1<<20)
	big := strings.Repeat("x", 10000)
	values := []Value{str(""), str("a"), str(big), num(-1.5), {Kind: Boolean, Num: 1}, {Kind: Boolean}}
	for i, v := range values {
		key := fmt.Sprint(i)
		if _, err := d.Store(Set, key, v, 0, 1, int32(i)); err != nil {
			t.Fatal(err)
		}
		got, flags, stale, err := d.Get(key, 1, false)
		if diff := cmp.Diff(v, got); diff != "" || flags != int32(i) || stale || err != nil {
			t.Errorf("%s: %s, %v %v %v", key, diff, flags, stale, err)
		}
	}
	// Another size, another kind.
	d.Store(Set, "1", str("longer"), 0, 1, 0)
	d.Store(Set, "3", str("12345678"), 0, 1, 0)
	for key, want := range map[string]Value{"1": str("longer"), "3": str("12345678")} {
		if got, _, _, _ := d.Get(key, 1, false); got != want {
			t.Errorf("%s: %v", key, got)
		}
	}
	d.Store(Set, "1", Value{}, 0, 1, 0)
	if got, _, _, _ := d.Get("1", 1, false); got.Kind != Nil {
		t.Errorf("deleted: %v", got)
	}
}

func TestAddReplaceErrors(t *testing.T) {
	d := newDict(t, 1<<20)
	check := func(what string, op Op, v Value, want error) {
		t.Helper()
		if _, err := d.Store(op, "k", v, 10, 100, 0); err != want {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	check("replace nothing", Replace, num(1), NotFound)
	check("add nil", Add, Value{}, NilValue)
	check("add", Add, num(1), nil)
	check("add again", Add, num(2), Exists)
	check("replace", Replace, str("x"), nil)
	if _, err := d.Store(Add, "k", num(3), 0, 110, 0); err != nil {
		t.Errorf("add over an expired one: %v", err)
	}
	d.Push(Left, "l", num(1), 1)
	if _, _, _, err := d.Get("l", 1, false); err != IsList {
		t.Error(err)
	}
	if _, _, err := d.Incr("l", 1, nil, 0, 1); err != NotNumber {
		t.Error(err)
	}
	if _, err := d.Push(Left, "k", num(1), 1); err != NotList {
		t.Error(err)
	}
}

func TestTimes(t *testing.T) {
	d := newDict(t, 1<<20)
	d.Store(Set, "k", num(1), 10, 100, 7)
	if ttl, err := d.TTL("k", 104); ttl != 6 || err != nil {
		t.Error(ttl, err)
	}
	if v, _, _, _ := d.Get("k", 109, false); v != num(1) {
		t.Error(v)
	}
	d.Store(Set, "younger", num(1), 0, 100, 0) // expire looks at the oldest only, which is k
	if v, flags, stale, _ := d.Get("k", 110, true); v != num(1) || flags != 7 || !stale {
		t.Error(v, flags, stale)
	}
	if v, _, _, _ := d.Get("k", 110, false); v.Kind != Nil {
		t.Error(v)
	}
	if _, err := d.TTL("k", 110); err != NotFound {
		t.Error(err)
	}
	d.Expire("younger", 5, 200)
	if n := d.FlushExpired(0, 204); n != 0 {
		t.Error(n)
	}
	if n := d.FlushExpired(0, 205); n != 1 {
		t.Error(n)
	}
}

func TestIncr(t *testing.T) {
	d := newDict(t, 1<<20)
	init := 10.0
	if _, _, err := d.Incr("k", 1, nil, 0, 1); err != NotFound {
		t.Error(err)
	}
	if n, _, err := d.Incr("k", 1, &init, 5, 1); n != 11 || err != nil {
		t.Error(n, err)
	}
	if n, _, err := d.Incr("k", 2, &init, 5, 1); n != 13 || err != nil {
		t.Error(n, err)
	}
	if n, _, err := d.Incr("k", 2, &init, 5, 6); n != 12 || err != nil {
		t.Error(n, err)
	}
}

func TestEvictsLeastRecentlyUsed(t *testing.T) {
	d := newDict(t, 16<<10)
	n := 0
	for ; ; n++ {
		if _, err := d.Store(Safe, fmt.Sprint("key", n), str(strings.Repeat("v", 100)), 0, 1, 0); err == NoMemory {
			break
		}
	}
	d.Get("key0", 1, false)
	if forced, err := d.Store(Set, "new", str(strings.Repeat("v", 100)), 0, 1, 0); !forced || err != nil {
		t.Error(forced, err)
	}
	for key, want := range map[string]Kind{"key0": String, "key1": Nil, "new": String} {
		if v, _, _, _ := d.Get(key, 1, false); v.Kind != want {
			t.Errorf("%s: %v", key, v.Kind)
		}
	}
	if _, err := d.Store(Set, "huge", str(strings.Repeat("v", 100000)), 0, 1, 0); err != NoMemory {
		t.Error(err)
	}
}

func TestKeysAndFlushAll(t *testing.T) {
	d := newDict(t, 1<<20)
	free := d.FreeSpace()
	for i := range 5 {
		d.Store(Set, fmt.Sprint(i), num(1), int64(i), 1, 0)
	}
	if diff := cmp.Diff([]string{"0", "3", "4"}, d.Keys(0, 3)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"0", "3"}, d.Keys(2, 3)); diff != "" {
		t.Error(diff)
	}
	d.FlushAll(3)
	if keys := d.Keys(0, 3); len(keys) != 0 {
		t.Error(keys)
	}
	d.FlushExpired(0, 3)
	if now := d.FreeSpace(); now != free {
		t.Errorf("%d bytes free, were %d", now, free)
	}
}

// TestLists compares lists with slices.
func TestLists(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := newDict(t, 1<<20)
		free := d.FreeSpace()
		var want []Value
		for range rapid.IntRange(0, 60).Draw(r, "steps") {
			end := End(rapid.IntRange(0, 1).Draw(r, "end"))
			if rapid.Bool().Draw(r, "push") {
				v := str(strings.Repeat("y", rapid.SampledFrom([]int{0, 1, 5000}).Draw(r, "len")))
				if rapid.Bool().Draw(r, "number") {
					v = num(rapid.Float64().Draw(r, "value"))
				}
				if end == Left {
					want = append([]Value{v}, want...)
				} else {
					want = append(want, v)
				}
				if n, err := d.Push(end, "k", v, 1); n != len(want) || err != nil {
					r.Fatal(n, err)
				}
				continue
			}
			var v Value
			if n := len(want); n > 0 && end == Left {
				v, want = want[0], want[1:]
			} else if n > 0 {
				v, want = want[n-1], want[:n-1]
			}
			if got, err := d.Pop(end, "k", 1); got != v || err != nil {
				r.Fatal(got.Kind, v.Kind, err)
			}
		}
		if n, _ := d.Len("k", 1); n != len(want) {
			r.Fatal(n)
		}
		d.Store(Set, "k", Value{}, 0, 1, 0)
		if now := d.FreeSpace(); now != free {
			r.Fatalf("%d bytes free, were %d", now, free)
		}
	})
}

// TestTornValue: a value that a killed process was writing is not there.
func TestTornValue(t *testing.T) {
	d := newDict(t, 1<<20)
	d.Store(Set, "k", str("whole"), 0, 1, 0)
	d.header(d.table.LookupString("k")).what.Store(uint32(Nil))
	if v, _, _, _ := d.Get("k", 1, true); v.Kind != Nil {
		t.Error(v)
	}
	if _, err := d.TTL("k", 1); err != NotFound {
		t.Error(err)
	}
}

func TestAllocations(t *testing.T) {
	d := newDict(t, 1<<20)
	v := num(1)
	if n := testing.AllocsPerRun(100, func() {
		d.Store(Set, "k", v, 0, 1, 0)
		d.Get("k", 1, false)
		d.Incr("k", 1, nil, 0, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGet(b *testing.B) {
	d := newDict(b, 10<<20)
	for i := range 1000 {
		d.Store(Set, fmt.Sprint("key", i), str("value"), 0, 1, 0)
	}
	for b.Loop() {
		d.Get("key500", 1, false)
	}
}

func BenchmarkSet(b *testing.B) {
	d := newDict(b, 10<<20)
	for i := range 1000 {
		d.Store(Set, fmt.Sprint("key", i), str("value"), 0, 1, 0)
	}
	for b.Loop() {
		d.Store(Set, "key500", str("other"), 0, 1, 0)
	}
}
