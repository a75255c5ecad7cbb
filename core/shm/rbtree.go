package shm

import "strings"

// The table's entries form a red-black tree ordered by hash and then by key.
// Its leaves, and the parent of its root, are one sentinel entry in the zone
// header, which also heads the LRU queue.

const (
	black = 0
	red   = 1
)

// find returns the entry with the key, or the sentinel.
func (t *Table) find(hash uint32, key string) Ptr {
	for p := t.hdr.root; ; {
		if p == t.nil {
			return p
		}
		e := t.entry(p)
		switch {
		case hash < e.hash:
			p = e.left
		case hash > e.hash:
			p = e.right
		default:
			order := strings.Compare(key, t.keyOf(p, e))
			if order == 0 {
				return p
			}
			p = e.left
			if order > 0 {
				p = e.right
			}
		}
	}
}

// insert links an entry whose hash and key are set, and which is not in the
// tree, as a red leaf, and restores the balance.
func (t *Table) insert(p Ptr) {
	e := t.entry(p)
	key := t.keyOf(p, e)
	parent, link := t.nil, &t.hdr.root
	for *link != t.nil {
		parent = *link
		up := t.entry(parent)
		if e.hash < up.hash || e.hash == up.hash && key < t.keyOf(parent, up) {
			link = &up.left
		} else {
			link = &up.right
		}
	}
	*link = p
	e.parent, e.left, e.right, e.color = parent, t.nil, t.nil, red

	for t.entry(t.entry(p).parent).color == red {
		p = t.fixInsert(p)
	}
	t.entry(t.hdr.root).color = black
}

// fixInsert repairs the red entry p having a red parent, and returns the
// entry to look at next.
func (t *Table) fixInsert(p Ptr) Ptr {
	parent := t.entry(p).parent
	grand := t.entry(parent).parent
	left := parent == t.entry(grand).left
	if uncle := t.child(grand, !left); t.entry(uncle).color == red {
		t.entry(parent).color = black
		t.entry(uncle).color = black
		t.entry(grand).color = red
		return grand
	}
	if p == t.child(parent, !left) {
		t.rotate(parent, left)
		p, parent = parent, p
	}
	t.entry(parent).color = black
	t.entry(grand).color = red
	t.rotate(grand, !left)
	return p
}

// remove unlinks an entry of the tree and restores the balance.
func (t *Table) remove(p Ptr) {
	e := t.entry(p)
	color, child := e.color, e.left
	switch {
	case e.left == t.nil:
		child = e.right
		t.replace(p, child)
	case e.right == t.nil:
		t.replace(p, child)
	default:
		// The successor, which has no left child, takes the place of p.
		next := e.right
		for t.entry(next).left != t.nil {
			next = t.entry(next).left
		}
		n := t.entry(next)
		color, child = n.color, n.right
		if n.parent == p {
			t.entry(child).parent = next // also where child is the sentinel
		} else {
			t.replace(next, child)
			n.right = e.right
			t.entry(n.right).parent = next
		}
		t.replace(p, next)
		n.left = e.left
		t.entry(n.left).parent = next
		n.color = e.color
	}
	if color == black {
		for child != t.hdr.root && t.entry(child).color == black {
			child = t.fixRemove(child)
		}
		t.entry(child).color = black
	}
}

// fixRemove repairs the paths through p having one black entry less than
// others, and returns the entry to look at next.
func (t *Table) fixRemove(p Ptr) Ptr {
	parent := t.entry(p).parent
	left := p == t.entry(parent).left
	sibling := t.child(parent, !left)
	if t.entry(sibling).color == red {
		t.entry(sibling).color = black
		t.entry(parent).color = red
		t.rotate(parent, left)
		sibling = t.child(parent, !left)
	}
	s := t.entry(sibling)
	if t.entry(s.left).color == black && t.entry(s.right).color == black {
		s.color = red
		return parent
	}
	if far := t.child(sibling, !left); t.entry(far).color == black {
		t.entry(t.child(sibling, left)).color = black
		s.color = red
		t.rotate(sibling, !left)
		sibling = t.child(parent, !left)
		s = t.entry(sibling)
	}
	s.color = t.entry(parent).color
	t.entry(parent).color = black
	t.entry(t.child(sibling, !left)).color = black
	t.rotate(parent, left)
	return t.hdr.root
}

func (t *Table) child(p Ptr, left bool) Ptr {
	if left {
		return t.entry(p).left
	}
	return t.entry(p).right
}

// replace makes what p's parent points to be q.
func (t *Table) replace(p, q Ptr) {
	parent := t.entry(p).parent
	switch {
	case parent == t.nil:
		t.hdr.root = q
	case p == t.entry(parent).left:
		t.entry(parent).left = q
	default:
		t.entry(parent).right = q
	}
	t.entry(q).parent = parent
}

// rotate turns p down to the left or right; its other child takes its place.
func (t *Table) rotate(p Ptr, left bool) {
	e := t.entry(p)
	up := t.child(p, !left)
	u := t.entry(up)
	t.replace(p, up)
	inner := u.right
	if left {
		inner = u.left
		u.left, e.right = p, inner
	} else {
		u.right, e.left = p, inner
	}
	e.parent = up
	if inner != t.nil {
		t.entry(inner).parent = p
	}
}
