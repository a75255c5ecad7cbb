package h2

import (
	"sync"

	"moongate/core/log"
	"moongate/http/wire/http2"
)

const (
	// readSize is the size of the buffers that are read into. They belong to a
	// connection only while it is being read from.
	readSize = 64 << 10
	// maxReceived is the largest payload that is announced and accepted. Payloads are
	// taken in as they come, so it costs no memory; nginx accepts whatever can be said
	// (16 MB), and clients exist that never look at what a server announces.
	maxReceived = 1 << 20
	// maxRest is what is kept of what is not complete: the preface, or the head of
	// a frame with the length of its padding and its priority.
	maxRest = len(http2.Preface)
)

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// payload is what is still to come of a frame.
type payload struct {
	kind    http2.FrameType
	last    bool // of the stream or of the header block, depending on the kind
	left    int
	padding int
	stream  *stream // that DATA belongs to; nil when nobody wants it
}

// receive reads frames and acts on them until there are no more bytes.
func (h *conn) receive() error {
	mem := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(mem)
	for buf := mem[:]; !h.failed; {
		kept := copy(buf, h.rest[:h.restLen])
		n, err := h.read(buf[kept:])
		if err != nil {
			return err
		}
		h.restLen = 0
		h.total += int64(n)
		n += kept
		used := h.frames(buf[:n])
		h.next()
		if h.failed {
			return nil
		}
		h.restLen = uint8(copy(h.rest[:], buf[used:n]))
		if h.total/8 > h.useful+1<<20 {
			h.c.Log.Log(log.Info, nil, "http2 flood detected")
			h.fail(http2.NoError)
			return nil
		}
		h.c.Loop().Spend(n)
	}
	return nil
}

// read reads without waiting.
func (h *conn) read(p []byte) (int, error) {
	if h.c.TLS != nil {
		return h.c.IO.Read(p)
	}
	return h.c.TryRead(p)
}

// incomplete reports whether a frame, or a header block, has begun to arrive.
func (h *conn) incomplete() bool {
	return h.restLen > 0 || h.coming.left+h.coming.padding > 0 || h.block.id != 0
}

// frames acts on what has come, and returns how much of it that is: all but the
// beginning of something, of less than maxRest bytes.
func (h *conn) frames(b []byte) (used int) {
	if !h.ready {
		if used = h.preface(b); used == 0 {
			return 0
		}
	}
	for used < len(b) && !h.failed {
		in := b[used:]
		if h.coming.left+h.coming.padding > 0 {
			n := h.more(in)
			if n == 0 {
				break
			}
			used += n
			continue
		}
		if len(in) < http2.HeadSize {
			break
		}
		f, length := http2.ParseHead(in)
		in = in[http2.HeadSize:]
		want := prefix(&f, length)
		if len(in) < want {
			break
		}
		used += http2.HeadSize + want
		f.Payload = in[:want]
		h.frame(&f, length)
	}
	return used
}

// preface checks what the client says first; 0 when it is not complete.
func (h *conn) preface(b []byte) int {
	n := min(len(b), len(http2.Preface))
	switch {
	case string(b[:n]) != http2.Preface[:n]:
		h.refuse(http2.ProtocolError, "invalid connection preface")
		return 0
	case n < len(http2.Preface):
		return 0
	}
	h.ready = true
	return n
}

// prefix is how much of a frame's payload has to be there for the frame to be
// acted on.
func prefix(f *http2.Frame, length int) (n int) {
	switch f.Kind {
	case http2.FrameData, http2.FrameHeaders:
		if f.Has(http2.FlagPadded) {
			n = 1
		}
		if f.Kind == http2.FrameHeaders && f.Has(http2.FlagPriority) {
			n += http2.PrioritySize
		}
	case http2.FramePriority:
		n = http2.PrioritySize
	case http2.FrameRST, http2.FrameWindow:
		n = 4
	case http2.FramePing:
		n = 8
	}
	if n > length {
		return 0 // it is wrong, whatever is in it
	}
	return n
}

// more takes in what has come of a payload, and returns how much that is.
func (h *conn) more(in []byte) (n int) {
	p := &h.coming
	if p.left == 0 {
		n = min(len(in), p.padding)
		p.padding -= n
		return n
	}
	n = min(len(in), p.left)
	if p.kind == http2.FrameSettings {
		n -= n % http2.SettingSize
	}
	if n > 0 {
		p.left -= n
		h.piece(in[:n])
	}
	return n
}

// piece acts on a piece of a payload; the last one may be empty.
func (h *conn) piece(b []byte) {
	p := &h.coming
	last := p.last && p.left == 0
	switch p.kind {
	case http2.FrameData:
		if s := p.stream; s != nil {
			h.useful += int64(len(b))
			s.receive(b, last)
		}
	case http2.FrameHeaders:
		h.fragment(b, last)
	case http2.FrameSettings:
		h.parameters(b, last)
	}
}
