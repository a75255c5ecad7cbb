package shm

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func newZone(t testing.TB, size int64) *Zone {
	t.Helper()
	z, err := Create("test", size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { z.Close() })
	return z
}

// again maps the zone a second time, as another process would.
func again(t testing.TB, z *Zone) *Zone {
	t.Helper()
	fd, err := unix.FcntlInt(uintptr(z.Fd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Open(z.Name(), fd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	return other
}

func TestZoneIsShared(t *testing.T) {
	z := newZone(t, MinSize)
	other := again(t, z)
	type counters struct{ A, B int64 }

	z.Lock()
	p := z.Calloc(16)
	At[counters](z, p).B = 7
	z.SetRoot(p)
	z.Unlock()

	other.Lock()
	defer other.Unlock()
	if got := At[counters](other, other.Root()).B; got != 7 {
		t.Errorf("the other mapping has %d, want 7", got)
	}
	if other.Size() != MinSize || other.FreePages() != z.FreePages() {
		t.Errorf("the other mapping has %d bytes, %d free pages", other.Size(), other.FreePages())
	}
}

func TestZoneSizes(t *testing.T) {
	for _, size := range []int64{-1, 0, PageSize, MaxSize + 1} {
		if _, err := Create("test", size); !errors.Is(err, ErrSize) {
			t.Errorf("Create of %d bytes: %v, want ErrSize", size, err)
		}
	}
	// The pages ngx_slab_init makes of a zone, as free_space of an empty
	// zone showed on nginx with 4 KiB pages.
	for size, want := range map[int64]int{
		8 << 10: 1, 12 << 10: 2, MinSize: 7, 100 << 10: 24, 1 << 20: 254, 10 << 20: 2544,
	} {
		z := newZone(t, size)
		if z.Pages() != want || z.FreePages() != want {
			t.Errorf("%d bytes: %d pages, %d free, want %d", size, z.Pages(), z.FreePages(), want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open("x", -1); err == nil {
		t.Error("opened a bad descriptor")
	}
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Open("x", int(f.Fd())); !errors.Is(err, ErrSize) {
		t.Errorf("an empty file: %v", err)
	}
	if err := f.Truncate(MinSize); err != nil {
		t.Fatal(err)
	}
	if _, err := Open("x", int(f.Fd())); err == nil {
		t.Error("opened a file of zeroes")
	}
}

func TestZoneCannotShrink(t *testing.T) {
	z := newZone(t, MinSize)
	if err := unix.Ftruncate(z.Fd(), PageSize); err == nil {
		t.Error("the memory file could be cut")
	}
}

func TestBytesBounds(t *testing.T) {
	z := newZone(t, MinSize)
	for _, p := range []Ptr{MinSize >> ptrShift, 1 << 31} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Bytes(%#x) did not panic", p)
				}
			}()
			z.Bytes(p, 1)
		}()
	}
}

func TestCells(t *testing.T) {
	c, err := CreateCells("stat", 7)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fd, err := unix.FcntlInt(uintptr(c.Fd()), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, err := OpenCells("stat", fd, 7)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	for i := range 7 {
		c.Cell(i).Add(int64(i))
		other.Cell(i).Add(1)
	}
	for i := range 7 {
		if got := c.Cell(i).Load(); got != int64(i)+1 {
			t.Errorf("cell %d = %d", i, got)
		}
	}
	if allocs := testing.AllocsPerRun(10, func() { c.Cell(3).Add(1) }); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

func TestSet(t *testing.T) {
	type module struct{ _ int }
	limit, cache := new(module), new(module)

	var first Set
	d, err := first.Add("one", 0, limit)
	if err != nil {
		t.Fatal(err)
	}
	built := 0
	d.Init = func(d, _ *Declaration) error {
		if d.Zone.Root() == 0 {
			built++
			d.Zone.Lock()
			d.Zone.SetRoot(d.Zone.Alloc(8))
			d.Zone.Unlock()
		}
		return nil
	}
	if again, err := first.Add("one", MinSize, limit); err != nil || again != d {
		t.Fatalf("the same zone again: %v, %v", again, err)
	}
	for _, tt := range []struct {
		size int64
		tag  any
		want string
	}{
		{MinSize, cache, `the shared memory zone "one" is already declared for a different use`},
		{65536, limit, `the size 65536 of shared memory zone "one" conflicts with already declared size 32768`},
	} {
		if _, err := first.Add("one", tt.size, tt.tag); err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
	if err := first.Open(nil); err != nil {
		t.Fatal(err)
	}

	var second Set // reload: one zone the same, one new
	kept, _ := second.Add("one", MinSize, limit)
	kept.Init = d.Init
	second.Add("two", 65536, cache)
	if err := second.Open(&first); err != nil {
		t.Fatal(err)
	}
	if kept.Zone != d.Zone || built != 1 {
		t.Errorf("the zone was not kept: built %d times", built)
	}
	if err := first.Close(&second); err != nil || d.Zone == nil {
		t.Errorf("closing the old cycle: %v", err)
	}

	var worker Set
	worker.Add("one", MinSize, limit)
	worker.Add("two", 65536, cache)
	fds := second.Fds()
	for name, fd := range fds {
		fds[name], _ = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	}
	if err := worker.Attach(fds); err != nil {
		t.Fatal(err)
	}
	if worker.All()[0].Zone.Root() != kept.Zone.Root() {
		t.Error("the worker sees another zone")
	}

	var third Set // another size, then a failure
	third.Add("one", 65536, limit)
	third.Add("empty", 0, limit)
	want := `zero size shared memory zone "empty"`
	if err := third.Open(&second); err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if third.All()[0].Zone != nil || kept.Zone == nil {
		t.Error("a failed reload touched the wrong zones")
	}
	if err := errors.Join(second.Close(nil), worker.Close(nil)); err != nil {
		t.Error(err)
	}
}
