package phase

import (
	"crypto/x509"

	"moongate/conf"
	"moongate/core/log"
	"moongate/core/tls"
	"moongate/http"
	"moongate/lua/api"
)

const inPassing = conf.HTTPLocation | conf.HTTPLocationIf

var proxyCertFamily = family[locConf]{
	name: "proxy_ssl_certificate_by_lua", slot: locSlot, in: inPassing, forms: []form{asBlock, asFile},
	field: func(l *locConf) **Code { return &l.proxyCert },
	used:  func(cf *conf.Conf) { mainSlot.Of(cf.Scope).usesProxySSL = true },
}

var proxyVerifyFamily = family[locConf]{
	name: "proxy_ssl_verify_by_lua", slot: locSlot, in: inPassing, forms: []form{asBlock, asFile},
	field: func(l *locConf) **Code { return &l.proxyVerify },
	used:  func(cf *conf.Conf) { mainSlot.Of(cf.Scope).usesProxySSL = true },
}

// skipVerify is lua_upstream_skip_openssl_default_verify.
func skipVerify() conf.Directive {
	return locSlot.Flag("lua_upstream_skip_openssl_default_verify", inPassing,
		func(l *locConf) *conf.Opt[bool] { return &l.skipVerify }, false)
}

// checkProxySSL complains about code of a location that does not pass requests to TLS servers.
func checkProxySSL(cf *conf.Conf, l *locConf) error {
	name := "proxy_ssl_certificate_by_lua"
	switch {
	case l.proxyCert == nil && l.proxyVerify == nil || http.LocOf(cf).UpstreamTLS:
		return nil
	case l.proxyCert == nil:
		name = "proxy_ssl_verify_by_lua"
	}
	return &conf.Error{Msg: name + "* should be used with proxy_pass https url"}
}

// upstreamHandshake lets the code of the location take part in the handshake with an upstream server.
func upstreamHandshake(r *http.Request, o *tls.ClientOptions) {
	l := locSlot.Of(r.Scope)
	if l.proxyCert != nil {
		o.Choose = func(t *tls.Conn) error {
			return upstreamPhase{api.ProxySSLCert, "proxy_ssl_certificate_by_lua", "cert cb", "proxy ssl cert",
				"loading proxy ssl certificate by lua"}.run(r, t, nil, l.proxyCert)
		}
	}
	if l.proxyVerify != nil {
		o.SkipVerify = l.skipVerify.V
		o.Check = func(t *tls.Conn, certs []*x509.Certificate) error {
			if !o.SkipVerify {
				r.Logf(log.DebugHTTP, nil, "proxy_ssl_verify_by_lua: openssl default verify")
			}
			return upstreamPhase{api.ProxySSLVerify, "proxy_ssl_verify_by_lua", "cert verify callback", "proxy ssl verify",
				"loading proxy ssl verify by lua"}.run(r, t, certs, l.proxyVerify)
		}
	}
}

// upstreamPhase is what the log says of a phase.
type upstreamPhase struct {
	phase                             api.Phase
	directive, callback, what, action string
}

// run executes the code of a phase, in the request's fiber. An error refuses the server.
func (p upstreamPhase) run(r *http.Request, t *tls.Conn, certs []*x509.Certificate, code *Code) error {
	c := api.Of(r)
	if c == nil {
		return errRefused
	}
	r.Logf(log.DebugHTTP, nil, "%s: connection reusable: 0", p.what)
	proto, v := code.load(c)
	if v != http.OK {
		return nil
	}
	r.Conn.Action = p.action
	status := c.RunUpstream(p.phase, t, certs, proto)
	if r.Loop().Current().Err() != nil {
		r.Logf(log.DebugHTTP, nil, "%s: %s aborted", p.directive, p.callback)
		return errRefused
	}
	r.Conn.Action = "proxy pass SSL handshaking"
	exit := 1
	if api.Refused(status) {
		exit = 0
	}
	r.Logf(log.DebugHTTP, nil, "%s: handler return value: %d, %s exit code: %d", p.directive, status, p.callback, exit)
	r.Logf(log.DebugHTTP, nil, "%s: %s exit code: %d", p.directive, p.callback, exit)
	if exit == 0 {
		return errRefused
	}
	return nil
}
