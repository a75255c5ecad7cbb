package shm

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// TestAllocModel compares the allocator with a list of what is allocated:
// nothing overlaps, contents stay, and all pages come back.
func TestAllocModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pages := rapid.IntRange(8, 40).Draw(t, "pages")
		z, err := Create("model", int64(pages)*PageSize)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		all := z.FreePages()

		type block struct {
			p    Ptr
			n    int
			fill byte
		}
		var blocks []block
		check := func(b block) {
			if got := z.Bytes(b.p, b.n); !bytes.Equal(got, bytes.Repeat([]byte{b.fill}, b.n)) {
				t.Fatalf("the %d bytes at %#x were overwritten", b.n, b.p)
			}
		}
		size := rapid.OneOf(rapid.IntRange(0, 64), rapid.IntRange(0, 3*PageSize))
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				b := block{n: size.Draw(t, "n"), fill: rapid.Byte().Draw(t, "fill")}
				if b.p = z.Alloc(b.n); b.p == 0 {
					if need := (b.n + PageSize - 1) / PageSize; z.FreePages() == all && need <= all {
						t.Fatalf("no room for %d bytes in an empty zone", b.n)
					}
					return
				}
				copy(z.Bytes(b.p, b.n), bytes.Repeat([]byte{b.fill}, b.n))
				blocks = append(blocks, b)
			},
			"free": func(t *rapid.T) {
				if len(blocks) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(blocks)-1).Draw(t, "i")
				check(blocks[i])
				z.Free(blocks[i].p)
				blocks[i] = blocks[len(blocks)-1]
				blocks = blocks[:len(blocks)-1]
			},
			"": func(t *rapid.T) {
				for _, b := range blocks {
					check(b)
				}
				checkSlab(t, z)
			},
		})
		for _, b := range blocks {
			z.Free(b.p)
		}
		checkSlab(t, z)
		if z.FreePages() != all {
			t.Fatalf("%d of %d pages are free again", z.FreePages(), all)
		}
		if p := z.Alloc(all * PageSize); p == 0 {
			t.Fatal("the free pages did not join")
		}
	})
}

// checkSlab walks the lists of the allocator.
func checkSlab(t interface{ Fatalf(string, ...any) }, z *Zone) {
	free, prev := 0, uint32(0)
	for number := z.hdr.slab.runs; number != 0; number = z.pages[number-1].next {
		d := z.pages[number-1]
		if d.kind != freeRun || d.prev != prev {
			t.Fatalf("page %d in the free list: %+v", number, d)
		}
		if end := z.pages[number+d.run-2]; d.run > 1 && (end.kind != freeEnd || end.run != d.run) {
			t.Fatalf("the end of free run %d: %+v", number, end)
		}
		if before := number - 1; before > 0 && (z.pages[before-1].kind == freeRun || z.pages[before-1].kind == freeEnd) {
			t.Fatalf("free run %d did not join the one before", number)
		}
		free += int(d.run)
		prev = number
	}
	if free != z.FreePages() {
		t.Fatalf("%d pages in free runs, %d counted", free, z.FreePages())
	}
	for class, number := range z.hdr.slab.partial {
		for ; number != 0; number = z.pages[number-1].next {
			d := z.pages[number-1]
			if d.kind != chunked || int(d.shift) != class+minShift || d.free == 0 || d.run == 0 {
				t.Fatalf("page %d among partial ones of class %d: %+v", number, class, d)
			}
		}
	}
}

func TestFreePanics(t *testing.T) {
	z := newZone(t, MinSize)
	chunk, run := z.Alloc(100), z.Alloc(2*PageSize)
	for name, p := range map[string]Ptr{
		"zero": 0, "header": 64, "inside a chunk": chunk + 1, "inside a run": run + PageSize>>ptrShift,
		"free page": run + 2*PageSize>>ptrShift, "behind": MinSize >> ptrShift, "far behind": 1<<32 - 1,
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("Free did not panic")
				}
			}()
			z.free(p)
		})
	}
}

func TestAllocAllocates(t *testing.T) {
	z := newZone(t, 1<<20)
	allocs := testing.AllocsPerRun(100, func() {
		z.Lock()
		z.Free(z.Alloc(100))
		z.Unlock()
	})
	if allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func BenchmarkAlloc(b *testing.B) {
	z := newZone(b, 1<<20)
	keep := z.Alloc(100) // the page stays divided
	for b.Loop() {
		z.Free(z.Alloc(100))
	}
	z.Free(keep)
}
