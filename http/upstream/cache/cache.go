// Package cache keeps responses of peers as files: nginx's
// ngx_http_file_cache.c. The folders and files are nginx's, so that a server
// of either kind can go on with what the other one has kept. What is known of
// each file (its key, use and size) is in shared memory.
//
// A [Cache] is what a proxy_cache_path directive declares. An [Entry] is one
// request's dealings with it: Open finds the response, Update puts a new one
// in its place, Free lets go of it.
//
// A file is written under another name and renamed when it is complete, so
// that however a process ends, what can be found is complete.
package cache

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/shm"
	"moongate/http"
)

// KeyLen is the length in bytes of the MD5 of a key.
const KeyLen = 16

// Cache is a folder with responses and the zone with their keys: nginx's
// ngx_http_file_cache_t.
type Cache struct {
	zone  *process.Zone
	table *shm.Table
	path  *http.TempPath

	// ownTemp: files are written in the folder itself (use_temp_path=off).
	ownTemp bool
	// inactive, in seconds, is how long a response is kept that nobody asks
	// for.
	inactive int64
	// maxSize and minFree are in bytes; bsize is the file system's block.
	maxSize, minFree, bsize int64
	loader, manager         pace

	cycle *process.Cycle
	// started is when the current round of the manager or loader began, in
	// NowMsec; files counts what it has dealt with.
	started int64
	files   int64
	// complained is when it was last logged that the zone is full.
	complained int64
	// generation is that of the zone which the loader has seen to.
	generation uint32
}

// pace bounds what manager and loader do at a time.
type pace struct {
	files            int64
	sleep, threshold time.Duration
}

// shared is the cache's part of the zone: ngx_http_file_cache_sh_t.
type shared struct {
	// size of all files, in blocks.
	size int64
	// watermark is how many keys the zone is known to have room for.
	watermark uint32
	// cold: not all files are known yet.
	cold bool
	// loading is the process that finds out, 0 for none.
	loading uint32
}

const noWatermark = ^uint32(0)

// node is what is known of a response: ngx_http_file_cache_node_t.
type node struct {
	// uniq is the file's inode.
	uniq     uint64
	validSec int64
	fsSize   int64 // blocks
	// lockTime is when, in NowMsec, the lock of a request that fetches the
	// response ends.
	lockTime int64
	// count is how many requests hold the node.
	count     uint32
	bodyStart uint32
	uses      uint16
	// error is a status that is sent instead of the response, 0 for none.
	error uint16
	// updater is the process that fetches the response, 0 for none.
	updater          uint32
	exists, deleting bool
}

var ownPid = uint32(os.Getpid())

// updating reports whether a process fetches the response. One that was killed
// does not.
func (n *node) updating() bool {
	return n.updater != 0 && (n.updater == ownPid || unix.Kill(int(n.updater), 0) != unix.ESRCH)
}

// overhead makes an entry as large as nginx's node, 120 bytes with the key.
const overhead = 120 - KeyLen - int(unsafe.Sizeof(node{}))

// Name is that of the zone.
func (c *Cache) Name() string { return c.zone.Name }

// Of returns the cache that a zone belongs to, nil if no directive declares it.
func Of(z *process.Zone) *Cache {
	c, _ := z.Data.(*Cache)
	return c
}

// init is the zone's Init: ngx_http_file_cache_init.
func (c *Cache) init(z *process.Zone, old any) error {
	c.table = z.Shm.Table(overhead)
	c.bsize = blockSize(c.path.Name)
	z.Shm.OnReset(c.build)
	c.generation = z.Shm.Generation()
	if o, ok := old.(*Cache); ok {
		switch {
		case o.path.Name != c.path.Name:
			return &conf.Error{Msg: `cache "` + z.Name + `" uses the "` + c.path.Name +
				`" cache path while previously it used the "` + o.path.Name + `" cache path`}
		case o.path.Levels != c.path.Levels:
			return &conf.Error{Msg: `cache "` + z.Name + `" had previously different levels`}
		}
		z.Shm.Lock()
		defer z.Shm.Unlock()
		if sh := c.shared(); !sh.cold || sh.loading != 0 {
			c.path.Loader = nil
		}
		return nil
	}
	if !z.Exists {
		z.Shm.Lock()
		defer z.Shm.Unlock()
		c.build()
	}
	return nil
}

// build makes the contents of an empty zone.
func (c *Cache) build() {
	z := c.zone.Shm
	z.SetRoot(z.Calloc(int(unsafe.Sizeof(shared{}))))
	sh := c.shared()
	sh.cold, sh.watermark = true, noWatermark
}

// blockSize is the size of the file system's blocks: ngx_fs_bsize.
func blockSize(name string) int64 {
	var fs unix.Statfs_t
	if unix.Statfs(name, &fs) != nil || fs.Bsize%512 != 0 || fs.Bsize <= 0 {
		return 512
	}
	return fs.Bsize
}

// blocks is how much of the file system a file takes.
func (c *Cache) blocks(size int64) int64 { return (size + c.bsize - 1) / c.bsize }

// shared is the cache's part of the zone, which must be locked.
func (c *Cache) shared() *shared { return shm.At[shared](c.zone.Shm, c.zone.Shm.Root()) }

// node is that of an entry of the table; the zone must be locked.
func (c *Cache) node(p shm.Ptr) *node { return shm.At[node](c.zone.Shm, c.table.ValuePtr(p)) }

// insert adds a node to the locked zone, 0 if there is no room.
func (c *Cache) insert(key *[KeyLen]byte) shm.Ptr {
	p := c.table.Insert(key[:], int(unsafe.Sizeof(node{})), 0)
	if p != 0 {
		*c.node(p) = node{}
		return p
	}
	n := uint32(c.table.Len())
	c.shared().watermark = n - n/8
	return 0
}

// used makes a node the most recently used one.
func (c *Cache) used(p shm.Ptr, now int64) {
	c.table.Touch(p)
	c.table.SetExpires(p, now+c.inactive)
}

func (c *Cache) log() *log.Logger { return c.cycle.Log() }

// noMemory logs that the zone is full.
func (c *Cache) noMemory() {
	c.log().Log(log.Alert, nil, `could not allocate node in cache keys zone "%s"`, c.zone.Name)
}

// appendFile appends the name of the file of a key.
func (c *Cache) appendFile(b []byte, key *[KeyLen]byte) []byte {
	const digits = "0123456789abcdef"
	var hex [2 * KeyLen]byte
	for i, x := range key {
		hex[2*i], hex[2*i+1] = digits[x>>4], digits[x&15]
	}
	b = append(b, c.path.Name...)
	end := len(hex)
	for _, n := range c.path.Levels {
		if n == 0 {
			break
		}
		b = append(append(b, '/'), hex[end-n:end]...)
		end -= n
	}
	return append(append(b, '/'), hex[:]...)
}
