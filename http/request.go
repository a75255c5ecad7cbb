package http

import (
	"time"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/http/wire"
)

// Method is a request method as a bit, so that sets of methods are masks.
type Method = wire.Method

// Protocol versions as nginx numbers them.
const (
	Version9  = 9
	Version10 = 1000
	Version11 = 1001
	Version20 = 2000
	Version30 = 3000
)

// maxURIChanges bounds internal redirects and rewrites of one request.
const maxURIChanges = 10

// maxSubrequests bounds the nesting of subrequests.
const maxSubrequests = 50

// Request is a request on its way through the phases: nginx's
// ngx_http_request_t. Its strings live in Pool, or in the connection's header
// buffers, until the request ends; whoever keeps one longer clones it.
//
// Requests are pooled. A Request belongs to the worker's loop and is touched
// by its own fiber and, for subrequests, by their fibers in turn.
type Request struct {
	requestState

	In  HeadersIn
	Out HeadersOut
	// Captures are the groups of the last regular expression that matched:
	// offsets into CapturesData in pairs, -1 for an unset group.
	Captures []int

	ownVars   []cached
	ctx       []any
	bodyChain []*Module
	cleanups  []func()
	one       [1]Buf
	three     [3]Buf
	arena     buf.Arena
	ownBody   Body // that ReadBody reads
}

// requestState is what is cleared as a whole when a Request goes back to the
// pool. The rest of it has memory that is kept.
type requestState struct {
	Conn *Conn
	// Main is the request that came from the client; Parent the one that made
	// this subrequest, nil for Main itself.
	Main, Parent *Request
	// Stream is where the protocol keeps its state of this request and how the
	// response is sent; subrequests share Main's.
	Stream Stream
	Pool   *buf.Arena
	Log    log.Entry

	// The request line. URI is decoded and normalized; UnparsedURI is as sent.
	Method       Method
	MethodName   string
	RequestLine  string
	UnparsedURI  string
	URI          string
	Args         string
	Exten        string
	HTTPProtocol string
	Version      int
	// Schema is the scheme of an absolute request URI, "" otherwise.
	Schema string
	// HostName is the validated host that the client asked for (from the
	// request line or Host), lower case and without the port; Port is the port
	// given there, 0 when none.
	HostName string
	Port     int
	// partialLine is what there is of a request line that cannot be read.
	partialLine string

	// Body is the request body once it was read, else nil.
	Body *Body

	// Scope holds the configuration in effect, Core the core module's part of
	// it, Server the server's.
	Scope  *conf.Scope
	Core   *LocConf
	Server *ServerConf
	plan   *plan

	// Start is when the first byte arrived.
	Start time.Time

	CapturesData string

	// Content is the content handler that the location or a script chose;
	// without one the handlers of the content phase are asked.
	Content Handler

	// URIChanges counts down the internal redirects that are left.
	URIChanges int
	// Depth counts down the nesting of subrequests that is left.
	Depth int

	// KeepAlive: the connection may serve another request after this one.
	KeepAlive bool
	// Flags that parts of the server leave for others, as in nginx.
	Internal       bool // reached by a redirect or as a subrequest
	HeaderOnly     bool // no body goes out
	HeaderSent     bool // the header went out
	HadOutput      bool // some of the body was produced
	URIChanged     bool // a rewrite asks for a new location
	ComplexURI     bool // the URI needed decoding or normalizing
	QuotedURI      bool // the URI had escapes
	PlusInURI      bool // the URI had a plus sign
	EmptyPathInURI bool // an absolute URI without a path
	ValidUnparsed  bool // UnparsedURI still means URI
	ValidLocation  bool // no internal redirect yet: the location is the URI's own
	AddURIToAlias  bool // the location is a regex with alias
	ExpectTested   bool // Expect was dealt with
	ErrorPage      bool // an error_page is being produced
	DisableNotMod  bool // conditional headers do not apply
	AllowRanges    bool // Range applies to the response
	SingleRange    bool // only a single range is allowed
	SubrangeOK     bool // ranges apply though this is a subrequest
	NeedInMemory   bool // some filter needs bytes in memory, not files
	Chunked        bool // the response is framed in chunks
	ExpectTrailers bool // there may be trailers, so that chunks are wanted
	Pipelined      bool // the request was sent before the reply to the one before it
	LingeringClose bool // unread body bytes may be on their way
	EmptyArgs      bool // Args is empty, but something has set it: $args is found
	BodyDiscarded  bool // the rest of the request body is of no interest
	LimitRateSet   bool // LimitRate was decided
	PersistentBody bool // a temporary file with the request body has a name while the request lasts
	BodyInFile     bool // the whole request body goes to a temporary file
	// LimitRateAfterSet: LimitRateAfter was decided.
	LimitRateAfterSet bool
	GzipTested        bool // GzipAllowed was computed
	GzipAllowed       bool
	GzipVary          bool
	FilterFinalize    bool // an error page replaced a response from within a filter
	Complete          bool // $request_completion
	PostAction        bool // the post_action request is running; nothing is sent
	Background        bool // a background subrequest
	InMemory          bool // output is kept for the parent instead of sent
	logged            bool

	// Rate limit of the response in bytes per second, 0 for none, and the
	// bytes that are free of it.
	LimitRate, LimitRateAfter int64

	// Upstream adds what the log says of the upstream in use.
	Upstream UpstreamLog

	// ErrStatus is the status that error handling decided on.
	ErrStatus int
	// BytesSent counts what went out on the connection for this request.
	BytesSent int64
	// HeaderSize is the size of the response header.
	HeaderSize int64
	// RequestLength counts the bytes of request line, header and body.
	RequestLength int64

	vars     []cached // the main request's, shared by its subrequests
	getters  int      // of variables that run, in the main request
	phase    int
	accessRC Verdict
	filter   *Module // whose header filter is running
	holding  bool    // it holds the header back
	heldAt   int     // 1 + the place of the filter that holds the header back
	sub      subState
	counted  countedState
	watch    clientWatch
}

// Stream is how one request speaks to its client: HTTP/1's connection or an
// HTTP/2 stream. All methods park the fiber as needed.
type Stream interface {
	// SendHeader writes status line and fields from r.Out.
	SendHeader(r *Request) error
	// SendBody writes pieces of the body; framing is the stream's business.
	SendBody(r *Request, bufs []Buf) error
	// ReadBody reads some of the decoded request body, at least one byte; 0
	// bytes and OK are its end. Other verdicts end the request.
	ReadBody(r *Request, p []byte) (int, Verdict)
	// DiscardBody drops what has arrived of the body, without waiting.
	DiscardBody(r *Request) Verdict
	// BodyAhead is, in bytes, what of the body has arrived with the header, and
	// the room that is left behind that in the buffer of the header.
	BodyAhead() (arrived, room int)
	// Continue answers "Expect: 100-continue" if it is due.
	Continue(r *Request) Verdict
}

// IsMain reports whether r came from the client.
func (r *Request) IsMain() bool { return r == r.Main }

// Loop returns the worker's event loop.
func (r *Request) Loop() *event.Loop { return r.Conn.Worker.Loop }

// Cleanup has f run when the request ends, last in first out.
func (r *Request) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

// SetScope puts the configuration of a server or location into effect.
func (r *Request) SetScope(sc *conf.Scope) {
	r.Scope = sc
	r.Core = coreLoc.Of(sc)
	r.Server = coreSrv.Of(sc)
	r.plan = r.mainConf().planOf(sc)
}

// SetURI changes the URI and derives what hangs on it.
func (r *Request) SetURI(uri string) {
	r.URI = uri
	r.ValidUnparsed = false
	r.SetExten()
}

// SetExten derives the file name extension from the URI.
func (r *Request) SetExten() {
	r.Exten = ""
	for i := len(r.URI) - 1; i > 0; i-- {
		switch c := r.URI[i]; {
		case c == '.' && r.URI[i-1] != '/':
			r.Exten = r.URI[i+1:]
			return
		case c == '/':
			return
		}
	}
}

func (r *Request) mainConf() *MainConf { return r.Conn.Worker.Main }
