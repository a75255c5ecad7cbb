package h2

import (
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/http2/hpack"
	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire/http2"
)

// conn is a connection of HTTP/2: nginx's ngx_http_v2_connection_t.
type conn struct {
	c *http.Conn

	// rest are bytes of a frame that is not complete, kept while nothing comes.
	rest    []byte
	ready   bool // the preface was read
	reader  *event.Fiber
	closing bool // GOAWAY was sent
	failed  bool // nothing can be sent or received any more
	done    bool // closed

	streams map[uint32]*stream
	lastID  uint32
	// processing counts the requests that run, cancelled ones too.
	processing int
	fresh      int // streams since the last wait
	refused    int
	idles      int
	late       uint32 // the last stream whose header took too long
	// ended are the last streams that the client has ended.
	ended   [16]uint32
	endedAt int

	decoder *hpack.Decoder
	block   *headerBlock // being received

	// Bytes received, and those of them that were of use.
	total, useful int64

	recvWindow int64
	window     int64 // for sending
	initWindow int64 // of new streams, for sending
	frameSize  int
	acked      bool // our settings

	out output
}

// newConn makes the state of a connection.
func newConn(c *http.Conn) *conn {
	h := &conn{c: c, streams: make(map[uint32]*stream), recvWindow: http2.MaxWindow, window: http2.DefaultWindow,
		initWindow: http2.DefaultWindow, frameSize: http2.MaxFrame}
	h.decoder = hpack.NewDecoder(4096, nil)
	h.out.h = h
	c.State = h
	m := mainSlot.Of(c.Server.Scope())
	if m.conns == nil {
		m.conns = make(map[*conn]bool)
	}
	m.conns[h] = true
	return h
}

// conf is the server's configuration that streams begin with.
func (h *conn) conf() *srvConf { return srvSlot.Of(h.c.Server.Scope()) }

// start sends the settings (ngx_http_v2_init).
func (h *conn) start() {
	h.c.Action = "processing HTTP/2 connection"
	b := h.out.room()
	b = http2.AppendHead(b, 18, http2.FrameSettings, 0, 0)
	b = http2.AppendSetting(b, http2.SettingMaxStreams, uint32(h.conf().streams.V))
	b = http2.AppendSetting(b, http2.SettingInitialWindow, uint32(h.conf().prereadSize.V))
	b = http2.AppendSetting(b, http2.SettingMaxFrameSize, maxReceived)
	b = http2.AppendNumber(b, http2.FrameWindow, 0, http2.MaxWindow-http2.DefaultWindow)
	h.out.put(b)
	h.serve()
}

// readSize is the size of the buffers that are read into. It holds a frame.
const readSize = 64 << 10

// maxReceived is the largest payload that is accepted.
const maxReceived = readSize - 4096

var readBuffers = sync.Pool{New: func() any { return new([readSize]byte) }}

// serve reads frames until there are none, and goes to sleep when no stream is
// left.
func (h *conn) serve() {
	if h.done {
		return
	}
	h.reader = h.c.Loop().Current()
	for {
		err := h.receive()
		h.fresh = 0
		switch {
		case h.failed:
		case err != event.ErrAgain:
			h.lost(err)
		case h.processing == 0 && !h.inHeader():
			if h.sleep() {
				return
			}
			continue
		default:
			h.wait()
			continue
		}
		h.close()
		return
	}
}

// wait parks until there is something to read or a stream has ended.
func (h *conn) wait() {
	h.out.later()
	limit := time.Duration(0)
	if h.inHeader() {
		limit = h.c.Server.ClientHeaderTimeout.V
	}
	_, err := h.c.Loop().WaitAny(limit, []event.Interest{{Conn: h.c.Conn, Read: true}})
	switch {
	case err == nil:
	case errors.Is(err, event.ErrTimeout):
		h.c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
		if !h.giveUpHeader() {
			h.fail(http2.ProtocolError)
		}
	default:
		h.failed = true
	}
}

// inHeader reports whether a header block has begun to arrive that was not
// given up.
func (h *conn) inHeader() bool { return h.arriving() > h.late }

// arriving is the stream whose header has come only in part, 0 if there is
// none.
func (h *conn) arriving() uint32 {
	if h.block != nil {
		return h.block.id
	}
	if len(h.rest) >= http2.HeadSize {
		if f, _ := http2.ParseHead(h.rest); f.Kind == http2.FrameHeaders {
			return f.ID
		}
	}
	return 0
}

// giveUpHeader resets the stream whose header takes too long; the header is
// still to be received. It does so once.
func (h *conn) giveUpHeader() bool {
	id := h.arriving()
	if b := h.block; b != nil && b.stream != nil {
		b.stream.drop()
		b.stream = nil
	}
	if id == 0 || id <= h.late {
		return false
	}
	h.late = id
	h.out.put(http2.AppendNumber(h.out.room(), http2.FrameRST, id, uint32(http2.ProtocolError)))
	return true
}

// sleep hands the connection back to the loop until the client speaks; false
// when it is over instead, or has something to say already.
func (h *conn) sleep() bool {
	if !h.out.flush() || h.closing || h.c.Worker.Exiting() {
		h.fail(http2.NoError)
		return false
	}
	lc := http.CoreOf(h.c.Server)
	limit := lc.Keepalive.V.Timeout
	if !h.ready {
		limit = h.c.Server.ClientHeaderTimeout.V
	} else if h.idles++; int64(h.idles) > 10*lc.KeepaliveRequests.V {
		h.c.Log.Log(log.Info, nil, "http2 flood detected")
		h.fail(http2.NoError)
		return false
	}
	h.reader = nil
	h.c.Action = "idle"
	h.c.Idle(limit)
	return true
}

// closed notes that the client has ended a stream.
func (h *conn) closed(id uint32) {
	h.ended[h.endedAt] = id
	h.endedAt = (h.endedAt + 1) % len(h.ended)
}

// closedByClient reports whether a client ended a stream not long ago.
func (h *conn) closedByClient(id uint32) bool { return slices.Contains(h.ended[:], id) }

// lost notes that the client is gone.
func (h *conn) lost(err error) {
	h.failed = true
	switch {
	case err == io.EOF && (len(h.rest) > 0 || h.processing > 0):
		h.c.Log.Log(log.Info, nil, "client prematurely closed connection")
	case err == io.EOF, errors.Is(err, event.ErrClosed):
	default:
		h.c.Log.Log(log.Info, err, "recv() failed")
	}
}

// fail ends the connection with GOAWAY.
func (h *conn) fail(why http2.Code) {
	if !h.failed {
		h.goaway(why)
		h.failed = true
	}
}

func (h *conn) goaway(why http2.Code) {
	h.closing = true
	b := http2.AppendHead(h.out.room(), 8, http2.FrameGoaway, 0, 0)
	b = append(b, byte(h.lastID>>24), byte(h.lastID>>16), byte(h.lastID>>8), byte(h.lastID))
	b = append(b, byte(why>>24), byte(why>>16), byte(why>>8), byte(why))
	h.out.put(b)
}

// close ends all streams and, once their fibers have ended, the connection.
func (h *conn) close() {
	h.out.flush()
	if b := h.block; b != nil && b.stream != nil {
		b.stream.drop() // its request has not begun
	}
	for _, s := range h.streams {
		s.abort()
	}
	for h.processing > 0 {
		h.reader.Uncancel()
		h.reader.Park()
	}
	if h.done {
		return
	}
	h.end()
	lc := http.CoreOf(h.c.Server)
	if h.c.PeerClosed() || lc.LingeringClose.V == http.LingeringOff {
		h.c.Close()
	} else {
		h.c.CloseLinger(lc.LingeringTime.V, lc.LingeringTimeout.V)
	}
	h.c.Release()
}

// IdleTimeout implements http.IdleTimeouter.
func (h *conn) IdleTimeout() {
	h.fail(http2.NoError)
	h.out.tryFlush()
	h.end()
}

// end lets go of what the connection holds.
func (h *conn) end() {
	h.done = true
	h.out.drop()
	delete(mainSlot.Of(h.c.Server.Scope()).conns, h)
}

// quit tells the client, when the worker shuts down, that nothing more will be
// answered than what has begun.
func (h *conn) quit() {
	if !h.closing && !h.failed {
		h.goaway(http2.NoError)
	}
	if h.reader != nil {
		h.reader.Ready()
	}
}

// receive reads frames and acts on them until there are no more bytes.
func (h *conn) receive() error {
	mem := readBuffers.Get().(*[readSize]byte)
	defer readBuffers.Put(mem)
	buf := mem[:]
	n := copy(buf, h.rest)
	h.rest = h.rest[:0]
	for {
		m, err := h.read(buf[n:])
		if err != nil {
			h.rest = append(h.rest, buf[:n]...)
			if cap(h.rest) > 4096 && n == 0 {
				h.rest = nil
			}
			return err
		}
		h.total += int64(m)
		n += m
		used := h.frames(buf[:n])
		if h.failed {
			return nil
		}
		n = copy(buf, buf[used:n])
		if h.total/8 > h.useful+1<<20 {
			h.c.Log.Log(log.Info, nil, "http2 flood detected")
			h.fail(http2.NoError)
			return nil
		}
	}
}

// read reads without waiting.
func (h *conn) read(p []byte) (int, error) {
	if h.c.TLS != nil {
		return h.c.IO.Read(p)
	}
	return h.c.TryRead(p)
}

// frames acts on the complete frames in b and returns how much of b they are.
func (h *conn) frames(b []byte) (used int) {
	if !h.ready {
		n := min(len(b), len(http2.Preface))
		switch {
		case string(b[:n]) != http2.Preface[:n]:
			h.c.Log.Log(log.Info, nil, "invalid connection preface")
			h.fail(http2.ProtocolError)
			return 0
		case n < len(http2.Preface):
			return 0
		}
		h.ready, used = true, n
	}
	for len(b)-used >= http2.HeadSize && !h.failed {
		f, length := http2.ParseHead(b[used:])
		if f.Kind == http2.FramePush || length > maxReceived && f.Kind > http2.FramePush {
			h.frame(&f)
			return used
		}
		if length > maxReceived {
			h.c.Log.Log(log.Info, nil, "client sent too large frame: %d", length)
			h.fail(http2.FrameSizeError)
			return used
		}
		if len(b)-used < http2.HeadSize+length {
			break
		}
		f.Payload = b[used+http2.HeadSize : used+http2.HeadSize+length : used+http2.HeadSize+length]
		used += http2.HeadSize + length
		if !h.frame(&f) {
			break
		}
	}
	return used
}
