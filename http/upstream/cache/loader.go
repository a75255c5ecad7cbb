package cache

import (
	"encoding/hex"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
)

// load finds out which responses there are: ngx_http_file_cache_loader.
func (c *Cache) load(w *process.Worker) {
	if !c.beginLoad() {
		return
	}
	c.started, c.files = w.Loop.NowMsec(), 0
	done := c.walk(c.path.Name, func(path string, entry os.DirEntry) bool {
		if entry.Type().IsRegular() {
			c.manageFile(w, path)
		} else {
			c.deleteFile(path)
		}
		return !w.Stopping()
	})
	size := c.endLoad(done)
	if done {
		c.log().Log(log.Notice, nil, "http file cache: %s %.3fM, bsize: %d", c.path.Name,
			float64(size)*float64(c.bsize)/(1<<20), c.bsize)
	}
}

func (c *Cache) beginLoad() bool {
	c.zone.Shm.Lock()
	defer c.zone.Shm.Unlock()
	sh := c.shared()
	if !sh.cold || sh.loading != 0 {
		return false
	}
	sh.loading = ownPid
	return true
}

func (c *Cache) endLoad(done bool) (size int64) {
	c.zone.Shm.Lock()
	defer c.zone.Shm.Unlock()
	sh := c.shared()
	sh.cold, sh.loading = !done, 0
	return sh.size
}

// batch is how many names of a folder are read at a time.
const batch = 128

// walk visits what there is in a folder and its subfolders. It stops, and is
// false, when visit is.
func (c *Cache) walk(name string, visit func(path string, entry os.DirEntry) bool) bool {
	dir, err := os.Open(name)
	if err != nil {
		c.log().Log(log.Crit, err, `opendir() "%s" failed`, name)
		return true
	}
	defer dir.Close()
	for {
		list, err := dir.ReadDir(batch)
		for _, entry := range list {
			path := name + "/" + entry.Name()
			switch {
			case !entry.IsDir():
				if !visit(path, entry) {
					return false
				}
			case entry.Name() != "temp" && !c.walk(path, visit):
				return false
			}
		}
		if err != nil || len(list) == 0 {
			return true
		}
	}
}

// manageFile takes note of a file, or deletes what has no place in a cache,
// and rests now and then.
func (c *Cache) manageFile(w *process.Worker, path string) {
	if !c.addFile(w, path) {
		c.deleteFile(path)
	}
	c.files++
	w.Loop.UpdateTime()
	if c.files >= c.loader.files || w.Loop.NowMsec()-c.started >= c.loader.threshold.Milliseconds() {
		if w.Loop.Sleep(c.loader.sleep) != nil {
			return // the process ends, which walk sees
		}
		c.started, c.files = w.Loop.NowMsec(), 0
	}
}

func (c *Cache) deleteFile(path string) {
	if err := unix.Unlink(path); err != nil {
		c.log().Log(log.Crit, err, `unlink() "%s" failed`, path)
	}
}

// tempDigits is how many digits follow the dot in the names of files that are
// being written.
const tempDigits = 10

// addFile takes note of a file; false if it is not one of a cache.
func (c *Cache) addFile(w *process.Worker, path string) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	if n := len(base) - tempDigits - 1; n >= 2*KeyLen && base[n] == '.' {
		return true
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err == unix.ENOENT
	}
	if st.Size < headerSize {
		c.log().Log(log.Crit, nil, `cache file "%s" is too small`, path)
		return false
	}
	key, ok := fileKey(base)
	return ok && c.add(w, &key, c.blocks(http.FSSize(&st)))
}

// fileKey is the key of a file, from the end of its name.
func fileKey(base string) (key [KeyLen]byte, ok bool) {
	if len(base) < 2*KeyLen {
		return key, false
	}
	_, err := hex.Decode(key[:], []byte(base[len(base)-2*KeyLen:]))
	return key, err == nil
}

// add makes a node for a file: ngx_http_file_cache_add.
func (c *Cache) add(w *process.Worker, key *[KeyLen]byte, size int64) bool {
	now := w.Loop.Now().Unix()
	c.zone.Shm.Lock()
	defer c.zone.Shm.Unlock()
	p := c.table.Lookup(key[:])
	if p == 0 {
		if p = c.insert(key); p == 0 {
			if c.complained != now {
				c.complained = now
				c.noMemory()
			}
			return false
		}
		n := c.node(p)
		n.uses, n.exists, n.fsSize = 1, true, size
		c.shared().size += size
	}
	c.used(p, now)
	return true
}
