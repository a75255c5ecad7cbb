package tls

import (
	gotls "crypto/tls"
	"crypto/x509"
	"io"
	"strings"

	"moongate/core/event"
)

// ClientOptions are what may differ between the connections of a context to
// servers.
type ClientOptions struct {
	// ServerName is sent to the server, unless it is "" or an IP address.
	ServerName string
	// ALPN are the protocols offered.
	ALPN []string
	// Certificate is for servers that ask for one, in place of the context's.
	Certificate *gotls.Certificate
	// Choose runs when a server asks for a certificate; it may change Conn.Pairs.
	// An error ends the handshake.
	Choose func(c *Conn) error
	// Check is given the server's certificates, the verdict on which is known
	// unless SkipVerify is set; it may change it with SetVerdict. An error ends
	// the handshake where "VerifyMode Peer" was asked for.
	Check      func(c *Conn, certs []*x509.Certificate) error
	SkipVerify bool
	// Session is one to resume, nil for none.
	Session *Session
}

// Session is what a client keeps to resume a session.
type Session struct {
	state   *gotls.ClientSessionState
	verdict VerifyResult
}

// client is the side of a Conn that servers know nothing of.
type client struct {
	ClientOptions
	latest  *Session
	version uint16 // what is spoken, once hooks run
}

// clientVariant is what a copy of a context's configuration for clients
// differs in.
type clientVariant struct{ name, alpn string }

// maxClientVariants bounds those kept: names may come from requests.
const maxClientVariants = 256

// Client returns the client side of a connection, on which Handshake is to be
// called. Whether the server's certificate is good is for the caller to ask:
// see Verdict and VerifyHost.
func Client(c *event.Conn, ctx *Context, o ClientOptions) *Conn {
	s := &Conn{t: transport{conn: c, hold: true}, ctx: ctx, session: ctx, record: ctx.BufferSize, client: &client{ClientOptions: o}}
	s.t.owner = s
	s.tls = gotls.Client(&s.t, ctx.clientConfig(o.ServerName, o.ALPN))
	return s
}

// VerifyServer has the certificates of servers verified against the trusted
// ones (proxy_ssl_verify, proxy_ssl_verify_depth).
func (ctx *Context) VerifyServer(depth int) {
	ctx.verify.depth, ctx.verify.usage, ctx.verify.ask = depth, x509.ExtKeyUsageServerAuth, true
}

// SetKeyLog has the secrets of connections written in NSS's format, for tools
// that look into what was said (SSL_CTX_set_keylog_callback).
func (ctx *Context) SetKeyLog(w io.Writer) { ctx.config.KeyLogWriter = w }

// clientConfig finds or makes the configuration for a server's name.
func (ctx *Context) clientConfig(name string, alpn []string) *gotls.Config {
	key := clientVariant{name, strings.Join(alpn, ",")}
	if cfg := ctx.clients[key]; cfg != nil {
		return cfg
	}
	cfg := ctx.config.Clone()
	cfg.ServerName, cfg.NextProtos = name, alpn
	cfg.InsecureSkipVerify = true // verifyConnection does it
	cfg.SessionTicketsDisabled = false
	cfg.ClientSessionCache = clientSessions{ctx}
	cfg.GetClientCertificate = ctx.getClientCertificate
	if ctx.clients == nil || len(ctx.clients) >= maxClientVariants {
		ctx.clients = make(map[clientVariant]*gotls.Config)
	}
	ctx.clients[key] = cfg
	return cfg
}

// getClientCertificate implements tls.Config.GetClientCertificate: the first
// certificate that the server can verify, an empty one if there is none.
func (ctx *Context) getClientCertificate(r *gotls.CertificateRequestInfo) (*gotls.Certificate, error) {
	c, list := ctx.current, ctx.pairs.list
	if choose := c.client.Choose; choose != nil {
		c.open = &opening{pairs: ctx.pairs.clone()}
		if own := c.client.Certificate; own != nil {
			c.open.pairs.list = []*gotls.Certificate{own}
		}
		c.client.version = r.Version
		if err := c.during(errCallback, func() error { return choose(c) }); err != nil {
			return nil, err
		}
		list = c.open.pairs.list
	} else if own := c.client.Certificate; own != nil {
		return own, nil
	}
	for _, c := range list {
		if r.SupportsCertificate(c) == nil {
			return c, nil
		}
	}
	if len(list) > 0 {
		return list[0], nil // the authorities named are a hint only
	}
	return new(gotls.Certificate), nil
}

// clientSessions implements tls.ClientSessionCache for the connection that is
// current: who keeps sessions is the caller's business.
type clientSessions struct{ ctx *Context }

// Get implements tls.ClientSessionCache.
func (s clientSessions) Get(string) (*gotls.ClientSessionState, bool) {
	c := s.ctx.current.client
	if c.ClientOptions.Session == nil {
		return nil, false
	}
	return c.ClientOptions.Session.state, true
}

// Put implements tls.ClientSessionCache.
func (s clientSessions) Put(_ string, state *gotls.ClientSessionState) {
	c := s.ctx.current
	if state == nil {
		c.client.latest = nil
		return
	}
	c.client.latest = &Session{state, c.verdict}
}

// Session returns the newest session that the server has given, nil if none.
// With TLSv1.3 it comes with the first bytes that are read.
func (c *Conn) Session() *Session { return c.client.latest }

// Bytes returns the session in a form that ParseSession reads.
func (s *Session) Bytes() ([]byte, error) {
	ticket, state, err := s.state.ResumptionState()
	if err != nil {
		return nil, err
	}
	note := sessionNote{verify: s.verdict}
	extra := append([][]byte(nil), state.Extra...)
	state.Extra = append(extra, note.encode(), ticket)
	b, err := state.Bytes()
	state.Extra = extra
	return b, err
}

// ParseSession reads what Bytes returned.
func ParseSession(b []byte) (*Session, error) {
	state, err := gotls.ParseSessionState(b)
	if err != nil {
		return nil, err
	}
	note := decodeNote(state.Extra)
	if note == nil || len(state.Extra) < 2 {
		return nil, errSession
	}
	ticket := state.Extra[len(state.Extra)-1]
	state.Extra = nil
	cs, err := gotls.NewResumptionState(ticket, state)
	if err != nil {
		return nil, err
	}
	return &Session{cs, note.verify}, nil
}

var errSession = &Error{What: "d2i_SSL_SESSION() failed"}

// VerifyHost reports whether the peer's certificate is for a name: one of its
// DNS names, with wildcards, or the common name of its subject if it has none
// (nginx's ngx_ssl_check_host).
func (c *Conn) VerifyHost(name string) bool {
	cert := c.PeerCertificate()
	if cert == nil {
		return false
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	for _, pattern := range cert.DNSNames {
		if matchHost(strings.ToLower(pattern), name) {
			return true
		}
	}
	return len(cert.DNSNames) == 0 && matchHost(strings.ToLower(cert.Subject.CommonName), name)
}

// matchHost compares a name with a pattern whose first label may be "*".
func matchHost(pattern, name string) bool {
	if pattern == "" || name == "" {
		return false
	}
	rest, wild := strings.CutPrefix(pattern, "*.")
	if !wild {
		return pattern == name
	}
	first, tail, ok := strings.Cut(name, ".")
	return ok && first != "" && tail == rest && strings.Contains(rest, ".")
}
