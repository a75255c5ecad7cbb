package phase

import (
	"errors"
	"slices"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/tls"
	"moongate/http"
	"moongate/lua/api"
)

const inServers = conf.HTTPMain | conf.HTTPServer

// sslDirectives are those of code that takes part in the handshakes with clients.
func sslDirectives() []conf.Directive {
	row := func(name string, in conf.Context, field func(*srvConf) **Code) []conf.Directive {
		f := family[srvConf]{name: name, slot: srvSlot, in: in, forms: []form{asBlock, asFile}, field: field,
			used: func(cf *conf.Conf) { mainSlot.Of(cf.Scope).usesSSL = true }}
		return f.rows()
	}
	return slices.Concat(
		row("ssl_client_hello_by_lua", inServers, func(s *srvConf) **Code { return &s.clientHello }),
		row("ssl_certificate_by_lua", inServers, func(s *srvConf) **Code { return &s.certificate }),
		row("ssl_session_fetch_by_lua", conf.HTTPMain, func(s *srvConf) **Code { return &s.sessionFetch }),
		row("ssl_session_store_by_lua", conf.HTTPMain, func(s *srvConf) **Code { return &s.sessionStore }),
	)
}

// installSSL gives the TLS contexts of the servers their hooks.
func installSSL(main *http.MainConf) error {
	for _, s := range main.Servers {
		code := srvSlot.Of(s.Scope())
		var ctx *tls.Context
		if main.Options.TLS != nil {
			ctx = main.Options.TLS.Context(s.Scope())
		}
		switch {
		case ctx == nil && (code.clientHello != nil || code.certificate != nil):
			return &conf.Error{Msg: "no ssl configured for the server"}
		case ctx == nil:
			continue
		}
		ctx.KeepHello()
		if h := code.hooks(); h != nil {
			// Servers that say the same about TLS share a context: the hooks look the code up for each connection.
			ctx.SetHooks(*h)
		}
	}
	return nil
}

// hooks are the hooks for the phases that have code, nil for none.
func (s *srvConf) hooks() *tls.Hooks {
	h := new(tls.Hooks)
	if s.clientHello != nil {
		h.ClientHello = clientHello
	}
	if s.certificate != nil {
		h.Certificate = certificate
	}
	if s.sessionFetch != nil {
		h.FetchSession = fetchSession
	}
	if s.sessionStore != nil {
		h.StoreSession = storeSession
	}
	if s.clientHello == nil && s.certificate == nil && s.sessionFetch == nil && s.sessionStore == nil {
		return nil
	}
	return h
}

// errRefused ends a handshake; the code has said why.
var errRefused = errors.New("handshake refused by Lua")

// serverOf is the server that a handshake has come to.
func serverOf(t *tls.Conn) (*http.Conn, *srvConf) {
	c := t.Data.(*http.Conn)
	return c, srvSlot.Of(c.Server.Scope())
}

// clientHello runs ssl_client_hello_by_lua (ngx_http_lua_ssl_client_hello_handler).
func clientHello(t *tls.Conn) error {
	c, s := serverOf(t)
	if s.clientHello == nil {
		return absent(c, srvSlot.Of(c.Addr.Default.Scope()).clientHello, "ssl_client_hello_by_lua")
	}
	return handshake{api.SSLClientHello, "ssl_client_hello_by_lua", "client hello cb", "ssl client hello",
		"loading SSL client hello by lua"}.run(t, s.clientHello)
}

// absent is for a server without code that a connection with the context of another one has come to: that of the
// address's default server, which has code, refuses it.
func absent(c *http.Conn, code *Code, directive string) error {
	if code == nil {
		return nil
	}
	c.Log.Log(log.Alert, nil, "no %s* defined in server %s", directive, c.Server.Name)
	return errRefused
}

// certificate runs ssl_certificate_by_lua (ngx_http_lua_ssl_cert_handler).
func certificate(t *tls.Conn) error {
	c, s := serverOf(t)
	switch {
	case s.certificate != nil:
		return handshake{api.SSLCert, "ssl_certificate_by_lua", "cert cb", "ssl cert", "loading SSL certificate by lua"}.run(t, s.certificate)
	case c.Worker.Main.Options.TLS.Context(c.Server.Scope()) != nil:
		return nil // it has certificates of its own
	}
	return absent(c, srvSlot.Of(c.Addr.Default.Scope()).certificate, "ssl_certificate_by_lua")
}

// handshake is what the log says of a phase.
type handshake struct {
	phase                             api.Phase
	directive, callback, what, action string
}

// run executes the code of a phase that can refuse the handshake. Code that cannot be loaded does not.
func (p handshake) run(t *tls.Conn, code *Code) error {
	h, end := p.begin(t)
	defer end()
	proto, v := code.load(h.Ctx)
	if v != http.OK {
		return nil
	}
	status := h.Run(proto)
	refused := api.Refused(status)
	exit := 1
	if refused {
		exit = 0
	}
	h.Left(p.directive, p.callback, status, exit)
	if refused {
		return errRefused
	}
	return nil
}

// begin enters a phase.
func (p handshake) begin(t *tls.Conn) (h *api.Handshake, end func()) {
	c := t.Data.(*http.Conn)
	h = api.Main.Of(c.Worker.Main.Scope()).Engine.NewHandshake(p.phase, t)
	h.Entered(p.what)
	c.Action = p.action
	return h, func() {
		c.Action = "SSL handshaking"
		h.Close()
	}
}

// skipped tells that a connection speaks TLSv1.3, whose sessions are not the code's.
func skipped(c *http.Conn, t *tls.Conn, directive string) bool {
	const tls13 = 0x0304
	if t.Version() < tls13 {
		return false
	}
	c.Log.Log(log.DebugHTTP, nil, "%s: skipped since TLS version >= 1.3 (%x)", directive, t.Version())
	return true
}

// fetchSession runs ssl_session_fetch_by_lua (ngx_http_lua_ssl_sess_fetch_handler).
func fetchSession(t *tls.Conn, id []byte) []byte {
	c, s := serverOf(t)
	if s.sessionFetch == nil || skipped(c, t, "ssl_session_fetch_by_lua*") {
		return nil
	}
	p := handshake{api.SSLSessionFetch, "ssl_session_fetch_by_lua*", "sess get cb", "ssl session fetch", "fetching SSL session by lua"}
	h, end := p.begin(t)
	defer end()
	proto, v := s.sessionFetch.load(h.Ctx)
	if v != http.OK {
		return nil
	}
	h.SetSession(id, nil)
	status, exit := h.Run(proto), 1
	if api.Refused(status) {
		exit = 0
	}
	h.Left(p.directive, p.callback, status, exit)
	return h.Session()
}

// storeSession runs ssl_session_store_by_lua, which must not wait (ngx_http_lua_ssl_sess_store_handler).
func storeSession(t *tls.Conn, id, session []byte) {
	c, s := serverOf(t)
	if s.sessionStore == nil || skipped(c, t, "ssl_session_store_by_lua*") {
		return
	}
	p := handshake{api.SSLSessionStore, "ssl_session_store_by_lua*", "sess new cb", "ssl session store", "storing SSL session by lua"}
	h, end := p.begin(t)
	defer end()
	proto, v := s.sessionStore.load(h.Ctx)
	if v != http.OK {
		return
	}
	h.SetSession(id, session)
	status := 0
	if err := h.RunShort(api.SSLSessionStore, proto, 0, nil); err != nil {
		h.Logf(log.Error, "failed to run session_store_by_lua*: %s", api.FilterError(err))
		status = int(http.Error)
	}
	h.Left(p.directive, p.callback, status, 0)
}
