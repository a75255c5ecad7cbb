package openssl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// TestOddArguments are arguments that no cryptography can be done with: all of them are errors of the script.
func TestOddArguments(t *testing.T) {
	v := newVM(t)
	const key = `local key = require "resty.openssl.pkey".new({type = "RSA", bits = 1024}) `
	for _, test := range []struct{ name, src string }{
		{"NaN bytes", `return require "resty.openssl.rand".bytes(0/0)`},
		{"salt of a terabyte", key + `return key:sign("a", "sha256", 6, {pss_saltlen = 1e12})`},
		{"salt beyond the numbers", key + `return key:sign("a", "sha256", 6, {"rsa_pss_saltlen:9223372036854775807"})`},
		{"PSS of no digest", key + `return key:sign_raw("a", 6)`},
		{"PSS of two digests", key + `return key:sign("a", "md5-sha1", 6)`},
		{"OAEP of two digests", key + `return key:encrypt("a", 4, {oaep_md = "md5-sha1"})`},
		{"key of the empty digest", `return require "resty.openssl.cipher".new("aes128"):derive("a", nil, 1, "null")`},
		{"HMAC of the empty digest", `return require "resty.openssl.hmac".new("a", "null")`},
		{"MAC of the empty digest", `return require "resty.openssl.mac".new("a", "HMAC", nil, "null")`},
		{"resty.hmac of the empty digest", `return require "resty.hmac":new("a", "null")`},
		{"PBKDF2 of the empty digest", `return require "resty.openssl.kdf".new("pbkdf2"):derive(8, {pass = "a", salt = "b", digest = "null"})`},
		{"TLS1-PRF of the empty digest", `return require "resty.openssl.kdf".new("tls1-prf"):derive(8, {secret = "a", digest = "null"})`},
		{"HKDF of the empty digest", `return require "resty.openssl.kdf".new("hkdf"):derive(8, {key = "a", digest = "null"})`},
		{"no rounds", `return require "resty.openssl.kdf".new("pbkdf2"):derive(8, {pass = "a", salt = "b", iter = 0})`},
		{"NaN rounds", `return require "resty.openssl.kdf".new("pbkdf2"):derive(8, {pass = "a", salt = "b", iter = 0/0})`},
		{"inverse exponent", key + `local bn = require "resty.openssl.bn"
			local p = {n = key:get_parameters().n, e = -bn.new(3)}
			local public = require "resty.openssl.pkey".new({type = "RSA", params = p})
			return public and public:verify_recover(string.rep("\0", 128))`},
		{"key that is no certificate", key + `local evp = require "resty.evp"
			return evp.Cert.get_der((evp.PublicKey:new(key:to_PEM("public"))))`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := run(t, v, `return (select(2, pcall(function() `+test.src+` end)))`); got != "nil" && !strings.Contains(got, "bad object") {
				t.Errorf("got %.60q", got)
			}
		})
	}
}

// hugeKey is a public key that takes minutes to do anything with.
func hugeKey() *rsa.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), 1<<20)
	return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
}

// TestHugeKeys are keys of strangers whose mere size would hold up a worker.
func TestHugeKeys(t *testing.T) {
	v := newVM(t)
	set := func(name string, b []byte) { v.Globals().RawSetString(name, lua.LString(b)) }
	spki, err := x509.MarshalPKIXPublicKey(hugeKey())
	if err != nil {
		t.Fatal(err)
	}
	own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1)},
		&x509.Certificate{PublicKey: own.Public()}, hugeKey(), own)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, own)
	if err != nil {
		t.Fatal(err)
	}
	set("spki", spki)
	set("cert", cert)
	set("pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	set("csr", withKey(t, plain, spki))
	set("jwk", []byte(`{"kty":"RSA","e":"AQAB","n":"`+base64.RawURLEncoding.EncodeToString(hugeKey().N.Bytes())+`"}`))
	for _, src := range []string{
		`return require "resty.openssl.x509".new(cert)`, `return require "resty.openssl.x509".new(pem)`,
		`return require "resty.openssl.x509.csr".new(csr)`, `return require "resty.evp".Cert:new(pem)`,
		`return require "resty.evp".PublicKey:new(spki)`, `return require "resty.openssl.pkey".new(spki)`,
		`return require "resty.openssl.pkey".new(jwk)`,
	} {
		if got := run(t, v, `return (function() `+src+` end)()`); got != "nil" {
			t.Errorf("%s: got %.60q", src, got)
		}
	}
}

// withKey puts another public key into a request for a certificate.
func withKey(t *testing.T, der, spki []byte) []byte {
	t.Helper()
	var request struct {
		Info struct {
			Version    int
			Name       asn1.RawValue
			Key        asn1.RawValue
			Attributes asn1.RawValue `asn1:"tag:0"`
		}
		Algorithm asn1.RawValue
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &request); err != nil {
		t.Fatal(err)
	}
	request.Info.Key = asn1.RawValue{FullBytes: spki}
	out, err := asn1.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
