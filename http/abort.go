package http

import (
	"slices"

	"moongate/core/event"
)

// clientWatch is who wants to know when the client of a main request goes
// away.
type clientWatch struct {
	fibers []*event.Fiber
	first  [1]*event.Fiber
	// handler, when set, is told instead of the fibers.
	handler func()
}

// Watcher is a Stream that can tell when its client goes away.
type Watcher interface {
	// WatchClose cancels f with event.ErrPeerClosed when the client closes;
	// nil ends the watch.
	WatchClose(f *event.Fiber)
	// WatchCloseFunc calls f on the loop instead.
	WatchCloseFunc(f func())
}

// WatchClient has f, a fiber of the request or of a subrequest, cancelled with
// event.ErrPeerClosed when the client goes away, until UnwatchClient.
func (r *Request) WatchClient(f *event.Fiber) {
	w := &r.Main.watch
	if w.fibers == nil {
		w.fibers = w.first[:0]
	}
	w.fibers = append(w.fibers, f)
	r.Main.watchClient()
}

// UnwatchClient ends what WatchClient began.
func (r *Request) UnwatchClient(f *event.Fiber) {
	w := &r.Main.watch
	if i := slices.Index(w.fibers, f); i >= 0 {
		w.fibers = slices.Delete(w.fibers, i, i+1)
		r.Main.watchClient()
	}
}

// HandleClose has f called on the loop when the client of a main request goes
// away, and no fiber cancelled, until it is called again with nil.
func (r *Request) HandleClose(f func()) {
	r.watch.handler = f
	r.watchClient()
}

// watchClient tells the stream who is to be told now.
func (r *Request) watchClient() {
	s, ok := r.Stream.(Watcher)
	if !ok {
		return
	}
	switch fibers := r.watch.fibers; {
	case r.watch.handler != nil:
		s.WatchCloseFunc(r.watch.handler)
	case len(fibers) == 0:
		s.WatchClose(nil)
	case len(fibers) == 1:
		s.WatchClose(fibers[0])
	default:
		s.WatchCloseFunc(func() {
			for _, f := range slices.Clone(r.watch.fibers) {
				f.Cancel(event.ErrPeerClosed)
			}
		})
	}
}

// Tunneler is a Stream whose connection can become a tunnel.
type Tunneler interface {
	// TakeOver returns the bytes that the client sent behind the request; from
	// then on the caller reads from and writes to the connection.
	TakeOver(r *Request) []byte
}
