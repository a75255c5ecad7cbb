package gzip

import (
	"time"

	"github.com/klauspost/compress/gzip"

	"moongate/http"
)

const (
	// maxOpen is how many responses of a worker are compressed at once with
	// compressors that remember what they saw, which take up to a megabyte
	// each; those above it get stateless ones, which compress less.
	maxOpen = 64
	// maxKept bounds the compressors of one level that wait for a response, and
	// the streams.
	maxKept = 16
	// osUnix is the system that zlib writes into the header.
	osUnix = 3
)

// pool has what the worker keeps for the next response.
type pool struct {
	open    int
	zips    [gzip.BestCompression + 1][]*gzip.Writer
	streams []*stream
}

// stream is the compression of one response.
type stream struct {
	pool *pool
	conf *locConf
	next http.Next

	zw        *gzip.Writer
	stateless bool
	// held is the beginning of the body while it is shorter than
	// postpone_gzipping.
	held    []byte
	holding bool

	// out is compressed data that does not fill a buffer yet.
	out  []byte
	bufs [1]http.Buf

	zin, zout int64
	done      bool
	release   func()
}

// stream begins a response.
func (p *pool) stream(r *http.Request, c *locConf) *stream {
	var s *stream
	if n := len(p.streams); n > 0 {
		s = p.streams[n-1]
		p.streams = p.streams[:n-1]
	} else {
		s = &stream{pool: p}
		s.release = s.free
	}
	s.conf, s.holding = c, c.postpone.V > 0
	r.Cleanup(s.release)
	return s
}

// free ends the request's use of the stream.
func (s *stream) free() {
	s.finish()
	*s = stream{pool: s.pool, release: s.release, held: s.held[:0], out: s.out[:0]}
	if len(s.pool.streams) < maxKept {
		s.pool.streams = append(s.pool.streams, s)
	}
}

// start takes a compressor.
func (s *stream) start() error {
	p, level := s.pool, int(s.conf.level.V)
	if p.open >= maxOpen {
		s.stateless = true
		zw, err := gzip.NewWriterLevel(s, gzip.StatelessCompression)
		s.zw = zw
		return err
	}
	p.open++
	if kept := p.zips[level]; len(kept) > 0 {
		s.zw = kept[len(kept)-1]
		p.zips[level] = kept[:len(kept)-1]
		s.zw.Reset(s)
	} else {
		zw, err := gzip.NewWriterLevel(s, level)
		if err != nil {
			p.open--
			return err
		}
		s.zw = zw
	}
	s.zw.OS, s.zw.ModTime = osUnix, time.Unix(0, 0)
	return nil
}

// finish gives the compressor back.
func (s *stream) finish() {
	s.done = true
	if s.zw == nil {
		return
	}
	if !s.stateless {
		s.pool.open--
		if level := int(s.conf.level.V); len(s.pool.zips[level]) < maxKept {
			s.zw.Reset(nil)
			s.pool.zips[level] = append(s.pool.zips[level], s.zw)
		}
	}
	s.zw = nil
}

// write takes a piece of the body.
func (s *stream) write(b *http.Buf) error {
	if s.holding {
		s.holding = !b.Flush && !b.Last && int64(len(s.held)+len(b.B)) <= s.conf.postpone.V
		if s.holding {
			s.held = append(s.held, b.B...)
			return nil
		}
	}
	if s.zw == nil {
		if err := s.start(); err != nil {
			return err
		}
		if err := s.compress(s.held); err != nil {
			return err
		}
	}
	if err := s.compress(b.B); err != nil {
		return err
	}
	switch {
	case b.Last:
		if err := s.zw.Close(); err != nil {
			return err
		}
		s.finish()
		return s.send(http.Buf{Last: true, LastInChain: true})
	case b.Flush:
		if err := s.zw.Flush(); err != nil {
			return err
		}
		return s.send(http.Buf{Flush: true})
	}
	return nil
}

func (s *stream) compress(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	s.zin += int64(len(p))
	_, err := s.zw.Write(p)
	return err
}

// Write implements io.Writer for the compressor: full buffers are sent at once.
func (s *stream) Write(p []byte) (int, error) {
	s.zout += int64(len(p))
	size := int(s.conf.bufs.V.Size)
	for rest := p; len(rest) > 0; {
		if s.out == nil {
			s.out = make([]byte, 0, size)
		}
		n := min(max(size-len(s.out), 1), len(rest))
		s.out = append(s.out, rest[:n]...)
		rest = rest[n:]
		if len(s.out) >= size {
			if err := s.send(http.Buf{}); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// send passes on what there is, with the signals of b.
func (s *stream) send(b http.Buf) error {
	if len(s.out) == 0 && !b.Special() {
		return nil
	}
	b.B = s.out
	s.bufs[0] = b
	err := s.next.Write(s.bufs[:])
	s.out = s.out[:0]
	return err
}
