package upstream

import (
	"strings"

	"moongate/http"
	"moongate/http/wire"
)

// NameSet is a set of field names, in any case.
type NameSet struct {
	known [wire.NumHeaders]bool
	other map[string]struct{} // in lower case
}

// NewNameSet makes a set of names.
func NewNameSet(names ...string) *NameSet {
	s := &NameSet{}
	s.Add(names...)
	return s
}

// Add puts names into the set.
func (s *NameSet) Add(names ...string) {
	for _, name := range names {
		if id := wire.LookupHeader(name); id != 0 {
			s.known[id] = true
			continue
		}
		if s.other == nil {
			s.other = make(map[string]struct{})
		}
		s.other[strings.ToLower(name)] = struct{}{}
	}
}

// Remove takes names out of the set.
func (s *NameSet) Remove(names ...string) {
	for _, name := range names {
		if id := wire.LookupHeader(name); id != 0 {
			s.known[id] = false
		} else {
			delete(s.other, strings.ToLower(name))
		}
	}
}

// Has reports whether the name of a field is in the set.
func (s *NameSet) Has(f *http.Header) bool {
	if f.ID != 0 {
		return s.known[f.ID]
	}
	if len(s.other) == 0 {
		return false
	}
	var lower [64]byte
	_, ok := s.other[string(wire.AppendLower(lower[:0], f.Name))]
	return ok
}
