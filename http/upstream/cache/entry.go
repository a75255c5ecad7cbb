package cache

import (
	"crypto/md5"
	"hash/crc32"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/core/shm"
	"moongate/http"
)

// Entry is one request's dealings with a cache: nginx's ngx_http_cache_t. The
// zero Entry is ready for Begin.
type Entry struct {
	cache *Cache

	// Valid, in Unix seconds, is how long the response is fresh, 0 if nothing
	// says so. For Updating and Error seconds more it may be sent while it is
	// being fetched anew, or cannot be.
	Valid, Updating, StaleError int64
	LastModified                int64
	Date                        int64
	ETag, Vary                  string
	// HeaderStart and BodyStart are where in the file the header of the
	// response and its body begin; Length is the file's.
	HeaderStart, BodyStart int
	Length                 int64
	FD                     int

	// Status is kept instead of a response, if not 0.
	Status int

	// Lock: of several requests for a response that is not there only one
	// fetches it, for LockAge at most; others wait for LockTimeout.
	Lock                 bool
	LockTimeout, LockAge time.Duration
	MinUses              int64

	// MayUpdate and MayFail: the response is stale and may be sent while it is
	// being updated, or when that fails.
	MayUpdate, MayFail bool
	// Background: another request updates the response for this one.
	Background bool

	key        []byte
	crc        uint32
	md5, main  [KeyLen]byte
	variant    [KeyLen]byte
	name       []byte
	scratch    []byte
	validMsec  uint16
	uniq       uint64
	fsSize     int64
	bufferSize int
	head       []byte

	node       shm.Ptr
	generation uint32
	lockTime   int64
	waitTime   int64

	exists, updating, updated bool
	secondary, updateVariant  bool
}

// Outcome is what Open came to.
type Outcome int

// The outcomes of Open.
const (
	// Hit: the response is there and fresh.
	Hit Outcome = iota
	// Miss: it is not there, and may be kept.
	Miss
	// Scarce: it is not there, and not to be kept.
	Scarce
	// Stale: it is there, not fresh any more, and to be updated.
	Stale
	// Updating: it is there, not fresh any more, and another request is
	// updating it.
	Updating
	// Status: a status is kept instead of a response.
	Status
	// Failed: there was an error, which is in the log.
	Failed

	waiting // for another request to fetch it
)

// Begin prepares an entry for a request to a cache. Key returns room for the
// key, which is to be appended to and given to SetKey.
func (e *Entry) Begin(c *Cache) {
	*e = Entry{
		cache: c, FD: -1, LastModified: -1,
		key: e.key[:0], name: e.name[:0], scratch: e.scratch[:0],
	}
}

// Key is an empty slice to append the key to.
func (e *Entry) Key() []byte { return e.key[:0] }

// KeyText is the key that was set. It is valid until the entry is used again.
func (e *Entry) KeyText() string { return buf.String(e.key) }

// SetKey sets the key: ngx_http_file_cache_create_key.
func (e *Entry) SetKey(key []byte) {
	e.key = key
	e.crc = crc32.ChecksumIEEE(key)
	e.md5 = md5.Sum(key)
	e.main = e.md5
	e.HeaderStart = headerSize + len(keyMark) + len(key) + 1
}

// Path is the name of the file. It is valid until the entry is used again.
func (e *Entry) Path() string {
	if len(e.name) == 0 {
		e.name = e.cache.appendFile(e.name, &e.md5)
	}
	return buf.String(e.name)
}

// Head is what Open read of the file: at least the header, and all of it if
// the file is small.
func (e *Entry) Head() []byte { return e.head }

// Open looks for the response, and reads the beginning of its file into mem,
// or into memory of its own if that is not enough: ngx_http_file_cache_open.
// It may wait for another request.
func (e *Entry) Open(r *http.Request, mem []byte) Outcome {
	e.bufferSize = len(mem)
	for {
		e.BodyStart = e.bufferSize
		o := e.open(r, mem)
		if o != waiting {
			return o
		}
		if !e.wait(r) {
			return Failed
		}
	}
}

func (e *Entry) open(r *http.Request, mem []byte) Outcome {
	c := e.cache
	now := r.Loop().Now().Unix()
	test, rv := false, Miss
	switch found, cold := e.find(r, now); found {
	case failed:
		return Failed
	case scarce:
		return Scarce
	case known:
		if e.Status != 0 {
			return Status
		}
		test = e.exists
	case fresh:
		test = cold
		if e.MinUses > 1 {
			rv = Scarce
		}
	}
	if test {
		info, err := r.OpenCacheFile(e.Path(), e.uniq)
		switch {
		case err == nil:
			e.FD, e.uniq, e.Length, e.fsSize = info.FD, info.Uniq, info.Size, c.blocks(info.FSSize)
			return e.read(r, mem, now)
		case err.Errno == unix.ENOENT || err.Errno == unix.ENOTDIR:
		default:
			r.Logf(log.Crit, err.Errno, `%s "%s" failed`, err.Call, e.Path())
			return Failed
		}
	}
	if rv == Miss {
		return e.lock(r)
	}
	return rv
}

// found is what find came to.
type found int

const (
	known  found = iota // NGX_OK
	fresh               // NGX_DECLINED: it was not known before
	scarce              // NGX_AGAIN: it was not asked for often enough
	failed
)

// find finds the node of the response or makes one, and takes hold of it:
// ngx_http_file_cache_exists.
func (e *Entry) find(r *http.Request, now int64) (f found, cold bool) {
	// Other processes may be quicker to take what becomes free.
	const tries = 8
	for range tries {
		if f, cold = e.tryFind(now); f != failed {
			return f, cold
		}
		if e.cache.forceExpire(now) > 0 {
			break
		}
	}
	if f, cold = e.tryFind(now); f == failed {
		e.cache.noMemory()
	}
	return f, cold
}

func (e *Entry) tryFind(now int64) (f found, cold bool) {
	c := e.cache
	z := c.zone.Shm
	z.Lock()
	defer z.Unlock()
	p, n := e.held()
	held := n != nil
	if !held {
		if p = c.table.Lookup(e.md5[:]); p != 0 {
			n = c.node(p)
		} else if p = c.insert(&e.md5); p == 0 {
			return failed, false
		}
	}
	switch {
	case n == nil:
		n = c.node(p)
		n.uses, n.count = 1, 1
		f = fresh
	default:
		if !held {
			n.uses = min(n.uses, 1<<15) + 1
			n.count++
		}
		f = e.judge(n, now)
	}
	if f == fresh {
		n.error, n.exists, n.validSec, n.uniq, n.bodyStart, n.fsSize = 0, false, 0, 0, 0, 0
	}
	c.used(p, now)
	e.uniq, e.Status = n.uniq, int(n.error)
	e.node, e.generation = p, z.Generation()
	return f, c.shared().cold
}

// judge tells what a node that was there says.
func (e *Entry) judge(n *node, now int64) found {
	switch {
	case n.error != 0 && n.validSec < now:
		return fresh
	case n.error != 0:
		return known
	case n.exists || int64(n.uses) >= e.MinUses:
		e.exists = n.exists
		if n.bodyStart != 0 && !e.updateVariant {
			e.BodyStart = int(n.bodyStart)
		}
		return known
	}
	return scarce
}

// held is the node that the entry holds; it is nil if there is none, or if the
// zone was reset meanwhile. The zone must be locked.
func (e *Entry) held() (shm.Ptr, *node) {
	if e.node == 0 || e.generation != e.cache.zone.Shm.Generation() {
		return 0, nil
	}
	return e.node, e.cache.node(e.node)
}

// lock makes this request the one that fetches the response, if it is to be
// only one: ngx_http_file_cache_lock.
func (e *Entry) lock(r *http.Request) Outcome {
	if !e.Lock {
		return Miss
	}
	now := r.Loop().NowMsec()
	if e.tryLock(now) {
		return Miss
	}
	if e.LockTimeout == 0 {
		return Scarce
	}
	if e.waitTime == 0 {
		e.waitTime = now + e.LockTimeout.Milliseconds()
	}
	return waiting
}

func (e *Entry) tryLock(now int64) bool {
	z := e.cache.zone.Shm
	z.Lock()
	defer z.Unlock()
	_, n := e.held()
	if n == nil {
		return true
	}
	if !n.updating() || n.lockTime <= now {
		n.updater, n.lockTime = ownPid, now+e.LockAge.Milliseconds()
		e.updating, e.lockTime = true, n.lockTime
	}
	return e.updating
}

// lockCheck is how often a request that waits looks whether it may go on.
const lockCheck = 500

// wait waits until the request that fetches the response has done so, or takes
// too long. It is false if the request is canceled.
func (e *Entry) wait(r *http.Request) bool {
	loop := r.Loop()
	left := e.waitTime - loop.NowMsec()
	for {
		if loop.Sleep(time.Duration(max(min(left, lockCheck), 1))*time.Millisecond) != nil {
			return false
		}
		now := loop.NowMsec()
		if e.waitTime <= now {
			r.Logf(log.Info, nil, "cache lock timeout")
			e.LockTimeout = 0
			return true
		}
		if left = e.lockLeft(now); left <= 0 {
			return true
		}
	}
}

// lockLeft is how long, in milliseconds, the lock of another request lasts.
func (e *Entry) lockLeft(now int64) int64 {
	z := e.cache.zone.Shm
	z.Lock()
	defer z.Unlock()
	_, n := e.held()
	if n == nil || !n.updating() {
		return 0
	}
	return n.lockTime - now
}
