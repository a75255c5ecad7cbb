package upstream

import (
	"errors"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
)

// Body says where the body of the request to the peer comes from.
type Body uint8

// The sources of the body.
const (
	// BodyNone: there is none, or it is part of what Begin was given.
	BodyNone Body = iota
	// BodyRead is the client's, which has been read.
	BodyRead
	// BodyStreamed is the client's, as it arrives.
	BodyStreamed
)

// Framer is a Protocol that wraps the body of the request into frames.
type Framer interface {
	// MaxFrame is how much of the body goes into one frame.
	MaxFrame() int
	// Frame returns what comes before and after n bytes of the body; with n 0
	// it returns in head what ends the body.
	Frame(e *Exchange, n int) (head, tail []byte)
}

// Buffer is memory for Protocol.Request to append the request to.
func (e *Exchange) Buffer() []byte { return e.req[:0] }

// Begin says what the request is: bytes, and where its body comes from.
func (e *Exchange) Begin(req []byte, body Body) { e.req, e.body = req, body }

// Stream has the request's body passed on as it arrives. If all of it is there
// already, the body is read like any other: then streaming is false.
func (e *Exchange) Stream() (streaming bool, v http.Verdict) {
	e.sender.first, v = e.R.StreamBody()
	return e.R.Body == nil, v
}

// sender is the fiber that sends what could not be sent at once.
type sender struct {
	e     *Exchange
	fiber event.FiberRef
	main  *event.Fiber
	// loop is run as a value, made once.
	loop func()
	// running until the fiber has ended.
	running bool
	// skip is how much of the request and a body in memory has been sent.
	skip int
	// fail and v are why sending ended before its time.
	fail int
	v    http.Verdict
	err  error
	iov  [3][]byte
	// first is what had come of a streamed body before sending began.
	first []byte
}

var errStopSending = errors.New("upstream: the rest of the request is not wanted")

// send sends the request, or as much of it as the connection takes at once;
// the rest is left to a fiber.
func (e *Exchange) send() (fail int, v http.Verdict) {
	e.R.Conn.Action = "sending request to upstream"
	s := &e.sender
	s.fail, s.v, s.err, s.skip = 0, http.OK, nil, 0
	e.sent = true
	e.link.sent = 0
	if e.body == BodyNone && len(e.req) == 0 {
		e.bodySent = true
		return 0, http.OK
	}
	_, framed := e.Protocol.(Framer)
	inMemory := e.body != BodyStreamed && (e.R.Body == nil || e.R.Body.File == nil)
	if e.body == BodyNone || inMemory && !framed {
		s.iov = [3][]byte{e.req}
		if e.body == BodyRead {
			s.iov[1] = e.R.Body.Bytes
		}
		e.link.WriteTimeout = e.SendTimeout
		n, err := e.link.TryWritev(s.iov[:2])
		e.link.sent += n
		switch {
		case err == nil:
			e.bodySent = true
			return 0, http.OK
		case errors.Is(err, event.ErrTimeout):
			return FailTimeout, http.OK
		case e.aborted(err):
			return 0, http.StatusClientClosed
		case err != event.ErrAgain:
			e.ioFailed(err)
			return FailError, http.OK
		}
		s.skip = int(n)
	}
	if e.body == BodyStreamed && e.R.Core.TCPNodelay.V {
		if err := e.link.SetNoDelay(true); err != nil {
			e.R.Logf(log.Crit, err, "setsockopt(TCP_NODELAY) failed")
			return FailError, http.OK
		}
	}
	s.running = true
	s.main = e.R.Loop().Current()
	e.link.WriteTimeout = e.SendTimeout
	s.fiber = e.R.Loop().Go(s.loop).Ref()
	return 0, http.OK
}

// run is the fiber.
func (s *sender) run() {
	e := s.e
	if err := s.sendAll(); err != nil && s.v == http.OK {
		switch {
		case errors.Is(err, event.ErrTimeout):
			s.fail = FailTimeout
		case s.fail == 0:
			s.fail, s.err = FailError, err
		}
	} else if err == nil {
		e.bodySent = true
	}
	s.running = false
	s.main.Ready()
}

// sendAll sends the request and its body.
func (s *sender) sendAll() error {
	e := s.e
	framer, _ := e.Protocol.(Framer)
	body := e.R.Body
	switch {
	case e.body == BodyStreamed:
		return s.stream(framer)
	case e.body == BodyNone || body == nil:
		return s.write(e.req)
	case framer != nil:
		return s.frames(framer)
	case body.File == nil:
		return s.write(e.req, body.Bytes)
	}
	if err := s.write(e.req); err != nil {
		return err
	}
	n, err := e.link.Sendfile(body.File.FD, 0, body.Size, e.R.Core.SendfileMaxChunk.V)
	e.link.sent += n
	return err
}

// write sends pieces, of which s.skip bytes have been sent already.
func (s *sender) write(bufs ...[]byte) error {
	for i, b := range bufs {
		n := min(s.skip, len(b))
		bufs[i] = b[n:]
		s.skip -= n
	}
	n, err := s.e.link.Writev(bufs)
	s.e.link.sent += n
	return err
}

// frames sends a body that was read, in frames.
func (s *sender) frames(f Framer) error {
	e, body := s.e, s.e.R.Body
	if err := s.write(e.req); err != nil {
		return err
	}
	var mem []byte
	if body.File != nil {
		mem = e.main.pool.bufs.get(int64(f.MaxFrame()))
		defer e.main.pool.bufs.put(mem)
	}
	for off := int64(0); off < body.Size; {
		n := int(min(int64(f.MaxFrame()), body.Size-off))
		piece := mem
		if body.File == nil {
			piece = body.Bytes[off : off+int64(n)]
		} else {
			m, err := unix.Pread(body.File.FD, mem[:n], off)
			if err != nil || m == 0 {
				e.R.Logf(log.Crit, err, `pread() "%s" failed`, body.Path)
				s.v = http.StatusInternalServerError
				return errStopSending
			}
			piece, n = mem[:m], m
		}
		head, tail := f.Frame(e, n)
		if err := s.write(head, piece, tail); err != nil {
			return err
		}
		off += int64(n)
	}
	head, _ := f.Frame(e, 0)
	return s.write(head)
}

// stream sends the body as it comes from the client.
func (s *sender) stream(f Framer) error {
	e, r := s.e, s.e.R
	if n := len(s.first); n > 0 {
		if err := s.writeFrame(f, e.req, s.first, false); err != nil {
			return err
		}
		s.first = nil
	} else if err := s.write(e.req); err != nil {
		return err
	}
	size := max(r.Core.ClientBodyBufferSize.V, 1024)
	if f != nil {
		size = min(size, int64(f.MaxFrame()))
	}
	mem := e.main.pool.bufs.get(size)
	defer e.main.pool.bufs.put(mem)
	for {
		n, v := r.Stream.ReadBody(r, mem)
		done := n == 0
		if v == http.OK && !done {
			var more int
			more, done, v = r.PollBody(mem[n:])
			n += more
		}
		if v != http.OK {
			s.v = v
			return errStopSending
		}
		if err := s.writeFrame(f, nil, mem[:n], done); err != nil || done {
			return err
		}
	}
}

// writeFrame writes a piece of the body behind what comes before it, and the
// end of the body if this is the last piece.
func (s *sender) writeFrame(f Framer, before, piece []byte, last bool) error {
	if f == nil {
		return s.write(before, piece)
	}
	var head, tail, end []byte
	if len(piece) > 0 {
		head, tail = f.Frame(s.e, len(piece))
	}
	if last {
		end, _ = f.Frame(s.e, 0)
	}
	return s.write(before, head, piece, tail, end)
}

// stop ends the fiber, whose work is not needed any more.
func (s *sender) stop() {
	f := s.e.R.Loop().Current()
	for s.running {
		if other := s.fiber.Fiber(); other != nil {
			other.Cancel(errStopSending)
		}
		if f == nil {
			return
		}
		if f.Park() == event.Canceled {
			f.Uncancel()
		}
	}
}

// failed reports why the fiber gave up; 0 and OK mean that it did not.
func (s *sender) failed() (fail int, v http.Verdict) {
	if s.fail != 0 || s.v != http.OK {
		s.e.R.Conn.Action = "sending request to upstream"
		if s.err != nil {
			s.e.ioFailed(s.err)
		}
	}
	return s.fail, s.v
}
