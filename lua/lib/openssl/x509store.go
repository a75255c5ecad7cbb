package openssl

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"slices"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/tls"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// chain is an object of resty.openssl.x509.chain: certificates.
type chain struct{ list []*x509.Certificate }

func (c *chain) count() int { return len(c.list) }

// openChain makes resty.openssl.x509.chain.
func openChain(b *library, l *lua.LState, c *native.Class) {
	funcs := stack((*chain).count, func(l *lua.LState, ch *chain, i int) []lua.LValue {
		return []lua.LValue{b.class(l, "resty.openssl.x509").New(&certificate{ch.list[i]})}
	})
	funcs["new"] = func(l *lua.LState) int { return native.Return(l, c.New(&chain{})) }
	funcs["add"] = func(l *lua.LState) int {
		ch := native.Self[*chain](l)
		cert, ok := native.Value[*certificate](l.Get(2))
		if !ok {
			return fail(l, "x509.chain:add: expect a x509 instance at #1")
		}
		ch.list = append(ch.list, cert.Certificate)
		return retTrue(l)
	}
	define(l, c, funcs)
	addLength(l, c, (*chain).count)
}

// store is an object of resty.openssl.x509.store: certificates that are trusted.
type store struct{ trusted []*x509.Certificate }

// defaultAuthorities are the files that systems have the authorities of the world in.
var defaultAuthorities = []string{"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"}

// openStore makes resty.openssl.x509.store.
func openStore(b *library, l *lua.LState, c *native.Class) {
	load := func(l *lua.LState, s *store, file string) int {
		list, err := tls.LoadAuthorities(os.ReadFile, file)
		if err != nil {
			return refuse(l, "x509.store:load_file: %s", err)
		}
		s.trusted = append(s.trusted, list...)
		return retTrue(l)
	}
	define(l, c, map[string]lua.LGFunction{
		"new":       func(l *lua.LState) int { return native.Return(l, c.New(&store{})) },
		"istype":    istype[*store],
		"load_file": func(l *lua.LState) int { return load(l, native.Self[*store](l), vm.CheckString(l, 2)) },
		"use_default": func(l *lua.LState) int {
			i := slices.IndexFunc(defaultAuthorities, func(file string) bool { _, err := os.Stat(file); return err == nil })
			if i < 0 {
				return refuse(l, "x509.store:use_default: the system has no authorities")
			}
			return load(l, native.Self[*store](l), defaultAuthorities[i])
		},
		"add": func(l *lua.LState) int {
			s := native.Self[*store](l)
			cert, ok := native.Value[*certificate](l.Get(2))
			if !ok {
				return refuse(l, "x509.store:add: expect a x509 instance at #1")
			}
			s.trusted = append(s.trusted, cert.Certificate)
			return retTrue(l)
		},
		"verify": func(l *lua.LState) int { return b.verify(l) },
	})
}

// verify is store:verify(x509, chain?, return_chain?).
func (b *library) verify(l *lua.LState) int {
	s := native.Self[*store](l)
	cert, ok := native.Value[*certificate](l.Get(2))
	if !ok || cert.Raw == nil {
		return fail(l, "x509.store:verify: expect a x509 instance at #1")
	}
	certs := []*x509.Certificate{cert.Certificate}
	if others, ok := native.Value[*chain](l.Get(3)); ok {
		certs = append(certs, others.list...)
	}
	good, verdict := tls.VerifyChain(certs, s.trusted, time.Now())
	switch {
	case verdict != tls.VerifyOK:
		return native.Fail(l, verdict.String())
	case lua.LVAsBool(l.Get(4)):
		return native.Return(l, b.class(l, "resty.openssl.x509.chain").New(&chain{good}))
	}
	return retTrue(l)
}

// request is an object of resty.openssl.x509.csr. One that was changed has no Raw until it is signed.
type request struct{ *x509.CertificateRequest }

// openCSR makes resty.openssl.x509.csr.
func openCSR(b *library, l *lua.LState, c *native.Class) {
	csr := native.Self[*request]
	change := func(set func(l *lua.LState, r *x509.CertificateRequest) error) lua.LGFunction {
		return func(l *lua.LState) int {
			changed := *csr(l).CertificateRequest
			if err := set(l, &changed); err != nil {
				return refuse(l, "x509.csr: %s", err)
			}
			changed.Raw = nil
			csr(l).CertificateRequest = &changed
			return retTrue(l)
		}
	}
	const kind = "CERTIFICATE REQUEST"
	define(l, c, map[string]lua.LGFunction{
		"new":              func(l *lua.LState) int { return newCSR(l, c) },
		"istype":           istype[*request],
		"tostring":         func(l *lua.LState) int { return derText(l, "x509.csr", kind, csr(l).Raw, optStr(l, 2)) },
		"to_PEM":           func(l *lua.LState) int { return derText(l, "x509.csr", kind, csr(l).Raw, "PEM") },
		"get_subject_name": func(l *lua.LState) int { return b.nameValue(l, csr(l).RawSubject) },
		"get_pubkey":       func(l *lua.LState) int { return b.keyValue(l, csr(l).PublicKey) },
		"get_version":      func(l *lua.LState) int { return native.Return(l, vm.Number(csr(l).Version)) },
		"get_subject_alt_name": func(l *lua.LState) int {
			r := csr(l)
			return b.altValue(l, subjects{r.DNSNames, r.EmailAddresses, r.IPAddresses, r.URIs})
		},
		"set_version":      change(func(*lua.LState, *x509.CertificateRequest) error { return nil }), // there is one
		"set_subject_name": change(func(l *lua.LState, r *x509.CertificateRequest) error { return setName(l, &r.RawSubject) }),
		"set_pubkey":       change(func(l *lua.LState, r *x509.CertificateRequest) error { return setPublic(l, &r.PublicKey) }),
		"set_subject_alt_name": change(func(l *lua.LState, r *x509.CertificateRequest) error {
			s, err := altArg(l)
			r.DNSNames, r.EmailAddresses, r.IPAddresses, r.URIs = s.dns, s.email, s.ip, s.uri
			return err
		}),
		"sign": signRequest,
		"verify": func(l *lua.LState) int {
			if err := csr(l).CheckSignature(); err != nil {
				return refuse(l, "x509.csr:verify: %s", err)
			}
			return retTrue(l)
		},
	})
	c.Methods.RawSetString("set_subject_alt", c.Methods.RawGetString("set_subject_alt_name"))
}

// newCSR is csr.new(text?, format?).
func newCSR(l *lua.LState, c *native.Class) int {
	if l.Get(1) == lua.LNil {
		return native.Return(l, c.New(&request{&x509.CertificateRequest{}}))
	}
	der := []byte(vm.CheckString(l, 1))
	if strings.Contains(string(der), "-----BEGIN") {
		block, _ := pem.Decode(der)
		if block == nil {
			return fail(l, "x509.csr.new: no start line")
		}
		der = block.Bytes
	}
	r, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = checkSize(r.PublicKey)
	}
	if err != nil {
		return fail(l, "x509.csr.new: %s", err)
	}
	return native.Return(l, c.New(&request{r}))
}

// signRequest is csr:sign(pkey, digest?). The key is that of the request.
func signRequest(l *lua.LState) int {
	r := native.Self[*request](l)
	signer, algorithm, err := signArg(l)
	if err == nil && r.PublicKey != nil && !samePublic(signer.Public(), r.PublicKey) {
		err = errors.New("the key is not that of the request")
	}
	if err != nil {
		return refuse(l, "x509.csr:sign: %s", err)
	}
	template := *r.CertificateRequest
	template.SignatureAlgorithm = algorithm
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, signer)
	if err == nil {
		r.CertificateRequest, err = x509.ParseCertificateRequest(der)
	}
	if err != nil {
		r.CertificateRequest = &template
		return refuse(l, "x509.csr:sign: %s", err)
	}
	return retTrue(l)
}
