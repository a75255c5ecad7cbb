package compress

import (
	"moongate/conf"
	"moongate/http"
)

const (
	// maxOpen is how many responses of a worker are encoded at once with
	// encoders that remember what they saw, which take a megabyte or more each.
	maxOpen = 64
	// maxKept bounds the encoders of one kind that wait for a response, and the
	// streams.
	maxKept = 16
)

// kind is what makes encoders alike.
type kind struct{ level, window int64 }

// pool has what the worker keeps of one coding for the next response.
type pool struct {
	open     int
	encoders map[kind][]Encoder
	streams  []*stream
}

// stream is the encoding of one response.
type stream struct {
	filter *Filter
	pool   *pool
	conf   *Conf
	scope  *conf.Scope
	next   http.Next

	enc   Encoder
	spare bool
	// held is the beginning of the body as long as it is collected: while it is
	// shorter than limit.
	held    []byte
	limit   int64
	holding bool

	// ready is encoded data that does not fill a buffer yet.
	ready []byte
	bufs  [1]http.Buf

	in, out int64
	done    bool
	release func()
}

// stream begins a response.
func (p *pool) stream(f *Filter, r *http.Request, c *Conf) *stream {
	var s *stream
	if n := len(p.streams); n > 0 {
		s = p.streams[n-1]
		p.streams = p.streams[:n-1]
	} else {
		s = &stream{pool: p, filter: f}
		s.release = s.free
	}
	s.conf, s.scope = c, r.Scope
	s.limit = max(c.Postpone.V, f.Small)
	s.holding = s.limit > 0
	r.Cleanup(s.release)
	return s
}

// free ends the request's use of the stream.
func (s *stream) free() {
	s.finish()
	*s = stream{pool: s.pool, filter: s.filter, release: s.release, held: s.held[:0], ready: s.ready[:0]}
	if len(s.pool.streams) < maxKept {
		s.pool.streams = append(s.pool.streams, s)
	}
}

// start takes an encoder.
func (s *stream) start() (err error) {
	p, k := s.pool, kind{s.conf.Level.V, s.conf.Window.V}
	if s.spare = p.open >= maxOpen && s.filter.Spare != nil; s.spare {
		if s.enc, err = s.filter.Spare(); err == nil {
			s.enc.Reset(s)
		}
		return err
	}
	if kept := p.encoders[k]; len(kept) > 0 {
		s.enc = kept[len(kept)-1]
		p.encoders[k] = kept[:len(kept)-1]
	} else if s.enc, err = s.filter.New(s.scope, k.level, k.window); err != nil {
		return err
	}
	p.open++
	s.enc.Reset(s)
	return nil
}

// finish gives the encoder back.
func (s *stream) finish() {
	s.done = true
	if s.enc == nil {
		return
	}
	if p := s.pool; !s.spare {
		p.open--
		k := kind{s.conf.Level.V, s.conf.Window.V}
		if len(p.encoders[k]) < maxKept {
			if p.encoders == nil {
				p.encoders = make(map[kind][]Encoder)
			}
			s.enc.Reset(nil)
			p.encoders[k] = append(p.encoders[k], s.enc)
		}
	}
	s.enc = nil
}

// write takes a piece of the body.
func (s *stream) write(b *http.Buf) error {
	if s.holding {
		if held, err := s.hold(b); held || err != nil {
			return err
		}
	}
	if err := s.encode(b.B); err != nil {
		return err
	}
	switch {
	case b.Last:
		if err := s.enc.Close(); err != nil {
			return err
		}
		s.finish()
		return s.send(http.Buf{Last: true, LastInChain: true})
	case b.Flush:
		if err := s.enc.Flush(); err != nil {
			return err
		}
		return s.send(http.Buf{Flush: true})
	}
	return nil
}

// hold collects the beginning of a body. It reports whether that is all there
// is to do with b: when the limit is passed, or a flush asked for, the encoder
// takes over; a body that ends before is encoded as a whole.
func (s *stream) hold(b *http.Buf) (bool, error) {
	size := int64(len(s.held) + len(b.B))
	whole := b.Last && s.filter.Whole != nil && size <= s.filter.Small
	s.holding = !b.Flush && !b.Last && size <= s.limit
	if s.holding || whole {
		s.held = append(s.held, b.B...)
	}
	if s.holding {
		return true, nil
	}
	if !whole {
		if err := s.start(); err != nil {
			return false, err
		}
		return false, s.encode(s.held)
	}
	s.ready = s.filter.Whole(s.ready[:0], s.held)
	s.in, s.out = size, int64(len(s.ready))
	s.finish()
	return true, s.send(http.Buf{Last: true, LastInChain: true})
}

func (s *stream) encode(p []byte) error {
	if s.enc == nil {
		if err := s.start(); err != nil {
			return err
		}
	}
	if len(p) == 0 {
		return nil
	}
	s.in += int64(len(p))
	_, err := s.enc.Write(p)
	return err
}

// Write implements io.Writer for the encoder: full buffers are sent at once.
func (s *stream) Write(p []byte) (int, error) {
	s.out += int64(len(p))
	size := int(s.conf.Bufs.V.Size)
	for rest := p; len(rest) > 0; {
		if s.ready == nil {
			s.ready = make([]byte, 0, size)
		}
		n := min(max(size-len(s.ready), 1), len(rest))
		s.ready = append(s.ready, rest[:n]...)
		rest = rest[n:]
		if len(s.ready) >= size {
			if err := s.send(http.Buf{}); err != nil {
				return 0, err
			}
		}
	}
	return len(p), nil
}

// send passes on what there is, with the signals of b.
func (s *stream) send(b http.Buf) error {
	if len(s.ready) == 0 && !b.Special() {
		return nil
	}
	b.B = s.ready
	s.bufs[0] = b
	err := s.next.Write(s.bufs[:])
	s.ready = s.ready[:0]
	return err
}
