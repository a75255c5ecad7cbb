package h2

import (
	"errors"
	"io"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
	"moongate/http/wire/http2"
)

// conn is a connection of HTTP/2: nginx's ngx_http_v2_connection_t.
type conn struct {
	c *http.Conn

	// rest is what has come of the preface or of the head of a frame, coming what
	// is expected of a payload.
	rest    [maxRest]byte
	restLen uint8
	coming  payload
	ready   bool // the preface was read
	closing bool // GOAWAY was sent
	failed  bool // nothing can be sent or received any more
	done    bool // closed
	reader  *event.Fiber

	tree   tree // all streams are in it
	lastID uint32
	// processing counts the requests that run, cancelled ones too.
	processing int
	fresh      int // streams since the last wait
	refused    int
	idles      int
	// priorities is how many PRIORITY frames may still come.
	priorities int64
	late       uint32 // the last stream whose header took too long
	// ended are the last streams that the client has ended.
	ended   [16]uint32
	endedAt int

	decoder *http2.Decoder
	block   headerBlock

	// Bytes received, and those of them that were of use.
	total, useful int64

	recvWindow int64
	window     int64 // for sending
	initWindow int64 // of new streams, for sending
	delta      int64 // what settings that are being received add to it
	frameSize  int
	acked      bool // our settings
	// resized: the client changed its table's size, which is answered by not using
	// it.
	resized bool

	queue []*stream // that wait for room to send
	turn  *stream   // that may send
	out   output
}

// newConn makes the state of a connection.
func newConn(c *http.Conn) *conn {
	h := &conn{c: c, recvWindow: http2.MaxWindow, window: http2.DefaultWindow, initWindow: http2.DefaultWindow, frameSize: http2.MaxFrame}
	h.decoder = http2.NewDecoder()
	h.tree = newTree(int(h.conf().indexSize.V))
	h.priorities = max(h.conf().streams.V, leastRefused)
	h.out.init(h)
	c.State = h
	w := workerOf(c)
	w.conns[h] = true
	return h
}

// conf is the server's configuration that streams begin with.
func (h *conn) conf() *srvConf { return srvSlot.Of(h.c.Server.Scope()) }

// start sends the settings (ngx_http_v2_init).
func (h *conn) start() {
	h.c.Action = "processing HTTP/2 connection"
	b := h.out.control()
	b = http2.AppendHead(b, 18, http2.FrameSettings, 0, 0)
	b = http2.AppendSetting(b, http2.SettingMaxStreams, uint32(h.conf().streams.V))
	b = http2.AppendSetting(b, http2.SettingInitialWindow, uint32(h.conf().prereadSize.V))
	b = http2.AppendSetting(b, http2.SettingMaxFrameSize, maxReceived)
	b = http2.AppendNumber(b, http2.FrameWindow, 0, http2.MaxWindow-http2.DefaultWindow)
	h.out.put(b)
	h.serve()
}

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
		if !h.giveUpHeader() {
			h.c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
			h.fail(http2.ProtocolError)
		}
	default:
		h.failed = true
	}
}

// inHeader reports whether a header block has begun to arrive that was not
// given up.
func (h *conn) inHeader() bool { return h.block.id > h.late }

// giveUpHeader resets the stream whose header takes too long; the header is
// still to be received. It does so once.
func (h *conn) giveUpHeader() bool {
	id := h.block.id
	if id == 0 || id <= h.late {
		return false
	}
	h.late = id
	c := h.c
	if s := h.block.stream; s != nil {
		c = s.c
	}
	c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
	h.unread(http.StatusRequestTimeOut)
	h.out.putControl(http2.AppendNumber(h.out.control(), http2.FrameRST, id, uint32(http2.ProtocolError)))
	return true
}

// unread ends the stream whose header has not become complete, if there is one:
// it is only logged, with a status or 0.
func (h *conn) unread(status http.Verdict) {
	b := &h.block
	s := b.stream
	if s == nil {
		return
	}
	b.stream = nil
	s.r.RequestLength = b.length
	s.r.Out.Status = int(status)
	s.r.FinishUnread()
	s.leave()
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
	case err == io.EOF && (h.incomplete() || h.processing > 0):
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
	h.out.putControl(http2.AppendGoaway(h.out.control(), h.lastID, why))
}

// close ends all streams and, once their fibers have ended, the connection.
func (h *conn) close() {
	h.out.flush()
	h.unread(0)
	h.abort()
	for h.processing > 0 {
		h.reader.Uncancel()
		h.reader.Park()
	}
	if !h.done {
		h.end()
	}
}

// abort lets the requests of all streams know that the client is gone.
func (h *conn) abort() {
	for _, n := range h.tree.buckets {
		for ; n != nil; n = n.index {
			if n.stream != nil {
				n.stream.abort()
			}
		}
	}
}

// IdleTimeout implements http.IdleTimeouter.
func (h *conn) IdleTimeout() {
	h.fail(http2.NoError)
	h.out.tryFlush()
	h.end()
}

// end closes the connection and lets go of what it holds. What was sent last is
// to arrive, whatever the client still sends.
func (h *conn) end() {
	h.done = true
	h.out.drop()
	delete(workerOf(h.c).conns, h)
	lc := http.CoreOf(h.c.Server)
	if lc.LingeringClose.V == http.LingeringOff {
		h.c.Close()
	} else {
		h.c.CloseLinger(lc.LingeringTime.V, lc.LingeringTimeout.V)
	}
	h.c.Release()
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
