package h1

import (
	"moongate/core/event"
	"moongate/http"
)

// WatchClose implements http.Watcher.
func (h *conn) WatchClose(f *event.Fiber) { h.c.WatchClose(f) }

// WatchCloseFunc implements http.Watcher.
func (h *conn) WatchCloseFunc(f func()) { h.c.WatchCloseFunc(f) }

// PollBody implements http.BodyPoller.
func (h *conn) PollBody(r *http.Request, p []byte) (int, http.Verdict) {
	return h.readBody(r, p, 0, false)
}

// TakeOver implements http.Tunneler: what was read behind the request is the
// tunnel's.
func (h *conn) TakeOver(*http.Request) []byte {
	b := h.in[h.rd:h.wr]
	h.rd = h.wr
	return b
}
