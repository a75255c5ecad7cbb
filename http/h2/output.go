package h2

import (
	"slices"
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
	if i := slices.Index(*w, f); i >= 0 {
		*w = slices.Delete(*w, i, i+1)
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
	buf       []byte    // complete frames
	iov       [1][]byte // buf, while it is written
	run       func()
	writing   bool
	scheduled bool
	waiting   waitList // for the writer
	// replies are the frames in buf that the client has made us send.
	replies int
}

const (
	// highWater is how much may wait before streams have to.
	highWater = 64 << 10
	// maxReplies bounds the frames that a client has answered that does not read
	// the answers; nginx keeps as many frames.
	maxReplies = 10000
	// smallOut and largeOut are the sizes of the buffers that are kept: most of
	// what is sent at once is little.
	smallOut = 8 << 10
	largeOut = highWater + 32<<10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallOut]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeOut]byte) }}
)

func freeOut(b []byte) {
	switch cap(b) {
	case smallOut:
		smallBuffers.Put((*[smallOut]byte)(b[:smallOut]))
	case largeOut:
		largeBuffers.Put((*[largeOut]byte)(b[:largeOut]))
	}
}

func (o *output) init(h *conn) {
	o.h, o.run = h, func() {
		o.scheduled = false
		o.flush()
	}
}

// room is where up to n bytes of frames are appended, to be given to put.
func (o *output) room(n int) []byte {
	if n += len(o.buf); n <= cap(o.buf) {
		return o.buf
	}
	var b []byte
	switch {
	case n <= smallOut:
		b = smallBuffers.Get().(*[smallOut]byte)[:0]
	case n <= largeOut:
		b = largeBuffers.Get().(*[largeOut]byte)[:0]
	default:
		b = make([]byte, 0, 2*n)
	}
	b = append(b, o.buf...)
	freeOut(o.buf)
	o.buf = b
	return b
}

// control is the room for a frame that is not of a stream's data.
func (o *output) control() []byte {
	const largest = 64
	return o.room(largest)
}

// put takes frames that were appended to room.
func (o *output) put(b []byte) {
	o.buf = b
	o.later()
}

// putControl is put for a frame of no stream's data. Those count as bytes without use when sent, as they do when
// received.
func (o *output) putControl(b []byte) {
	o.h.total += int64(len(b) - len(o.buf))
	o.put(b)
}

// reply is putControl for an answer to a frame; false ends the connection, as
// the client asks for answers without reading them.
func (o *output) reply(b []byte) bool {
	o.putControl(b)
	if o.replies++; o.replies > maxReplies {
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
	o.h.c.Loop().Go(o.run)
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
		o.iov[0] = b
		c := o.h.c
		c.WriteTimeout = http.CoreOf(c.Server).SendTimeout.V
		_, err := c.IO.Writev(o.iov[:])
		o.iov[0], o.writing = nil, false
		freeOut(b)
		if err != nil {
			o.h.broken()
		}
		o.waiting.wake()
		o.h.next()
	}
	return !o.h.c.Failed
}

// tryFlush writes what can be written without waiting, on the loop.
func (o *output) tryFlush() {
	if len(o.buf) > 0 && !o.writing && !o.h.c.Failed {
		o.iov[0] = o.buf
		_, _ = o.h.c.IO.Writev(o.iov[:])
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
	h.abort()
	if h.reader != nil {
		h.reader.Ready()
	}
}
