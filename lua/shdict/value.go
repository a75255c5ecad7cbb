package shdict

import (
	"unsafe"

	"moongate/core/shm"
)

// Op says what Store does beside storing.
type Op uint8

// The ways to store.
const (
	Set     Op = 0
	Add     Op = 1 // only what is not there
	Replace Op = 2 // only what is there
	Safe    Op = 4 // evicting nothing
)

// Get finds a value with its flags. With wantStale it finds values whose time is over too, and tells so. A key that is
// not there has a value of kind Nil. The error is IsList.
func (d *Dict) Get(key string, now int64, wantStale bool) (v Value, flags int32, isStale bool, err error) {
	var large []byte
	for {
		var n int
		v, n, flags, isStale, err = d.get(key, now, wantStale, large)
		switch {
		case v.Kind != String:
			return v, flags, isStale, err
		case n <= smallValue:
			v.Str = string(d.scratch[:n])
			return v, flags, isStale, nil
		case n <= len(large):
			v.Str = unsafe.String(unsafe.SliceData(large), n)
			return v, flags, isStale, nil
		}
		// Nothing is allocated under the lock.
		large = make([]byte, n)
	}
}

// get is Get, copying a string of n bytes to scratch or, if it fits there, to large.
func (d *Dict) get(key string, now int64, wantStale bool, large []byte) (v Value, n int, flags int32, isStale bool, err error) {
	d.zone.Lock()
	defer d.zone.Unlock()
	if !wantStale {
		d.expire(now)
	}
	p, st := d.lookup(key, now)
	if st == absent || st == stale && !wantStale {
		return v, 0, 0, false, nil
	}
	h, data := d.header(p), d.data(p)
	switch v.Kind = h.kind(); v.Kind {
	case list:
		return Value{}, 0, 0, false, IsList
	case String:
		n = len(data)
		switch {
		case n <= smallValue:
			copy(d.scratch[:], data)
		case n <= len(large):
			copy(large, data)
		}
	case Number:
		v.Num = *d.number(p)
	case Boolean:
		v.Num = float64(data[0])
	}
	return v, n, h.flags, st == stale, nil
}

// number is the value of an entry of kind Number, in place.
func (d *Dict) number(p shm.Ptr) *float64 {
	return shm.At[float64](d.zone, d.table.ValuePtr(p)+shm.Ptr(headSize>>3))
}

const numberSize = 8

func (v *Value) size() int {
	switch v.Kind {
	case String:
		return len(v.Str)
	case Number:
		return numberSize
	}
	return 1
}

// Store sets a key's value for ttl, 0 without end; the kind Nil deletes it. forcible tells that others were evicted for
// it. The errors are NotFound, Exists, NoMemory and NilValue.
func (d *Dict) Store(op Op, key string, v Value, ttl, now int64, flags int32) (forcible bool, err error) {
	if v.Kind == Nil && op&(Add|Replace) != 0 {
		return false, NilValue
	}
	d.zone.Lock()
	defer d.zone.Unlock()
	d.expire(now)
	p, st := d.lookup(key, now)
	switch {
	case op&Replace != 0 && st != present:
		return false, NotFound
	case op&Add != 0 && st == present:
		return false, Exists
	}
	if st != absent {
		if d.fits(p, &v) {
			d.table.Touch(p)
			d.table.SetExpires(p, until(now, ttl))
			d.put(p, &v, flags)
			return false, nil
		}
		d.remove(p)
	}
	if v.Kind == Nil {
		return false, nil
	}
	p, forcible = d.insert(key, v.size(), until(now, ttl), now, op&Safe == 0)
	if p == 0 {
		return forcible, NoMemory
	}
	d.put(p, &v, flags)
	return forcible, nil
}

// fits tells whether a value can take the place of an entry's.
func (d *Dict) fits(p shm.Ptr, v *Value) bool {
	return v.Kind != Nil && d.header(p).kind() != list && len(d.data(p)) == v.size()
}

// put writes a value into an entry of its size.
func (d *Dict) put(p shm.Ptr, v *Value, flags int32) {
	h := d.header(p)
	h.what.Store(uint32(Nil))
	h.flags = flags
	switch v.Kind {
	case String:
		copy(d.data(p), v.Str)
	case Number:
		*d.number(p) = v.Num
	case Boolean:
		d.data(p)[0] = byte(v.Num)
	}
	h.what.Store(uint32(v.Kind))
}

// Incr adds delta to a number and returns the sum. When init is not nil a key that is not there becomes *init + delta
// for ttl. The errors are NotFound, NotNumber and NoMemory.
func (d *Dict) Incr(key string, delta float64, init *float64, ttl, now int64) (sum float64, forcible bool, err error) {
	d.zone.Lock()
	defer d.zone.Unlock()
	d.expire(now)
	p, st := d.lookup(key, now)
	if st == present {
		if d.header(p).kind() != Number {
			return 0, false, NotNumber
		}
		n := d.number(p)
		*n += delta
		return *n, false, nil
	}
	if init == nil {
		return 0, false, NotFound
	}
	v := Value{Kind: Number, Num: *init + delta}
	if st == stale && d.fits(p, &v) {
		d.table.Touch(p)
		d.table.SetExpires(p, until(now, ttl))
		d.put(p, &v, 0)
		return v.Num, false, nil
	}
	if st == stale {
		d.remove(p)
	}
	if p, forcible = d.insert(key, numberSize, until(now, ttl), now, true); p == 0 {
		return 0, forcible, NoMemory
	}
	d.put(p, &v, 0)
	return v.Num, forcible, nil
}

// TTL is how long a key lives on: negative when its time is over, 0 for ever. The error is NotFound.
func (d *Dict) TTL(key string, now int64) (int64, error) {
	d.zone.Lock()
	defer d.zone.Unlock()
	p := d.peek(key)
	if p == 0 {
		return 0, NotFound
	}
	if at := d.table.Expires(p); at != 0 {
		return at - now, nil
	}
	return 0, nil
}

// Expire sets how long a key lives on, 0 for ever. The error is NotFound.
func (d *Dict) Expire(key string, ttl, now int64) error {
	d.zone.Lock()
	defer d.zone.Unlock()
	p := d.peek(key)
	if p == 0 {
		return NotFound
	}
	d.table.SetExpires(p, until(now, ttl))
	return nil
}

// FlushAll ends the time of all entries, whose memory is freed as it is needed.
func (d *Dict) FlushAll(now int64) {
	d.zone.Lock()
	defer d.zone.Unlock()
	for p := d.table.Newest(); p != 0; p = d.table.Older(p) {
		d.table.SetExpires(p, 1)
	}
	d.evict(now)
}

// FlushExpired deletes entries whose time is over, most of them at most unless it is 0, and returns how many.
func (d *Dict) FlushExpired(most int, now int64) int {
	d.zone.Lock()
	defer d.zone.Unlock()
	freed := 0
	for p := d.table.Oldest(); p != 0; {
		newer := d.table.Newer(p)
		if d.expired(p, now) {
			d.remove(p)
			if freed++; freed == most {
				break
			}
		}
		p = newer
	}
	return freed
}

// Keys returns the keys, from the least to the most recently used, most of them at most unless it is 0.
func (d *Dict) Keys(most int, now int64) []string {
	var keys []string
	var text []byte
	for {
		count, size, ok := d.keys(most, now, keys, text)
		if ok {
			return keys[:count]
		}
		// Nothing is allocated under the lock; some room for what comes in the meantime.
		const spare = 8
		keys, text = make([]string, count+count/spare+1), make([]byte, size+size/spare+1)
	}
}

// keys fills keys with strings of text, or says how much it takes.
func (d *Dict) keys(most int, now int64, keys []string, text []byte) (count, size int, ok bool) {
	d.zone.Lock()
	defer d.zone.Unlock()
	ok = true
	for p := d.table.Oldest(); p != 0; p = d.table.Newer(p) {
		if d.expired(p, now) || d.header(p).kind() == Nil {
			continue
		}
		key := d.table.Key(p)
		if ok = ok && count < len(keys) && len(key) <= len(text)-size; ok {
			copy(text[size:], key)
			keys[count] = unsafe.String(unsafe.SliceData(text[size:]), len(key))
		}
		size += len(key)
		if count++; count == most {
			break
		}
	}
	return count, size, ok
}
