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
	// BodyGiven is Exchange.Given.
	BodyGiven
)

// Framer is a Protocol that wraps the body of the request into frames.
type Framer interface {
	// Room is how much of n bytes of the body, n > 0, can go into a frame now.
	// It may be none if wait is not set, else Room parks the fiber.
	Room(e *Exchange, n int, wait bool) (int, error)
	// Frame returns what comes before and after n bytes of the body, of which
	// they may be the last; n is 0 only then.
	Frame(e *Exchange, n int, last bool) (head, tail []byte)
}

// Connecter is a Protocol that wants to know the connection before the request
// is sent on it. It may call Greet and Begin.
type Connecter interface {
	Connected(e *Exchange)
}

// Buffer is memory for Protocol.Request to append the request to.
func (e *Exchange) Buffer() []byte { return e.req[:0] }

// Begin says what the request is: bytes, and where its body comes from.
func (e *Exchange) Begin(req []byte, body Body) { e.req, e.body = req, body }

// Sent is the request that Begin was given.
func (e *Exchange) Sent() []byte { return e.req }

// Greet says what is sent before the request, on a new connection.
func (e *Exchange) Greet(b []byte) { e.greeting = b }

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
	// stopper waits for the end of the fiber.
	stopper *event.Fiber
	// loop is run as a value, made once.
	loop func()
	// running until the fiber has ended.
	running bool
	// owner: it is the fiber's turn to write on the connection.
	owner bool
	// skip is how much of the request and a body in memory has been sent.
	skip int
	// fail and v are why sending ended before its time.
	fail int
	v    http.Verdict
	err  error
	iov  [6][]byte
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
	e.link.WriteTimeout = e.SendTimeout
	e.link.writing = true
	_, framed := e.Protocol.(Framer)
	inMemory := e.body != BodyStreamed && (e.R.Body == nil || e.R.Body.File == nil)
	if e.body == BodyNone || inMemory && !framed {
		s.iov = [len(s.iov)][]byte{e.greeting, e.req}
		if e.body == BodyRead {
			s.iov[2] = e.R.Body.Bytes
		}
		n, err := e.link.TryWritev(s.iov[:3])
		e.link.sent += n
		switch {
		case err == nil:
			e.bodySent = true
			e.link.writing = false
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
	s.running, s.owner = true, true
	s.main = e.R.Loop().Current()
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
	if s.stopper != nil {
		s.stopper.Ready()
	}
}

// sendAll sends the request and its body.
func (s *sender) sendAll() error {
	e := s.e
	framer, _ := e.Protocol.(Framer)
	body := e.R.Body
	switch {
	case e.body == BodyStreamed:
		return s.stream(framer)
	case e.body == BodyGiven:
		return s.frames(framer, true, e.Given, true)
	case e.body == BodyNone || body == nil:
		return s.write(e.greeting, e.req)
	case framer != nil && body.File == nil:
		return s.frames(framer, true, body.Bytes, true)
	case framer != nil:
		return s.file(framer)
	case body.File == nil:
		return s.write(e.greeting, e.req, body.Bytes)
	}
	if err := s.write(e.greeting, e.req); err != nil {
		return err
	}
	n, err := e.link.Sendfile(body.File.FD, 0, body.Size, e.R.Core.SendfileMaxChunk.V)
	e.link.sent += n
	return err
}

// write sends pieces, of which s.skip bytes have been sent already.
func (s *sender) write(bufs ...[]byte) error {
	l := s.e.link
	if !s.owner {
		if err := l.acquire(); err != nil {
			return err
		}
	}
	s.owner = false
	list := s.iov[:0]
	for _, b := range bufs {
		n := min(s.skip, len(b))
		s.skip -= n
		if n < len(b) {
			list = append(list, b[n:])
		}
	}
	n, err := l.Writev(list)
	l.sent += n
	if err != nil {
		return err
	}
	return l.release()
}

// frames sends a piece of the body in frames, behind the head of the request if
// that has not been sent.
func (s *sender) frames(f Framer, head bool, piece []byte, last bool) error {
	for {
		n, err := s.frame(f, head, piece, last)
		if piece, head = piece[n:], false; err != nil || len(piece) == 0 {
			return err
		}
	}
}

// frame sends the next frame of a piece of the body and returns how much of the
// piece is in it; that can be nothing if it is sent with the head.
func (s *sender) frame(f Framer, head bool, piece []byte, last bool) (n int, err error) {
	e := s.e
	if n = len(piece); n > 0 {
		if n, err = f.Room(e, n, !head); err != nil {
			return 0, err
		}
	}
	var before, after []byte
	if last = last && n == len(piece); n > 0 || last {
		before, after = f.Frame(e, n, last)
	}
	switch {
	case head:
		err = s.write(e.greeting, e.req, before, piece[:n], after)
	case n > 0 || last:
		err = s.write(before, piece[:n], after)
	}
	return n, err
}

// fileChunk is how much of a body in a file is read at a time.
const fileChunk = 64 << 10

// file sends a body that was read into a file, in frames.
func (s *sender) file(f Framer) error {
	e, body := s.e, s.e.R.Body
	mem := e.main.pool.bufs.get(fileChunk)
	defer e.main.pool.bufs.put(mem)
	for off := int64(0); ; {
		n, err := 0, error(nil)
		if off < body.Size {
			if n, err = unix.Pread(body.File.FD, mem[:min(fileChunk, body.Size-off)], off); err != nil || n == 0 {
				e.R.Logf(log.Crit, err, `pread() "%s" failed`, body.Path)
				s.v = http.StatusInternalServerError
				return errStopSending
			}
		}
		last := off+int64(n) == body.Size
		if err := s.frames(f, off == 0, mem[:n], last); err != nil || last {
			return err
		}
		off += int64(n)
	}
}

// stream sends the body as it comes from the client.
func (s *sender) stream(f Framer) error {
	e, r := s.e, s.e.R
	mem := e.main.pool.bufs.get(max(r.Core.ClientBodyBufferSize.V, 1024))
	defer e.main.pool.bufs.put(mem)
	n, done, v := copy(mem, s.first), false, http.OK
	for head := true; ; head = false {
		if n == 0 && !head {
			n, v = r.Stream.ReadBody(r, mem)
			done = n == 0
		}
		if v == http.OK && !done && !head {
			var more int
			more, done, v = r.PollBody(mem[n:])
			n += more
		}
		if v != http.OK {
			s.v = v
			return errStopSending
		}
		sent, err := s.piece(f, head, mem[:n], done)
		if n = copy(mem, mem[sent:n]); err != nil || n == 0 && done {
			return err
		}
	}
}

// piece sends a piece of the body, in a frame or as it is, and returns how much
// of it was sent.
func (s *sender) piece(f Framer, head bool, piece []byte, last bool) (n int, err error) {
	switch {
	case f != nil:
		return s.frame(f, head, piece, last)
	case head:
		err = s.write(s.e.greeting, s.e.req, piece)
	default:
		err = s.write(piece)
	}
	return len(piece), err
}

// stop ends the fiber, whose work is not needed any more.
func (s *sender) stop() {
	if !s.running {
		return
	}
	f := s.e.R.Loop().Current()
	s.stopper = f
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
	s.stopper = nil
	s.fail, s.v, s.err = 0, http.OK, nil
}

// failed reports why the fiber gave up; 0 and OK mean that it did not.
func (s *sender) failed() (fail int, v http.Verdict) {
	if s.gaveUp() {
		s.e.R.Conn.Action = "sending request to upstream"
		if s.err != nil {
			s.e.ioFailed(s.err)
		}
	}
	return s.fail, s.v
}

// gaveUp reports whether the request could not be sent.
func (s *sender) gaveUp() bool { return s.fail != 0 || s.v != http.OK }

// verdict is what the end of a response is that has begun when the request
// cannot be sent; the reason is logged.
func (s *sender) verdict() http.Verdict {
	fail, v := s.failed()
	if v != http.OK {
		return v
	}
	if fail == FailTimeout {
		s.e.R.Logf(log.Error, errTimedOut, "upstream timed out")
	}
	return failStatus(fail)
}
