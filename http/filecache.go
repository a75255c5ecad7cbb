package http

import (
	"strings"
	"time"

	"moongate/conf"
)

// OpenFileCache is an open_file_cache: descriptors and facts of files that
// were asked for before, the least recently used of which give way. Each
// worker has its own; it is touched on the loop only.
type OpenFileCache struct {
	max      int
	inactive int64 // seconds

	files map[string]*cachedFile
	// lru is the sentinel of the list of the files, the most recently used
	// one first.
	lru cachedFile
}

// cachedFile is a file or folder that is there or not: nginx's
// ngx_cached_open_file_t.
type cachedFile struct {
	name  string
	info  FileInfo // FD is -1 while it is not used often enough
	err   *FileError
	links symlinkCheck

	created, accessed int64 // Unix seconds
	uses              int64
	count             int  // requests that use FD now
	orphan            bool // not in the cache any more; the last user closes it

	prev, next *cachedFile
}

// parseOpenFileCache reads "open_file_cache off | max=n [inactive=time]".
func parseOpenFileCache(cf *conf.Conf) (*OpenFileCache, error) {
	limit, inactive, off := int64(0), 60*time.Second, false
	for _, arg := range cf.Args {
		name, value, _ := strings.Cut(arg, "=")
		ok := false
		switch {
		case arg == "off":
			off, ok = true, true
		case name == "max":
			limit, ok = conf.ParseInt(value)
			ok = ok && limit > 0
		case name == "inactive":
			inactive, ok = conf.ParseSec(value)
		}
		if !ok {
			return nil, cf.Errorf(`invalid "open_file_cache" parameter "%s"`, arg)
		}
	}
	switch {
	case off:
		return nil, nil
	case limit == 0:
		return nil, cf.Errorf(`"open_file_cache" must have the "max" parameter`)
	}
	return newOpenFileCache(int(limit), int64(inactive/second)), nil
}

func newOpenFileCache(limit int, inactive int64) *OpenFileCache {
	c := &OpenFileCache{max: limit, inactive: inactive, files: make(map[string]*cachedFile)}
	c.lru.prev, c.lru.next = &c.lru, &c.lru
	return c
}

// open finds a file in the cache or opens it: nginx's ngx_open_cached_file.
// When it returns a cachedFile, its descriptor is in use until release.
func (c *OpenFileCache) open(p *filePool, q *fileQuery) (*cachedFile, FileInfo, *FileError) {
	q.TestOnly = false
	f := c.files[q.path]
	if f == nil {
		return c.miss(p, q)
	}
	f.uses++
	if f.fresh(q) {
		return c.hit(f, q)
	}
	if f.opened() {
		q.known, q.uniq = f.info.FD, f.info.Uniq
	}
	q.TestDir = q.TestDir || f.err == nil && f.info.IsDir
	info, err := p.open(q)
	if err != nil && !q.errors {
		c.drop(f)
		return nil, info, err
	}
	if f.opened() && info.FD != f.info.FD {
		// Another file or none is there now.
		if f.count > 0 {
			c.forget(f)
			f.orphan = true
			return c.insert(q, info, err)
		}
		closeFD(f.info.FD)
	} else if f.opened() {
		info.IsDirectIO = f.info.IsDirectIO
	}
	f.set(q, info, err)
	return c.hit(f, q)
}

// opened reports whether the file has a descriptor.
func (f *cachedFile) opened() bool { return f.err == nil && f.info.FD >= 0 }

// fresh reports whether what is known need not be tested. A file whose
// descriptor is not kept has to be opened anyway.
func (f *cachedFile) fresh(q *fileQuery) bool {
	if f.err == nil && f.info.FD < 0 && !f.info.IsDir {
		return false
	}
	return q.now-f.created < q.valid && q.links == f.links && (q.want == 0 || q.want == f.info.Uniq)
}

// set takes over what was found out.
func (f *cachedFile) set(q *fileQuery, info FileInfo, err *FileError) {
	f.info, f.err, f.links, f.created = info, err, q.links, q.now
}

// hit answers from f and makes it the most recently used one.
func (c *OpenFileCache) hit(f *cachedFile, q *fileQuery) (*cachedFile, FileInfo, *FileError) {
	f.accessed = q.now
	f.unlink()
	c.pushFront(f)
	if f.err != nil {
		return nil, FileInfo{FD: -1}, f.err
	}
	if f.info.IsDir {
		return nil, f.info, nil
	}
	f.count++
	return f, f.info, nil
}

func (c *OpenFileCache) miss(p *filePool, q *fileQuery) (*cachedFile, FileInfo, *FileError) {
	info, err := p.open(q)
	if err != nil && !q.errors {
		return nil, info, err
	}
	return c.insert(q, info, err)
}

// insert makes an entry, for which another one may have to go.
func (c *OpenFileCache) insert(q *fileQuery, info FileInfo, err *FileError) (*cachedFile, FileInfo, *FileError) {
	if len(c.files) >= c.max {
		c.expire(true, q.now)
	}
	f := &cachedFile{name: strings.Clone(q.path), uses: 1}
	f.set(q, info, err)
	c.files[f.name] = f
	f.prev, f.next = f, f
	return c.hit(f, q)
}

// release is the end of a use. A descriptor that was not used minUses times is
// closed.
func (c *OpenFileCache) release(f *cachedFile, minUses, now int64) {
	f.count--
	if !f.orphan {
		f.accessed = now
		f.unlink()
		c.pushFront(f)
	}
	if f.count == 0 && (f.orphan || f.uses < minUses) {
		f.close()
	}
	c.expire(false, now)
}

// expire removes one or two files that were not used for long, and before them
// the least recently used one if there must be room.
func (c *OpenFileCache) expire(force bool, now int64) {
	n := 2
	if force {
		n = 3
	}
	for ; n > 0 && c.lru.prev != &c.lru; n-- {
		f := c.lru.prev
		if !force && now-f.accessed <= c.inactive {
			return
		}
		force = false
		c.drop(f)
	}
}

// drop removes a file from the cache; the descriptor stays open for those who
// use it.
func (c *OpenFileCache) drop(f *cachedFile) {
	c.forget(f)
	f.orphan = true
	if f.count == 0 {
		f.close()
	}
}

func (c *OpenFileCache) forget(f *cachedFile) {
	f.unlink()
	delete(c.files, f.name)
}

func (c *OpenFileCache) pushFront(f *cachedFile) {
	f.prev, f.next = &c.lru, c.lru.next
	f.prev.next, f.next.prev = f, f
}

func (f *cachedFile) unlink() {
	f.prev.next, f.next.prev = f.next, f.prev
	f.prev, f.next = f, f
}

func (f *cachedFile) close() {
	if f.opened() {
		closeFD(f.info.FD)
		f.info.FD = -1
	}
}
