package http

import (
	"net/netip"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
)

// Worker is what lives once per worker process.
type Worker struct {
	*process.Worker
	Main *MainConf
	// Clock has the texts of the current second.
	Clock *log.Clock
	// H1 is where the HTTP/1 protocol keeps its buffers.
	H1 any
	// Copies are what pieces of files are read into on their way.
	Copies CopyBuffers

	pool  requestPool
	conns []*Conn
	files filePool
}

// IO is a client connection as the protocols see it: a plain event.Conn or TLS
// over one. All methods park the fiber.
type IO interface {
	Read(p []byte) (int, error)
	Writev(bufs [][]byte) (int64, error)
	// Sendfile sends n bytes of a file from off, at most chunk in one call.
	Sendfile(fd int, off, n, chunk int64) (int64, error)
}

// Conn is a client connection: nginx's ngx_connection_t and
// ngx_http_connection_t.
type Conn struct {
	*event.Conn
	// IO is the byte stream, Event itself unless TLS is in between.
	IO     IO
	Worker *Worker
	// Addr is the configured address it came in on.
	Addr *Address
	// Server is the server until a request names one: the address's default, or
	// the one that the client named in the TLS handshake.
	Server *ServerConf
	sni    sniName
	// Log is the connection's logger.
	Log log.Entry
	// Requests counts the requests served on it, the current one included.
	Requests int64
	// Peer holds the client's address as text, computed once; realip replaces it.
	Peer PeerAddr
	// TLS state, nil on plain connections.
	TLS TLSInfo
	// Proxy is the PROXY protocol header, nil without one.
	Proxy *ProxyHeader
	// Current is the request in progress, nil between requests.
	Current *Request
	// Action says what is being done, for the log: " while " and this.
	Action string
	// State is where the protocol keeps its own.
	State any
	// The flags stand together because idle connections are many.
	// Failed: writing or reading failed; nothing can be sent any more.
	Failed bool
	// TimedOut: the client took too long, which reset_timedout_connection asks.
	TimedOut bool
	// Unix: the client came through a Unix-domain socket.
	Unix bool
	// NoDelay: TCP_NODELAY is set.
	NoDelay bool
}

// ProxyHeader is what a PROXY protocol header said.
type ProxyHeader struct {
	SrcAddr, DstAddr string
	SrcPort, DstPort uint16
	// TLV returns the value of a type-length-value record of version 2.
	TLV func(name string) (string, bool)
}

// PeerAddr is the client's address in the forms that variables print.
type PeerAddr struct {
	// Addr is the zero Addr on unix domain sockets.
	Addr netip.Addr
	// Text is the address without the port ("127.0.0.1", "::1", "unix:").
	Text string
	Port uint16
}
