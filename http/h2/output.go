package h2

import (
	"sync"
	"time"

	"moongate/core/event"
	"moongate/http"
	"moongate/http/wire/http2"
)

// waitList are fibers that wait for the same thing, in the order in which they
// came.
type waitList []*event.Fiber

// park waits for wake, at most d (0: without limit). As what is waited for may
// be taken by another, the caller looks again.
func (w *waitList) park(l *event.Loop, d time.Duration) event.Wake {
	f := l.Current()
	*w = append(*w, f)
	why := f.ParkFor(d)
	for i, g := range *w {
		if g == f {
			*w = append((*w)[:i], (*w)[i+1:]...)
			break
		}
	}
	return why
}

func (w *waitList) wake() {
	for _, f := range *w {
		f.Ready()
	}
}

// output gathers the frames of all streams. They are written by a fiber that
// runs when those that are runnable have had their turn, so that responses
// that are ready together leave together.
type output struct {
	h         *conn
	buf       []byte // complete frames
	writing   bool
	scheduled bool
	waiting   waitList
	// replies are the bytes in buf that the client has made us send.
	replies int
}

const (
	// highWater is how much may wait before streams have to.
	highWater = 64 << 10
	// maxReplies bounds what a client has answered that does not read the
	// answers.
	maxReplies = 64 << 10
	// outSize is the size of the buffers that are kept.
	outSize = highWater + http2.MaxFrame + http2.HeadSize
)

var outBuffers = sync.Pool{New: func() any { return new([outSize]byte) }}

func freeOut(b []byte) {
	if cap(b) >= outSize {
		outBuffers.Put((*[outSize]byte)(b[:outSize]))
	}
}

// room is where frames are appended, to be given to put.
func (o *output) room() []byte {
	if o.buf == nil {
		o.buf = outBuffers.Get().(*[outSize]byte)[:0]
	}
	return o.buf
}

// put takes frames that were appended to room.
func (o *output) put(b []byte) {
	o.buf = b
	o.later()
}

// reply is put for an answer to a frame; false ends the connection, as the
// client asks for answers without reading them.
func (o *output) reply(b []byte) bool {
	o.replies += len(b) - len(o.buf)
	o.put(b)
	if o.replies > maxReplies {
		return o.h.refuse(http2.NoError, "http2 flood detected")
	}
	return true
}

// later has the output written soon.
func (o *output) later() {
	if len(o.buf) == 0 || o.scheduled || o.writing {
		return
	}
	o.scheduled = true
	o.h.c.Loop().Go(func() {
		o.scheduled = false
		o.flush()
	})
}

// flush writes all there is, parking the fiber; false when that failed.
func (o *output) flush() bool {
	for len(o.buf) > 0 && !o.h.c.Failed {
		if o.writing {
			if o.waiting.park(o.h.c.Loop(), 0) == event.Canceled {
				return false
			}
			continue
		}
		b := o.buf
		o.buf, o.replies, o.writing = nil, 0, true
		c := o.h.c
		c.WriteTimeout = http.CoreOf(c.Server).SendTimeout.V
		_, err := c.IO.Writev([][]byte{b})
		o.writing = false
		freeOut(b)
		if err != nil {
			o.h.broken()
		}
		o.waiting.wake()
	}
	return !o.h.c.Failed
}

// tryFlush writes what can be written without waiting, on the loop.
func (o *output) tryFlush() {
	if len(o.buf) > 0 && !o.writing && !o.h.c.Failed {
		_, _ = o.h.c.IO.Writev([][]byte{o.buf})
	}
}

// drop gives the memory back.
func (o *output) drop() {
	freeOut(o.buf)
	o.buf = nil
}

// broken notes that nothing can be sent any more.
func (h *conn) broken() {
	h.c.Failed, h.failed = true, true
	for _, s := range h.streams {
		s.abort()
	}
	if h.reader != nil {
		h.reader.Ready()
	}
}
