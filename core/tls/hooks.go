package tls

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"slices"
	"time"

	gotls "crypto/tls"

	"moongate/core/event"
)

// Hooks let code take part in the handshakes of a server. They run in the fiber
// of the handshake and may wait. Those that are nil cost nothing.
type Hooks struct {
	// ClientHello runs once the client has named its server, before anything
	// else is decided; that of the context the connection began with counts. An
	// error ends the handshake (SSL_CTX_set_client_hello_cb).
	ClientHello func(c *Conn) error
	// Certificate runs when a certificate is needed, not for sessions that are
	// resumed; it may change Conn.Pairs (SSL_CTX_set_cert_cb).
	Certificate func(c *Conn) error
	// FetchSession finds a session by its number, nil if there is none; up to
	// TLSv1.2 it takes the place of the store (SSL_CTX_sess_set_get_cb).
	FetchSession func(c *Conn, id []byte) []byte
	// StoreSession keeps a session that is not to leave the server in a ticket,
	// up to TLSv1.2 in place of the store (SSL_CTX_sess_set_new_cb).
	StoreSession func(c *Conn, id, session []byte)
}

// SetHooks gives the context its hooks.
func (ctx *Context) SetHooks(h Hooks) {
	ctx.hooks = h
	if (h.FetchSession != nil || h.StoreSession != nil) && !ctx.sessions.off {
		ctx.config.SessionTicketsDisabled = false
	}
}

// KeepHello has connections that begin with the context keep the ClientHello
// for the hooks, and its random bytes for good.
func (ctx *Context) KeepHello() { ctx.keepHello = true }

// What OpenSSL says of a handshake that a hook ended.
var (
	errCallback error = &Error{What: "client hello", Queue: []string{"0A0000EA:SSL routines::callback failed"}}
	errVerify   error = &Error{What: "verify", Queue: []string{"0A000086:SSL routines::certificate verify failed"}}
)

// opening is what hooks see and change of a handshake, kept by connections of
// contexts with hooks only.
type opening struct {
	hello ClientHello
	// random are the client's, serverRandom the server's random bytes; master is
	// the secret of TLSv1.2.
	random, serverRandom [32]byte
	master               []byte
	// config is the connection's own, while the handshake lasts.
	config *gotls.Config
	pairs  *Pairs
	verify *verifier
	// What the ticket of the client came to, if it was looked at ahead of
	// crypto/tls.
	peeked  bool
	session *gotls.SessionState
}

// begin makes the connection's own configuration and runs the hook for the
// ClientHello.
func (c *Conn) begin(first *Context, cfg *gotls.Config) (*gotls.Config, error) {
	o := &opening{config: cfg.Clone()}
	o.config.KeyLogWriter = o
	if h, ok := ParseClientHello(firstMessage(c.t.captured)); ok {
		o.hello = h
		copy(o.random[:], h.Random)
	}
	c.open, c.t.captured = o, nil
	if hook := first.hooks.ClientHello; hook != nil {
		if err := c.during(errCallback, func() error { return hook(c) }); err != nil {
			return nil, err
		}
	}
	return o.config, nil
}

// during runs a hook, which is cut short when the time for the handshake is
// over. An error of it is refused.
func (c *Conn) during(refused error, hook func() error) error {
	loop := c.t.conn.Loop()
	fiber, late := loop.Current(), false
	if c.t.deadline != 0 && fiber != nil {
		timer := event.NewTimer(func() {
			late = true
			fiber.Cancel(event.ErrTimeout)
		})
		loop.SetTimer(timer, max(time.Duration(c.t.deadline-loop.NowMsec())*time.Millisecond, time.Millisecond))
		defer loop.DelTimer(timer)
	}
	err := hook()
	c.current()
	switch {
	case late:
		fiber.Uncancel()
		return event.ErrTimeout
	case err != nil:
		return refused
	}
	return nil
}

// finish lets go of what only the handshake needed.
func (o *opening) finish() {
	if o != nil {
		*o = opening{random: o.random, serverRandom: o.serverRandom, master: o.master}
	}
}

// Write implements io.Writer for the secrets that crypto/tls gives out, of
// which the master secret has the label CLIENT_RANDOM.
func (o *opening) Write(line []byte) (int, error) {
	if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "CLIENT_RANDOM" {
		o.master, _ = hex.DecodeString(string(f[2])) // crypto/tls writes hex
	}
	return len(line), nil
}

// sent looks for the ServerHello at the beginning of what is sent.
func (o *opening) sent(records []byte) {
	const contentHandshake, typeServerHello, randomAt = 22, 2, 5 + 4 + 2
	if len(records) >= randomAt+32 && records[0] == contentHandshake && records[5] == typeServerHello {
		copy(o.serverRandom[:], records[randomAt:])
	}
}

// ClientHello is the client's first message while the handshake lasts, nil if
// it was not kept.
func (c *Conn) ClientHello() *ClientHello {
	if c.open == nil || c.open.hello.Random == nil {
		return nil
	}
	return &c.open.hello
}

// ClientRandom are the client's random bytes, nil if they were not kept.
func (c *Conn) ClientRandom() []byte {
	if c.open == nil {
		return nil
	}
	return c.open.random[:]
}

// ServerRandom are the server's random bytes, zeros before it has chosen them,
// nil if they were not kept.
func (c *Conn) ServerRandom() []byte {
	if c.open == nil {
		return nil
	}
	return c.open.serverRandom[:]
}

// MasterSecret is the master secret of TLSv1.2 and older, nil if there is none
// yet or it was not kept.
func (c *Conn) MasterSecret() []byte {
	if c.open == nil {
		return nil
	}
	return c.open.master
}

// SetProtocols limits the versions of the protocol, in a ClientHello hook.
// Versions between the lowest and the highest one cannot be left out.
func (c *Conn) SetProtocols(p Protocols) {
	cfg := c.open.config
	cfg.MinVersion, cfg.MaxVersion = p.limits()
	if cfg.MaxVersion == 0 {
		// None at all: a range that nothing is in.
		cfg.MinVersion, cfg.MaxVersion = gotls.VersionTLS13, gotls.VersionTLS10
	}
}

// Version is the number of the version that is spoken, or during a server's
// handshake will be; 0 when there is none in common.
func (c *Conn) Version() uint16 {
	switch {
	case c.done:
		return c.tls.ConnectionState().Version
	case c.client != nil:
		return c.client.version
	}
	if c.Hello == nil || c.ctx == nil {
		return 0
	}
	cfg := c.ctx.config
	if c.open != nil {
		cfg = c.open.config
	}
	best := uint16(0)
	for _, v := range c.Hello.Versions {
		if v >= cfg.MinVersion && v <= cfg.MaxVersion {
			best = max(best, v)
		}
	}
	return best
}

// Pairs are the certificates of this connection only, for a hook to change: at
// first those of the context. Outside of a handshake with hooks it is nil.
func (c *Conn) Pairs() *Pairs {
	if c.open == nil || c.done {
		return nil
	}
	if c.open.pairs == nil {
		c.open.pairs = c.ctx.pairs.clone()
	}
	return c.open.pairs
}

// VerifyClient asks the client for a certificate, in a Certificate hook: one of
// the authorities named in cas, verified against those and trusted ones, or
// against the context's if there are neither. A depth below 0 is the context's.
func (c *Conn) VerifyClient(cas, trusted []*x509.Certificate, depth int) {
	v := c.ctx.verify
	v.ask, v.usage = true, x509.ExtKeyUsageClientAuth
	if depth >= 0 {
		v.depth = depth
	}
	cfg := c.open.config
	cfg.ClientAuth = gotls.RequestClientCert
	if len(cas) > 0 {
		cfg.ClientCAs = x509.NewCertPool()
		for _, ca := range cas {
			cfg.ClientCAs.AddCert(ca)
		}
	}
	if len(cas)+len(trusted) > 0 {
		v.trust(slices.Concat(cas, trusted))
	}
	c.open.verify = &v
}

// WantsStatus reports whether the client asked for an OCSP response.
func (c *Conn) WantsStatus() bool {
	if c.open == nil {
		return false
	}
	_, ok := c.open.hello.Extension(statusRequest)
	return ok
}

// askCertificates runs the hook for the certificates.
func (c *Conn) askCertificates() ([]*gotls.Certificate, error) {
	ctx := c.ctx
	if list := ctx.pairs.list; len(list) > 0 && c.resumes() {
		return list, nil
	}
	if err := c.during(errCertificate, func() error { return ctx.hooks.Certificate(c) }); err != nil {
		return nil, err
	}
	return c.Pairs().list, nil
}

// resumes reports whether the client of TLSv1.2 brings a session that can be
// resumed. crypto/tls asks for certificates before it looks at the session.
func (c *Conn) resumes() bool {
	o := c.open
	version := c.Version()
	if version > gotls.VersionTLS12 || o.config.SessionTicketsDisabled {
		return false
	}
	ticket, _ := o.hello.Extension(ExtSessionTicket)
	if len(ticket) == 0 {
		return false
	}
	// An error is that of no session.
	o.session, _ = c.ctx.unwrapSession(ticket, gotls.ConnectionState{Version: version})
	o.peeked = true
	return o.session != nil
}

// SharedCiphers are the server's ciphers that the client has offered, in the
// server's order.
func (c *Conn) SharedCiphers() (list []uint16) {
	if c.Hello == nil {
		return nil
	}
	own := c.ctx.ciphers
	if c.ctx.config.MaxVersion == gotls.VersionTLS13 {
		own = append([]uint16{gotls.TLS_AES_256_GCM_SHA384, gotls.TLS_CHACHA20_POLY1305_SHA256, gotls.TLS_AES_128_GCM_SHA256}, own...)
	}
	for _, id := range own {
		if slices.Contains(c.Hello.Ciphers, id) {
			list = append(list, id)
		}
	}
	return list
}
