// Package names finds what belongs to a host name: nginx's
// ngx_hash_combined_t, with names as they are, leading wildcards
// ("*.example.com", ".example.com") and trailing ones ("www.example.*").
package names

import (
	"errors"
	"strings"
)

// What Add may say of a name, as ngx_hash_add_key does.
var (
	ErrInvalid  = errors.New("invalid hostname or wildcard")
	ErrConflict = errors.New("conflicting name")
)

// Table maps host names in lower case to values. The zero Table is empty.
// Look-ups allocate nothing and may run in parallel.
type Table[T any] struct {
	// head has "example.com" for "*.example.com" and ".example.com", tail has
	// "www.example" for "www.example.*".
	exact, head, tail map[string]T
	// The longest keys: a host is not searched for longer ones, so that a
	// hostile one of thousands of labels costs little.
	maxExact, maxHead, maxTail int
}

// Len is the number of names, in which ".example.com" counts twice.
func (t *Table[T]) Len() int { return len(t.exact) + len(t.head) + len(t.tail) }

// Wild reports whether there are wildcards.
func (t *Table[T]) Wild() bool { return len(t.head)+len(t.tail) > 0 }

// MaxExact is the length of the longest name that is not a wildcard.
func (t *Table[T]) MaxExact() int { return t.maxExact }

// Add enters a name or wildcard in lower case. A wildcard elsewhere than at
// one end, and an empty label, are ErrInvalid; a name that was entered before
// is ErrConflict.
func (t *Table[T]) Add(name string, v T) error {
	if strings.Count(name, "*") > 1 || strings.Contains(name, "..") || strings.Contains(name, "\x00") {
		return ErrInvalid
	}
	switch {
	case len(name) > 1 && name[0] == '.':
		// A wildcard that takes the name itself too.
		name = name[1:]
		if _, ok := t.exact[name]; ok {
			return ErrConflict
		}
		if err := put(&t.head, &t.maxHead, name, v); err != nil {
			return err
		}
		return t.AddExact(name, v)
	case len(name) > 2 && name[:2] == "*.":
		return put(&t.head, &t.maxHead, name[2:], v)
	case len(name) > 2 && strings.HasSuffix(name, ".*"):
		return put(&t.tail, &t.maxTail, name[:len(name)-2], v)
	case strings.Contains(name, "*"):
		return ErrInvalid
	}
	return t.AddExact(name, v)
}

// AddExact enters a name whose bytes all stand for themselves.
func (t *Table[T]) AddExact(name string, v T) error { return put(&t.exact, &t.maxExact, name, v) }

// put enters a key that must not be there.
func put[T any](m *map[string]T, longest *int, key string, v T) error {
	if _, ok := (*m)[key]; ok {
		return ErrConflict
	}
	if *m == nil {
		*m = make(map[string]T)
	}
	(*m)[key] = v
	*longest = max(*longest, len(key))
	return nil
}

// Find finds a name in lower case: itself, the longest leading wildcard or the
// longest trailing one.
func (t *Table[T]) Find(name string) (v T, ok bool) {
	if v, ok = t.exact[name]; ok {
		return v, true
	}
	if len(t.head) > 0 {
		for i := max(0, len(name)-t.maxHead-1); i < len(name); i++ {
			if name[i] == '.' {
				if v, ok = t.head[name[i+1:]]; ok {
					return v, true
				}
			}
		}
	}
	if len(t.tail) > 0 {
		for i := min(t.maxTail, len(name)-1); i > 0; i-- {
			if name[i] == '.' {
				if v, ok = t.tail[name[:i]]; ok {
					return v, true
				}
			}
		}
	}
	return v, false
}
