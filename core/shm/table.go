package shm

import (
	"hash/crc32"
	"math"
	"unsafe"
)

// Table is the zone's set of entries: each has a key of at most [MaxKey]
// bytes, a value of fixed length and an optional time of expiry, and all of
// them stand in one queue, from the most to the least recently used. It is
// what limit_req, limit_conn, the cache index, TLS sessions and
// lua_shared_dict are made of.
//
// A zone has one Table. Its methods need the zone's lock, and an entry's Ptr
// is good until the entry is deleted or the zone reset.
type Table struct {
	z        *Zone
	hdr      *tableHeader
	nil      Ptr // the sentinel
	overhead int
}

// MaxKey is the length of the longest key.
const MaxKey = math.MaxUint16

// tableHeader is the table's part of the zone header.
type tableHeader struct {
	sentinel entry
	root     Ptr
	count    uint32
}

// entry precedes the key and the value.
type entry struct {
	left, right, parent Ptr
	newer, older        Ptr // in the queue
	hash                uint32
	expires             int64
	valueLen            uint32
	keyLen              uint16
	color               uint8
}

const entrySize = int(unsafe.Sizeof(entry{}))

// valueAlign places values so that they may be structures (see [At]).
const valueAlign = 8

// Table returns the zone's table. An entry takes overhead bytes beside its
// key and value, and no less than the table itself needs: giving the size of
// nginx's node makes a zone hold as many entries as nginx's does. All
// processes must give the same.
func (z *Zone) Table(overhead int) *Table {
	return &Table{z: z, hdr: &z.hdr.table, nil: z.sentinel(), overhead: max(overhead, entrySize)}
}

func (z *Zone) sentinel() Ptr {
	return Ptr((unsafe.Offsetof(z.hdr.table) + unsafe.Offsetof(z.hdr.table.sentinel)) >> ptrShift)
}

func (z *Zone) formatTable() {
	s := z.sentinel()
	z.hdr.table = tableHeader{root: s}
	z.hdr.table.sentinel = entry{left: s, right: s, parent: s, newer: s, older: s}
}

// Len returns the number of entries.
func (t *Table) Len() int { return int(t.hdr.count) }

// Lookup returns the entry with the key, or 0. It does not Touch the entry.
func (t *Table) Lookup(key []byte) Ptr {
	return t.LookupString(unsafe.String(unsafe.SliceData(key), len(key)))
}

// LookupString is Lookup for a string.
func (t *Table) LookupString(key string) Ptr {
	if p := t.find(hashOf(key), key); p != t.nil {
		return p
	}
	return 0
}

// Insert adds an entry with the key, which is not there yet, as the most
// recently used one, and room for a value of valueLen bytes, which hold
// anything. expires is a time in the caller's unit, or 0. Insert returns 0
// when the zone has no room, evicting nothing, or the key is too long.
func (t *Table) Insert(key []byte, valueLen int, expires int64) Ptr {
	return t.InsertString(unsafe.String(unsafe.SliceData(key), len(key)), valueLen, expires)
}

// InsertString is Insert for a string.
func (t *Table) InsertString(key string, valueLen int, expires int64) Ptr {
	if len(key) > MaxKey || valueLen < 0 || valueLen > math.MaxUint32 {
		return 0
	}
	t.z.Begin()
	p := t.z.alloc(max(t.overhead+len(key)+valueLen, valueAt(len(key))+valueLen))
	if p != 0 {
		e := t.entry(p)
		*e = entry{hash: hashOf(key), expires: expires, valueLen: uint32(valueLen), keyLen: uint16(len(key))}
		copy(t.z.Bytes(p+Ptr(entrySize>>ptrShift), len(key)), key)
		t.insert(p)
		t.enqueue(p, e)
		t.hdr.count++
	}
	t.z.End()
	return p
}

// Delete removes an entry and frees its memory.
func (t *Table) Delete(p Ptr) {
	t.z.Begin()
	t.dequeue(t.entry(p))
	t.remove(p)
	t.hdr.count--
	t.z.free(p)
	t.z.End()
}

// Touch makes an entry the most recently used one.
func (t *Table) Touch(p Ptr) {
	e := t.entry(p)
	if t.hdr.sentinel.older == p {
		return
	}
	t.z.Begin()
	t.dequeue(e)
	t.enqueue(p, e)
	t.z.End()
}

// Key returns an entry's key, in place. It may not be changed.
func (t *Table) Key(p Ptr) []byte {
	return t.z.Bytes(p+Ptr(entrySize>>ptrShift), int(t.entry(p).keyLen))
}

// Value returns an entry's value, in place.
func (t *Table) Value(p Ptr) []byte {
	return t.z.Bytes(t.ValuePtr(p), int(t.entry(p).valueLen))
}

// ValuePtr returns the place of an entry's value, aligned to 8 bytes.
func (t *Table) ValuePtr(p Ptr) Ptr {
	return p + Ptr(valueAt(int(t.entry(p).keyLen))>>ptrShift)
}

// Expires returns the time given to Insert or SetExpires.
func (t *Table) Expires(p Ptr) int64 { return t.entry(p).expires }

// SetExpires changes an entry's time of expiry; 0 is never.
func (t *Table) SetExpires(p Ptr, at int64) { t.entry(p).expires = at }

// Newest returns the most recently used entry, or 0.
func (t *Table) Newest() Ptr { return t.orZero(t.hdr.sentinel.older) }

// Oldest returns the least recently used entry, or 0.
func (t *Table) Oldest() Ptr { return t.orZero(t.hdr.sentinel.newer) }

// Older returns the entry used before p, or 0.
func (t *Table) Older(p Ptr) Ptr { return t.orZero(t.entry(p).older) }

// Newer returns the entry used after p, or 0.
func (t *Table) Newer(p Ptr) Ptr { return t.orZero(t.entry(p).newer) }

// Expire deletes the oldest entries that have expired at the time now, most
// of them at most, stopping at the first that has not, and returns how many
// it deleted. The callers of nginx expire two entries per request, so that
// each pays a little.
func (t *Table) Expire(now int64, most int) int {
	for n := range most {
		p := t.Oldest()
		if p == 0 {
			return n
		}
		if at := t.entry(p).expires; at == 0 || at > now {
			return n
		}
		t.Delete(p)
	}
	return most
}

func (t *Table) enqueue(p Ptr, e *entry) {
	head := &t.hdr.sentinel
	e.newer, e.older = t.nil, head.older
	t.entry(head.older).newer = p
	head.older = p
}

func (t *Table) dequeue(e *entry) {
	t.entry(e.newer).older = e.older
	t.entry(e.older).newer = e.newer
}

func (t *Table) entry(p Ptr) *entry {
	at := int(p) << ptrShift
	_ = t.z.mem[at+entrySize-1]
	return (*entry)(unsafe.Pointer(&t.z.mem[at]))
}

func (t *Table) keyOf(p Ptr, e *entry) string {
	key := t.z.Bytes(p+Ptr(entrySize>>ptrShift), int(e.keyLen))
	return unsafe.String(unsafe.SliceData(key), len(key))
}

func (t *Table) orZero(p Ptr) Ptr {
	if p == t.nil {
		return 0
	}
	return p
}

// valueAt returns the distance of the value from its entry.
func valueAt(keyLen int) int {
	return (entrySize + keyLen + valueAlign - 1) &^ (valueAlign - 1)
}

// hashOf is nginx's choice. A peer that finds colliding keys gains nothing:
// the tree stays balanced.
func hashOf(key string) uint32 {
	return crc32.ChecksumIEEE(unsafe.Slice(unsafe.StringData(key), len(key)))
}
