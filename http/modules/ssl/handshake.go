package ssl

import (
	"errors"
	"io"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/buf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/tls"
	"moongate/http"
	"moongate/http/h2"
	"moongate/http/wire"
)

// TLS is what http.Options.TLS is to be.
var TLS http.TLS = secure{}

type secure struct{}

// contentHandshake is the first byte of a TLS connection; one with the highest
// bit set may be of SSLv2, for the error that it deserves.
const contentHandshake = 22

// Handshake implements http.TLS: nginx's ngx_http_ssl_handshake.
func (secure) Handshake(c *http.Conn) bool {
	c.Action = "SSL handshaking"
	var first [1]byte
	for {
		n, err := c.TryPeek(first[:])
		if err == event.ErrAgain {
			err = c.WaitReadable(c.Server.ClientHeaderTimeout.V)
			if err == nil {
				continue
			}
		}
		if err == nil && n == 1 {
			break
		}
		peekFailed(c, err)
		return false
	}
	if first[0]&0x80 == 0 && first[0] != contentHandshake {
		c.Action = "waiting for request"
		return true // plain HTTP
	}
	if http.CoreOf(c.Server).TCPNodelay.V && !c.Unix && !c.NoDelay {
		c.NoDelay = true
		if err := c.SetNoDelay(true); err != nil {
			c.Log.Log(log.Crit, err, "setsockopt(TCP_NODELAY) failed")
		}
	}
	c.Log.Log(log.DebugCore, nil, "reusable connection: 0")
	s := slot.Of(c.Server.Scope())
	t := tls.Server(c.Conn, s.ctx)
	t.Data, c.TLS = c, t
	if err := t.Handshake(c.Server.ClientHeaderTimeout.V); err != nil {
		handshakeFailed(c, t, err)
		return false
	}
	c.Log.Log(log.DebugEvent, nil, "SSL_do_handshake: 1")
	if s = slot.Of(c.Server.Scope()); s.ocsp.V != ocspOff && s.verify.V != verifyOff {
		s.validate(c, t)
	}
	c.IO = t
	c.Action = "waiting for request"
	return true
}

// peekFailed ends a connection that said nothing.
func peekFailed(c *http.Conn, err error) {
	switch {
	case errors.Is(err, event.ErrTimeout):
		c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
	case err == io.EOF || err == nil:
		c.Log.Log(log.Info, nil, "client closed connection")
	case errors.Is(err, event.ErrClosed):
	default:
		c.Log.Log(log.Info, err, "recv() failed")
	}
	c.Close()
	c.Release()
}

// handshakeFailed logs why a handshake failed and closes the connection.
func handshakeFailed(c *http.Conn, t *tls.Conn, err error) {
	switch {
	case errors.Is(err, event.ErrTimeout):
		c.Log.Log(log.Info, unix.ETIMEDOUT, "client timed out")
	case errors.Is(err, errRejected):
		c.Log.Log(log.Info, nil, "handshake rejected")
	case errors.Is(err, event.ErrClosed):
	default:
		level, text, cause := tls.Explain(err)
		c.Log.Log(level, cause, "%s", text)
	}
	t.Release()
	c.Close()
	c.Release()
}

// errRejected is the error of a handshake that ssl_reject_handshake refuses.
var errRejected = tls.ErrRejected

// alpn are the protocols, of which the first needs "http2 on".
var alpn = []string{"h2", "http/1.1", "http/1.0", "http/0.9"}

// selectServer finds the server that the client names (ngx_http_ssl_servername).
func selectServer(t *tls.Conn, h *tls.Hello) (*tls.Context, []string, error) {
	c := t.Data.(*http.Conn)
	if name := h.ServerName; name != "" {
		host, _, ok := wire.ParseHost(make([]byte, len(name)), buf.Bytes(name))
		if ok {
			if err := c.NameServer(string(host)); err != nil {
				c.Log.Log(log.Alert, nil, "%s", err)
				return nil, nil, err
			}
		}
	}
	s := slot.Of(c.Server.Scope())
	if s.rejectHandshake.V {
		return nil, nil, errRejected
	}
	if h2.Enabled(c) {
		return s.ctx, alpn, nil
	}
	return s.ctx, alpn[1:], nil
}

// Context implements http.TLS.
func (secure) Context(server *conf.Scope) *tls.Context { return slot.Of(server).ctx }

// Verifies implements http.TLS.
func (secure) Verifies(s *http.ServerConf) bool { return slot.Of(s.Scope()).verify.V != verifyOff }

// Admit implements http.TLS: the beginning of nginx's ngx_http_process_request.
func (secure) Admit(r *http.Request) http.Verdict {
	t, _ := r.Conn.TLS.(*tls.Conn)
	if t == nil {
		complain(r, "client sent plain HTTP request to HTTPS port")
		return http.StatusHTTPToHTTPS
	}
	s := slot.Of(r.Scope)
	v := t.Verdict()
	switch {
	case s.verify.V == verifyOff:
		return http.OK
	case v != tls.VerifyOK && (s.verify.V != verifyOptionalNoCA || !v.Optional()):
		complain(r, "client SSL certificate verify error: (%d:%s)", int(v), v)
	case s.verify.V == verifyOn && t.PeerCertificate() == nil:
		complain(r, "client sent no required SSL certificate")
		t.Forget()
		return http.StatusHTTPSNoCert
	case t.Revocation != "":
		complain(r, "client SSL certificate verify error: %s", t.Revocation)
	default:
		return http.OK
	}
	t.Forget()
	return http.StatusHTTPSCertError
}

// complain logs why a request is refused, which nginx does before the request
// counts as read.
func complain(r *http.Request, format string, args ...any) {
	action := r.Conn.Action
	r.Conn.Action = "reading client request headers"
	r.Logf(log.Info, nil, format, args...)
	r.Conn.Action = action
}
