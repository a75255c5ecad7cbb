package h2

import (
	"slices"

	"moongate/core/event"
	"moongate/http"
)

// Streams that could send more than there is room for, in the connection's
// window or in the output, wait in a queue in the order of their priorities.
// One of them at a time has its turn: it sends until it has to wait or has no
// more to send.

// room reports whether anything can be sent at all.
func (h *conn) room() bool { return h.window > 0 && len(h.out.buf) < highWater }

// enqueue puts a stream that has something to send, and a window to send it in,
// behind those that go before it.
func (h *conn) enqueue(s *stream) {
	at := len(h.queue)
	for at > 0 && !h.queue[at-1].node.before(s.node) {
		at--
	}
	h.queue = slices.Insert(h.queue, at, s)
	s.queued = true
}

func (h *conn) dequeue(s *stream) {
	if s.queued {
		s.queued = false
		i := slices.Index(h.queue, s)
		h.queue = slices.Delete(h.queue, i, i+1)
	}
}

// next gives the first stream in the queue its turn, if there is room and no
// other has it.
func (h *conn) next() {
	if h.turn != nil || len(h.queue) == 0 || !h.room() {
		return
	}
	s := h.queue[0]
	h.dequeue(s)
	h.turn = s
	if s.sender != nil {
		s.sender.Ready()
	}
}

// yield ends the turn of a stream.
func (h *conn) yield(s *stream) {
	if h.turn == s {
		h.turn = nil
		h.next()
	}
}

// allowance waits until some of n bytes may be sent, and returns how many. The
// stream has its turn then, until it yields.
func (s *stream) allowance(r *http.Request, n int64) (int64, error) {
	h := s.h
	for {
		switch {
		case s.c.Failed || h.failed:
			s.c.Failed = true
			h.yield(s)
			return 0, errFailed
		case s.window <= 0:
			s.exhausted = true
			h.yield(s)
		case h.turn == s && h.room(), h.turn == nil && len(h.queue) == 0 && h.room():
			h.turn = s
			return min(n, s.chunk(r), int64(h.frameSize), h.window, s.window), nil
		default:
			if h.turn == s {
				h.turn = nil
			}
			h.enqueue(s)
			h.next()
			if h.turn == s {
				continue
			}
		}
		if err := s.park(r); err != nil {
			return 0, err
		}
	}
}

// park waits for next or abort.
func (s *stream) park(r *http.Request) error {
	h, l := s.h, s.c.Loop()
	h.out.later()
	s.sender = l.Current()
	why := s.sender.ParkFor(r.Core.SendTimeout.V)
	s.sender, s.exhausted = nil, false
	if why == event.Ready {
		return nil
	}
	h.dequeue(s)
	h.yield(s)
	if why == event.Timeout {
		s.timedOut()
		return errFailed
	}
	s.c.Failed = true
	return l.Current().Err()
}

// widened lets a stream send whose own window had been used up.
func (h *conn) widened(s *stream) {
	if s.exhausted && s.window > 0 {
		s.exhausted = false
		h.enqueue(s)
	}
}
