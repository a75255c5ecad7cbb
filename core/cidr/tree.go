package cidr

import "net/netip"

// Tree finds the longest network that an address is in: nginx's
// ngx_radix_tree_t, for IPv4 and IPv6. The zero Tree is empty.
type Tree[T any] struct {
	roots [2]*node[T] // IPv4, IPv6
}

type node[T any] struct {
	child [2]*node[T]
	value T
	set   bool
}

// family is the tree and the bits for addresses of a kind; mapped IPv4
// addresses are IPv6 here.
func family(a netip.Addr) (tree int, bits [16]byte) {
	if a.Is4() {
		ip := a.As4()
		copy(bits[:], ip[:])
		return 0, bits
	}
	return 1, a.As16()
}

func bit(b *[16]byte, i int) byte { return b[i>>3] >> (7 - i&7) & 1 }

// at returns the node of a network, made if need be.
func (t *Tree[T]) at(p netip.Prefix, create bool) *node[T] {
	tree, bits := family(p.Addr())
	n := &t.roots[tree]
	for i := 0; ; i++ {
		if *n == nil {
			if !create {
				return nil
			}
			*n = new(node[T])
		}
		if i == p.Bits() {
			return *n
		}
		n = &(*n).child[bit(&bits, i)]
	}
}

// Insert enters a network; false if there is a value for it already, which
// stays.
func (t *Tree[T]) Insert(p netip.Prefix, v T) bool {
	n := t.at(p, true)
	if n.set {
		return false
	}
	n.value, n.set = v, true
	return true
}

// Delete removes a network; false if it is not there.
func (t *Tree[T]) Delete(p netip.Prefix) bool {
	n := t.at(p, false)
	if n == nil || !n.set {
		return false
	}
	*n = node[T]{child: n.child}
	return true
}

// Find returns the value of the longest network that an address is in.
func (t *Tree[T]) Find(a netip.Addr) (v T, ok bool) {
	tree, bits := family(a)
	n := t.roots[tree]
	for i := 0; n != nil; i++ {
		if n.set {
			v, ok = n.value, true
		}
		if i == a.BitLen() {
			break
		}
		n = n.child[bit(&bits, i)]
	}
	return v, ok
}
