package api

import (
	"crypto"
	"crypto/x509"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/tls"
	"moongate/lua/vm"
)

// certChain is a certificate with its chain, as parse_pem_cert gives it out.
type certChain []*x509.Certificate

// CType implements vm.CData.
func (certChain) CType() string { return "void *" }

// privateKey is what parse_pem_priv_key gives out.
type privateKey struct{ crypto.Signer }

// CType implements vm.CData.
func (privateKey) CType() string { return "void *" }

// sslPointer is what get_req_ssl_pointer gives out.
type sslPointer struct{ *tls.Conn }

// CType implements vm.CData.
func (sslPointer) CType() string { return "struct SSL *" }

// cdata is the value of a cdata argument; ok is false for anything else.
func cdata[T vm.CData](l *lua.LState, n int) (value T, ok bool) {
	if u, is := l.Get(n).(*lua.LUserData); is {
		value, ok = u.Value.(T)
	}
	return value, ok
}

// pairsOf finds the certificates that a function changes; the text is the error where there are none to change.
type pairsOf func(c *Ctx) (*tls.Pairs, string)

// downstreamPairs are those for a client.
func downstreamPairs(c *Ctx) (*tls.Pairs, string) {
	t := c.secured()
	if t == nil {
		return nil, errBadRequest
	}
	if p := t.Pairs(); p != nil {
		return p, ""
	}
	return new(tls.Pairs), "" // too late: it changes nothing any more
}

// upstreamPairs are those for an upstream server.
func upstreamPairs(c *Ctx) (*tls.Pairs, string) {
	switch {
	case c.R == nil:
		return nil, errBadRequest
	case c.proxied == nil:
		return nil, errBadUpstream
	}
	if p := c.proxied.Pairs(); p != nil {
		return p, ""
	}
	return new(tls.Pairs), ""
}

// certFuncs are the functions that set certificates, for a client or an upstream server.
func certFuncs(of pairsOf) []Func {
	row := func(name string, call func(l *lua.LState, p *tls.Pairs) string) Func {
		return Func{name, anywhere, func(c *Ctx, l *lua.LState) int {
			if c.Phase == Init {
				vm.Errorf(l, "no request found")
			}
			p, msg := of(c)
			if p != nil {
				msg = call(l, p)
			}
			if msg != "" {
				return fail(l, msg)
			}
			return ret(l, lua.LTrue)
		}}
	}
	return []Func{
		row("clear_certs", func(_ *lua.LState, p *tls.Pairs) string {
			p.Clear()
			return ""
		}),
		row("set_cert", func(l *lua.LState, p *tls.Pairs) string {
			chain, ok := cdata[certChain](l, 1)
			if !ok || len(chain) == 0 {
				return "invalid certificate chain"
			}
			p.SetChain(chain)
			return ""
		}),
		row("set_priv_key", func(l *lua.LState, p *tls.Pairs) string {
			key, ok := cdata[privateKey](l, 1)
			if !ok {
				return "invalid private key"
			}
			return setKey(p, key)
		}),
		row("set_der_cert", func(l *lua.LState, p *tls.Pairs) string {
			chain, err := x509.ParseCertificates([]byte(vm.CheckString(l, 1)))
			if err != nil || len(chain) == 0 {
				return "d2i_X509_bio() failed"
			}
			p.SetChain(chain)
			return ""
		}),
		row("set_der_priv_key", func(l *lua.LState, p *tls.Pairs) string {
			key := tls.ParseKeyDER([]byte(vm.CheckString(l, 1)))
			if key == nil {
				return "d2i_PrivateKey_bio() failed"
			}
			return setKey(p, key)
		}),
	}
}

func setKey(p *tls.Pairs, key crypto.Signer) string {
	if !p.SetKey(key) {
		return "SSL_use_PrivateKey() failed"
	}
	return ""
}

// parseFuncs are the functions of ngx.ssl that read certificates and keys.
var parseFuncs = []Func{
	{"cert_pem_to_der", anywhere, func(_ *Ctx, l *lua.LState) int {
		chain, err := tls.ParseCertificates([]byte(vm.CheckString(l, 1)))
		if err != nil {
			return fail(l, tls.Failed(err))
		}
		var der []byte
		for _, c := range chain {
			der = append(der, c.Raw...)
		}
		return ret(l, lua.LString(der))
	}},
	{"priv_key_pem_to_der", anywhere, func(_ *Ctx, l *lua.LState) int {
		pass, _ := vm.ToString(l.Get(2))
		key, err := tls.ParseKey([]byte(vm.CheckString(l, 1)), []byte(pass))
		if err != nil {
			return fail(l, tls.Failed(err))
		}
		der := tls.KeyDER(key)
		if der == nil {
			return fail(l, "i2d_PrivateKey() failed")
		}
		return ret(l, lua.LString(der))
	}},
	{"parse_pem_cert", anywhere, func(_ *Ctx, l *lua.LState) int {
		chain, err := tls.ParseCertificates([]byte(vm.CheckString(l, 1)))
		if err != nil {
			return fail(l, tls.Failed(err))
		}
		return ret(l, vm.NewCData(certChain(chain)))
	}},
	{"parse_der_cert", anywhere, func(_ *Ctx, l *lua.LState) int {
		der := vm.CheckString(l, 1)
		if der == "" {
			return fail(l, "invalid argument")
		}
		chain, err := x509.ParseCertificates([]byte(der))
		if err != nil {
			return fail(l, "d2i_X509_bio() failed")
		}
		return ret(l, vm.NewCData(certChain(chain)))
	}},
	{"parse_pem_priv_key", anywhere, func(_ *Ctx, l *lua.LState) int {
		key, err := tls.ParseKey([]byte(vm.CheckString(l, 1)), nil)
		if err != nil {
			return fail(l, tls.Failed(err))
		}
		return ret(l, vm.NewCData(privateKey{key}))
	}},
	{"parse_der_priv_key", anywhere, func(_ *Ctx, l *lua.LState) int {
		der := vm.CheckString(l, 1)
		if der == "" {
			return fail(l, "invalid argument")
		}
		key := tls.ParseKeyDER([]byte(der))
		if key == nil {
			return fail(l, "d2i_PrivateKey_bio() failed")
		}
		return ret(l, vm.NewCData(privateKey{key}))
	}},
}

// verifyClient is ssl.verify_client(client_certs, depth?, trusted_certs?).
func verifyClient(c *Ctx, l *lua.LState, t *tls.Conn) int {
	depth := -1
	if lua.LVAsBool(l.Get(2)) {
		depth = vm.CheckInt(l, 2)
	}
	cas, _ := cdata[certChain](l, 1)
	trusted, _ := cdata[certChain](l, 3)
	t.VerifyClient(cas, trusted, depth)
	return ret(l, lua.LTrue)
}
