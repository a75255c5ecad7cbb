package upstream

import (
	gotls "crypto/tls"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/tls"
	"moongate/http"
)

// sslContext is made when the first block that needs it is complete.
type sslContext struct{ ctx *tls.Context }

// UseTLS says that peers of the location may speak TLS; a directive calls it.
func (s *SSL) UseTLS() { s.use = true }

// InheritUse has an inner block need TLS as the outer one does.
func (s *SSL) InheritUse(outer *SSL) { s.use = s.use || outer.use }

// share gives the block a context of its own if it says anything about it:
// nginx's ngx_http_proxy_merge_ssl.
func (s *SSL) share(outer *SSL) {
	own := s.SessionReuse.Set || s.Protocols.Set || s.Ciphers.Set || s.Verify.Set || s.VerifyDepth.Set || s.Trusted.Set ||
		s.CRL.Set || s.Certificate.Set || s.Key.Set || s.Passwords.Set || s.Commands.Set
	switch {
	case own:
		s.context = new(sslContext)
	case outer.context == nil:
		outer.context = new(sslContext)
		fallthrough
	default:
		s.context = outer.context
	}
}

// MergeSSL completes what the location says about TLS to its peers, after
// Merge.
func (c *Conf) MergeSSL(cf *conf.Conf, outer *Conf, module string) error {
	s := &c.SSL
	s.share(&outer.SSL)
	if s.use || c.Upstream != nil && c.Upstream.MayTLS {
		http.LocOf(cf).UpstreamTLS = true
	}
	switch {
	case s.context.ctx != nil:
	case s.use:
		return c.makeSSL(cf, module)
	case c.Upstream != nil && c.Upstream.MayTLS:
		// Nobody asked for TLS here: what is wrong is the balancer's problem if it does.
		_ = c.makeSSL(cf, module)
	}
	return nil
}

// makeSSL makes the context: nginx's ngx_http_proxy_set_ssl.
func (c *Conf) makeSSL(cf *conf.Conf, module string) error {
	s := &c.SSL
	ctx, err := tls.NewContext(tls.Protocols(s.Protocols.V))
	if err != nil {
		return sslError(err)
	}
	missing, err := ctx.SetCiphers(s.Ciphers.V, false)
	if err != nil {
		return sslError(err)
	}
	if s.Ciphers.Set && len(missing) > 0 {
		warn(cf, `"%s_ssl_ciphers": %s not supported, ignored`, module, strings.Join(missing, ":"))
	}
	if s.Certificate.V != nil && s.Certificate.V.Text != "" {
		if s.Key.V == nil {
			return &conf.Error{Msg: fmt.Sprintf(`no "%s_ssl_certificate_key" is defined for certificate "%s"`, module, s.Certificate.V.Text)}
		}
		if s.Certificate.V.Static() && s.Key.V.Static() {
			cert, key := certificateName(cf.Cycle.ConfPath, s.Certificate.V.Text), certificateName(cf.Cycle.ConfPath, s.Key.V.Text)
			if err := ctx.AddCertificate(process.Of(cf.Cycle).ReadObject, cert, key, s.Passwords.V); err != nil {
				return sslError(err)
			}
		}
	}
	if s.Verify.V {
		if err := s.trust(cf, ctx, module); err != nil {
			return err
		}
	}
	for _, cmd := range s.Commands.V {
		ignored, err := ctx.Command(process.Of(cf.Cycle).ReadObject, cmd[0], cmd[1])
		if err != nil {
			return sslError(err)
		}
		if ignored {
			warn(cf, `"%s_ssl_conf_command": "%s" is not supported, ignored`, module, cmd[0])
		}
	}
	s.context.ctx = ctx
	return nil
}

func sslError(err error) error { return &conf.Error{Msg: err.Error()} }

func warn(cf *conf.Conf, format string, args ...any) {
	cf.Cycle.Log(conf.LogWarn, fmt.Sprintf(format, args...))
}

// trust has the context verify the certificates of peers.
func (s *SSL) trust(cf *conf.Conf, ctx *tls.Context, module string) error {
	if s.Trusted.V == "" {
		return &conf.Error{Msg: fmt.Sprintf("no %s_ssl_trusted_certificate for %[1]s_ssl_verify", module)}
	}
	name := cf.Cycle.ConfPath(s.Trusted.V)
	cas, err := tls.LoadAuthorities(process.Of(cf.Cycle).ReadObject, name)
	if err != nil {
		return sslError(tls.Prefixed(err, `cannot load certificate "%s": `, name))
	}
	ctx.VerifyServer(int(s.VerifyDepth.V))
	ctx.Trust(cas)
	if s.CRL.V == "" {
		return nil
	}
	name = cf.Cycle.ConfPath(s.CRL.V)
	list, err := tls.LoadCRLs(process.Of(cf.Cycle).ReadObject, name)
	if err != nil {
		return sslError(tls.Prefixed(err, `cannot load CRL "%s": `, name))
	}
	ctx.SetCRLs(list)
	return nil
}

// certificateName makes the name of a certificate or key absolute.
func certificateName(path func(string) string, name string) string {
	for _, scheme := range []string{"data:", "engine:", "store:"} {
		if strings.HasPrefix(name, scheme) {
			return name
		}
	}
	return path(name)
}

// handshake turns the new connection into one of TLS: nginx's
// ngx_http_upstream_ssl_init_connection.
func (e *Exchange) handshake() (fail int, v http.Verdict) {
	r, s := e.R, &e.Conf.SSL
	if s.context == nil || s.context.ctx == nil {
		r.Logf(log.Alert, nil, "no SSL context for upstream")
		return 0, http.StatusInternalServerError
	}
	var o tls.ClientOptions
	name := ""
	if s.ServerName.V || s.Verify.V {
		name = e.sslName()
		if s.ServerName.V && name != "" && name[0] != '[' {
			if ip, err := netip.ParseAddr(name); err != nil || !ip.Is4() {
				o.ServerName = strings.Clone(name)
			}
		}
	}
	if cert := s.Certificate.V; cert != nil && cert.Text != "" && (!cert.Static() || !s.Key.V.Static()) {
		c, err := s.certificate(r)
		if err != nil {
			r.Error("%s", err)
			return 0, http.StatusInternalServerError
		}
		o.Certificate = c
	}
	if s.SessionReuse.V {
		if e.Peer.context == s.context {
			o.Session = e.Peer.session
		}
		if r.Core.TCPNodelay.V && e.Peer.Key.Unix == "" {
			if err := e.link.SetNoDelay(true); err != nil {
				r.Logf(log.Crit, err, "setsockopt(TCP_NODELAY) failed")
				return 0, http.StatusInternalServerError
			}
		}
	}
	if e.ALPN != "" {
		o.ALPN = []string{e.ALPN}
	}
	r.Conn.Action = "SSL handshaking to upstream"
	if hook := r.Conn.Worker.Main.UpstreamHandshake; hook != nil {
		hook(r, &o)
	}
	t := tls.Client(e.link.Conn, s.context.ctx, o)
	e.link.tls = t
	if err := t.Handshake(e.ConnectTimeout); err != nil {
		t.Release()
		switch {
		case errors.Is(err, event.ErrTimeout):
			return FailTimeout, http.OK
		case e.aborted(err):
			return 0, http.StatusClientClosed
		}
		level, text, cause := tls.Explain(err)
		r.Logf(min(level, log.Error), cause, "%s", text)
		return FailError, http.OK
	}
	r.Logf(log.DebugEvent, nil, "SSL_do_handshake: 1")
	if s.Verify.V {
		if verdict := t.Verdict(); verdict != tls.VerifyOK {
			r.Error("upstream SSL certificate verify error: (%d:%s)", int(verdict), verdict)
			return FailError, http.OK
		}
		if !t.VerifyHost(name) {
			r.Error(`upstream SSL certificate does not match "%s"`, name)
			return FailError, http.OK
		}
	}
	return 0, http.OK
}

// sslName is the name that the peer's certificate is to have, without a port.
func (e *Exchange) sslName() string {
	var name string
	switch {
	case e.Conf.SSL.Name.V != nil:
		name = e.Conf.SSL.Name.V.Eval(e.R)
	case e.Host != "":
		name = e.Host
	case e.Upstream != nil:
		name = e.Upstream.Host
	default:
		name = e.Target.Host
	}
	from := 0
	if strings.HasPrefix(name, "[") {
		from = max(strings.IndexByte(name, ']'), 0)
	}
	if i := strings.IndexByte(name[from:], ':'); i >= 0 {
		name = name[:from+i]
	}
	return name
}

// certificate loads the one whose name depends on the request, nil if there is
// none: nginx's ngx_http_upstream_ssl_certificate.
func (s *SSL) certificate(r *http.Request) (*gotls.Certificate, error) {
	cert := strings.Clone(s.Certificate.V.Eval(r))
	if cert == "" {
		return nil, nil
	}
	path := r.Conn.Worker.Cycle.Conf.ConfPath
	cert = certificateName(path, cert)
	key := certificateName(path, strings.Clone(s.Key.V.Eval(r)))
	now := r.Loop().Now()
	for fresh := false; ; fresh = true {
		chain, err := s.Cache.V.Chain(os.ReadFile, cert, now, fresh)
		if err != nil {
			return nil, tls.Prefixed(err, `cannot load certificate "%s": `, cert)
		}
		signer, err := s.Cache.V.Key(os.ReadFile, key, s.Passwords.V, now, fresh)
		if err != nil {
			return nil, tls.Prefixed(err, `cannot load certificate key "%s": `, key)
		}
		if tls.Matches(chain[0], signer) {
			return tls.NewCertificate(chain, signer), nil
		}
		if fresh {
			return nil, &tls.Error{What: `SSL_use_PrivateKey("` + key + `") failed`,
				Queue: []string{"05800074:x509 certificate routines::key values mismatch"}}
		}
	}
}

// saveSession keeps the session of a connection for the next one to the peer.
func (e *Exchange) saveSession() {
	if e.link.tls != nil && e.Conf.SSL.SessionReuse.V {
		if s := e.link.tls.Session(); s != nil {
			e.Peer.session, e.Peer.context = s, e.Conf.SSL.context
		}
	}
}
