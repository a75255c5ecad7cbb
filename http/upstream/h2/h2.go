// Package h2 speaks HTTP/2 with peers, for grpc_pass and for proxy_pass with
// "proxy_http_version 2": what nginx's ngx_http_grpc_module and
// ngx_http_proxy_v2_module have in common.
//
// It is a plain client: one request at a time on a connection, no dynamic
// tables, no pushes.
package h2

import (
	"moongate/core/event"
	"moongate/http"
	"moongate/http/upstream"
	"moongate/http/wire/http2"
)

// ALPN is the name of the protocol in TLS.
const ALPN = "h2"

// greeting begins a connection: no dynamic table, no pushes, and windows as
// large as they can be.
var greeting = func() []byte {
	b := http2.AppendHead([]byte(http2.Preface), 18, http2.FrameSettings, 0, 0)
	b = http2.AppendSetting(b, http2.SettingHeaderTableSize, 0)
	b = http2.AppendSetting(b, http2.SettingEnablePush, 0)
	b = http2.AppendSetting(b, http2.SettingInitialWindow, http2.MaxWindow)
	return http2.AppendNumber(b, http2.FrameWindow, 0, http2.MaxWindow-http2.DefaultWindow)
}()

// conn is what there is to know of a connection between requests.
type conn struct {
	lastID uint32
	// window and initWindow, that of new streams, are for sending; recvWindow
	// is for receiving.
	window, initWindow, recvWindow int64
	decoder                        *http2.Decoder
}

func newConn() *conn {
	return &conn{
		window: http2.DefaultWindow, initWindow: http2.DefaultWindow, recvWindow: http2.MaxWindow,
		decoder: http2.NewStaticDecoder(),
	}
}

// Stream is an exchange over HTTP/2; modules embed it in theirs and implement
// Request, which calls Open and Close.
type Stream struct {
	// Head: the response has no body, whatever its header says.
	Head bool

	e    *upstream.Exchange
	conn *conn
	id   uint32
	body upstream.Body
	// head is the length of the request's HEADERS, with which it begins.
	head int

	// window is for sending, recvWindow for receiving.
	window, recvWindow int64
	// blocked is the fiber that waits for room in a window.
	blocked *event.Fiber
	frame   [http2.HeadSize]byte // of DATA being sent

	in reader
	// ended: the last header block had END_STREAM; done: nothing more belongs
	// to the response; reset: RST_STREAM has come; goaway: the connection is of
	// no more use.
	ended, done, reset, goaway bool
	// rest is how much of the body must still come, -1 if that is not known.
	rest int64
	// replies counts the peer's frames that were answered while it did not read.
	replies int

	block block
}

// Open begins the request with its pseudo-header fields; others are to be
// appended with http2.AppendField. A Host of the configuration takes the place
// of the authority, as in nginx.
func (s *Stream) Open(e *upstream.Exchange, method, path, authority string, h *upstream.HeaderSet) []byte {
	s.e = e
	b := append(e.Buffer(), make([]byte, http2.HeadSize)...)
	b = http2.AppendMethod(b, method)
	b = http2.AppendScheme(b, e.TLS)
	b = http2.AppendPath(b, path)
	if h.Host == nil {
		return http2.AppendAuthority(b, authority)
	}
	if host := h.Host.Eval(e.R); host != "" {
		b = http2.AppendField(b, "host", host)
	}
	return b
}

// Close completes what Open began and says where the body comes from.
func (s *Stream) Close(e *upstream.Exchange, b []byte, body upstream.Body) {
	s.body = body
	flags := uint8(0)
	if body == upstream.BodyNone {
		flags = http2.FlagEndStream
	}
	s.head = len(b)
	b = cutHeaders(b, flags)
	s.head = len(b)
	e.Begin(b, body)
}

// cutHeaders makes frames of a header block that room for the head of the first
// precedes.
func cutHeaders(b []byte, flags uint8) []byte {
	kind, at := http2.FrameHeaders, 0
	for {
		n := len(b) - at - http2.HeadSize
		if n <= http2.MaxFrame {
			http2.AppendHead(b[:at], n, kind, flags|http2.FlagEndHeaders, 1)
			return b
		}
		http2.AppendHead(b[:at], http2.MaxFrame, kind, flags, 1)
		at += http2.HeadSize + http2.MaxFrame
		b = append(b, make([]byte, http2.HeadSize)...)
		copy(b[at+http2.HeadSize:], b[at:])
		kind, flags = http2.FrameContinuation, 0
	}
}

// Connected implements upstream.Connecter: the request gets the number that it
// has on the connection, and as much of its body as makes one frame.
func (s *Stream) Connected(e *upstream.Exchange) {
	c, kept := e.Wire().(*conn)
	e.Greet(nil)
	if !kept {
		c = newConn()
		c.lastID = 1
		e.SetWire(c)
		e.Greet(greeting)
	} else {
		c.lastID += 2
	}
	s.attach(c)
	s.id, s.window = c.lastID, c.initWindow
	b := e.Sent()[:s.head]
	for at := 0; at < len(b); {
		f, n := http2.ParseHead(b[at:])
		http2.AppendHead(b[:at], n, f.Kind, f.Flags, s.id)
		at += http2.HeadSize + n
	}
	if p := s.memory(); p != nil && len(p) <= http2.MaxFrame && int64(len(p)) <= min(s.window, c.window) {
		head, _ := s.Frame(e, len(p), true)
		e.Begin(append(append(b, head...), p...), upstream.BodyNone)
		return
	}
	e.Begin(b, s.body)
}

// attach makes the connection the stream's.
func (s *Stream) attach(c *conn) { s.conn, s.recvWindow = c, http2.MaxWindow }

// memory is the request's body if it is in memory, else nil.
func (s *Stream) memory() []byte {
	switch s.body {
	case upstream.BodyGiven:
		return s.e.Given
	case upstream.BodyRead:
		if body := s.e.R.Body; body.File == nil {
			return body.Bytes
		}
	}
	return nil
}

// Restart implements upstream.Protocol.
func (s *Stream) Restart(*upstream.Exchange) {
	*s = Stream{Head: s.Head, e: s.e, body: s.body, head: s.head}
}

// Room implements upstream.Framer.
func (s *Stream) Room(e *upstream.Exchange, n int, wait bool) (int, error) {
	for {
		room := int(min(int64(n), http2.MaxFrame, s.window, s.conn.window))
		if room > 0 {
			return room, nil
		}
		if !wait {
			return 0, nil
		}
		s.blocked = e.R.Loop().Current()
		why := s.blocked.ParkFor(e.SendTimeout)
		f := s.blocked
		s.blocked = nil
		switch why {
		case event.Timeout:
			return 0, event.ErrTimeout
		case event.Canceled:
			return 0, f.Err()
		}
	}
}

// unblock has a fiber look at the windows again.
func (s *Stream) unblock() {
	if s.blocked != nil {
		s.blocked.Ready()
	}
}

// Frame implements upstream.Framer.
func (s *Stream) Frame(_ *upstream.Exchange, n int, last bool) (head, tail []byte) {
	flags := uint8(0)
	if last {
		flags = http2.FlagEndStream
	}
	s.window -= int64(n)
	s.conn.window -= int64(n)
	return http2.AppendHead(s.frame[:0], n, http2.FrameData, flags, s.id), nil
}

// Header implements upstream.Protocol.
func (s *Stream) Header(e *upstream.Exchange) upstream.Header {
	s.e = e
	if s.conn == nil { // a response from the cache
		s.attach(newConn())
	}
	n, err := s.process(e.Unread())
	e.Take(n)
	switch {
	case err == errField:
		return s.block.verdict
	case err != nil:
		return upstream.HeaderInvalid
	case !s.block.complete && !s.block.open:
		e.Rewind() // there may be many frames before the header
		return upstream.HeaderAgain
	case !s.block.complete:
		return upstream.HeaderAgain
	}
	s.block.complete, s.block.status = false, false
	if e.In.Status == int(http.StatusEarlyHints) {
		if s.ended {
			e.R.Error("upstream prematurely closed stream")
			return upstream.HeaderInvalid
		}
		return upstream.HeaderEarlyHints
	}
	s.block.trailers = true
	e.Keep = s.ended && !s.goaway && len(e.Unread()) == 0
	return upstream.HeaderDone
}

// Ended reports whether the response ends with its header.
func (s *Stream) Ended() bool { return s.ended }

// StartBody implements upstream.Protocol.
func (s *Stream) StartBody(e *upstream.Exchange) error {
	s.rest = e.In.ContentLength
	if e.NoBody() || s.Head {
		s.rest = 0
	}
	e.Length = 1
	if s.ended {
		s.done = true
		if e.Length = 0; s.rest > 0 {
			return s.fail("upstream prematurely closed stream")
		}
	}
	return nil
}

// Body implements upstream.Protocol.
func (s *Stream) Body(e *upstream.Exchange, b []byte) error {
	if _, err := s.process(b); err != nil || !s.done || s.in.inPayload() {
		return err
	}
	if s.rest > 0 {
		return s.fail("upstream prematurely closed stream")
	}
	e.Length = 0
	e.Keep = s.in.n == 0 && !s.goaway
	return nil
}
