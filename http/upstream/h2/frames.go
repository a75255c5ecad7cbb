package h2

import (
	"encoding/binary"
	"errors"

	"moongate/http/wire/http2"
)

var (
	// errStream says that the response makes no sense; what exactly is in the
	// log.
	errStream = errors.New("h2: invalid response")
	// errField is for a field that ends the exchange; see block.verdict.
	errField = errors.New("h2: invalid field")
)

// fail says in the log what is wrong with the response.
func (s *Stream) fail(format string, args ...any) error {
	s.e.R.Error(format, args...)
	return errStream
}

// reader takes frames apart as their bytes come.
type reader struct {
	head  [http2.HeadSize]byte
	n     int // of head
	frame http2.Frame
	// left is how much of the payload is still to come, pad how much of that is
	// padding.
	left, pad int
	// fixed gathers what has a place of its own in the payload.
	fixed  [8]byte
	gotten int
	prefix int // the size of what precedes data or a header block
}

// inPayload reports whether a frame has begun that is not complete.
func (r *reader) inPayload() bool { return r.n == http2.HeadSize }

// gather fills the first size bytes of fixed from b; it returns how many it
// took.
func (r *reader) gather(b []byte, size int) int {
	b = b[:min(len(b), r.left)]
	n := copy(r.fixed[r.gotten:size], b)
	r.gotten += n
	r.left -= n
	return n
}

// skip passes bytes of the payload.
func (r *reader) skip(b []byte) int {
	n := min(len(b), r.left)
	r.left -= n
	return n
}

// process goes through bytes from the peer, up to the end of the header block
// that the response begins with.
func (s *Stream) process(b []byte) (n int, err error) {
	r := &s.in
	for {
		if !r.inPayload() {
			m := copy(r.head[r.n:], b[n:])
			n += m
			if r.n += m; r.n < http2.HeadSize {
				return n, nil
			}
			r.frame, r.left = http2.ParseHead(r.head[:])
			r.pad, r.gotten, r.prefix = 0, 0, 0
			if err := s.begin(); err != nil {
				return n, err
			}
		}
		m, err := s.payload(b[n:])
		n += m
		if err != nil || r.left > 0 {
			return n, err
		}
		r.n = 0
		if err := s.end(); err != nil || s.block.complete {
			return n, err
		}
	}
}

// begin looks at the head of a frame.
func (s *Stream) begin() error {
	r, f := &s.in, &s.in.frame
	body := s.block.trailers
	switch {
	case r.left > http2.MaxFrame:
		return s.fail("upstream sent too large http2 frame: %d", r.left)
	case (f.Kind == http2.FrameContinuation) != s.block.open || f.Kind == http2.FrameData && !body:
		return s.fail("upstream sent unexpected http2 frame: %d", f.Kind)
	case s.id == 0:
		return s.beginKept()
	}
	if f.Kind == http2.FrameData {
		if err := s.flowControl(int64(r.left)); err != nil {
			return err
		}
	}
	switch {
	case s.late():
		if err := s.beginPayload(); err != nil {
			return err
		}
		f.Kind = frameSkipped
		return nil
	case f.ID != 0 && f.ID != s.id:
		return s.fail("upstream sent frame for unknown stream %d", f.ID)
	case f.ID != 0 && s.done && f.Kind != http2.FrameRST && f.Kind != http2.FrameWindow:
		return s.fail("upstream sent frame for closed stream %d", f.ID)
	}
	return s.beginPayload()
}

// late reports whether the frame is about an earlier stream and means nothing
// any more (RFC 9113, 5.1). A server that answers before it has seen the end of
// the request resets the stream behind its response: the connection may be in
// use again by then, which nginx holds against the next response.
func (s *Stream) late() bool {
	f := &s.in.frame
	return f.ID%2 == 1 && f.ID < s.id && (f.Kind == http2.FrameRST || f.Kind == http2.FrameWindow)
}

// beginKept is begin for a frame of a response in the cache: nothing counts but
// the header.
func (s *Stream) beginKept() error {
	switch s.in.frame.Kind {
	case http2.FrameHeaders, http2.FrameContinuation:
		return s.beginPayload()
	}
	s.in.frame.Kind = frameSkipped
	return nil
}

// frameSkipped is a type that there is not.
const frameSkipped http2.FrameType = 0xff

// flowControl takes note of a DATA frame.
func (s *Stream) flowControl(n int64) error {
	c := s.conn
	switch {
	case s.in.frame.ID != s.id:
		return s.fail("upstream sent data frame for unknown stream %d", s.in.frame.ID)
	case n > s.recvWindow:
		return s.fail("upstream violated stream flow control, received %d data frame with window %d", n, s.recvWindow)
	case n > c.recvWindow:
		return s.fail("upstream violated connection flow control, received %d data frame with window %d", n, c.recvWindow)
	}
	s.recvWindow -= n
	c.recvWindow -= n
	if min(s.recvWindow, c.recvWindow) < http2.MaxWindow/4 {
		var tmp [2 * (http2.HeadSize + 4)]byte
		b := http2.AppendNumber(tmp[:0], http2.FrameWindow, 0, uint32(http2.MaxWindow-c.recvWindow))
		b = http2.AppendNumber(b, http2.FrameWindow, s.id, uint32(http2.MaxWindow-s.recvWindow))
		s.recvWindow, c.recvWindow = http2.MaxWindow, http2.MaxWindow
		s.e.Say(b)
	}
	return nil
}

// beginPayload checks the length of a frame.
func (s *Stream) beginPayload() error {
	f, n := &s.in.frame, s.in.left
	invalid := func(what string, ok bool) error {
		switch {
		case what != "rst stream" && what != "window update" && f.ID != 0:
			return s.fail("upstream sent %s frame with non-zero stream id: %d", what, f.ID)
		case !ok:
			return s.fail("upstream sent %s frame with invalid length: %d", what, n)
		}
		return nil
	}
	switch f.Kind {
	case http2.FrameData:
		if f.Has(http2.FlagPadded) {
			if s.in.prefix = 1; n == 0 {
				return s.fail("upstream sent too short http2 frame")
			}
		}
	case http2.FrameHeaders:
		return s.beginBlock()
	case http2.FramePush:
		return s.fail("upstream sent unexpected push promise frame")
	case http2.FrameRST:
		return invalid("rst stream", n == 4)
	case http2.FrameWindow:
		return invalid("window update", n == 4)
	case http2.FrameGoaway:
		return invalid("goaway", n >= 8)
	case http2.FramePing:
		if err := invalid("ping", n == 8); err != nil {
			return err
		}
		if f.Has(http2.FlagAck) {
			return s.fail("upstream sent ping frame with ack flag")
		}
	case http2.FrameSettings:
		if f.ID == 0 && f.Has(http2.FlagAck) && n != 0 {
			return s.fail("upstream sent settings frame with ack flag and non-zero length: %d", n)
		}
		return invalid("settings", n%6 == 0)
	}
	return nil
}

// payload takes bytes of the payload; s.in.left tells whether all of it has come.
func (s *Stream) payload(b []byte) (n int, err error) {
	r := &s.in
	switch r.frame.Kind {
	case http2.FrameData, http2.FrameHeaders, http2.FrameContinuation:
		if r.gotten < r.prefix {
			n = r.gather(b, r.prefix)
			if r.gotten < r.prefix {
				return n, nil
			}
			if err := s.padding(); err != nil {
				return n, err
			}
		}
		if m := min(len(b)-n, r.left-r.pad); m > 0 {
			part := b[n : n+m]
			n += m
			r.left -= m
			if r.frame.Kind == http2.FrameData {
				err = s.data(part)
			} else {
				err = s.fragment(part, r.left == r.pad && r.frame.Has(http2.FlagEndHeaders))
			}
		}
		if err == nil && r.left <= r.pad {
			n += r.skip(b[n:])
		}
		return n, err
	case http2.FrameSettings:
		for r.left > 0 && n < len(b) {
			n += r.gather(b[n:], 6)
			if r.gotten == 6 {
				if err := s.setting(binary.BigEndian.Uint16(r.fixed[:]), binary.BigEndian.Uint32(r.fixed[2:])); err != nil {
					return n, err
				}
				r.gotten = 0
			}
		}
		return n, nil
	case http2.FrameRST, http2.FrameWindow, http2.FrameGoaway, http2.FramePing:
		n = r.gather(b, len(r.fixed))
	}
	return n + r.skip(b[n:]), nil
}

// padding looks at what precedes data or a header block: the length of the
// padding, and a priority.
func (s *Stream) padding() error {
	r := &s.in
	if r.frame.Has(http2.FlagPadded) {
		if r.pad = int(r.fixed[0]); r.pad > r.left {
			s.e.R.Error("upstream sent http2 frame with too long padding: %d in frame %d", r.pad, r.left)
			if s.block.open {
				return s.badBlock()
			}
			return errStream
		}
	}
	return nil
}

// data takes a piece of the body.
func (s *Stream) data(b []byte) error {
	if s.rest >= 0 {
		if s.rest -= int64(len(b)); s.rest < 0 {
			return s.fail("upstream sent response body larger than indicated content length")
		}
	}
	s.e.Data(b)
	return nil
}

// end acts on a frame that has come.
func (s *Stream) end() error {
	f, fixed := &s.in.frame, &s.in.fixed
	switch f.Kind {
	case http2.FrameData:
		s.done = s.done || f.Has(http2.FlagEndStream)
	case http2.FrameHeaders, http2.FrameContinuation:
		if f.Has(http2.FlagEndHeaders) {
			return s.endBlock()
		}
	case http2.FrameRST:
		return s.rst(binary.BigEndian.Uint32(fixed[:]))
	case http2.FrameGoaway:
		last := binary.BigEndian.Uint32(fixed[:]) &^ (1 << 31)
		if s.goaway = true; last < s.id {
			return s.fail("upstream sent goaway with error %d", binary.BigEndian.Uint32(fixed[4:]))
		}
	case http2.FrameWindow:
		return s.windowUpdate(int64(binary.BigEndian.Uint32(fixed[:]) &^ (1 << 31)))
	case http2.FramePing:
		var tmp [http2.HeadSize + 8]byte
		return s.reply("ping", append(http2.AppendHead(tmp[:0], 8, http2.FramePing, http2.FlagAck, 0), fixed[:]...))
	case http2.FrameSettings:
		if f.Has(http2.FlagAck) {
			return nil
		}
		var tmp [http2.HeadSize]byte
		return s.reply("settings", http2.AppendHead(tmp[:0], 0, http2.FrameSettings, http2.FlagAck, 0))
	}
	return nil
}

// rst is the end of the stream; without an error it may follow a response.
func (s *Stream) rst(why uint32) error {
	switch {
	case why != 0 || !s.done:
		return s.fail("upstream rejected request with error %d", why)
	case s.reset:
		return s.fail("upstream sent frame for closed stream %d", s.id)
	}
	s.reset = true
	return nil
}

func (s *Stream) windowUpdate(n int64) error {
	window := &s.conn.window
	if s.in.frame.ID != 0 {
		window = &s.window
	}
	switch {
	case n == 0:
		return s.fail("upstream sent zero window update")
	case n > http2.MaxWindow-*window:
		return s.fail("upstream sent too large window update")
	}
	*window += n
	s.unblock()
	return nil
}

func (s *Stream) setting(id uint16, v uint32) error {
	if id != http2.SettingInitialWindow {
		return nil
	}
	delta := int64(v) - s.conn.initWindow
	if v > http2.MaxWindow || delta > http2.MaxWindow-s.window {
		return s.fail("upstream sent settings frame with too large initial window size: %d", v)
	}
	s.conn.initWindow = int64(v)
	s.window += delta
	s.unblock()
	return nil
}

// maxReplies bounds the frames that are answered while the peer takes nothing.
const maxReplies = 1000

// reply answers a frame.
func (s *Stream) reply(to string, b []byte) error {
	if s.e.Unsaid() > 0 {
		if s.replies++; s.replies > maxReplies {
			return s.fail("upstream sent too many %s frames", to)
		}
	}
	s.e.Say(b)
	return nil
}
