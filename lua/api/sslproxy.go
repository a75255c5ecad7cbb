package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/core/tls"
	"moongate/lua/vm"
)

// proxyCertFuncs are the functions of ngx.ssl.proxysslcert.
var proxyCertFuncs = certFuncs(upstreamPairs)

// toUpstream makes a function of one that is about the TLS connection with the upstream server.
func toUpstream(call func(c *Ctx, l *lua.LState, t *tls.Conn) int) func(c *Ctx, l *lua.LState) int {
	return func(c *Ctx, l *lua.LState) int {
		switch {
		case c.Phase == Init:
			vm.Errorf(l, "no request found")
		case c.R == nil:
			return fail(l, errBadRequest)
		case c.proxied == nil:
			return fail(l, errBadUpstream)
		}
		return call(c, l, c.proxied)
	}
}

// proxyVerifyFuncs are the functions of ngx.ssl.proxysslverify.
var proxyVerifyFuncs = []Func{
	{"set_verify_result", ProxySSLVerify, toUpstream(func(_ *Ctx, l *lua.LState, t *tls.Conn) int {
		t.SetVerdict(tls.VerifyResult(vm.CheckInt(l, 1)))
		return ret(l, lua.LTrue)
	})},
	{"get_verify_result", ProxySSLVerify, toUpstream(func(_ *Ctx, l *lua.LState, t *tls.Conn) int {
		return ret(l, vm.Number(t.Verdict()))
	})},
	{"get_verify_cert", ProxySSLVerify, toUpstream(func(c *Ctx, l *lua.LState, _ *tls.Conn) int {
		return ret(l, vm.NewCData(certChain(c.upstreamCerts[:1])))
	})},
}

// proxySSLFuncs are the functions of ngx.proxyssl.
var proxySSLFuncs = []Func{
	{"get_tls1_version", anywhere, toUpstream(func(_ *Ctx, l *lua.LState, t *tls.Conn) int {
		return ret(l, vm.Number(t.Version()))
	})},
	{"get_tls1_version_str", anywhere, toUpstream(func(_ *Ctx, l *lua.LState, t *tls.Conn) int { return versionText(l, t) })},
}
