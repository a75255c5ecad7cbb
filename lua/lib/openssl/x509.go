package openssl

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// certificate is an object of resty.openssl.x509. One that was changed has no Raw until it is signed.
type certificate struct{ *x509.Certificate }

// nameValue returns an object of a name.
func (b *library) nameValue(l *lua.LState, der []byte) int {
	if len(der) == 0 {
		return native.Return(l, b.class(l, "resty.openssl.x509.name").New(&distinguishedName{}))
	}
	n, err := parseName(der)
	if err != nil {
		return fail(l, "x509.name: %s", err)
	}
	return native.Return(l, b.class(l, "resty.openssl.x509.name").New(n))
}

// keyValue returns an object of a public key, or nil if it is of a kind that is not known.
func (b *library) keyValue(l *lua.LState, public crypto.PublicKey) int {
	k := keyOf(public)
	if k == nil {
		return native.Fail(l, errNoKey.Error())
	}
	return native.Return(l, b.class(l, "resty.openssl.pkey").New(k))
}

// altValue returns an object of alternatives, or nil if there are none.
func (b *library) altValue(l *lua.LState, s subjects) int {
	a := s.join()
	if a == nil {
		return native.Return(l, lua.LNil)
	}
	return native.Return(l, b.class(l, "resty.openssl.x509.altname").New(a))
}

// openX509 makes resty.openssl.x509.
func openX509(b *library, l *lua.LState, c *native.Class) {
	cert := native.Self[*certificate]
	define(l, c, map[string]lua.LGFunction{
		"new":              func(l *lua.LState) int { return newX509(l, c) },
		"istype":           istype[*certificate],
		"tostring":         func(l *lua.LState) int { return derText(l, "x509", "CERTIFICATE", cert(l).Raw, optStr(l, 2)) },
		"to_PEM":           func(l *lua.LState) int { return derText(l, "x509", "CERTIFICATE", cert(l).Raw, "PEM") },
		"digest":           func(l *lua.LState) int { return retDigest(l, cert(l).Raw) },
		"pubkey_digest":    func(l *lua.LState) int { return pubkeyDigest(l, cert(l)) },
		"get_subject_name": func(l *lua.LState) int { return b.nameValue(l, cert(l).RawSubject) },
		"get_issuer_name":  func(l *lua.LState) int { return b.nameValue(l, cert(l).RawIssuer) },
		"get_pubkey":       func(l *lua.LState) int { return b.keyValue(l, cert(l).PublicKey) },
		"get_not_before":   func(l *lua.LState) int { return native.Return(l, vm.Number(cert(l).NotBefore.Unix())) },
		"get_not_after":    func(l *lua.LState) int { return native.Return(l, vm.Number(cert(l).NotAfter.Unix())) },
		"get_lifetime": func(l *lua.LState) int {
			l.Push(vm.Number(cert(l).NotBefore.Unix()))
			l.Push(vm.Number(cert(l).NotAfter.Unix()))
			return 2
		},
		"get_version": func(l *lua.LState) int { return native.Return(l, vm.Number(max(cert(l).Version, 1)-1)) },
		"get_serial_number": func(l *lua.LState) int {
			if n := cert(l).SerialNumber; n != nil {
				return native.Return(l, b.newBN(l, n))
			}
			return native.Return(l, lua.LNil)
		},
		"get_subject_alt_name": func(l *lua.LState) int {
			c := cert(l)
			return b.altValue(l, subjects{c.DNSNames, c.EmailAddresses, c.IPAddresses, c.URIs})
		},
		"get_basic_constraints":     basicConstraints,
		"get_ocsp_url":              func(l *lua.LState) int { return retURLs(l, cert(l).OCSPServer) },
		"get_crl_url":               func(l *lua.LState) int { return retURLs(l, cert(l).CRLDistributionPoints) },
		"get_signature_name":        func(l *lua.LState) int { return signatureField(l, "sn") },
		"get_signature_nid":         func(l *lua.LState) int { return signatureField(l, "nid") },
		"get_signature_digest_name": signatureDigest,
		"check_private_key":         checkPrivateKey,
		"verify": func(l *lua.LState) int {
			k, ok := native.Value[*key](l.Get(2))
			if !ok {
				return refuse(l, "x509:verify: expect a pkey instance at #1")
			}
			parent := x509.Certificate{PublicKey: k.public}
			if err := parent.CheckSignature(cert(l).SignatureAlgorithm, cert(l).RawTBSCertificate, cert(l).Signature); err != nil {
				return refuse(l, "x509:verify: %s", err)
			}
			return retTrue(l)
		},
		"sign": signCertificate,
	})
	for name, f := range certificateSetters {
		c.Methods.RawSetString(name, l.NewFunction(f))
	}
}

// newX509 is x509.new(text?, format?).
func newX509(l *lua.LState, c *native.Class) int {
	text, ok := l.Get(1).(lua.LString)
	switch {
	case l.Get(1) == lua.LNil:
		return native.Return(l, c.New(&certificate{&x509.Certificate{MaxPathLen: -1}}))
	case !ok:
		return fail(l, "x509.new: expect nil or a string at #1")
	}
	cert, err := loadCertificate([]byte(text))
	if err != nil {
		return fail(l, "x509.new: %s", err)
	}
	return native.Return(l, c.New(&certificate{cert}))
}

// derText returns what was signed as PEM or DER.
func derText(l *lua.LState, what, kind string, der []byte, format string) int {
	switch {
	case len(der) == 0:
		return fail(l, "%s:tostring: it is not signed", what)
	case format == "DER":
		return retBytes(l, der)
	case format == "" || format == "PEM":
		return retBytes(l, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return fail(l, "%s:tostring: can only write PEM or DER format, not %s", what, format)
}

// retDigest returns a digest, whose name is at argument 2.
func retDigest(l *lua.LState, b []byte) int {
	name := vm.OptString(l, 2, "sha1")
	kind := digestBy(name)
	if kind == nil {
		return fail(l, "x509:digest: invalid digest type %q", name)
	}
	h := kind.make()
	h.Write(b)
	return retBytes(l, h.Sum(nil))
}

// pubkeyDigest is x509:pubkey_digest(name?), of the bits of the key.
func pubkeyDigest(l *lua.LState, c *certificate) int {
	bits, err := publicBits(c.PublicKey)
	if err != nil {
		return fail(l, "x509:pubkey_digest: %s", err)
	}
	return retDigest(l, bits)
}

// basicConstraints is x509:get_basic_constraints(name?).
func basicConstraints(l *lua.LState) int {
	c := native.Self[*certificate](l)
	if !c.BasicConstraintsValid {
		return native.Return(l, lua.LNil)
	}
	t := vm.NewTable(0, 2)
	t.RawSetString("ca", lua.LBool(c.IsCA))
	t.RawSetString("pathlen", vm.Number(max(c.MaxPathLen, 0)))
	if name, ok := str(l, 2); ok {
		return native.Return(l, t.RawGetString(strings.ToLower(name)))
	}
	return native.Return(l, t)
}

// retURLs returns the first of the addresses, or all of them if argument 2 says so; nil if there are none.
func retURLs(l *lua.LState, list []string) int {
	switch {
	case len(list) == 0:
		return native.Return(l, lua.LNil)
	case !lua.LVAsBool(l.Get(2)):
		return native.Return(l, lua.LString(list[0]))
	}
	t := vm.NewTable(len(list), 0)
	for _, s := range list {
		t.Append(lua.LString(s))
	}
	return native.Return(l, t)
}

// signatureObjects are the names of the signatures, with that of the digest.
var signatureObjects = map[x509.SignatureAlgorithm][2]string{
	x509.SHA1WithRSA: {"RSA-SHA1", "SHA1"}, x509.SHA256WithRSA: {"RSA-SHA256", "SHA256"}, x509.SHA384WithRSA: {"RSA-SHA384", "SHA384"},
	x509.SHA512WithRSA: {"RSA-SHA512", "SHA512"}, x509.SHA256WithRSAPSS: {"RSASSA-PSS", "SHA256"},
	x509.SHA384WithRSAPSS: {"RSASSA-PSS", "SHA384"}, x509.SHA512WithRSAPSS: {"RSASSA-PSS", "SHA512"},
	x509.ECDSAWithSHA1: {"ecdsa-with-SHA1", "SHA1"}, x509.ECDSAWithSHA256: {"ecdsa-with-SHA256", "SHA256"},
	x509.ECDSAWithSHA384: {"ecdsa-with-SHA384", "SHA384"}, x509.ECDSAWithSHA512: {"ecdsa-with-SHA512", "SHA512"},
	x509.PureEd25519: {"ED25519", "UNDEF"}, x509.MD5WithRSA: {"RSA-MD5", "MD5"},
}

// signatureField returns a field of the object of a certificate's signature.
func signatureField(l *lua.LState, name string) int {
	names, ok := signatureObjects[native.Self[*certificate](l).SignatureAlgorithm]
	if !ok {
		return fail(l, "x509:get_signature: unknown algorithm")
	}
	return native.Return(l, objectOf(0, names[0]).table().RawGetString(name))
}

func signatureDigest(l *lua.LState) int {
	names, ok := signatureObjects[native.Self[*certificate](l).SignatureAlgorithm]
	if !ok {
		return fail(l, "x509:get_signature: unknown algorithm")
	}
	return native.Return(l, lua.LString(names[1]))
}

// checkPrivateKey is x509:check_private_key(pkey).
func checkPrivateKey(l *lua.LState) int {
	c := native.Self[*certificate](l)
	k, ok := native.Value[*key](l.Get(2))
	switch {
	case !ok:
		return refuse(l, "x509:check_private_key: except a pkey instance at #1")
	case k.private == nil:
		return refuse(l, "x509:check_private_key: not a private key")
	case !samePublic(k.public, c.PublicKey):
		return refuse(l, "x509:check_private_key: key values mismatch")
	}
	return retTrue(l)
}

// samePublic compares public keys.
func samePublic(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

// certificateSetters are the methods that change a certificate, which has to be signed again then.
var certificateSetters = map[string]lua.LGFunction{
	"set_version":    setter(func(*lua.LState, *x509.Certificate) error { return nil }), // it is 3, always
	"set_not_before": setter(func(l *lua.LState, c *x509.Certificate) error { return setTime(l, 2, &c.NotBefore) }),
	"set_not_after":  setter(func(l *lua.LState, c *x509.Certificate) error { return setTime(l, 2, &c.NotAfter) }),
	"set_lifetime": setter(func(l *lua.LState, c *x509.Certificate) error {
		return errors.Join(setTime(l, 2, &c.NotBefore), setTime(l, 3, &c.NotAfter))
	}),
	"set_subject_name":  setter(func(l *lua.LState, c *x509.Certificate) error { return setName(l, &c.RawSubject) }),
	"set_issuer_name":   setter(func(l *lua.LState, c *x509.Certificate) error { return setName(l, &c.RawIssuer) }),
	"set_pubkey":        setter(func(l *lua.LState, c *x509.Certificate) error { return setPublic(l, &c.PublicKey) }),
	"set_serial_number": setter(setSerial),
	"set_subject_alt_name": setter(func(l *lua.LState, c *x509.Certificate) error {
		s, err := altArg(l)
		c.DNSNames, c.EmailAddresses, c.IPAddresses, c.URIs = s.dns, s.email, s.ip, s.uri
		return err
	}),
	"set_basic_constraints":          setter(setConstraints),
	"set_basic_constraints_critical": setter(func(*lua.LState, *x509.Certificate) error { return nil }), // it is, always
}

// setter makes a method of a function that changes a certificate.
func setter(set func(l *lua.LState, c *x509.Certificate) error) lua.LGFunction {
	return func(l *lua.LState) int {
		c := native.Self[*certificate](l)
		changed := *c.Certificate
		if err := set(l, &changed); err != nil {
			return refuse(l, "x509: %s", err)
		}
		changed.Raw, changed.ExtraExtensions = nil, nil
		c.Certificate = &changed
		return retTrue(l)
	}
}

func setTime(l *lua.LState, n int, t *time.Time) error {
	seconds, ok := l.Get(n).(lua.LNumber)
	if !ok {
		return errors.New("expect a number at #1")
	}
	*t = time.Unix(int64(seconds), 0).UTC()
	return nil
}

func setName(l *lua.LState, der *[]byte) error {
	n, ok := native.Value[*distinguishedName](l.Get(2))
	if !ok {
		return errors.New("expect a x509.name instance at #1")
	}
	var err error
	*der, err = n.der()
	return err
}

func setPublic(l *lua.LState, public *any) error {
	k, ok := native.Value[*key](l.Get(2))
	if !ok {
		return errors.New("expect a pkey instance at #1")
	}
	*public = k.public
	return nil
}

func setSerial(l *lua.LState, c *x509.Certificate) error {
	n, ok := native.Value[*bigNumber](l.Get(2))
	if !ok {
		return errors.New("expect a bn instance at #1")
	}
	c.SerialNumber = n.n
	return nil
}

func altArg(l *lua.LState) (subjects, error) {
	a, ok := native.Value[*alternatives](l.Get(2))
	if !ok {
		return subjects{}, errors.New("expect a x509.altname instance at #1")
	}
	return a.split()
}

func setConstraints(l *lua.LState, c *x509.Certificate) error {
	t, ok := l.Get(2).(*lua.LTable)
	if !ok {
		return errors.New("expect a table at #1")
	}
	c.BasicConstraintsValid, c.IsCA, c.MaxPathLen, c.MaxPathLenZero = true, false, -1, false
	for k, v := range vm.Pairs(t) {
		switch name, _ := vm.ToString(k); strings.ToLower(name) {
		case "ca":
			c.IsCA = lua.LVAsBool(v)
		case "pathlen":
			n, _ := vm.ToNumber(v)
			c.MaxPathLen, c.MaxPathLenZero = int(n), n == 0
		}
	}
	return nil
}

// signatureOf is the algorithm that a key signs with, and a digest.
func signatureOf(k *key, kind *digestKind) (x509.SignatureAlgorithm, error) {
	name := "SHA256"
	if kind != nil {
		name = kind.name
	}
	want := map[string]string{kindRSA: "RSA-" + name, kindEC: "ecdsa-with-" + name, kindEd25519: "ED25519"}[k.kind()]
	for algorithm, names := range signatureObjects {
		if names[0] == want {
			return algorithm, nil
		}
	}
	return 0, fmt.Errorf("cannot sign with a key of %s and %s", k.kind(), name)
}

// signArg are the key and the digest at arguments 2 and 3 of sign.
func signArg(l *lua.LState) (crypto.Signer, x509.SignatureAlgorithm, error) {
	k, ok := native.Value[*key](l.Get(2))
	if !ok {
		return nil, 0, errors.New("expect a pkey instance at #1")
	}
	signer, ok := k.private.(crypto.Signer)
	if !ok {
		return nil, 0, errNoPrivate
	}
	var kind *digestKind
	if d, ok := native.Value[*digest](l.Get(3)); ok {
		kind = d.kind
	} else if name, ok := str(l, 3); ok {
		kind = digestBy(name)
	}
	algorithm, err := signatureOf(k, kind)
	return signer, algorithm, err
}

// signCertificate is x509:sign(pkey, digest?).
func signCertificate(l *lua.LState) int {
	c := native.Self[*certificate](l)
	signer, algorithm, err := signArg(l)
	if err != nil {
		return refuse(l, "x509:sign: %s", err)
	}
	template := *c.Certificate
	template.SignatureAlgorithm = algorithm
	parent := x509.Certificate{RawSubject: template.RawIssuer, PublicKey: signer.Public()}
	if len(parent.RawSubject) == 0 {
		parent.RawSubject = template.RawSubject
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &parent, template.PublicKey, signer)
	if err == nil {
		c.Certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		c.Certificate = &template
		return refuse(l, "x509:sign: %s", err)
	}
	return retTrue(l)
}

// publicBits are the bits of a public key, without the name of its algorithm.
func publicBits(public crypto.PublicKey) ([]byte, error) {
	if k, ok := public.(*rsa.PublicKey); ok {
		return x509.MarshalPKCS1PublicKey(k), nil
	}
	if k, ok := public.(interface{ Bytes() ([]byte, error) }); ok {
		return k.Bytes()
	}
	k := keyOf(public)
	if k == nil {
		return nil, errNoKey
	}
	return k.rawPublic(), nil
}
