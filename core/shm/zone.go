// Package shm is the memory that the master and the workers share: zones of
// fixed size with a lock that survives a killed holder, a slab allocator
// counting pages as nginx's does, and a table of keyed entries in LRU order.
//
// A zone is a memfd mapped by every process that inherits its descriptor, at
// another address in each: what is stored there refers to other parts by
// [Ptr], never by a Go pointer, and no Go pointer may be stored in it.
//
// All of a zone but its atomics is used between [Zone.Lock] and
// [Zone.Unlock]. Nothing that parks the fiber, and little that allocates,
// belongs there; byte slices of the zone must be copied before Unlock. Unlock
// is to be deferred, or a panic leaves the lock to a process that lives on.
//
// The counterparts in nginx are src/os/unix/ngx_shmem.c, src/core/ngx_slab.c,
// ngx_shmtx.c, ngx_rbtree.c and ngx_queue.c.
package shm

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	pageShift = 12

	// PageSize is the unit in which a zone's free space is counted.
	PageSize = 1 << pageShift

	// MinSize is the least size of a zone that modules accept: eight pages,
	// as in nginx.
	MinSize = 8 * PageSize

	// MaxSize is the greatest size of a zone, which Ptr can address.
	MaxSize = 1 << (32 + ptrShift)
)

// ErrSize is returned for a zone smaller than one page and its bookkeeping or
// larger than [MaxSize].
var ErrSize = errors.New("shm: bad zone size")

// Ptr refers to a place in a zone, in all processes alike. The zero Ptr
// refers to nothing.
type Ptr uint32

// ptrShift: places are multiples of 8 bytes.
const ptrShift = 3

// header is the start of every zone. Its words are those of the processes of
// one binary: a zone is never carried over to another version.
type header struct {
	magic      uint64
	size       uint64
	lock       Mutex
	mutating   uint32 // depth of Zone.Begin
	generation uint32 // grows with every reset
	slab       slabHeader
	root       Ptr
	table      tableHeader
}

const magic = 0x6d6f6f6e67617465

// Zone is a piece of shared memory mapped into this process.
type Zone struct {
	name    string
	fd      int
	mem     []byte
	hdr     *header
	pages   []page
	start   uintptr // offset of the first page
	onReset func()
}

// Create makes a zone of size bytes in a new memory file. The descriptor is
// close-on-exec: what starts a process passes it on explicitly.
func Create(name string, size int64) (*Zone, error) {
	if size < PageSize+slabOverhead || size > MaxSize {
		return nil, ErrSize
	}
	// The kernel bounds the name, which only shows in /proc.
	fd, err := unix.MemfdCreate(name[:min(len(name), 200)], unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	if err := unix.Ftruncate(fd, size); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("ftruncate", err)
	}
	// A file that cannot shrink cannot raise SIGBUS in another process.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	z, err := mapZone(name, fd, size)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	z.hdr.magic = magic
	z.hdr.size = uint64(size)
	z.format()
	return z, nil
}

// Open maps a zone created by another process of the same binary through the
// descriptor inherited from it. The zone owns fd from then on.
func Open(name string, fd int) (*Zone, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	if st.Size < PageSize+slabOverhead || st.Size > MaxSize {
		return nil, ErrSize
	}
	z, err := mapZone(name, fd, st.Size)
	if err != nil {
		return nil, err
	}
	if z.hdr.magic != magic || z.hdr.size != uint64(st.Size) {
		unix.Munmap(z.mem)
		return nil, fmt.Errorf("shm: descriptor %d is not zone %q", fd, name)
	}
	z.bind()
	return z, nil
}

func mapZone(name string, fd int, size int64) (*Zone, error) {
	mem, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &Zone{name: name, fd: fd, mem: mem, hdr: (*header)(unsafe.Pointer(&mem[0]))}, nil
}

// Close unmaps the zone here and closes its descriptor; other processes keep
// theirs. The memory goes when the last one does.
func (z *Zone) Close() error {
	if z.mem == nil {
		return nil
	}
	err := errors.Join(unix.Munmap(z.mem), unix.Close(z.fd))
	z.mem, z.hdr, z.pages, z.fd = nil, nil, nil, -1
	return err
}

// Release is Close for a process that may still use the zone: it is closed once
// nothing refers to it. Pointers into the memory are no references, so whoever
// has one has to have the zone as well.
func (z *Zone) Release() {
	if z.mem != nil {
		runtime.AddCleanup(z, func(m mapping) {
			unix.Munmap(m.mem)
			unix.Close(m.fd)
		}, mapping{z.mem, z.fd})
	}
}

// mapping is what a zone has of the system.
type mapping struct {
	mem []byte
	fd  int
}

// Name returns the name given to Create or Open.
func (z *Zone) Name() string { return z.name }

// Fd returns the descriptor to pass to other processes.
func (z *Zone) Fd() int { return z.fd }

// Size returns the size of the zone in bytes.
func (z *Zone) Size() int64 { return int64(len(z.mem)) }

// Bytes returns the n bytes at p, in place. It panics when they are not
// within the zone.
func (z *Zone) Bytes(p Ptr, n int) []byte {
	at := int(p) << ptrShift
	return z.mem[at : at+n : at+n]
}

// At returns the T at p, in place. T may hold no Go pointers; it panics when
// the T is not within the zone.
func At[T any](z *Zone, p Ptr) *T {
	var t T
	return (*T)(unsafe.Pointer(unsafe.SliceData(z.Bytes(p, int(unsafe.Sizeof(t))))))
}

// Root returns what SetRoot stored: where a module finds its data. It is 0 in
// a new zone and after a reset.
func (z *Zone) Root() Ptr { return z.hdr.root }

// SetRoot stores the place of the module's data.
func (z *Zone) SetRoot(p Ptr) { z.hdr.root = p }

// OnReset sets what builds the initial contents of the zone again after a
// reset (see [Zone.Lock]); it runs under the lock.
func (z *Zone) OnReset(build func()) { z.onReset = build }

// Generation changes with every reset. Whoever keeps a Ptr while the zone is
// unlocked compares it before using the Ptr again.
func (z *Zone) Generation() uint32 { return z.hdr.generation }

// format makes an empty zone, its lock and generation apart.
func (z *Zone) format() {
	z.formatSlab()
	z.hdr.root = 0
	z.formatTable()
}

// bind caches what does not change in the lifetime of the zone.
func (z *Zone) bind() {
	z.start = uintptr(z.hdr.slab.start)
	z.pages = unsafe.Slice((*page)(unsafe.Pointer(&z.mem[descriptors])), z.hdr.slab.pages)
}
