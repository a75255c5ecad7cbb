package h2

import "testing"

// check fails unless the tree is one: whoever is placed is below the root, with
// the rank and the share that this gives, and in its bucket.
func (t *tree) check(tb testing.TB, streams int) {
	tb.Helper()
	found, unused := 0, 0
	var below func(n *node)
	below = func(n *node) {
		for c := n.child; c != nil; c = c.right {
			if found++; c.parent != n || c.rank != n.rank+1 || c.weight < 1 || c.share <= 0 || t.find(c.id) != c {
				tb.Fatalf("%+v below %+v", c, n)
			}
			if c.stream == nil {
				unused++
			}
			below(c)
		}
	}
	below(&t.root)
	listed := 0
	for n := t.oldest; n != nil; n = n.newer {
		listed++
	}
	if unused != t.unused || listed != t.unused || found != unused+streams || unused > maxUnused+streams+1 {
		tb.Fatalf("%d nodes, %d unused, %d counted, %d listed, %d streams", found, unused, t.unused, listed, streams)
	}
}

// FuzzTree: whatever clients say about priorities, in whatever order streams
// begin and end, the tree stays one, of bounded size. Each three bytes are a
// stream, what it depends on, and what happens.
func FuzzTree(f *testing.F) {
	f.Add([]byte{1, 0, 0, 3, 1, 0, 5, 3, 0, 1, 5, 0, 5, 1, 0}) // a circle
	f.Add([]byte{1, 0, 3, 3, 0, 7, 1, 3, 4, 9, 1, 12, 3, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		tr := newTree(4)
		open := map[uint32]*stream{}
		for ; len(b) >= 3; b = b[3:] {
			id, on, what := uint32(b[0])|1, uint32(b[1]), b[2]
			d := &dependency{on: on, exclusive: what&4 != 0, weight: int(what) + 1}
			s := open[id]
			switch {
			case id == on:
				continue
			case what&3 == 0:
				tr.prioritize(id, d)
			case s == nil && len(open) < 16:
				s = &stream{id: id}
				open[id] = s
				if what&8 == 0 {
					d = nil
				}
				tr.open(s, d)
			case s != nil:
				tr.close(s)
				delete(open, id)
			}
			tr.check(t, len(open))
		}
	})
}
