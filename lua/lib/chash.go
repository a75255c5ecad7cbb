package lib

import (
	"cmp"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sort"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// chash is a ring of resty.chash: keys find the node whose point follows theirs, so that most keys keep their node when
// others come and go. The points are those of nginx's "hash … consistent".
type chash struct {
	points []chashPoint // in the order of their hashes
	ids    []lua.LValue
	number map[lua.LValue]uint32 // of a node in ids
	unused []uint32
	weight map[lua.LValue]int
}

type chashPoint struct{ hash, node uint32 }

const (
	// chashPoints is how many points a node has for each unit of its weight.
	chashPoints = 160
	// maxChashPoints bounds the memory of a ring to 512 MB.
	maxChashPoints = 1 << 26
)

// openChash makes resty.chash.
func openChash(l *lua.LState) int {
	var class native.Class
	class.Init(native.Module(l, "0.05", map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			c := &chash{}
			c.reset(l)
			return native.Return(l, class.New(c))
		},
		"reinit": func(l *lua.LState) int { native.Self[*chash](l).reset(l); return 0 },
		"find":   chashFind,
		"next":   chashNext,
		"set": func(l *lua.LState) int {
			c, id := native.Self[*chash](l), l.Get(2)
			c.set(l, id, weightArg(l, 0))
			return 0
		},
		"incr": func(l *lua.LState) int {
			c, id := native.Self[*chash](l), l.Get(2)
			c.set(l, id, c.weight[id]+weightArg(l, 1))
			return 0
		},
		"decr": func(l *lua.LState) int {
			c, id := native.Self[*chash](l), l.Get(2)
			c.set(l, id, c.weight[id]-weightArg(l, 1))
			return 0
		},
		"delete": func(l *lua.LState) int { native.Self[*chash](l).set(l, l.Get(2), 0); return 0 },
	}))
	return native.Return(l, class.Methods)
}

// weightArg is the weight at argument 3.
func weightArg(l *lua.LState, def int) int {
	if n, ok := vm.ToNumber(l.Get(3)); ok {
		return int(n)
	}
	return def
}

// reset makes the ring of the table of nodes and weights at argument 2.
func (c *chash) reset(l *lua.LState) {
	nodes := vm.CheckTable(l, 2)
	*c = chash{number: map[lua.LValue]uint32{}, weight: map[lua.LValue]int{}}
	for id, w := range vm.Pairs(nodes) {
		n, ok := vm.ToNumber(w)
		if !ok {
			vm.Errorf(l, "bad weight of a node (number expected, got %s)", vm.TypeName(w))
		}
		c.add(l, id, int(n))
	}
	c.sort()
}

func (c *chash) sort() {
	slices.SortStableFunc(c.points, func(a, b chashPoint) int { return cmp.Compare(a.hash, b.hash) })
}

// set gives a node another weight; with 0 or less it goes.
func (c *chash) set(l *lua.LState, id lua.LValue, weight int) {
	old, weight := c.weight[id], max(weight, 0)
	if weight > old {
		c.add(l, id, weight-old)
		c.sort()
		return
	}
	if weight == old {
		return
	}
	node := c.number[id]
	gone := make(map[uint32]int, (old-weight)*chashPoints)
	c.each(id, old, func(i int, hash uint32) {
		if i >= weight*chashPoints {
			gone[hash]++
		}
	})
	c.points = slices.DeleteFunc(c.points, func(p chashPoint) bool {
		if p.node != node || gone[p.hash] == 0 {
			return false
		}
		gone[p.hash]--
		return true
	})
	if weight > 0 {
		c.weight[id] = weight
		return
	}
	delete(c.weight, id)
	delete(c.number, id)
	c.ids[node] = lua.LNil
	c.unused = append(c.unused, node)
}

// add gives a node more points, which have to be sorted.
func (c *chash) add(l *lua.LState, id lua.LValue, weight int) {
	if weight > (maxChashPoints-len(c.points))/chashPoints {
		vm.Errorf(l, "no memory")
	}
	node, ok := c.number[id]
	if !ok {
		if n := len(c.unused); n > 0 {
			node, c.unused = c.unused[n-1], c.unused[:n-1]
			c.ids[node] = id
		} else {
			node = uint32(len(c.ids))
			c.ids = append(c.ids, id)
		}
		c.number[id] = node
	}
	old := c.weight[id]
	c.weight[id] = old + weight
	c.each(id, old+weight, func(i int, hash uint32) {
		if i >= old*chashPoints {
			c.points = append(c.points, chashPoint{hash, node})
		}
	})
}

// each calls f with the hashes of the points that a node of that weight has: each is made from the one before.
func (c *chash) each(id lua.LValue, weight int, f func(i int, hash uint32)) {
	base := crc32.ChecksumIEEE([]byte(lua.LVAsString(id)))
	var before [4]byte
	for i := range weight * chashPoints {
		hash := crc32.Update(base, crc32.IEEETable, before[:])
		f(i, hash)
		binary.LittleEndian.PutUint32(before[:], hash)
	}
}

// point returns the node and the number of a point, nil if there are none.
func (c *chash) point(l *lua.LState, i int) int {
	if len(c.points) == 0 {
		l.Push(lua.LNil)
		return 1
	}
	i %= len(c.points)
	l.Push(c.ids[c.points[i].node])
	l.Push(lua.LNumber(i))
	return 2
}

// chashFind is id, index = ring:find(key).
func chashFind(l *lua.LState) int {
	c, key := native.Self[*chash](l), l.Get(2)
	text, ok := vm.ToString(key)
	if !ok {
		text = vm.ThreadOf(l).VM().Display(l, key)
	}
	hash := crc32.ChecksumIEEE([]byte(text))
	return c.point(l, sort.Search(len(c.points), func(i int) bool { return c.points[i].hash >= hash }))
}

// chashNext is id, index = ring:next(index).
func chashNext(l *lua.LState) int {
	c := native.Self[*chash](l)
	return c.point(l, max(vm.CheckInt(l, 2), -1)+1)
}
