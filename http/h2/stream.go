package h2

import (
	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire/http2"
)

// stream is a request of a connection: nginx's ngx_http_v2_stream_t, and what
// http.Request sees of the protocol.
type stream struct {
	h  *conn
	id uint32
	c  *http.Conn // stands for the stream
	r  *http.Request
	// header makes the request of its fields, up to the first that makes it be
	// refused with the verdict.
	header  builder
	verdict http.Verdict

	inClosed  bool // the client will send no more
	outClosed bool // nothing more is to be sent
	rstSent   bool
	aborted   bool
	malformed bool // not a request
	skip      bool // what comes of the body is of no interest

	recvWindow int64
	window     int64 // for sending
	node       *node
	sender     *event.Fiber // waits to send
	queued     bool         // in the connection's queue
	exhausted  bool         // the sender waits for the stream's own window

	body     []byte // received and not read
	read     int    // of body
	received int64  // of the whole body
	declared int64  // its length according to the header, or -1
	grant    int64  // bytes read that the client may replace
	wide     bool   // more may be on its way than at first
	arrived  waitList

	watcher   *event.Fiber
	watchFunc func()
	run       func() // serve, made once
}

// maxBodyWindow is how much of a body may be on its way, or waiting, once
// somebody reads it.
const maxBodyWindow = 1 << 20

// newStream makes a stream, whose request begins with its header.
func (h *conn) newStream(id uint32, inClosed bool, wanted *dependency) *stream {
	var s *stream
	if w := workerOf(h.c); len(w.streams) > 0 {
		s = w.streams[len(w.streams)-1]
		w.streams = w.streams[:len(w.streams)-1]
	} else {
		s = &stream{}
		s.run = s.serve
	}
	s.declared = -1
	s.h, s.id, s.inClosed, s.recvWindow, s.window = h, id, inClosed, h.conf().prereadSize.V, h.initWindow
	h.c.Requests++
	s.c = h.c.Fake()
	s.c.Action = "reading client request headers"
	s.r = s.c.NewRequest(s)
	s.c.Current = s.r
	s.header.begin(s)
	h.tree.open(s, wanted)
	h.processing++
	h.priorities += h.conf().streams.V
	return s
}

// start runs the request, whose header is complete, in a fiber of its own.
func (s *stream) start() { s.c.Loop().Go(s.run) }

func (s *stream) serve() {
	ended := false
	defer func() {
		if !ended {
			s.panicked()
		}
	}()
	s.c.Action = ""
	s.c.Loop().Stats().Requests.Add(1)
	r, v := s.r, s.verdict
	if v == http.OK {
		v = s.header.finish()
	}
	switch {
	case s.aborted:
		r.Finish(http.StatusClientClosed)
	case v != http.OK:
		s.skip = true
		r.Finish(v)
	default:
		r.Run()
	}
	s.finish()
	ended = true
}

// panicked ends the connection, since the state of a request that panicked is
// not known. Nothing of the stream is used again.
func (s *stream) panicked() {
	defer s.r.Abandon()
	s.detach()
	h := s.h
	h.fail(http2.InternalError)
	if h.reader != nil {
		h.reader.Ready()
	}
}

// finish ends the stream (ngx_http_v2_close_stream).
func (s *stream) finish() {
	h := s.h
	switch {
	case s.rstSent || h.failed:
	case !s.outClosed && s.c.TimedOut:
		s.reset(http2.ProtocolError)
	case !s.outClosed:
		s.reset(http2.InternalError)
	case s.malformed, s.misdeclared():
		s.reset(http2.ProtocolError)
	case !s.inClosed:
		s.reset(http2.NoError)
	}
	h.out.later()
	s.leave()
	if h.reader != nil {
		h.reader.Ready()
	}
}

// misdeclared reports whether the body is known not to be of the length that the
// header says (RFC 9113, 8.1.1).
func (s *stream) misdeclared() bool {
	return s.declared >= 0 && (s.received > s.declared || s.inClosed && s.received < s.declared)
}

// leave takes the stream, which has ended or whose header did not become
// complete, out of its connection.
func (s *stream) leave() {
	s.detach()
	s.r.Free()
	s.c.Release()
	if w := workerOf(s.h.c); len(w.streams) < keptStreams {
		const kept = 16 << 10
		body := s.body[:0]
		if cap(body) > kept {
			body = nil
		}
		*s = stream{run: s.run, body: body, arrived: s.arrived[:0], header: builder{cookies: s.header.cookies[:0]}}
		w.streams = append(w.streams, s)
	}
}

// detach makes the connection forget the stream.
func (s *stream) detach() {
	h := s.h
	h.dequeue(s)
	h.yield(s)
	h.tree.close(s)
	if h.coming.stream == s {
		h.coming.stream = nil
	}
	if h.block.trails == s {
		h.block.trails = nil
	}
	h.processing--
}

// reset sends RST_STREAM.
func (s *stream) reset(why http2.Code) {
	s.rstSent, s.outClosed = true, true
	s.h.out.putControl(http2.AppendNumber(s.h.out.control(), http2.FrameRST, s.id, uint32(why)))
}

// terminate ends the stream for something that the client did wrong.
func (s *stream) terminate(why http2.Code) {
	if !s.rstSent {
		s.rstSent, s.outClosed, s.inClosed, s.skip = true, true, true, true
		s.h.out.reply(http2.AppendNumber(s.h.out.control(), http2.FrameRST, s.id, uint32(why)))
	}
	s.abort()
}

// abort lets the request know that its client is gone.
func (s *stream) abort() {
	if s.aborted {
		return
	}
	s.aborted = true
	s.c.Failed = true
	if s.sender != nil {
		s.h.dequeue(s)
		s.sender.Ready()
	}
	s.arrived.wake()
	f, g := s.watcher, s.watchFunc
	s.watcher, s.watchFunc = nil, nil
	if f != nil {
		f.Cancel(event.ErrPeerClosed)
	}
	if g != nil {
		g()
	}
}

// WatchClose implements http.Watcher.
func (s *stream) WatchClose(f *event.Fiber) {
	s.watcher, s.watchFunc = f, nil
	if f != nil && s.aborted {
		f.Cancel(event.ErrPeerClosed)
	}
}

// WatchCloseFunc implements http.Watcher.
func (s *stream) WatchCloseFunc(f func()) {
	s.watcher, s.watchFunc = nil, f
	if f != nil && s.aborted {
		f()
	}
}

// receive takes in a piece of the body.
func (s *stream) receive(p []byte, last bool) {
	if last {
		s.inClosed = true
		s.h.closed(s.id)
	}
	s.received += int64(len(p))
	if s.skip {
		s.give(int64(len(p)))
	} else {
		s.keep(p)
	}
	s.arrived.wake()
}

// keep appends to the body. What was read makes way once it is the larger part,
// or the memory would grow with a body whose reader is always behind.
func (s *stream) keep(p []byte) {
	if s.read > len(s.body)-s.read {
		s.body, s.read = s.body[:copy(s.body, s.body[s.read:])], 0
	}
	s.body = append(s.body, p...)
}

// give lets the client send n bytes more, once they are worth a frame.
func (s *stream) give(n int64) {
	s.grant += n
	if s.inClosed || s.rstSent || s.grant < s.h.conf().prereadSize.V/2 || s.grant == 0 {
		return
	}
	s.recvWindow += s.grant
	s.h.out.putControl(http2.AppendNumber(s.h.out.control(), http2.FrameWindow, s.id, uint32(s.grant)))
	s.grant = 0
}

// widen lets more of the body be on its way, when it is read for the first
// time.
func (s *stream) widen() {
	if s.wide || s.inClosed {
		return
	}
	s.wide = true
	if more := maxBodyWindow - s.recvWindow - int64(len(s.body)); more > 0 {
		s.recvWindow += more
		s.h.out.putControl(http2.AppendNumber(s.h.out.control(), http2.FrameWindow, s.id, uint32(more)))
	}
}

// BodyAhead implements http.Stream: frames have buffers of their own.
func (s *stream) BodyAhead() (arrived, room int) { return 0, 0 }

// ReadBody implements http.Stream.
func (s *stream) ReadBody(r *http.Request, p []byte) (int, http.Verdict) {
	s.widen()
	for {
		n, v := s.PollBody(r, p)
		if v != http.Declined {
			return n, v
		}
		s.c.Action = "reading client request body"
		why := s.arrived.park(s.c.Loop(), r.Core.ClientBodyTimeout.V)
		s.c.Action = ""
		switch why {
		case event.Timeout:
			s.c.TimedOut = true
			return 0, http.StatusRequestTimeOut
		case event.Canceled:
			if !s.aborted {
				return 0, http.Declined // somebody does not want the body any more
			}
			s.c.Failed = true
			return 0, http.StatusClientClosed
		}
	}
}

// PollBody implements http.BodyPoller.
func (s *stream) PollBody(r *http.Request, p []byte) (int, http.Verdict) {
	if s.read < len(s.body) {
		n := copy(p, s.body[s.read:])
		s.read += n
		if s.read == len(s.body) {
			s.body, s.read = s.body[:0], 0
		}
		r.RequestLength += int64(n)
		r.In.BodyRead += int64(n)
		s.give(int64(n))
		return n, s.measure(r)
	}
	switch {
	case s.aborted:
		return 0, http.StatusClientClosed
	case s.skip:
		return 0, http.OK
	case !s.inClosed:
		return 0, http.Declined
	case s.declared > r.In.BodyRead:
		r.Logf(log.Info, nil, "client prematurely closed stream: only %d out of %d bytes of request body received",
			r.In.BodyRead, s.declared)
		return 0, http.StatusBadRequest
	}
	return 0, http.OK
}

// measure compares what has come of the body with what may.
func (s *stream) measure(r *http.Request) http.Verdict {
	limit := r.Core.ClientMaxBodySize.V
	switch {
	case s.declared >= 0 && s.received > s.declared:
		r.Logf(log.Info, nil, "client intended to send body data larger than declared")
		s.skip = true
		return http.StatusBadRequest
	case r.In.ContentLength < 0 && limit != 0 && r.In.BodyRead > limit:
		r.Logf(log.Error, nil, "client intended to send too large chunked body: %d bytes", r.In.BodyRead)
		s.skip = true
		return http.StatusEntityTooLarge
	}
	return http.OK
}

// DiscardBody implements http.Stream.
func (s *stream) DiscardBody(*http.Request) http.Verdict {
	s.skip = true
	s.body, s.read = nil, 0
	return http.OK
}

// Continue implements http.Stream; clients of HTTP/2 do not wait.
func (s *stream) Continue(*http.Request) http.Verdict { return http.OK }

// timedOut ends the request of a client that takes nothing.
func (s *stream) timedOut() {
	s.c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
	s.c.TimedOut, s.c.Failed = true, true
}
