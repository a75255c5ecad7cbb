package upstream

import (
	"strings"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
)

// Protocol is what a module makes of an exchange: how the request looks on the
// wire and how the response is read.
type Protocol interface {
	// Request builds the request with Exchange.Begin. Other verdicts than OK
	// end the client's request.
	Request(e *Exchange) http.Verdict
	// Restart forgets what was read of a response, for another peer.
	Restart(e *Exchange)
	// Header goes on with the response header in Exchange.Unread.
	Header(e *Exchange) Header
	// StartBody sets Exchange.Length, and Keep where there is no body. An
	// error, which it has logged, ends the exchange.
	StartBody(e *Exchange) error
	// Body takes bytes of the body as they came and hands what is data in them
	// to Exchange.Data. It keeps Length and Keep up to date. An error, which
	// it has logged, ends the exchange.
	Body(e *Exchange, b []byte) error
}

// Header is what Protocol.Header came to.
type Header uint8

// The results of reading a response header.
const (
	// HeaderAgain: it is not complete.
	HeaderAgain Header = iota
	HeaderDone
	// HeaderEarlyHints: this was a 103 response, the final one is to follow.
	HeaderEarlyHints
	// HeaderInvalid: it makes no sense, which was logged.
	HeaderInvalid
	// HeaderFailed: the request cannot go on here.
	HeaderFailed
)

// Rewriter is a Protocol that rewrites fields of the response.
type Rewriter interface {
	// Redirect rewrites a URL of a Location or Refresh field from an offset
	// on.
	Redirect(e *Exchange, value string, from int) (string, bool)
	// Cookie rewrites a Set-Cookie field.
	Cookie(e *Exchange, value string) (string, bool)
}

// Finisher is a Protocol that wants to know when the exchange is over.
type Finisher interface {
	Finish(e *Exchange, v http.Verdict)
}

// Until is the Length of a body that ends when the connection does.
const Until = -1

// Exchange is one request's dealings with the peers of an upstream: nginx's
// ngx_http_upstream_t. It lives until the end of the request, for the log.
type Exchange struct {
	R        *http.Request
	Conf     *Conf
	Traits   *Traits
	Protocol Protocol
	// Kept is what the last Protocol left here for the next one of its kind: exchanges are used again.
	Kept     any
	Upstream *Upstream
	Balancer Balancer
	RR       RoundRobin
	// Peer is the one in use, nil between two.
	Peer *Peer
	// Tries counts down the peers that may be tried.
	Tries int
	// Hint is the session that sticky found.
	Hint string
	// Schema and URI are those of the request, for the log.
	Schema, URI string
	// TLS: the peers speak TLS.
	TLS bool
	// Authority is the address passed to, as the peers know it.
	Authority string
	// Streaming: the client's body is passed on as it arrives.
	Streaming bool
	// ALPN is the name of the protocol where it is to be agreed on with TLS, and
	// where connections of one are of no use for another; "" for HTTP/1.1.
	ALPN string
	// Given is the body that BodyGiven stands for.
	Given []byte
	// Method replaces the request's when the cache wants another.
	Method string
	// OnHeader, if not nil, is called when a response's header is there.
	OnHeader func()
	// Target is the address that variables gave, with Upstream nil.
	Target *Target
	Terms

	// In is the response's header.
	In Response
	// Length is how much of the response's body must still come: 0 when it is
	// complete, Until when only its end tells, else at least so many bytes.
	Length int64
	// Keep: the connection can serve another exchange after this response.
	Keep bool
	// Broken: the response is not complete and will not be. What has come is
	// passed on.
	Broken bool
	// Upgrade: the connection becomes a tunnel.
	Upgrade bool
	// Buffering: the response is read as fast as it comes.
	Buffering bool
	// Cacheable: the response may be kept in a cache.
	Cacheable bool

	main     *Main
	link     *link
	refusal  refusal
	state    *State
	states   []State
	peerName string
	bind     unix.Sockaddr // of PREFIX_bind, nil for any
	bindText string
	start    int64 // of the current try, in NowMsec
	began    int64 // of the first one
	cached   bool  // the connection had been kept

	greeting []byte // what goes before the request
	req      []byte // the request up to its body
	body     Body
	sent     bool // something of the request was sent
	bodySent bool // all of it was sent
	received bool // something of the response was received
	started  bool // the header has gone to the client
	finished bool
	watching *event.Fiber
	buf      []byte
	rd, wr   int
	hints    int // bytes of early hints
	pieces   [][]byte
	out      []http.Buf
	pipe     pipe
	sender   sender
	release  func()
	caching
}

// Of returns the exchange of a request, nil if there was none.
func OfRequest(r *http.Request) *Exchange {
	e, _ := r.Upstream.(*Exchange)
	return e
}

// New begins an exchange for a request; Run does the rest.
func New(r *http.Request, c *Conf, t *Traits, p Protocol) *Exchange {
	m := mainSlot.Of(r.Scope)
	e := m.pool.get()
	e.main, e.R, e.Conf, e.Traits, e.Protocol = m, r, c, t, p
	e.Upstream, e.Buffering, e.Schema = c.Upstream, c.Buffering.V, t.Schema
	e.ConnectTimeout, e.SendTimeout, e.ReadTimeout = c.ConnectTimeout.V, c.SendTimeout.V, c.ReadTimeout.V
	e.In.reset()
	if old := OfRequest(r); old != nil {
		e.states = append(e.states[:0], old.states...)
	}
	r.Upstream = e
	r.Cleanup(e.release)
	return e
}

// Run speaks with the peers until a response has been sent to the client or
// there is none to be had. The request's body must have been read, unless
// Unbuffered was called.
func (e *Exchange) Run() http.Verdict {
	if v, done := e.purges(); done {
		return v
	}
	if e.Conf.Cache.On() {
		if v, done := e.lookUp(); done {
			return v
		}
	}
	e.watch()
	v := e.run()
	e.unwatch()
	return v
}

// watch has the exchange end when the client goes away, unless the response is
// of use to others.
func (e *Exchange) watch() {
	r := e.R
	if e.watching == nil && !r.PostAction && !e.Conf.IgnoreClientAbort.V && !e.storing() {
		e.watching = r.Loop().Current()
		r.WatchClient(e.watching)
	}
}

func (e *Exchange) unwatch() {
	if e.watching == nil {
		return
	}
	e.R.UnwatchClient(e.watching)
	if e.watching.Err() == event.ErrPeerClosed {
		e.watching.Uncancel()
	}
	e.watching = nil
}

func (e *Exchange) run() http.Verdict {
	if v := e.Protocol.Request(e); v != http.OK {
		return e.finish(v)
	}
	if b := e.Conf.Bind.V; b != nil {
		e.bind, e.bindText = b.local(e.R)
	}
	if len(e.states) > 0 {
		e.states = append(e.states, State{}) // the ":" of an internal redirect
	}
	if v := e.choosePeers(); v != http.OK {
		return e.finish(v)
	}
	e.began = e.Msec()
	if n := int(e.Conf.NextTries.V); n > 0 {
		e.Tries = min(e.Tries, n)
	}
	for {
		fail, v := e.try()
		if v != http.OK {
			return e.finish(v)
		}
		if fail == 0 {
			fail, v = e.headerReceived()
		}
		if fail == 0 {
			return v
		}
		if v, again := e.next(fail); !again {
			return e.finish(v)
		}
	}
}

// try does one exchange with one peer up to the response's header.
func (e *Exchange) try() (fail int, v http.Verdict) {
	e.newState()
	if fail, v = e.connect(); fail != 0 || v != http.OK {
		return fail, v
	}
	if e.sent || e.received {
		e.restart()
	}
	e.sent, e.bodySent, e.received = false, false, false
	e.state.ConnectTime = e.Msec() - e.start
	if c, ok := e.Protocol.(Connecter); ok {
		c.Connected(e)
	}
	if fail, v = e.send(); fail != 0 || v != http.OK {
		return fail, v
	}
	return e.readHeader()
}

// restart forgets the response of the peer before.
func (e *Exchange) restart() {
	e.Protocol.Restart(e)
	start := e.headerStart()
	e.hints, e.rd, e.wr = 0, start, start
	e.Keep, e.Upgrade, e.Broken = false, false, false
	e.In.reset()
}

// headerReceived decides what becomes of a response whose header is complete.
func (e *Exchange) headerReceived() (fail int, v http.Verdict) {
	e.state.HeaderTime = e.Msec() - e.start
	if e.In.Status >= int(http.StatusSpecialResponse) {
		if fail := e.statusFails(); fail != 0 {
			return fail, http.OK
		}
		if v, done := e.instead(); done {
			return 0, v
		}
		if v := e.intercept(); v != http.OK {
			e.keepStatus(v)
			return 0, e.finish(v)
		}
	}
	if e.OnHeader != nil {
		e.OnHeader()
	}
	if v, done := e.passHeader(); done {
		return 0, v
	}
	return 0, e.respond()
}

// finish ends the exchange: nginx's ngx_http_upstream_finalize_request.
func (e *Exchange) finish(v http.Verdict) http.Verdict {
	if e.finished {
		return v
	}
	e.finished = true
	e.sender.stop()
	e.settle()
	if f, ok := e.Protocol.(Finisher); ok {
		f.Finish(e, v)
	}
	if e.Peer != nil {
		e.freePeer(PeerDone)
	}
	e.closeLink()
	e.freeEntry(v)
	if v == http.Declined {
		return v
	}
	r := e.R
	r.Conn.Action = "sending to client"
	switch {
	case !e.started, v == http.StatusRequestTimeOut, v == http.StatusClientClosed:
		return v
	case v >= http.StatusSpecialResponse:
		r.KeepAlive = false
		if !r.HeaderOnly {
			r.Flush()
		}
		return http.Error
	}
	return v
}

// settle completes the record of the current try.
func (e *Exchange) settle() {
	if s := e.state; s != nil && s.ResponseTime == unset {
		s.ResponseTime = e.Msec() - e.start
		if e.pipe.read > 0 {
			s.BytesReceived += e.pipe.read - e.pipe.preread
			s.ResponseLength = e.pipe.read
		}
		if e.link != nil {
			s.BytesSent = e.link.sent
		}
	}
}

// freePeer lets the balancer know, and keeps the connection if that is of use.
func (e *Exchange) freePeer(how Outcome) {
	if e.link != nil {
		e.state.BytesSent = e.link.sent
		e.saveSession()
		if how != PeerFailed && e.Keep && e.bodySent && e.keepLink() {
			e.link = nil
		}
	}
	e.Balancer.Free(e, how)
	e.Peer, e.Hint = nil, ""
}

func (e *Exchange) closeLink() {
	if e.link != nil {
		e.link.Close()
		e.link = nil
	}
}

// aborted reports whether err comes from the client having gone, or from the
// worker ending; it then says so in the log.
func (e *Exchange) aborted(err error) bool {
	f := e.R.Loop().Current()
	if err == nil || f == nil || f.Err() == nil || f.Err() != err {
		return false
	}
	if err == event.ErrPeerClosed {
		f.Uncancel()
		text := "epoll_wait() reported that client prematurely closed connection"
		if e.link != nil {
			text += ", so upstream connection is closed too"
		}
		e.R.Logf(log.Info, nil, "%s", text)
	}
	e.R.Conn.Failed = true
	return true
}

// Now is the time in seconds, as balancers count it.
func (e *Exchange) Now() int64 { return e.R.Loop().Now().Unix() }

// Msec is the loop's clock.
func (e *Exchange) Msec() int64 { return e.R.Loop().NowMsec() }

// State is the record of the current try.
func (e *Exchange) State() *State { return e.state }

// NoPeer says that there is no peer left among p, for the log.
func (e *Exchange) NoPeer(p *Peers) { e.peerName = p.Name }

// AppendLog implements http.UpstreamLog.
func (e *Exchange) AppendLog(b []byte) []byte {
	if e.peerName == "" {
		return b
	}
	b = append(append(append(b, `, upstream: "`...), e.Schema...), e.peerName...)
	if strings.HasPrefix(e.peerName, "unix:") {
		b = append(b, ':')
	}
	return append(append(b, e.URI...), '"')
}
