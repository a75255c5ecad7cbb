package gunzip

import (
	"errors"
	"io"
	"iter"

	"github.com/klauspost/compress/gzip"

	"moongate/http"
)

// maxKept bounds the decompressors that wait for a response.
const maxKept = 16

// pool keeps the decompressors of a worker.
type pool struct{ free []*gzip.Reader }

// What zlib says of a stream, for the log.
const (
	zNoFlush   = 0
	zFinish    = 4
	zDataError = -3
	zBufError  = -5
)

// stream is the decompression of one response. The decompressor pulls its input
// while a filter is pushed its own, so it runs in a coroutine, which yields
// output, or nothing when it wants more input.
type stream struct {
	r    *http.Request
	size int // of a piece of output in bytes

	pull func() ([]byte, bool)
	in   []byte // input that was not read yet
	eof  bool   // there is no more input behind in
	err  error
	done bool
	bufs [1]http.Buf

	yield func([]byte) bool
	// magic is how many of the bytes that a stream begins with were seen.
	magic int
}

// magic is what a gzip stream begins with. It is compared as the bytes come,
// since the decompressor waits for the whole header.
const magic = "\x1f\x8b"

// errStopped ends the coroutine of a request that ended before its body.
var errStopped = errors.New("request ended")

// start makes the coroutine, which ends with the request at the latest.
func (s *stream) start() {
	pull, stop := iter.Pull(s.run)
	s.pull = pull
	s.r.Cleanup(stop)
}

// run is the coroutine.
func (s *stream) run(yield func([]byte) bool) {
	s.yield = yield
	p := mainSlot.Of(s.r.Scope)
	var zr *gzip.Reader
	if n := len(p.free); n > 0 {
		zr = p.free[n-1]
		p.free = p.free[:n-1]
		s.err = zr.Reset(s)
	} else {
		zr, s.err = gzip.NewReader(s)
	}
	out := make([]byte, s.size)
	for s.err == nil {
		var n int
		n, s.err = zr.Read(out)
		if n > 0 && !yield(out[:n]) {
			s.err = errStopped
		}
	}
	if zr != nil && len(p.free) < maxKept {
		p.free = append(p.free, zr)
	}
}

// Read implements io.Reader for the decompressor.
func (s *stream) Read(p []byte) (int, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	n := copy(p, s.in)
	s.in = s.in[n:]
	return n, nil
}

// ReadByte implements io.ByteReader: with it the decompressor reads no further
// than it has to.
func (s *stream) ReadByte() (byte, error) {
	if err := s.fill(); err != nil {
		return 0, err
	}
	c := s.in[0]
	s.in = s.in[1:]
	return c, nil
}

// fill waits for input.
func (s *stream) fill() error {
	for len(s.in) == 0 {
		if s.eof {
			return io.EOF
		}
		if !s.yield(nil) {
			return errStopped
		}
	}
	return nil
}

// write takes a piece of the body and passes on what it decompresses to.
func (s *stream) write(b *http.Buf, next http.Next) error {
	if s.pull == nil {
		s.start()
	}
	s.in, s.eof = b.B, b.Last || b.LastInChain
	for i := 0; i < len(s.in) && s.magic < len(magic); i++ {
		if s.in[i] != magic[s.magic] {
			s.err = gzip.ErrHeader
			return s.failed()
		}
		s.magic++
	}
	for s.eof || len(s.in) > 0 {
		out, more := s.pull()
		if !more {
			break
		}
		if out == nil {
			continue
		}
		if err := s.send(next, http.Buf{B: out}); err != nil {
			return err
		}
	}
	switch {
	case s.err != nil && s.err != io.EOF:
		return s.failed()
	case s.eof:
		s.done = true
		return s.send(next, http.Buf{Last: s.r.IsMain(), LastInChain: true})
	case b.Flush:
		return s.send(next, http.Buf{Flush: true})
	}
	return nil
}

func (s *stream) send(next http.Next, b http.Buf) error {
	s.bufs[0] = b
	return next.Write(s.bufs[:])
}

// failed logs why the body cannot be decompressed.
func (s *stream) failed() error {
	switch {
	case s.eof && errors.Is(s.err, io.ErrUnexpectedEOF):
		s.r.Error("inflate() returned %d on response end", zBufError)
	case s.eof:
		s.r.Error("inflate() failed: %d, %d", zFinish, zDataError)
	default:
		s.r.Error("inflate() failed: %d, %d", zNoFlush, zDataError)
	}
	return s.err
}
