package cache

import (
	"bytes"

	"golang.org/x/sys/unix"

	"moongate/core/log"
	"moongate/http"
)

// damage is what is wrong with a file, in nginx's words.
type damage string

const (
	sound         damage = ""
	tooSmall      damage = "is too small"
	otherVersion  damage = "version mismatch"
	collision     damage = "has md5 collision"
	tooLongHeader damage = "has too long header"
	badVary       damage = "has incorrect vary length"
)

// check reads the start of a file and tests whether it is that of the key.
// limit is where the body may start at most.
func check(h *header, b, key []byte, crc uint32, headerStart, limit int) damage {
	if len(b) < headerStart || headerStart < headerSize {
		return tooSmall
	}
	h.parse(b)
	switch {
	case h.version != version:
		return otherVersion
	case h.crc != crc || int(h.headerStart) != headerStart:
		return collision
	case !bytes.Equal(b[headerSize+len(keyMark):headerStart-1], key):
		return collision
	case int(h.bodyStart) > limit:
		return tooLongHeader
	case h.varyTooLong:
		return badVary
	}
	return sound
}

// read reads the start of the file: ngx_http_file_cache_read.
func (e *Entry) read(r *http.Request, mem []byte, now int64) Outcome {
	if !e.readHead(r, mem) {
		return Failed
	}
	var h header
	if d := check(&h, e.head, e.key, e.crc, e.HeaderStart, e.BodyStart); d != sound {
		level := log.Crit
		if d == otherVersion {
			level = log.Info
		}
		r.Logf(level, nil, `cache file "%s" %s`, e.Path(), string(d))
		return Miss
	}
	if len(h.vary) > 0 {
		if e.variant = e.variantOf(r, h.vary); e.variant != h.variant {
			return e.reopen(r, mem)
		}
	}
	e.Valid, e.Updating, e.StaleError, e.validMsec = h.valid, h.updating, h.error, h.validMsec
	e.LastModified, e.Date, e.BodyStart = h.lastModified, h.date, int(h.bodyStart)
	e.ETag = r.Pool.String(h.etag)
	return e.settle(now)
}

// readHead reads the start of the file, up to the body if it is known where
// that starts, or all of a file that is small.
func (e *Entry) readHead(r *http.Request, mem []byte) bool {
	want := e.BodyStart
	if e.Length <= int64(len(mem)) {
		want = max(want, int(e.Length))
	}
	if want > len(mem) {
		mem = make([]byte, want)
	}
	n, err := unix.Pread(e.FD, mem[:want], 0)
	if err != nil {
		r.Logf(log.Crit, err, `pread() "%s" failed`, e.Path())
		return false
	}
	e.head = mem[:n]
	return true
}

// Reread reads the start of the file again, after the memory that Open used
// had other uses.
func (e *Entry) Reread(r *http.Request, mem []byte) bool { return e.readHead(r, mem) }

// settle takes note of a file that is sound, and tells whether it is fresh.
func (e *Entry) settle(now int64) Outcome {
	c := e.cache
	z := c.zone.Shm
	stale := e.Valid < now
	z.Lock()
	defer z.Unlock()
	_, n := e.held()
	if n == nil {
		if stale {
			return Stale
		}
		return Hit
	}
	if sh := c.shared(); sh.cold && !n.exists {
		n.uses, n.bodyStart, n.exists, n.uniq, n.fsSize = 1, uint32(e.BodyStart), true, e.uniq, e.fsSize
		sh.size += e.fsSize
	}
	if !stale {
		return Hit
	}
	e.MayUpdate = e.Valid+e.Updating >= now
	e.MayFail = e.Valid+e.StaleError >= now
	if n.updating() {
		return Updating
	}
	n.updater, e.updating, e.lockTime = ownPid, true, n.lockTime
	return Stale
}

// reopen looks for another variant: ngx_http_file_cache_reopen.
func (e *Entry) reopen(r *http.Request, mem []byte) Outcome {
	if e.secondary {
		r.Logf(log.Crit, nil, `cache file "%s" has incorrect vary hash`, e.Path())
		return Miss
	}
	e.release(false)
	e.secondary = true
	e.name = e.name[:0]
	e.BodyStart = e.bufferSize
	e.md5 = e.variant
	return e.open(r, mem)
}

// release lets go of the node.
func (e *Entry) release(updated bool) {
	z := e.cache.zone.Shm
	z.Lock()
	defer z.Unlock()
	if _, n := e.held(); n != nil {
		n.count--
		if updated {
			n.updater = 0
		}
	}
	e.node = 0
}
