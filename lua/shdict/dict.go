// Package shdict is the storage of ngx.shared.DICT: a dictionary in memory that all workers share, with values of Lua's
// types, times to live, eviction of what was used least recently, and lists. It holds what lua-nginx-module's holds in
// the same space (src/ngx_http_lua_shdict.c).
//
// A process that is killed in the middle of a change costs at most the value it was writing, or, in the midst of a
// change of the structure, the contents of the dictionary (see [shm.Zone.Lock]).
package shdict

import (
	"sync/atomic"
	"unsafe"

	"moongate/core/shm"
)

// Kind is the type of a value. The numbers are those of Lua's types.
type Kind uint8

// The kinds of values.
const (
	Nil     Kind = 0
	Boolean Kind = 1
	Number  Kind = 3
	String  Kind = 4
	list    Kind = 5
)

// Value is what a key stands for. Num is 0 or 1 for Boolean.
type Value struct {
	Kind Kind
	Num  float64
	Str  string
}

// Errors are Lua's: their texts are returned to scripts.
type Error string

func (e Error) Error() string { return string(e) }

// What can go wrong.
const (
	NotFound  Error = "not found"
	Exists    Error = "exists"
	NoMemory  Error = "no memory"
	NotNumber Error = "not a number"
	NotList   Error = "value not a list"
	IsList    Error = "value is a list"
	NilValue  Error = "attempt to add or replace nil values"
)

const (
	nodeSize     = 68 // of nginx's node in bytes, key and value apart
	poolNode     = 80 // of what nginx keeps for the whole dictionary
	logContext   = " in lua_shared_dict zone \"\"\x00"
	evictions    = 30 // most entries given up for a new one
	smallValue   = 4096
	listHead     = int(unsafe.Sizeof(listHeader{}))
	headSize     = int(unsafe.Sizeof(header{}))
	tableNode    = nodeSize - headSize
	listOverhead = 16 // of nginx's list in its node
)

// MaxKey is the length of the longest key in bytes.
const MaxKey = shm.MaxKey

// header precedes each value.
type header struct {
	// what is the Kind, or Nil while the value is being written: who finds that finds nothing, the writer was killed.
	what  atomic.Uint32
	flags int32
}

func (h *header) kind() Kind { return Kind(h.what.Load()) }

// Dict is a dictionary. Times are in milliseconds since 1970, times to live in milliseconds.
type Dict struct {
	zone    *shm.Zone
	table   *shm.Table
	scratch [smallValue]byte
}

// New opens the dictionary in a zone. fresh tells that nothing was stored in it yet.
func New(zone *shm.Zone, fresh bool) (*Dict, error) {
	d := &Dict{zone: zone, table: zone.Table(tableNode)}
	zone.OnReset(func() { d.format() })
	if !fresh {
		return d, nil
	}
	zone.Lock()
	defer zone.Unlock()
	if !d.format() {
		return nil, NoMemory
	}
	return d, nil
}

// Twin is the same dictionary for another thread: a Dict is for one at a time.
func (d *Dict) Twin() *Dict { return &Dict{zone: d.zone, table: d.table} }

// format takes the space that nginx takes in an empty zone.
func (d *Dict) format() bool {
	root := d.zone.Alloc(poolNode)
	d.zone.SetRoot(root)
	return root != 0 && d.zone.Alloc(len(logContext)+len(d.zone.Name())) != 0
}

// Capacity is the size of the zone in bytes.
func (d *Dict) Capacity() int64 { return d.zone.Size() }

// FreeSpace is the size of the wholly free pages in bytes.
func (d *Dict) FreeSpace() int64 {
	d.zone.Lock()
	defer d.zone.Unlock()
	return int64(d.zone.FreePages()) * shm.PageSize
}

func (d *Dict) header(p shm.Ptr) *header { return shm.At[header](d.zone, d.table.ValuePtr(p)) }

// data is the value of an entry, in place.
func (d *Dict) data(p shm.Ptr) []byte { return d.table.Value(p)[headSize:] }

func (d *Dict) expired(p shm.Ptr, now int64) bool {
	at := d.table.Expires(p)
	return at != 0 && at <= now
}

// state is what lookup finds.
type state uint8

const (
	absent state = iota
	stale        // its time is over
	present
)

// lookup finds a key, which becomes the most recently used unless its time is over.
func (d *Dict) lookup(key string, now int64) (shm.Ptr, state) {
	p := d.table.LookupString(key)
	if p == 0 {
		return 0, absent
	}
	if d.header(p).kind() == Nil {
		d.table.Delete(p)
		return 0, absent
	}
	if d.expired(p, now) {
		return p, stale
	}
	d.table.Touch(p)
	return p, present
}

// peek is lookup for any time, changing nothing.
func (d *Dict) peek(key string) shm.Ptr {
	p := d.table.LookupString(key)
	if p != 0 && d.header(p).kind() == Nil {
		return 0
	}
	return p
}

// remove deletes an entry with all that belongs to it.
func (d *Dict) remove(p shm.Ptr) {
	if d.header(p).kind() != list {
		d.table.Delete(p)
		return
	}
	d.zone.Begin()
	d.clearList(p)
	d.table.Delete(p)
	d.zone.End()
}

// expire deletes up to two of the least recently used entries if their time is over.
func (d *Dict) expire(now int64) {
	for range 2 {
		p := d.table.Oldest()
		if p == 0 || !d.expired(p, now) {
			return
		}
		d.remove(p)
	}
}

// evict deletes the least recently used entry.
func (d *Dict) evict(now int64) bool {
	p := d.table.Oldest()
	if p == 0 {
		return false
	}
	d.remove(p)
	d.expire(now)
	return true
}

// until is the time of expiry after a time to live, 0 for none.
func until(now, ttl int64) int64 {
	if ttl <= 0 {
		return 0
	}
	return now + ttl
}

// insert makes an entry with room for n bytes. With force it gives up others for it, and tells whether it did.
func (d *Dict) insert(key string, n int, expires, now int64, force bool) (p shm.Ptr, forcible bool) {
	d.zone.Begin()
	p = d.table.InsertString(key, headSize+n, expires)
	for i := 0; p == 0 && force && i < evictions && d.evict(now); i++ {
		forcible = true
		p = d.table.InsertString(key, headSize+n, expires)
	}
	if p != 0 {
		d.header(p).what.Store(uint32(Nil))
	}
	d.zone.End()
	return p, forcible
}
