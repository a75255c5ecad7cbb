package shm

import (
	"fmt"
	"slices"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTableModel compares the table with a list from the newest entry to the
// oldest.
func TestTableModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		z, err := Create("model", 64*PageSize)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		tab := z.Table(0)
		type pair struct {
			key, value string
			expires    int64
		}
		var model []pair
		find := func(key string) int {
			return slices.IndexFunc(model, func(p pair) bool { return p.key == key })
		}
		keys := rapid.OneOf(rapid.StringMatching(`[a-c]{0,3}`), rapid.Custom(func(t *rapid.T) string {
			return strconv.Itoa(rapid.IntRange(0, 200).Draw(t, "number"))
		}))
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				p := pair{keys.Draw(t, "key"), rapid.StringN(0, 100, 300).Draw(t, "value"), rapid.Int64Range(0, 9).Draw(t, "expires")}
				if find(p.key) >= 0 {
					t.Skip()
				}
				at := tab.Insert([]byte(p.key), len(p.value), p.expires)
				if at == 0 {
					t.Fatalf("no room with %d entries", tab.Len())
				}
				copy(tab.Value(at), p.value)
				model = slices.Insert(model, 0, p)
			},
			"delete": func(t *rapid.T) {
				if len(model) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(model)-1).Draw(t, "i")
				tab.Delete(tab.LookupString(model[i].key))
				model = slices.Delete(model, i, i+1)
			},
			"touch": func(t *rapid.T) {
				key := keys.Draw(t, "key")
				p, i := tab.Lookup([]byte(key)), find(key)
				if (p != 0) != (i >= 0) {
					t.Fatalf("Lookup(%q) = %#x, in the model at %d", key, p, i)
				}
				if p != 0 {
					tab.Touch(p)
					moved := model[i]
					model = slices.Insert(slices.Delete(model, i, i+1), 0, moved)
				}
			},
			"expire": func(t *rapid.T) {
				now, most := rapid.Int64Range(1, 9).Draw(t, "now"), rapid.IntRange(0, 3).Draw(t, "most")
				n := 0
				for n < most && len(model) > 0 {
					if last := model[len(model)-1]; last.expires == 0 || last.expires > now {
						break
					}
					model = model[:len(model)-1]
					n++
				}
				if got := tab.Expire(now, most); got != n {
					t.Fatalf("Expire deleted %d, want %d", got, n)
				}
			},
			"": func(t *rapid.T) {
				var got, back []pair
				for p := tab.Newest(); p != 0; p = tab.Older(p) {
					got = append(got, pair{string(tab.Key(p)), string(tab.Value(p)), tab.Expires(p)})
				}
				for p := tab.Oldest(); p != 0; p = tab.Newer(p) {
					back = append(back, pair{string(tab.Key(p)), string(tab.Value(p)), tab.Expires(p)})
				}
				if !slices.Equal(got, model) {
					t.Fatalf("from newest:\n%v\nwant\n%v", got, model)
				}
				slices.Reverse(back)
				if !slices.Equal(back, model) {
					t.Fatalf("from oldest:\n%v\nwant\n%v", back, model)
				}
				if tab.Len() != len(model) {
					t.Fatalf("Len = %d, want %d", tab.Len(), len(model))
				}
				checkTree(t, tab)
				checkSlab(t, z)
			},
		})
	})
}

// checkTree verifies order and the red-black rules.
func checkTree(t interface{ Fatalf(string, ...any) }, tab *Table) {
	count := 0
	var walk func(p Ptr) int
	walk = func(p Ptr) int {
		if p == tab.nil {
			return 0
		}
		count++
		e := tab.entry(p)
		for _, child := range []Ptr{e.left, e.right} {
			if child == tab.nil {
				continue
			}
			c := tab.entry(child)
			if c.parent != p {
				t.Fatalf("%q is not the parent of its child %q", tab.Key(p), tab.Key(child))
			}
			if e.color == red && c.color == red {
				t.Fatalf("red %q has the red child %q", tab.Key(p), tab.Key(child))
			}
			before := c.hash < e.hash || c.hash == e.hash && string(tab.Key(child)) < string(tab.Key(p))
			if before != (child == e.left) {
				t.Fatalf("%q is on the wrong side of %q", tab.Key(child), tab.Key(p))
			}
		}
		left, right := walk(e.left), walk(e.right)
		if left != right {
			t.Fatalf("%q has %d black entries to the left and %d to the right", tab.Key(p), left, right)
		}
		if e.color == black {
			left++
		}
		return left
	}
	if root := tab.hdr.root; root != tab.nil && tab.entry(root).color != black {
		t.Fatalf("the root is red")
	}
	walk(tab.hdr.root)
	if count != tab.Len() {
		t.Fatalf("%d entries in the tree, %d counted", count, tab.Len())
	}
}

// TestTableCollisions uses keys of one crc32.
func TestTableCollisions(t *testing.T) {
	z := newZone(t, 1<<20)
	tab := z.Table(0)
	byHash := make(map[uint32]string)
	var keys []string
	for i := 0; len(keys) < 6; i++ {
		key := fmt.Sprintf("%x", i*2654435761)
		if other, ok := byHash[hashOf(key)]; ok {
			keys = append(keys, key, other)
		}
		byHash[hashOf(key)] = key
	}
	for i, key := range keys {
		tab.Value(tab.InsertString(key, 1, 0))[0] = byte(i)
	}
	for i, key := range keys {
		if got := tab.Value(tab.LookupString(key))[0]; got != byte(i) {
			t.Errorf("%q has the value %d, want %d", key, got, i)
		}
	}
	checkTree(t, tab)
}

func TestTableFull(t *testing.T) {
	z := newZone(t, MinSize)
	tab := z.Table(0)
	n := 0
	for ; tab.InsertString(strconv.Itoa(n), 100, 0) != 0; n++ {
	}
	if want := 7 * 16; n != want { // 40 + 3 + 100 bytes are chunks of 256
		t.Errorf("%d entries fit, want %d", n, want)
	}
	tab.Delete(tab.Oldest())
	if tab.InsertString("new", 100, 0) == 0 {
		t.Error("no room after evicting the oldest")
	}
	if tab.LookupString("0") != 0 || tab.LookupString("new") == 0 {
		t.Error("the wrong entry was evicted")
	}
	if tab.InsertString(string(make([]byte, MaxKey+1)), 0, 0) != 0 {
		t.Error("a key of 64 KiB was taken")
	}
}

// TestTableOverhead: an entry takes a chunk as nginx's node of that size.
func TestTableOverhead(t *testing.T) {
	z := newZone(t, MinSize)
	tab := z.Table(68)
	n := 0
	for ; tab.InsertString(fmt.Sprintf("%04d", n), 56, 0) != 0; n++ { // 128 bytes
	}
	if want := 7 * 32; n != want {
		t.Errorf("%d entries fit, want %d", n, want)
	}
}

func TestTableValues(t *testing.T) {
	type state struct{ Excess, Last int64 }
	z := newZone(t, MinSize)
	tab := z.Table(0)
	for _, key := range []string{"", "a", "1234567", "12345678"} {
		p := tab.InsertString(key, 16, 0)
		s := At[state](z, tab.ValuePtr(p))
		*s = state{1, int64(len(key))}
	}
	tab.SetExpires(tab.LookupString("a"), 5)
	got := *At[state](z, tab.ValuePtr(tab.LookupString("a")))
	if diff := cmp.Diff(state{1, 1}, got); diff != "" {
		t.Error(diff)
	}
	if at := tab.Expires(tab.LookupString("a")); at != 5 {
		t.Errorf("expires at %d", at)
	}
}

func TestTableAllocates(t *testing.T) {
	z := newZone(t, 1<<20)
	tab := z.Table(0)
	key := []byte("192.0.2.1")
	allocs := testing.AllocsPerRun(100, func() {
		z.Lock()
		defer z.Unlock()
		p := tab.Insert(key, 16, 1)
		tab.Touch(p)
		copy(tab.Value(p), tab.Key(p))
		if tab.Lookup(key) != p || tab.Expire(2, 2) != 1 {
			t.Fatal("lost")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkTable(b *testing.B) {
	const entries = 100_000
	z := newZone(b, 64<<20)
	tab := z.Table(0)
	keys := make([][]byte, entries)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "198.51.%d.%d", i>>8, i&255)
		tab.Insert(keys[i], 24, 0)
	}
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			z.Lock()
			tab.Touch(tab.Lookup(keys[i*7919%entries]))
			z.Unlock()
		}
	})
	b.Run("replace", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			key := keys[i*7919%entries]
			z.Lock()
			tab.Delete(tab.Lookup(key))
			tab.Insert(key, 24, 0)
			z.Unlock()
		}
	})
}
