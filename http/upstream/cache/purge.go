package cache

import (
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
	if n == nil || !n.exists && n.error == 0 {
		return false, false
	}
	file = n.exists
	if file {
		e.cache.shared().size -= n.fsSize
	}
	n.exists, n.error, n.fsSize, n.updater = false, 0, 0, 0
	return true, file
}
