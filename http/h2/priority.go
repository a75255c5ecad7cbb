package h2

// node is the place of a stream in the tree of priorities (RFC 7540, 5.3;
// nginx's ngx_http_v2_node_t). Streams that have ended, or have not begun, keep
// theirs for a while, because others may depend on them.
type node struct {
	id     uint32
	stream *stream // nil without a request
	weight int     // 1 to 256, among those that depend on the same

	// Of two streams that could send, the one of lower rank goes first, then the
	// one of the greater share.
	rank  int
	share float64

	parent              *node // nil before the node is placed
	child, left, right  *node // the first of the children; the neighbours
	older, newer, index *node // in the list of unused ones; in the bucket
}

// tree is the priorities of a connection.
type tree struct {
	root    node
	buckets []*node // by the number of the stream; a power of two of them
	// The unused nodes, in the order in which they became so.
	oldest, newest *node
	unused         int
}

const (
	// maxUnused is from where on nodes are taken from streams that have ended.
	maxUnused     = 32
	defaultWeight = 16
	weights       = 256
)

// newTree makes an empty tree with so many buckets.
func newTree(buckets int) tree {
	t := tree{buckets: make([]*node, buckets)}
	t.root.share = 1
	return t
}

func (t *tree) bucket(id uint32) **node { return &t.buckets[int(id>>1)&(len(t.buckets)-1)] }

// find returns the node of a stream, nil if there is none.
func (t *tree) find(id uint32) *node {
	for n := *t.bucket(id); n != nil; n = n.index {
		if n.id == id {
			return n
		}
	}
	return nil
}

// get returns the node of a stream. A new one is neither placed nor unused.
func (t *tree) get(id uint32) *node {
	n := t.find(id)
	if n != nil {
		return n
	}
	if t.unused < maxUnused {
		n = &node{}
	} else {
		n = t.recycle()
	}
	b := t.bucket(id)
	n.id, n.index = id, *b
	*b = n
	return n
}

// recycle takes the node that has been unused for longest out of the tree; what
// depended on it depends on its parent then, with a part of its weight.
func (t *tree) recycle() *node {
	n := t.oldest
	t.use(n)
	at := t.bucket(n.id)
	for *at != n {
		at = &(*at).index
	}
	*at = n.index
	sum := 0
	for c := n.child; c != nil; c = c.right {
		sum += c.weight
	}
	parent := n.parent
	n.unlink()
	for c := n.child; c != nil; c = n.child {
		c.weight = max(1, n.weight*c.weight/sum)
		c.move(parent)
	}
	*n = node{}
	return n
}

// use takes a node out of the list of unused ones.
func (t *tree) use(n *node) {
	if n.older != nil {
		n.older.newer = n.newer
	} else {
		t.oldest = n.newer
	}
	if n.newer != nil {
		n.newer.older = n.older
	} else {
		t.newest = n.older
	}
	n.older, n.newer = nil, nil
	t.unused--
}

// release puts a node without a stream into the list of unused ones.
func (t *tree) release(n *node) {
	n.older = t.newest
	if n.older != nil {
		n.older.newer = n
	} else {
		t.oldest = n
	}
	t.newest = n
	t.unused++
}

// open gives a stream its node; wanted is what the client said about its
// priority, nil for nothing.
func (t *tree) open(s *stream, wanted *dependency) {
	n := t.get(s.id)
	known := n.parent != nil
	if known {
		t.use(n)
	}
	n.stream, s.node = s, n
	switch {
	case wanted != nil:
		t.place(n, wanted)
	case !known:
		t.place(n, &dependency{weight: defaultWeight})
	}
}

// close takes the node from a stream.
func (t *tree) close(s *stream) {
	s.node.stream = nil
	t.release(s.node)
	s.node = nil
}

// prioritize does what a PRIORITY frame says.
func (t *tree) prioritize(id uint32, wanted *dependency) {
	n := t.get(id)
	if n.stream == nil {
		if n.parent != nil {
			t.use(n)
		}
		t.release(n)
	}
	t.place(n, wanted)
}

// dependency is a priority as it is sent.
type dependency struct {
	on        uint32
	exclusive bool
	weight    int
}

// place makes a node depend on another.
func (t *tree) place(n *node, d *dependency) {
	n.weight = d.weight
	parent, exclusive := t.find(d.on), d.exclusive
	if parent == nil || d.on == 0 {
		parent, exclusive = &t.root, exclusive && d.on == 0
	}
	if n.parent != nil {
		for p := parent; p != nil; p = p.parent {
			if p == n { // a circle: the new parent takes the node's place first
				parent.move(n.parent)
				break
			}
		}
	}
	if parent != &t.root && parent.stream == nil {
		t.use(parent)
		t.release(parent)
	}
	n.unlink()
	if exclusive {
		for c := parent.child; c != nil; c = parent.child {
			c.move(n)
		}
	}
	n.move(parent)
}

// unlink takes a node from its parent, with what depends on it.
func (n *node) unlink() {
	switch {
	case n.parent == nil:
		return
	case n.left != nil:
		n.left.right = n.right
	default:
		n.parent.child = n.right
	}
	if n.right != nil {
		n.right.left = n.left
	}
	n.left, n.right, n.parent = nil, nil, nil
}

// move puts a node below a parent.
func (n *node) move(parent *node) {
	n.unlink()
	n.parent, n.right = parent, parent.child
	if n.right != nil {
		n.right.left = n
	}
	parent.child = n
	n.update()
}

// update computes the rank and the share of a node and of those below it.
func (n *node) update() {
	n.rank = n.parent.rank + 1
	n.share = n.parent.share / weights * float64(n.weight)
	for c := n.child; c != nil; c = c.right {
		c.update()
	}
}

// before reports whether a stream that is there already goes before another.
func (n *node) before(other *node) bool {
	return n.rank < other.rank || n.rank == other.rank && n.share >= other.share
}
