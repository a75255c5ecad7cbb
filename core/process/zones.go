package process

import (
	"sync/atomic"
	"unsafe"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/shm"
)

// Zone is a piece of memory that all processes of a cycle share, declared by
// its name in the configuration (ngx_shm_zone_t).
type Zone struct {
	Name string
	// Size is in bytes. It may be 0 as long as some later declaration of the
	// zone gives it.
	Size int64
	// Tag says what the zone is for: by convention the module. Declarations
	// of one name with different tags are an error.
	Tag any
	// NoReuse makes a reload start with fresh memory.
	NoReuse bool

	// Init prepares the zone once its memory is there. In the master old is
	// the Data of the zone of that name in the previous cycle when its memory
	// goes on being used, or with NoReuse whenever there was one; otherwise
	// nil. In workers old is nil and Exists reports true: the memory was
	// prepared by the master.
	Init func(z *Zone, old any) error
	// Data is the module's.
	Data any
	// Shm is the memory, from Init on.
	Shm *shm.Zone
	// Exists: another process has prepared the memory.
	Exists bool

	ours bool // created by this cycle, to be freed when it fails
}

// AddZone declares a zone, or returns the one declared before by that name
// (ngx_shared_memory_add).
func (c *Cycle) AddZone(cf *conf.Conf, name string, size int64, tag any) (*Zone, error) {
	z := findZone(c.zones, name)
	switch {
	case z == nil:
		z = &Zone{Name: name, Size: size, Tag: tag}
		c.zones = append(c.zones, z)
		return z, nil
	case z.Tag != tag:
		return nil, cf.Errorf(`the shared memory zone "%s" is already declared for a different use`, name)
	case z.Size == 0:
		z.Size = size
	case size != 0 && size != z.Size:
		return nil, cf.Errorf(`the size %d of shared memory zone "%s" conflicts with already declared size %d`, size, name, z.Size)
	}
	return z, nil
}

// Zones are the zones of the cycle, in the order of declaration.
func (c *Cycle) Zones() []*Zone { return c.zones }

func findZone(zones []*Zone, name string) *Zone {
	for _, z := range zones {
		if z.Name == name {
			return z
		}
	}
	return nil
}

// createZones gives every zone its memory, that of the old cycle where use and
// size are the same.
func (c *Cycle) createZones(old []*Zone) error {
	for _, z := range c.zones {
		if z.Size == 0 {
			c.log.Log(log.Emerg, nil, `zero size shared memory zone "%s"`, z.Name)
			return errReported
		}
		var data any
		if prev := findZone(old, z.Name); prev != nil && prev.Tag == z.Tag {
			if prev.Size == z.Size && !z.NoReuse {
				z.Shm = prev.Shm
			}
			if z.Shm != nil || z.NoReuse {
				data = prev.Data
			}
		}
		if z.Shm == nil {
			memory, err := shm.Create(z.Name, z.Size)
			if err != nil {
				c.log.Log(log.Alert, err, "creating shared memory zone \"%s\" of %d bytes failed", z.Name, z.Size)
				return errReported
			}
			z.Shm, z.ours = memory, true
		}
		if err := c.initZone(z, data); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cycle) initZone(z *Zone, old any) error {
	if z.Init == nil {
		return nil
	}
	if err := z.Init(z, old); err != nil {
		return c.report(err)
	}
	return nil
}

// freeZones has free called with the memory of a cycle's zones which the other
// one, which stays, does not use.
func freeZones(zones, staying []*Zone, free func(memory *shm.Zone)) {
	for _, z := range zones {
		if z.Shm == nil {
			continue
		}
		if other := findZone(staying, z.Name); other != nil && other.Shm == z.Shm {
			continue
		}
		free(z.Shm)
	}
}

// closeZone frees memory that this process has no use for any more.
func closeZone(memory *shm.Zone) { memory.Close() }

// Shared is what all processes count together whatever the configuration: the
// zone that nginx calls nginx_shared_zone. It outlives reloads.
type Shared struct {
	// AcceptMutex is held by the worker that accepts, with accept_mutex.
	AcceptMutex shm.Mutex
	_           [120]byte
	// TempNumber numbers temporary files.
	TempNumber atomic.Uint64
	_          [120]byte
	// Stats are the counters of stub_status.
	Stats event.Stats
	// processes are the pids of the master's children, 0 where there is none.
	processes [maxProcesses]atomic.Int32
}

// maxProcesses is how many children are listed (NGX_MAX_PROCESSES).
const maxProcesses = 1024

// Processes are the workers and helpers that run now, those that are shutting
// down included, in the order of their slots in the master's table.
func (s *Shared) Processes() []int {
	var pids []int
	for i := range s.processes {
		if pid := s.processes[i].Load(); pid != 0 {
			pids = append(pids, int(pid))
		}
	}
	return pids
}

// list puts a process into the first free slot.
func (s *Shared) list(pid int) {
	for i := range s.processes {
		if s.processes[i].CompareAndSwap(0, int32(pid)) {
			return
		}
	}
}

// unlist takes a process that has ended out.
func (s *Shared) unlist(pid int) {
	for i := range s.processes {
		if s.processes[i].CompareAndSwap(int32(pid), 0) {
			return
		}
	}
}

const sharedName = "nginx_shared_zone"

// sharedSize is room for Shared and the bookkeeping of a zone.
const sharedSize = 8 * shm.PageSize

func createShared() (*Shared, *shm.Zone, error) {
	z, err := shm.Create(sharedName, sharedSize)
	if err != nil {
		return nil, nil, err
	}
	z.Lock()
	defer z.Unlock()
	z.SetRoot(z.Calloc(int(unsafe.Sizeof(Shared{}))))
	return shm.At[Shared](z, z.Root()), z, nil
}

func openShared(fd int) (*Shared, *shm.Zone, error) {
	z, err := shm.Open(sharedName, fd)
	if err != nil {
		return nil, nil, err
	}
	return shm.At[Shared](z, z.Root()), z, nil
}

// acceptMutex is the event loop's view of the accept mutex. A holder that was
// killed leaves nothing behind that would need repair.
type acceptMutex struct{ m *shm.Mutex }

func (a acceptMutex) TryLock() bool {
	ok, _ := a.m.TryLock()
	return ok
}

func (a acceptMutex) Unlock() { a.m.Unlock() }

// unlock frees what a process that was killed held.
func (c *Cycle) unlock(pid int) {
	c.shared.AcceptMutex.ForceUnlock(pid)
	for _, z := range c.zones {
		if z.Shm != nil && z.Shm.ForceUnlock(pid) {
			c.log.Log(log.Alert, nil, `shared memory zone "%s" was locked by %d`, z.Name, pid)
		}
	}
}

// attachZones maps the zones that the master has created.
func (c *Cycle) attachZones(given []handedFile) error {
	for _, g := range given {
		z := findZone(c.zones, g.Name)
		if z == nil {
			continue
		}
		memory, err := shm.Open(g.Name, g.FD)
		if err != nil {
			c.log.Log(log.Emerg, err, `opening shared memory zone "%s" failed`, g.Name)
			return errReported
		}
		z.Shm, z.Exists = memory, true
		if err := c.initZone(z, nil); err != nil {
			return err
		}
	}
	return nil
}
