package cache

import (
	"encoding/hex"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/shm"
)

// managerIdle is how long the manager rests when nothing is due, in seconds.
const managerIdle = 10

// manage removes what was not asked for long enough, or does not fit, and says
// when it wants to be called again: ngx_http_file_cache_manager.
func (c *Cache) manage(w *process.Worker) time.Duration {
	c.started, c.files = w.Loop.NowMsec(), 0
	c.reload(w)
	wait := c.expire(w)
	if wait == 0 {
		return c.manager.sleep
	}
	for {
		if c.fits() {
			break
		}
		if more := c.forceExpire(w.Loop.Now().Unix()); more > 0 {
			wait = more
			break
		}
		if w.Stopping() {
			break
		}
		if c.tired(w) {
			return c.manager.sleep
		}
	}
	return time.Duration(wait) * time.Second
}

// reload finds the files again after the zone was reset, because a process was
// killed at a bad moment.
func (c *Cache) reload(w *process.Worker) {
	z := c.zone.Shm
	z.Lock()
	generation := z.Generation()
	z.Unlock()
	if generation != c.generation {
		c.generation = generation
		c.load(w)
		c.started, c.files = w.Loop.NowMsec(), 0
	}
}

// tired counts a file and reports whether the manager is to rest.
func (c *Cache) tired(w *process.Worker) bool {
	if c.files++; c.files >= c.manager.files {
		return true
	}
	w.Loop.UpdateTime()
	return w.Loop.NowMsec()-c.started >= c.manager.threshold.Milliseconds()
}

// fits reports whether the files and keys take no more than they may.
func (c *Cache) fits() bool {
	size, count, watermark := c.usage()
	if size >= c.maxSize/c.bsize || count >= watermark {
		return false
	}
	if c.minFree == 0 {
		return true
	}
	var fs unix.Statfs_t
	return unix.Statfs(c.path.Name, &fs) == nil && int64(fs.Bavail)*fs.Bsize > c.minFree
}

func (c *Cache) usage() (size int64, count, watermark uint32) {
	c.zone.Shm.Lock()
	defer c.zone.Shm.Unlock()
	sh := c.shared()
	return sh.size, uint32(c.table.Len()), sh.watermark
}

// expire removes what is inactive and returns how many seconds there is
// nothing more to do, 0 if there is: ngx_http_file_cache_expire.
func (c *Cache) expire(w *process.Worker) int64 {
	now := w.Loop.Now().Unix()
	for !w.Stopping() {
		wait, done := c.expireOne(now)
		if done {
			return wait
		}
		if c.tired(w) {
			return 0
		}
	}
	return 1
}

// expireOne removes the oldest response if it is inactive. Otherwise done is
// set.
func (c *Cache) expireOne(now int64) (wait int64, done bool) {
	z := c.zone.Shm
	z.Lock()
	defer z.Unlock()
	p := c.table.Oldest()
	if p == 0 {
		return managerIdle, true
	}
	if wait := c.table.Expires(p) - now; wait > 0 {
		return min(wait, managerIdle), true
	}
	switch n := c.node(p); {
	case n.count == 0:
		c.remove(p)
	case n.deleting:
		return 1, true
	default:
		c.ignore(p, n, now)
	}
	return 0, false
}

// forceTries is how many nodes in use forceExpire looks beyond.
const forceTries = 20

// forceExpire removes the response that was not asked for longest, and returns
// how many seconds to wait if that is not possible:
// ngx_http_file_cache_forced_expire.
func (c *Cache) forceExpire(now int64) (wait int64) {
	z := c.zone.Shm
	z.Lock()
	defer z.Unlock()
	first, p := shm.Ptr(0), c.table.Oldest()
	for range forceTries {
		if p == 0 || p == first {
			return managerIdle
		}
		n, newer := c.node(p), c.table.Newer(p)
		switch {
		case n.count == 0:
			c.remove(p)
			return 0
		case !n.deleting: // else another process is at it
			c.ignore(p, n, now)
			if first == 0 {
				first = p
			}
		}
		p = newer
	}
	return 1
}

// ignore makes a node the newest that nobody should have held for so long: a
// process that was killed may have left it so.
func (c *Cache) ignore(p shm.Ptr, n *node, now int64) {
	c.used(p, now)
	var key [2 * KeyLen]byte
	hex.Encode(key[:], c.table.Key(p))
	c.log().Log(log.Alert, nil, "ignore long locked inactive cache entry %s, count:%d", key[:], n.count)
}

// remove removes a response that nobody holds; the zone is unlocked meanwhile:
// ngx_http_file_cache_delete.
func (c *Cache) remove(p shm.Ptr) {
	z := c.zone.Shm
	n := c.node(p)
	if n.exists {
		c.shared().size -= n.fsSize
		n.count++
		n.deleting = true
		key := [KeyLen]byte(c.table.Key(p))
		generation := z.Generation()
		z.Unlock()
		name := buf.String(c.appendFile(nil, &key))
		if err := unix.Unlink(name); err != nil {
			c.log().Log(log.Crit, err, `unlink() "%s" failed`, name)
		}
		z.Lock()
		if z.Generation() != generation {
			return
		}
		n.count--
		n.deleting = false
	}
	if n.count == 0 {
		c.table.Delete(p)
	}
}
