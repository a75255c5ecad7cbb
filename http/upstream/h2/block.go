package h2

import (
	"errors"
	"strings"

	"moongate/conf"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire/http2"
)

// block is a header block being received.
type block struct {
	// open: HEADERS has come, and its last CONTINUATION has not.
	open bool
	// complete: a header block that begins a response has come.
	complete bool
	// status: ":status" has come.
	status bool
	// trailers: what comes is behind the body.
	trailers bool
	// limit is what is left of the size that the fields may have together.
	limit int
	// rest are bytes of a field that is not complete.
	rest []byte
	// verdict is what upstream.Exchange says of a field.
	verdict upstream.Header
}

// beginBlock begins a header block.
func (s *Stream) beginBlock() error {
	f := &s.in.frame
	if f.Has(http2.FlagPadded) {
		s.in.prefix++
	}
	if f.Has(http2.FlagPriority) {
		s.in.prefix += 5
	}
	if s.in.left < s.in.prefix {
		s.e.R.Error("upstream sent headers frame with invalid length: %d", s.in.left)
		return s.badBlock()
	}
	s.block.open = true
	s.block.limit = int(s.e.Conf.BufferSize.V)
	s.conn.decoder.Begin()
	s.ended = s.ended || f.Has(http2.FlagEndStream)
	return nil
}

// badBlock follows the complaint about a header block that cannot be read.
func (s *Stream) badBlock() error {
	if s.block.trailers {
		return s.fail("upstream sent invalid trailer")
	}
	return s.fail("upstream sent invalid header")
}

// fragment decodes a part of a header block; last is its end.
func (s *Stream) fragment(in []byte, last bool) error {
	b, d := &s.block, s.conn.decoder
	if len(b.rest) > 0 {
		b.rest = append(b.rest, in...)
		in = b.rest
	}
	for len(in) > 0 {
		d.MaxString = b.limit
		f, n, err := d.Next(in, last, s.e.R.Pool)
		var failed *http2.DecodeError
		switch {
		case errors.As(err, &failed):
			s.e.R.Error("upstream sent %s", failed.Upstream)
			return s.badBlock()
		case err != nil:
			b.rest = append(b.rest[:0], in...)
			return nil
		}
		in = in[n:]
		if f.Name != "" {
			if err := s.field(f.Name, f.Value); err != nil {
				return err
			}
		}
	}
	b.rest = b.rest[:0]
	return nil
}

// endBlock completes a header block.
func (s *Stream) endBlock() error {
	if s.block.open = false; len(s.block.rest) > 0 {
		s.e.R.Error("upstream sent truncated http2 header")
		return s.badBlock()
	}
	if !s.block.trailers {
		if !s.block.status && s.id != 0 {
			return s.fail("upstream sent no :status header") // nginx lets a block without any field pass
		}
		s.block.complete = true
		return nil
	}
	if s.done = s.ended; !s.done {
		return s.fail("upstream sent trailer without end stream flag")
	}
	return nil
}

// field takes in a field.
func (s *Stream) field(name, value string) error {
	size := len(name) + len(value)
	switch {
	case !validName(name) || strings.ContainsAny(value, "\x00\r\n"):
		s.e.R.Error(`upstream sent invalid header: "%s: %s"`, name, value)
		return s.badBlock()
	case size > s.block.limit:
		s.e.R.Error("upstream sent too large http2 header")
		return s.badBlock()
	}
	s.block.limit -= size
	return s.accept(name, value)
}

// validName reports whether a name has no bytes that are not allowed there.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c == ':' && i > 0 || c >= 'A' && c <= 'Z' || c <= ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

// accept takes in a field that is well-formed.
func (s *Stream) accept(name, value string) error {
	switch {
	case s.block.trailers && name[0] == ':':
		return s.fail(`upstream sent invalid trailer "%s: %s"`, name, value)
	case s.block.trailers:
		s.e.AddTrailer(name, value)
		return nil
	case name[0] == ':':
		return s.status(name, value)
	case !s.block.status:
		return s.fail("upstream sent no :status header")
	}
	if v := s.e.AddField(name, value); v != upstream.HeaderDone {
		s.block.verdict = v
		return errField
	}
	return nil
}

// status takes in a pseudo-header field.
func (s *Stream) status(name, value string) error {
	switch {
	case name != ":status":
		return s.fail(`upstream sent invalid header "%s: %s"`, name, value)
	case s.block.status:
		return s.fail("upstream sent duplicate :status header")
	}
	n, ok := conf.ParseInt(value)
	switch {
	case !ok || len(value) != 3:
		return s.fail(`upstream sent invalid :status "%s"`, value)
	case n < int64(http.StatusOK) && n != int64(http.StatusEarlyHints):
		return s.fail(`upstream sent unexpected :status "%s"`, value)
	}
	s.block.status = true
	s.e.In.Status = int(n)
	s.e.SetStatus(int(n))
	return nil
}
