package lib

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// lru is a cache of resty.lrucache: a table of limited size that forgets what was used least recently. It belongs to
// one worker.
type lru struct {
	vm    *vm.VM // for its clock: the cache and ngx.now see the same time
	size  int
	nodes map[lua.LValue]*lruNode
	ring  lruNode // newer of it is the least, older the most recently used
	free  *lruNode
}

type lruNode struct {
	key, value   lua.LValue
	newer, older *lruNode
	expires      float64 // in seconds since 1970, with the rounding of the original's sums; negative for never
	flags        lua.LNumber
}

// openLRU makes resty.lrucache.
func openLRU(l *lua.LState) int {
	var class native.Class
	class.Init(native.Module(l, "0.15", map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			size := vm.CheckInt(l, 1)
			if size < 1 {
				return native.Fail(l, "size too small")
			}
			c := &lru{vm: vm.ThreadOf(l).VM(), size: size}
			c.clear()
			return native.Return(l, class.New(c))
		},
		"get": lruGet, "set": lruSet, "delete": lruDelete,
		"count":     func(l *lua.LState) int { l.Push(vm.Number(len(native.Self[*lru](l).nodes))); return 1 },
		"capacity":  func(l *lua.LState) int { l.Push(vm.Number(native.Self[*lru](l).size)); return 1 },
		"flush_all": func(l *lua.LState) int { native.Self[*lru](l).clear(); return 0 },
		"get_keys":  lruKeys,
	}))
	return native.Return(l, class.Methods)
}

func (c *lru) clear() {
	c.nodes = make(map[lua.LValue]*lruNode)
	c.ring.newer, c.ring.older = &c.ring, &c.ring
	c.free = nil
}

func (n *lruNode) unlink() { n.newer.older, n.older.newer = n.older, n.newer }

// touch makes a node the most recently used one.
func (c *lru) touch(n *lruNode) {
	n.older, n.newer = c.ring.older, &c.ring
	n.older.newer, c.ring.older = n, n
}

// now is ngx.now().
func (c *lru) now() float64 { return float64(c.vm.Now().UnixMilli()) / 1000 }

// lruGet is value, stale, flags = cache:get(key).
func lruGet(l *lua.LState) int {
	c := native.Self[*lru](l)
	n := c.nodes[l.Get(2)]
	if n == nil {
		l.Push(lua.LNil)
		return 1
	}
	n.unlink()
	c.touch(n)
	value, stale := n.value, lua.LValue(lua.LNil)
	if n.expires >= 0 && n.expires < c.now() {
		value, stale = stale, value
	}
	l.Push(value)
	l.Push(stale)
	l.Push(n.flags)
	return 3
}

// lruSet is cache:set(key, value, seconds?, flags?).
func lruSet(l *lua.LState) int {
	c, key := native.Self[*lru](l), l.Get(2)
	if key == lua.LNil {
		vm.Errorf(l, "table index is nil")
	} else if key != key { // it would never be found again, and never leave
		vm.Errorf(l, "table index is NaN")
	}
	n := c.nodes[key]
	switch {
	case n != nil:
		n.unlink()
	case len(c.nodes) >= c.size:
		n = c.ring.newer
		n.unlink()
		delete(c.nodes, n.key)
	case c.free != nil:
		n = c.free
		c.free = n.newer
	default:
		n = &lruNode{}
	}
	c.nodes[key] = n
	c.touch(n)
	n.key, n.value, n.expires, n.flags = key, l.Get(3), -1, 0
	if lua.LVAsBool(l.Get(4)) {
		n.expires = c.now() + float64(vm.CheckNumber(l, 4))
	}
	if f, ok := l.Get(5).(lua.LNumber); ok && f >= 0 {
		n.flags = f
	}
	return 0
}

func lruDelete(l *lua.LState) int {
	c, key := native.Self[*lru](l), l.Get(2)
	n := c.nodes[key]
	if n == nil {
		l.Push(lua.LFalse)
		return 1
	}
	delete(c.nodes, key)
	n.unlink()
	*n = lruNode{newer: c.free}
	c.free = n
	l.Push(lua.LTrue)
	return 1
}

// lruKeys is cache:get_keys(max?, result?): the keys from the most to the least recently used.
func lruKeys(l *lua.LState) int {
	c, most := native.Self[*lru](l), vm.OptInt(l, 2, 0)
	t, ok := l.Get(3).(*lua.LTable)
	if !ok {
		t = vm.NewTable(0, 4)
	}
	i := 0
	for n := c.ring.older; n != &c.ring && (most <= 0 || i < most); n = n.older {
		i++
		t.RawSetInt(i, n.key)
	}
	if t.Len() > i {
		t.RawSetInt(i+1, lua.LNil)
	}
	l.Push(t)
	return 1
}
