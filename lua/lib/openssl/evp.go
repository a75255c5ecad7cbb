package openssl

import (
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/core/tls"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// evpObject is an object of resty.evp: a key, and how it is used.
type evpObject struct {
	*key
	scheme scheme
	cert   *x509.Certificate // of Cert
}

// openEVP makes resty.evp, which comes with lua-resty-jwt: a table of classes.
func openEVP(_ *library, l *lua.LState, c *native.Class) {
	c.Init(native.Module(l, "0.2.4", nil))
	names := vm.NewTable(0, len(paddings)+4)
	constants(names, paddings)
	for _, name := range []string{"SHA1", "SHA256", "SHA384", "SHA512"} {
		names.RawSetString(name+"_DIGEST", lua.LString(name))
	}
	c.Methods.RawSetString("CONST", names)
	for name, make := range map[string]func(c *native.Class) map[string]lua.LGFunction{
		"RSASigner": evpSigner, "ECSigner": evpSigner, "RSAVerifier": evpVerifier, "ECVerifier": evpVerifier, "Cert": evpCert,
		"PublicKey": evpPublicKey, "RSAEncryptor": evpEncryptor, "RSADecryptor": evpDecryptor,
	} {
		class := new(native.Class)
		class.Init(native.Module(l, "", make(class)))
		c.Methods.RawSetString(name, class.Methods)
	}
}

// retKey returns an object, with the key in the field that verifiers and encryptors look in.
func (o *evpObject) ret(l *lua.LState, c *native.Class) int {
	t := c.New(o)
	t.RawSetString("public_key", t)
	return native.Return(l, t)
}

// privateArgs reads the private key at argument 2 with the password at argument 3; a padding is at argument n.
func privateArgs(l *lua.LState, n int) (*evpObject, error) {
	k, err := loadPEM([]byte(optStr(l, 2)), func() []byte {
		if s, ok := str(l, 3); ok {
			return []byte(s)
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case k == nil || k.private == nil:
		return nil, errors.New("no start line")
	}
	o := &evpObject{key: k, scheme: defaultScheme()}
	o.scheme.padding = vm.OptInt(l, n, paddingPKCS1)
	return o, nil
}

// publicArgs takes over the key of the Cert or PublicKey at argument 2; a padding is at argument 3.
func publicArgs(l *lua.LState) (*evpObject, bool) {
	source, ok := native.Value[*evpObject](l.Get(2))
	if !ok {
		return nil, false
	}
	o := &evpObject{key: source.key, scheme: defaultScheme()}
	o.scheme.padding = vm.OptInt(l, 3, paddingPKCS1)
	return o, true
}

// setDigest sets the digest by its name at argument n.
func (o *evpObject) setDigest(l *lua.LState, n int) bool {
	o.scheme.digest = digestBy(optStr(l, n))
	return o.scheme.digest != nil && o.scheme.digest.id != 0
}

const (
	noKeySource   = "You must pass in an key_source for a public key"
	unknownDigest = "Unknown message digest"
)

// evpSigner is RSASigner and ECSigner: new(key, password?, padding?), sign(message, digest), get_raw_sig(signature).
func evpSigner(c *native.Class) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			o, err := privateArgs(l, 4)
			if err != nil {
				return native.Fail(l, err.Error())
			}
			return o.ret(l, c)
		},
		"sign": func(l *lua.LState) int {
			o := native.Self[*evpObject](l)
			if !o.setDigest(l, 3) {
				return native.Fail(l, unknownDigest)
			}
			signature, err := o.sign(buf.Bytes(vm.CheckString(l, 2)), &o.scheme)
			return retPlain(l, signature, err)
		},
		"get_raw_sig": func(l *lua.LState) int {
			o := native.Self[*evpObject](l)
			public, isEC := o.public.(*ecdsa.PublicKey)
			signature, ok := str(l, 2)
			if !ok || !isEC {
				return native.Fail(l, "Must pass a signature to convert")
			}
			raw, err := rawSignature([]byte(signature), orderSize(public))
			return retPlain(l, raw, err)
		},
	}
}

// retPlain returns bytes, or nil and an error.
func retPlain(l *lua.LState, b []byte, err error) int {
	if err != nil {
		return native.Fail(l, err.Error())
	}
	return retBytes(l, b)
}

// evpVerifier is RSAVerifier and ECVerifier: new(source, padding?), verify(message, signature, digest). Signatures of
// ECVerifier are two numbers, which get_der_sig(signature) turns into ASN.1.
func evpVerifier(c *native.Class) map[string]lua.LGFunction {
	toDER := func(o *evpObject, signature string) ([]byte, error) {
		size := orderSize(o.public.(*ecdsa.PublicKey))
		if len(signature) != 2*size {
			return nil, errors.New("signature length != 2 * order length")
		}
		return asn1Signature([]byte(signature), size)
	}
	return map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			o, ok := publicArgs(l)
			if !ok {
				return native.Fail(l, noKeySource)
			}
			return o.ret(l, c)
		},
		"verify": func(l *lua.LState) int {
			o, message, text := native.Self[*evpObject](l), vm.CheckString(l, 2), vm.CheckString(l, 3)
			if !o.setDigest(l, 4) {
				return refuse(l, unknownDigest)
			}
			signature := []byte(text)
			if o.kind() == kindEC {
				var err error
				if signature, err = toDER(o, text); err != nil {
					return native.Fail(l, err.Error())
				}
			}
			if o.verify(signature, buf.Bytes(message), &o.scheme) != nil {
				return refuse(l, "Verification failed")
			}
			return retTrue(l)
		},
		"get_der_sig": func(l *lua.LState) int {
			o := native.Self[*evpObject](l)
			signature, ok := str(l, 2)
			if !ok || o.kind() != kindEC {
				return native.Fail(l, "Must pass a signature to convert")
			}
			der, err := toDER(o, signature)
			return retPlain(l, der, err)
		},
	}
}

// evpCert is Cert: new(PEM or DER), get_der(), get_fingerprint(digest), get_public_key(), verify_trust(file).
func evpCert(c *native.Class) map[string]lua.LGFunction {
	self := func(l *lua.LState) *evpObject {
		o := native.Self[*evpObject](l)
		if o.cert == nil {
			vm.ArgError(l, 1, "bad object")
		}
		return o
	}
	return map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			text, ok := str(l, 2)
			if !ok {
				return native.Fail(l, "Must pass a PEM or binary DER cert")
			}
			cert, err := loadCertificate([]byte(text))
			if err != nil {
				return native.Fail(l, err.Error())
			}
			k := keyOf(cert.PublicKey)
			if k == nil {
				return native.Fail(l, errNoKey.Error())
			}
			return (&evpObject{key: k, scheme: defaultScheme(), cert: cert}).ret(l, c)
		},
		"get_der":        func(l *lua.LState) int { return retBytes(l, self(l).cert.Raw) },
		"get_public_key": func(l *lua.LState) int { return native.Return(l, l.Get(1)) },
		"get_fingerprint": func(l *lua.LState) int {
			o := self(l)
			if !o.setDigest(l, 2) {
				return native.Fail(l, unknownDigest)
			}
			sum := o.scheme.sum(o.cert.Raw)
			pairs := make([]string, len(sum))
			for i, b := range sum {
				pairs[i] = fmt.Sprintf("%02X", b)
			}
			return native.Return(l, lua.LString(strings.Join(pairs, ":")))
		},
		"verify_trust": func(l *lua.LState) int {
			o := self(l)
			trusted, err := tls.LoadAuthorities(os.ReadFile, vm.CheckString(l, 2))
			if err != nil {
				return refuse(l, "%s", tls.Failed(err))
			}
			if _, verdict := tls.VerifyChain([]*x509.Certificate{o.cert}, trusted, time.Now()); verdict != tls.VerifyOK {
				return refuse(l, "%s", verdict)
			}
			return retTrue(l)
		},
	}
}

// loadCertificate reads a certificate of PEM or DER. One with a key too large to do anything with is none.
func loadCertificate(text []byte) (*x509.Certificate, error) {
	if !strings.Contains(string(text), "-----BEGIN") {
		cert, err := x509.ParseCertificate(text)
		if err != nil {
			return nil, err
		}
		return cert, checkSize(cert.PublicKey)
	}
	list, err := tls.ParseCertificates(text)
	if err != nil {
		return nil, err
	}
	return list[0], checkSize(list[0].PublicKey)
}

// evpPublicKey is PublicKey: new(PEM or DER).
func evpPublicKey(c *native.Class) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{"new": func(l *lua.LState) int {
		text, ok := str(l, 2)
		if !ok {
			return native.Fail(l, "Must pass a PEM or binary DER public key")
		}
		k, err := loadKey(text, "*", "pu", nil)
		if err != nil {
			return native.Fail(l, err.Error())
		}
		return (&evpObject{key: k, scheme: defaultScheme()}).ret(l, c)
	}}
}

// evpEncryptor is RSAEncryptor: new(source, padding?, digest?), encrypt(text).
func evpEncryptor(c *native.Class) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			o, ok := publicArgs(l)
			if !ok {
				return native.Fail(l, noKeySource)
			}
			return o.retCrypt(l, c, 4)
		},
		"encrypt": func(l *lua.LState) int {
			o := native.Self[*evpObject](l)
			out, err := o.encrypt(buf.Bytes(vm.CheckString(l, 2)), &o.scheme)
			return retPlain(l, out, err)
		},
	}
}

// evpDecryptor is RSADecryptor: new(key, password?, padding?, digest?), decrypt(text).
func evpDecryptor(c *native.Class) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			o, err := privateArgs(l, 4)
			if err != nil {
				return native.Fail(l, err.Error())
			}
			return o.retCrypt(l, c, 5)
		},
		"decrypt": func(l *lua.LState) int {
			o := native.Self[*evpObject](l)
			out, err := o.decrypt(buf.Bytes(vm.CheckString(l, 2)), &o.scheme)
			return retPlain(l, out, err)
		},
	}
}

// retCrypt returns an object with the digest of OAEP at argument n.
func (o *evpObject) retCrypt(l *lua.LState, c *native.Class, n int) int {
	if name, ok := str(l, n); ok {
		if o.scheme.oaep = digestBy(name); o.scheme.oaep == nil || !o.scheme.oaep.id.Available() {
			return native.Fail(l, unknownDigest)
		}
	}
	return o.ret(l, c)
}

// openRestyHMAC makes resty.hmac (https://github.com/jkeys089/lua-resty-hmac).
func openRestyHMAC(_ *library, l *lua.LState, c *native.Class) {
	c.Init(native.Module(l, "0.06", map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			kind := keyedDigestBy(vm.OptString(l, 3, "MD5"))
			if kind == nil {
				return native.Return(l, lua.LNil)
			}
			h := hmac.New(kind.make, []byte(vm.CheckString(l, 2)))
			return native.Return(l, c.New(&hmacObject{digest{kind, h}}))
		},
		"update": func(l *lua.LState) int {
			_, _ = native.Self[*hmacObject](l).Write(buf.Bytes(vm.CheckString(l, 2))) // hashes do not fail
			return retTrue(l)
		},
		"final": func(l *lua.LState) int {
			h := native.Self[*hmacObject](l)
			_, _ = h.Write(buf.Bytes(optStr(l, 2)))
			sum := h.Sum(nil)
			if l.Get(3) == lua.LTrue {
				sum = hex.AppendEncode(nil, sum)
			}
			return retBytes(l, sum)
		},
		"reset": func(l *lua.LState) int {
			native.Self[*hmacObject](l).Reset()
			return retTrue(l)
		},
	}))
	algos := vm.NewTable(0, 8)
	for _, name := range []string{"MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512"} {
		algos.RawSetString(name, lua.LString(name))
	}
	c.Methods.RawSetString("ALGOS", algos)
}
