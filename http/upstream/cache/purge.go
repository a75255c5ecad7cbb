package cache

import (
	"os"

	"golang.org/x/sys/unix"

	"moongate/core/log"
	"moongate/http"
)

// Purge removes the response, or the status that is kept instead: OK, or
// StatusNotFound if there is none. mem is as for Open.
func (e *Entry) Purge(r *http.Request, mem []byte) http.Verdict {
	defer e.Free()
	switch e.Open(r, mem) {
	case Hit, Stale, Updating, Status:
	case Failed:
		return http.StatusInternalServerError
	default:
		return http.StatusNotFound
	}
	e.Status = 0
	found, file := e.disown()
	if file {
		if err := unix.Unlink(e.Path()); err != nil {
			r.Logf(log.Crit, err, `unlink() "%s" failed`, e.Path())
		}
	}
	if !found { // another request was quicker
		return http.StatusNotFound
	}
	return http.OK
}

// disown has the node forget what was kept; others may go on holding it. file
// reports whether there is a file to remove.
func (e *Entry) disown() (found, file bool) {
	z := e.cache.zone.Shm
	z.Lock()
	defer z.Unlock()
	_, n := e.held()
	return e.cache.forget(n)
}

// forget is disown for a node of the locked zone, which may be nil.
func (c *Cache) forget(n *node) (found, file bool) {
	if n == nil || !n.exists && n.error == 0 {
		return false, false
	}
	file = n.exists
	if file {
		c.shared().size -= n.fsSize
	}
	n.exists, n.error, n.fsSize, n.updater = false, 0, 0, 0
	return true, file
}

// PurgeAll removes the responses whose keys begin with a prefix: OK, or
// StatusNotFound if there is none. It reads the key of every file, and lets
// other requests go on meanwhile.
func (c *Cache) PurgeAll(r *http.Request, prefix string) http.Verdict {
	p := purging{c: c, r: r, mark: keyMark + prefix}
	p.mem = make([]byte, headerSize+len(p.mark))
	c.walk(c.path.Name, p.visit)
	switch {
	case p.failed:
		return http.Error
	case p.removed == 0:
		return http.StatusNotFound
	}
	return http.OK
}

// purging is one PurgeAll.
type purging struct {
	c       *Cache
	r       *http.Request
	mark    string // what the key begins with, behind the header
	mem     []byte
	removed int
	failed  bool // the request is canceled
}

// fileCost is what a file costs of a fiber's share, in bytes of other work.
const fileCost = 32 << 10

func (p *purging) visit(path string, entry os.DirEntry) bool {
	if key, ok := fileKey(entry.Name()); ok && entry.Type().IsRegular() && p.matches(path) {
		p.c.forgetKey(&key)
		if err := unix.Unlink(path); err == nil {
			p.removed++
		} else if err != unix.ENOENT {
			p.r.Logf(log.Crit, err, `unlink() "%s" failed`, path)
		}
	}
	loop := p.r.Loop()
	loop.Spend(fileCost)
	if f := loop.Current(); f != nil && f.Err() != nil {
		p.failed = true
	}
	return !p.failed
}

// matches reports whether the key in a file begins as it should. With an empty
// prefix any file of a response does.
func (p *purging) matches(path string) bool {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	n, err := unix.Pread(fd, p.mem, 0)
	return err == nil && n == len(p.mem) && string(p.mem[headerSize:]) == p.mark
}

// forgetKey forgets the response of a file.
func (c *Cache) forgetKey(key *[KeyLen]byte) {
	c.zone.Shm.Lock()
	defer c.zone.Shm.Unlock()
	if p := c.table.Lookup(key[:]); p != 0 {
		c.forget(c.node(p))
	}
}
