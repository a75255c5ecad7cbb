package shm

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

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

// TestRelease: the memory stays as long as the zone is held, and not longer.
func TestRelease(t *testing.T) {
	mapped := func() bool {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(maps, []byte("memfd:to_be_released"))
	}
	z, err := Create("to_be_released", MinSize)
	if err != nil {
		t.Fatal(err)
	}
	z.OnReset(func() { z.SetRoot(0) })
	z.Release()
	runtime.GC()
	z.Lock()
	z.SetRoot(1)
	z.Unlock()
	runtime.KeepAlive(z)
	for end := time.Now().Add(10 * time.Second); mapped(); runtime.GC() {
		if time.Now().After(end) {
			t.Fatal("still mapped")
		}
	}
}
