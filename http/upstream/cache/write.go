package cache

import (
	"golang.org/x/sys/unix"

	"moongate/core/buf"
	"moongate/core/log"
	"moongate/http"
)

// Create takes hold of the response's node to keep a response although it was
// not looked for: ngx_http_file_cache_create.
func (e *Entry) Create(r *http.Request) bool {
	f, _ := e.find(r, r.Loop().Now().Unix())
	return f != failed
}

// SetHeader writes what precedes the response's header to the first
// HeaderStart bytes of b: ngx_http_file_cache_set_header. BodyStart must be
// set. It is false after an error, which is in the log.
func (e *Entry) SetHeader(r *http.Request, b []byte) bool {
	e.putHeader(r, b)
	if !e.mainVariant(r) {
		return false
	}
	n := headerSize + copy(b[headerSize:], keyMark)
	n += copy(b[n:], e.key)
	b[n] = '\n'
	return true
}

func (e *Entry) putHeader(r *http.Request, b []byte) {
	if e.Vary != "" {
		e.variant = e.variantOf(r, buf.Bytes(e.Vary))
	}
	h := header{
		version: version, valid: e.Valid, updating: e.Updating, error: e.StaleError,
		lastModified: e.LastModified, date: e.Date, crc: e.crc, validMsec: e.validMsec,
		headerStart: uint16(e.HeaderStart), bodyStart: uint16(e.BodyStart),
		etag: buf.Bytes(e.ETag), vary: buf.Bytes(e.Vary), variant: e.variant,
	}
	h.put(b)
}

// mainVariant goes back to the key without variants if a response turns out
// not to be the variant that was looked for:
// ngx_http_file_cache_update_variant.
func (e *Entry) mainVariant(r *http.Request) bool {
	if !e.secondary || e.Vary != "" && e.variant == e.md5 {
		return true
	}
	e.release(true)
	e.name = e.name[:0]
	e.updateVariant = true
	e.md5 = e.main
	return e.Create(r)
}

// Temp makes the file that the response is written to; other is the folder for
// it unless the cache's own is to be used.
func (e *Entry) Temp(other *http.TempPath) (*http.TempFile, error) {
	if e.cache.ownTemp {
		return e.cache.path.CreateBeside(e.Path(), http.TempClean)
	}
	return other.Create(http.TempClean)
}

// folderAccess is the access to the folders of a cache.
const folderAccess = 0o700

// Update puts a complete file in its place: ngx_http_file_cache_update.
func (e *Entry) Update(r *http.Request, f *http.TempFile) {
	if e.updated {
		return
	}
	e.updated, e.updating = true, false
	c := e.cache
	var st unix.Stat_t
	ok := f.Move(r, e.cache.path, e.Path(), folderAccess)
	if ok {
		if err := unix.Stat(e.Path(), &st); err != nil {
			r.Logf(log.Crit, err, `stat() "%s" failed`, e.Path())
			ok, st = false, unix.Stat_t{}
		}
	}
	z := c.zone.Shm
	z.Lock()
	defer z.Unlock()
	_, n := e.held()
	if n == nil {
		return
	}
	size := c.blocks(http.FSSize(&st))
	c.shared().size += size - n.fsSize
	n.count--
	n.error, n.uniq, n.bodyStart, n.fsSize, n.updater = 0, st.Ino, uint32(e.BodyStart), size, 0
	n.exists = n.exists || ok
	e.node = 0
}

// UpdateHeader writes the header of the file anew, after the response was
// found to be still good: ngx_http_file_cache_update_header. A file that is
// another one by now is left alone.
func (e *Entry) UpdateHeader(r *http.Request) {
	fd, err := unix.Open(e.Path(), unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		if err != unix.ENOENT {
			r.Logf(log.Crit, err, `open() "%s" failed`, e.Path())
		}
		return
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		r.Logf(log.Crit, err, `fstat() "%s" failed`, e.Path())
		return
	}
	if st.Ino != e.uniq || st.Size != e.Length {
		return
	}
	var b [headerSize]byte
	switch n, err := unix.Pread(fd, b[:], 0); {
	case err != nil:
		r.Logf(log.Crit, err, `pread() "%s" failed`, e.Path())
		return
	case n != len(b):
		r.Logf(log.Crit, nil, `pread() read only %d of %d from "%s"`, n, len(b), e.Path())
		return
	}
	var h header
	h.parse(b[:])
	if h.version != version || h.lastModified != e.LastModified || h.crc != e.crc ||
		int(h.headerStart) != e.HeaderStart || int(h.bodyStart) != e.BodyStart {
		return
	}
	e.putHeader(r, b[:])
	if _, err := unix.Pwrite(fd, b[:], 0); err != nil {
		r.Logf(log.Crit, err, `pwrite() "%s" failed`, e.Path())
	}
}

// Free lets go of the response: ngx_http_file_cache_free. A Status that was set
// is kept until Valid. It does nothing after Update or another Free.
func (e *Entry) Free() {
	if e.updated || e.node == 0 {
		return
	}
	e.updated = true
	c := e.cache
	z := c.zone.Shm
	z.Lock()
	defer z.Unlock()
	p, n := e.held()
	if n == nil {
		return
	}
	n.count--
	if e.updating && n.lockTime == e.lockTime {
		n.updater = 0
	}
	switch {
	case e.Status != 0:
		n.error = uint16(e.Status)
		if e.Valid != 0 {
			n.validSec = e.Valid
		}
	case !n.exists && n.count == 0 && e.MinUses == 1:
		c.table.Delete(p)
	}
	e.updating, e.node = false, 0
}
