package shdict

import (
	"unsafe"

	"moongate/core/shm"
)

// End is a side of a list.
type End uint8

// The sides of a list.
const (
	Left End = iota
	Right
)

// listHeader is the value of an entry that is a list.
type listHeader struct {
	ends  [2]shm.Ptr // the first element from the left and from the right
	count uint32
}

// listNode precedes the data of an element.
type listNode struct {
	next [2]shm.Ptr // the following element seen from the left and from the right
	size uint32
	kind Kind
}

const (
	listNodeSize = int(unsafe.Sizeof(listNode{}))
	nginxNode    = 21 // size of nginx's element without data
)

func (d *Dict) list(p shm.Ptr) *listHeader {
	return shm.At[listHeader](d.zone, d.table.ValuePtr(p)+shm.Ptr(headSize>>3))
}

func (d *Dict) node(p shm.Ptr) *listNode { return shm.At[listNode](d.zone, p) }

func (d *Dict) nodeData(p shm.Ptr) []byte {
	return d.zone.Bytes(p+shm.Ptr(listNodeSize>>3), int(d.node(p).size))
}

// clearList frees the elements of a list.
func (d *Dict) clearList(p shm.Ptr) {
	l := d.list(p)
	for e := l.ends[Left]; e != 0; {
		next := d.node(e).next[0]
		d.zone.Free(e)
		e = next
	}
	*l = listHeader{}
}

// listValue is the size of a list's value after a key, so that the entry is as large as nginx's.
func listValue(key string) int {
	const align = 8
	n := nodeSize + len(key) + listOverhead
	return max((n+align-1)&^(align-1)-nodeSize-len(key), listHead)
}

// Push adds a string or number to a list, which is made if it is not there, and returns its length. The errors are
// NotList and NoMemory.
func (d *Dict) Push(end End, key string, v Value, now int64) (int, error) {
	d.zone.Lock()
	defer d.zone.Unlock()
	d.expire(now)
	p, st := d.lookup(key, now)
	if st == present && d.header(p).kind() != list {
		return 0, NotList
	}
	d.zone.Begin()
	n, err := d.push(end, key, v, p, st)
	d.zone.End()
	return n, err
}

// push is Push onto what lookup has found of the key. The zone is locked and
// being changed.
func (d *Dict) push(end End, key string, v Value, p shm.Ptr, st state) (int, error) {
	switch {
	case st == stale && d.header(p).kind() == list:
		d.clearList(p)
		d.table.SetExpires(p, 0)
		d.table.Touch(p)
	case st == stale:
		d.table.Delete(p)
		p = 0
	}
	if p == 0 {
		if p = d.table.InsertString(key, headSize+listValue(key), 0); p == 0 {
			return 0, NoMemory
		}
		d.header(p).flags = 0
		d.header(p).what.Store(uint32(list))
		*d.list(p) = listHeader{}
	}
	l := d.list(p)
	e := d.zone.Alloc(max(nginxNode, listNodeSize) + v.size())
	if e == 0 {
		if l.count == 0 {
			d.table.Delete(p)
		}
		return 0, NoMemory
	}
	d.fill(e, &v)
	d.link(l, e, end)
	return int(l.count), nil
}

func (d *Dict) fill(e shm.Ptr, v *Value) {
	*d.node(e) = listNode{size: uint32(v.size()), kind: v.Kind}
	if v.Kind == Number {
		*shm.At[float64](d.zone, e+shm.Ptr(listNodeSize>>3)) = v.Num
	} else {
		copy(d.nodeData(e), v.Str)
	}
}

func (d *Dict) link(l *listHeader, e shm.Ptr, end End) {
	other := 1 - end
	first := l.ends[end]
	n := d.node(e)
	n.next[end], n.next[other] = first, 0
	if first != 0 {
		d.node(first).next[other] = e
	} else {
		l.ends[other] = e
	}
	l.ends[end] = e
	l.count++
}

// Pop takes an element off a list; the kind Nil stands for none. The error is NotList.
func (d *Dict) Pop(end End, key string, now int64) (v Value, err error) {
	var large []byte
	for {
		var n int
		v, n, err = d.pop(end, key, now, large)
		switch {
		case v.Kind != String:
			return v, err
		case n <= smallValue:
			v.Str = string(d.scratch[:n])
			return v, nil
		case n <= len(large):
			v.Str = unsafe.String(unsafe.SliceData(large), n)
			return v, nil
		}
		large = make([]byte, n)
	}
}

// pop is Pop, copying a string of n bytes to scratch or, if it fits there, to large; otherwise it leaves it.
func (d *Dict) pop(end End, key string, now int64, large []byte) (v Value, n int, err error) {
	d.zone.Lock()
	defer d.zone.Unlock()
	d.expire(now)
	p, st := d.lookup(key, now)
	if st != present {
		return v, 0, nil
	}
	if d.header(p).kind() != list {
		return v, 0, NotList
	}
	l := d.list(p)
	e := l.ends[end]
	if v.Kind = d.node(e).kind; v.Kind == Number {
		v.Num = *shm.At[float64](d.zone, e+shm.Ptr(listNodeSize>>3))
	} else {
		data := d.nodeData(e)
		switch n = len(data); {
		case n <= smallValue:
			copy(d.scratch[:], data)
		case n <= len(large):
			copy(large, data)
		default:
			return v, n, nil
		}
	}
	d.zone.Begin()
	d.unlink(l, e, end)
	if l.count == 0 {
		d.table.Delete(p)
	}
	d.zone.End()
	return v, n, nil
}

func (d *Dict) unlink(l *listHeader, e shm.Ptr, end End) {
	other := 1 - end
	next := d.node(e).next[end]
	l.ends[end] = next
	if next != 0 {
		d.node(next).next[other] = 0
	} else {
		l.ends[other] = 0
	}
	l.count--
	d.zone.Free(e)
}

// Len is the length of a list, 0 for one that is not there. The error is NotList.
func (d *Dict) Len(key string, now int64) (int, error) {
	d.zone.Lock()
	defer d.zone.Unlock()
	d.expire(now)
	p, st := d.lookup(key, now)
	switch {
	case st != present:
		return 0, nil
	case d.header(p).kind() != list:
		return 0, NotList
	}
	return int(d.list(p).count), nil
}
