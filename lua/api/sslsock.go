package api

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/tls"
	"moongate/lua/vm"
)

// sslContext is shared by the locations that say the same of lua_ssl_*.
type sslContext struct{ ctx *tls.Context }

const defaultCiphers = "DEFAULT"

// mergeSSL gives a location that says something about lua_ssl_* a context of its own. One that needs files is made
// while the configuration is read, when they can be, and so is one that may have words that OpenSSL does not know.
func mergeSSL(cf *conf.Conf, parent, child *LocConf) error {
	own := child.SSLProtocols.Set || child.SSLVerifyDepth.Set || child.SSLCiphers.Set || child.SSLTrusted.Set ||
		child.SSLCRL.Set || child.SSLCertificates.Set || child.SSLCertificateKeys.Set || child.SSLCommands.Set || child.SSLKeyLog.Set
	switch {
	case own:
		child.ssl = new(sslContext)
	case parent.ssl == nil:
		parent.ssl = new(sslContext)
		fallthrough
	default:
		child.ssl = parent.ssl
	}
	if child.ssl.ctx != nil || child.SSLCiphers.V == defaultCiphers && len(child.SSLCommands.V) == 0 &&
		child.SSLTrusted.V == "" && child.SSLCRL.V == "" && len(child.SSLCertificates.V) == 0 && child.SSLKeyLog.V == "" {
		return nil
	}
	return child.makeSSL(cf.Cycle)
}

// sslVersions are the bits of lua_ssl_protocols.
var sslVersions = []struct {
	bit     int
	version tls.Protocols
}{{SSLv2, tls.SSLv2}, {SSLv3, tls.SSLv3}, {TLSv1, tls.TLSv1}, {TLSv11, tls.TLSv11}, {TLSv12, tls.TLSv12}, {TLSv13, tls.TLSv13}}

// makeSSL makes the context (ngx_http_lua_set_ssl).
func (c *LocConf) makeSSL(cycle *conf.Cycle) error {
	var versions tls.Protocols
	for _, v := range sslVersions {
		if c.SSLProtocols.V&v.bit != 0 {
			versions |= v.version
		}
	}
	ctx, err := tls.NewContext(versions)
	if err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	if _, err := ctx.SetCiphers(c.SSLCiphers.V, false); err != nil {
		return &conf.Error{Msg: err.Error()}
	}
	if len(c.SSLCertificates.V) != len(c.SSLCertificateKeys.V) {
		return &conf.Error{Msg: `number of "lua_ssl_certificate_key" must correspond "lua_ssl_certificate"`}
	}
	for i, cert := range c.SSLCertificates.V {
		if err := ctx.AddCertificate(cycle.ReadFile, cycle.ConfPath(cert), cycle.ConfPath(c.SSLCertificateKeys.V[i]), nil); err != nil {
			return &conf.Error{Msg: err.Error()}
		}
	}
	ctx.VerifyServer(int(c.SSLVerifyDepth.V))
	if name := c.SSLTrusted.V; name != "" {
		name = cycle.ConfPath(name)
		cas, err := tls.LoadAuthorities(cycle.ReadFile, name)
		if err != nil {
			return &conf.Error{Msg: tls.Prefixed(err, `cannot load certificate "%s": `, name).Error()}
		}
		ctx.Trust(cas)
	}
	if name := c.SSLCRL.V; name != "" {
		name = cycle.ConfPath(name)
		list, err := tls.LoadCRLs(cycle.ReadFile, name)
		if err != nil {
			return &conf.Error{Msg: tls.Prefixed(err, `cannot load CRL "%s": `, name).Error()}
		}
		ctx.SetCRLs(list)
	}
	if name := c.SSLKeyLog.V; name != "" {
		name = cycle.ConfPath(name)
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return &conf.Error{Msg: fmt.Sprintf(`open() ("%s") failed (%s)`, name, conf.ErrnoText(err))}
		}
		ctx.SetKeyLog(f)
	}
	for _, cmd := range c.SSLCommands.V {
		if _, err := ctx.Command(cycle.ReadFile, cmd[0], cmd[1]); err != nil {
			return &conf.Error{Msg: err.Error()}
		}
	}
	if c.ssl == nil {
		c.ssl = new(sslContext)
	}
	c.ssl.ctx = ctx
	return nil
}

// sslSession is what scripts keep to resume a session. With TLSv1.3 it is known only once something has been read.
type sslSession struct{ conn *tls.Conn }

// CType implements vm.CData.
func (*sslSession) CType() string { return "void *" }

// clientCert is a certificate with its key as setclientcert was given it.
type clientCert struct {
	chain certChain
	key   privateKey
}

// tlsTransport is a socket under TLS.
type tlsTransport struct {
	conn *tls.Conn
	raw  *event.Conn
	one  [1][]byte
}

// TryRead implements transport.
func (t *tlsTransport) TryRead(p []byte) (int, error) { return t.conn.Read(p) }

// TryWrite implements transport. It waits, for at most the connection's WriteTimeout each time.
func (t *tlsTransport) TryWrite(p []byte) (int, error) {
	t.one[0] = p
	n, err := t.conn.Writev(t.one[:])
	t.one[0] = nil
	return int(n), err
}

// WaitReadable implements transport.
func (t *tlsTransport) WaitReadable(d time.Duration) error { return t.raw.WaitReadable(d) }

// WaitWritable implements transport.
func (t *tlsTransport) WaitWritable(d time.Duration) error { return t.raw.WaitWritable(d) }

// secure tells that TLS is spoken on the connection.
func (s *tcpSock) secure() bool {
	io := s.io
	if raw, ok := io.(*rawTransport); ok {
		io = raw.transport
	}
	_, ok := io.(*tlsTransport)
	return ok
}

// release gives back what a transport holds, before its connection is closed.
func release(io transport) {
	if t, ok := io.(*tlsTransport); ok {
		t.conn.Release()
	}
}

// sslHandshake is sock:sslhandshake(session?, name?, verify?, status request?).
func sslHandshake(l *lua.LState) int {
	n := l.GetTop()
	if n == 0 || n > 5 {
		vm.Errorf(l, "ngx.socket sslhandshake: expecting 1 ~ 5 arguments (including the object), but seen %d", n)
	}
	s, c := created(l), ctxOf(l)
	if s.absent() || s.readClosed || s.writeClosed {
		return fail(l, textClosed)
	}
	s.mine(c, l)
	if msg := s.busy(true, true, true); msg != "" {
		return fail(l, msg)
	}
	if s.kind != upstreamSock {
		return fail(l, "not supported for downstream sockets")
	}
	session := l.Get(2)
	if t, ok := s.io.(*tlsTransport); ok { // done before, perhaps by who used the connection last
		switch session := session.(type) {
		case *lua.LUserData:
			return ret(l, session)
		case lua.LBool:
			if !session {
				return ret(l, lua.LTrue)
			}
		}
		return ret(l, vm.NewCData(&sslSession{t.conn}))
	}
	name, _ := vm.ToString(l.Get(3))
	conn, reason := s.handshake(l, session, name, given(l, 4))
	if reason != "" {
		s.finalize()
		return fail(l, reason)
	}
	if session == lua.LFalse {
		return ret(l, lua.LTrue)
	}
	c.debugf("lua ssl save session: %p", conn)
	return ret(l, vm.NewCData(&sslSession{conn}))
}

// handshake makes the connection one of TLS; the reason is empty on success.
func (s *tcpSock) handshake(l *lua.LState, session lua.LValue, name string, verify bool) (*tls.Conn, string) {
	conf := Loc.Of(s.c.scope())
	if conf.ssl == nil || conf.ssl.ctx == nil {
		if err := conf.makeSSL(s.c.Cycle.Conf); err != nil {
			s.c.Logf(log.Error, "%s", err)
			return nil, "failed to create ssl connection"
		}
	}
	o := tls.ClientOptions{ServerName: name}
	if name != "" {
		s.c.debugf(`lua ssl server name: "%s"`, name)
	}
	if _, err := netip.ParseAddr(name); err == nil {
		o.ServerName = ""
	}
	if u, ok := session.(*lua.LUserData); ok {
		if old, ok := u.Value.(*sslSession); ok {
			o.Session = old.conn.Session()
			s.c.debugf("lua ssl set session: %p", old.conn)
		}
	}
	if cert := s.clientCert; cert != nil {
		if !tls.Matches(cert.chain[0], cert.key.Signer) {
			return nil, "ssl set client private key failed"
		}
		o.Certificate = tls.NewCertificate(cert.chain, cert.key.Signer)
	}
	conn := tls.Client(s.conn, conf.ssl.ctx, o)
	s.io = &tlsTransport{conn: conn, raw: s.conn}
	s.connecting = true
	err := s.await(l, conn.Handshake, or(s.wants.connect, s.defaults.connect))
	s.connecting = false
	switch {
	case errors.Is(err, event.ErrTimeout):
		return nil, textTimeout
	case err != nil:
		level, text, cause := tls.Explain(err)
		s.c.entryLog().Log(min(level, log.Error), cause, "%s", text)
		return nil, "handshake failed"
	}
	s.c.debugf("SSL_do_handshake: 1")
	if verify {
		return conn, s.verify(conn, name)
	}
	return conn, ""
}

// verify checks the server's certificate.
func (s *tcpSock) verify(conn *tls.Conn, name string) (reason string) {
	if v := conn.Verdict(); v != tls.VerifyOK {
		if s.c.socketLog() {
			s.c.Logf(log.Error, "lua ssl certificate verify error: (%d: %s)%s", int(v), v, s.peer.upstream())
		}
		return strconv.Itoa(int(v)) + ": " + v.String()
	}
	if name != "" && !conn.VerifyHost(name) {
		if s.c.socketLog() {
			s.c.Logf(log.Error, `lua ssl certificate does not match host "%s"%s`, name, s.peer.upstream())
		}
		return "certificate host mismatch"
	}
	return ""
}

// sslGetSession is sock:getsslsession().
func sslGetSession(l *lua.LState) int {
	return ofTLS(l, "no session", func(t *tlsTransport) vm.CData { return &sslSession{t.conn} })
}

// sslGetPointer is sock:getsslpointer(), and sock:getsslctx() too: neither is good for more than to be passed on.
func sslGetPointer(l *lua.LState) int {
	return ofTLS(l, "no ssl connection", func(t *tlsTransport) vm.CData { return sslPointer{t.conn} })
}

func sslGetCtx(l *lua.LState) int {
	return ofTLS(l, "no ssl context", func(t *tlsTransport) vm.CData { return sslPointer{t.conn} })
}

// ofTLS returns something of a TLS connection, or why there is none.
func ofTLS(l *lua.LState, absent string, get func(t *tlsTransport) vm.CData) int {
	s := created(l)
	if s.closed() {
		return fail(l, textClosed)
	}
	t, ok := s.io.(*tlsTransport)
	if !ok {
		return fail(l, absent)
	}
	return ret(l, vm.NewCData(get(t)))
}

// sslSetTrustedStore is sock:settrustedstore(store). Only LuaJIT's FFI makes stores, so that nil is left: the trusted
// certificates of the location.
func sslSetTrustedStore(l *lua.LState) int {
	if store := l.Get(2); store != lua.LNil {
		return fail(l, "bad store arg: cdata expected, got "+vm.TypeName(store))
	}
	s := created(l)
	if s.absent() || s.readClosed || s.writeClosed {
		return fail(l, textClosed)
	}
	s.mine(ctxOf(l), l)
	if _, ok := s.io.(*tlsTransport); ok {
		return fail(l, "ssl handshake already done; trusted store cannot be changed on an established TLS connection")
	}
	return ret(l, lua.LTrue)
}

// sslSetClientCert is sock:setclientcert(cert, key), before sslhandshake; two nils take it back.
func sslSetClientCert(l *lua.LState) int {
	s := socketArg[tcpSock](l)
	cert, key := l.Get(2), l.Get(3)
	hasCert, hasKey := lua.LVAsBool(cert), lua.LVAsBool(key)
	switch {
	case s == nil:
		vm.Errorf(l, "socket is never created nor connected")
	case !hasCert && !hasKey:
		s.clientCert = nil
		return ret(l, lua.LTrue)
	case !hasCert || !hasKey:
		return fail(l, "client certificate must be supplied with corresponding private key")
	}
	chain, ok := cdata[certChain](l, 2)
	if !ok {
		return fail(l, "bad cert arg: cdata expected, got "+vm.TypeName(cert))
	}
	signer, ok := cdata[privateKey](l, 3)
	if !ok {
		return fail(l, "bad pkey arg: cdata expected, got "+vm.TypeName(key))
	}
	s.clientCert = &clientCert{chain, signer}
	return ret(l, lua.LTrue)
}
