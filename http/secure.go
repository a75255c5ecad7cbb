package http

import (
	"time"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/tls"
)

// TLSInfo is what the request side needs to know of TLS.
type TLSInfo interface {
	// ServerName is the SNI name, "" without one.
	ServerName() string
	// Shutdown says to the peer that nothing more will be sent, without waiting.
	Shutdown()
	// Release gives the memory back without a word to the peer.
	Release()
}

// TLS is what connections and requests of addresses with "ssl" go through.
type TLS interface {
	// Handshake turns a connection whose first bytes have arrived into one of
	// TLS: it sets IO and TLS, and the server that the client named. A client
	// that speaks plain HTTP is let through as it is. False means that the
	// connection is gone.
	Handshake(c *Conn) bool
	// Admit decides about a request whose header is complete: OK or the status
	// to refuse it with.
	Admit(r *Request) Verdict
	// Context is what a server's connections have in common, nil for one without
	// certificates.
	Context(server *conf.Scope) *tls.Context
	// Verifies reports whether a server asks clients for certificates.
	Verifies(s *ServerConf) bool
}

// NameServer puts the server into effect that has the name which the client
// gave in the TLS handshake; names that no server has change nothing.
func (c *Conn) NameServer(host string) error {
	s, re, err := c.Addr.Lookup(host)
	if s == nil || err != nil {
		return err
	}
	c.Server, c.sni = s, sniName{host, re}
	c.Log = c.Log.WithLogger(s.logger(c.Worker))
	return nil
}

// sniName is the name in a TLS handshake that chose the server, and the regular
// expression that did so.
type sniName struct {
	host string
	re   *Regex
}

// ChooseServer is FindServer for a request of a connection whose handshake may
// have named a server already: nginx's ngx_http_set_virtual_server. OK, or a
// status to refuse the request with.
func (r *Request) ChooseServer(host string) Verdict {
	c := r.Conn
	if c.sni.host != "" && c.sni.host == host {
		if c.sni.re != nil {
			if _, err := c.sni.re.Exec(r, host); err != nil {
				r.Logf(log.Alert, nil, "%s", err)
				return StatusInternalServerError
			}
		}
		r.enterServer(c.Server)
		return OK
	}
	if !r.FindServer(host) {
		return StatusInternalServerError
	}
	if c.sni.host != "" && r.mainConf().Options.TLS.Verifies(r.Server) {
		r.Logf(log.Info, nil, "client attempted to request the server name different from the one that was negotiated")
		return StatusMisdirectedRequest
	}
	return OK
}

// logger is the server's own, or that of the main context.
func (s *ServerConf) logger(w *Worker) *log.Logger {
	if l := coreLoc.Of(s.scope).ErrorLog; l != nil {
		return l
	}
	return w.Cycle.Log()
}

// Close closes the connection. Over TLS the peer is told before, unless it has
// closed or the connection has failed.
func (c *Conn) Close() {
	c.endTLS()
	c.Conn.Close()
}

// CloseLinger is event.Conn's; over TLS the peer is told before.
func (c *Conn) CloseLinger(total, each time.Duration) {
	c.endTLS()
	c.Conn.CloseLinger(total, each)
}

func (c *Conn) endTLS() {
	switch {
	case c.TLS == nil:
	case c.Failed || c.PeerClosed():
		c.TLS.Release()
	default:
		c.TLS.Shutdown()
	}
}

// admit asks TLS about a request that came to an address with "ssl".
func (r *Request) admit() Verdict {
	if !r.Conn.Addr.SSL {
		return OK
	}
	return r.mainConf().Options.TLS.Admit(r)
}

// CoreOf returns the core module's location configuration of a server itself.
func CoreOf(s *ServerConf) *LocConf { return coreLoc.Of(s.scope) }

// Place is where the server stands in the configuration.
func (s *ServerConf) Place() (file string, line int) { return s.file, s.line }
