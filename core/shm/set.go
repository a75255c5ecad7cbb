package shm

import (
	"errors"
	"fmt"
)

// Declaration is a zone as the configuration declares it, possibly several
// times: by its own directive with a size, and by those that only refer to it
// with size 0.
type Declaration struct {
	Name    string
	Size    int64 // bytes
	Tag     any   // what uses the zone; compared with ==
	NoReuse bool  // a reload makes a new zone even where the old one fits

	// Init prepares the module's use of Zone, in the master and again in
	// every worker. Whoever finds Zone.Root zero builds the contents. old is
	// the declaration of the same name and tag in the cycle before, or nil.
	Init func(d, old *Declaration) error

	Data any // the module's own
	Zone *Zone
}

// Set is the zones of one cycle, in the order of their declaration.
type Set struct {
	decls []*Declaration
}

// Add declares a zone. An error says, in the words of nginx's
// ngx_shared_memory_add(), how it contradicts an earlier declaration.
func (s *Set) Add(name string, size int64, tag any) (*Declaration, error) {
	d := s.find(name)
	if d == nil {
		d = &Declaration{Name: name, Size: size, Tag: tag}
		s.decls = append(s.decls, d)
		return d, nil
	}
	if d.Tag != tag {
		return nil, fmt.Errorf("the shared memory zone \"%s\" is already declared for a different use", name)
	}
	if d.Size == 0 {
		d.Size = size
	}
	if size != 0 && size != d.Size {
		return nil, fmt.Errorf("the size %d of shared memory zone \"%s\" conflicts with already declared size %d",
			size, name, d.Size)
	}
	return d, nil
}

// All returns the declarations. The slice belongs to the Set.
func (s *Set) All() []*Declaration { return s.decls }

// Open maps every zone in the master: that of the old cycle where the name,
// the tag and the size are the same, otherwise a new one. old may be nil. If
// Open fails, the zones that the old cycle has not are closed again.
func (s *Set) Open(old *Set) error {
	for _, d := range s.decls {
		if err := d.open(old); err != nil {
			s.Close(old)
			return err
		}
	}
	return nil
}

func (d *Declaration) open(old *Set) error {
	if d.Size == 0 {
		return fmt.Errorf("zero size shared memory zone \"%s\"", d.Name)
	}
	before := old.find(d.Name)
	if before != nil && before.Tag != d.Tag {
		before = nil
	}
	if before != nil && before.Size == d.Size && !d.NoReuse {
		d.Zone = before.Zone
		return d.init(before)
	}
	z, err := Create(d.Name, d.Size)
	if err != nil {
		return fmt.Errorf("shared memory zone \"%s\": %w", d.Name, err)
	}
	d.Zone = z
	return d.init(before)
}

func (d *Declaration) init(old *Declaration) error {
	if d.Init == nil {
		return nil
	}
	return d.Init(d, old)
}

// Fds returns the descriptors that a worker needs, by name of the zone.
func (s *Set) Fds() map[string]int {
	fds := make(map[string]int, len(s.decls))
	for _, d := range s.decls {
		fds[d.Name] = d.Zone.Fd()
	}
	return fds
}

// Attach maps every zone in a worker, through the descriptors inherited from
// the master.
func (s *Set) Attach(fds map[string]int) error {
	for _, d := range s.decls {
		fd, ok := fds[d.Name]
		if !ok {
			return fmt.Errorf("shared memory zone \"%s\" was not inherited", d.Name)
		}
		z, err := Open(d.Name, fd)
		if err != nil {
			return fmt.Errorf("shared memory zone \"%s\": %w", d.Name, err)
		}
		d.Zone = z
		if err := d.init(nil); err != nil {
			return err
		}
	}
	return nil
}

// ForceUnlock frees the locks that the process pid held when it died, and
// returns the names of their zones, for the master to log.
func (s *Set) ForceUnlock(pid int) []string {
	var names []string
	for _, d := range s.decls {
		if d.Zone != nil && d.Zone.ForceUnlock(pid) {
			names = append(names, d.Name)
		}
	}
	return names
}

// Close closes the zones that the cycle keep, which may be nil, does not use.
func (s *Set) Close(keep *Set) error {
	var errs []error
	for _, d := range s.decls {
		if d.Zone == nil || keep.uses(d.Zone) {
			continue
		}
		errs = append(errs, d.Zone.Close())
		d.Zone = nil
	}
	return errors.Join(errs...)
}

func (s *Set) find(name string) *Declaration {
	if s == nil {
		return nil
	}
	for _, d := range s.decls {
		if d.Name == name {
			return d
		}
	}
	return nil
}

func (s *Set) uses(z *Zone) bool {
	if s == nil {
		return false
	}
	for _, d := range s.decls {
		if d.Zone == z {
			return true
		}
	}
	return false
}
