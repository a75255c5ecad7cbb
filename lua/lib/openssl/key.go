package openssl

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"moongate/core/tls"
)

// key is an asymmetric key: of RSA, of ECDSA on the curves of NIST, Ed25519 or X25519.
type key struct {
	private crypto.PrivateKey // nil for a public key
	public  crypto.PublicKey
}

// keyOf is a private or public key in the types of Go's packages, nil if it is neither.
func keyOf(k any) *key {
	switch k := k.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, *ecdh.PublicKey:
		return &key{public: k}
	case crypto.Signer:
		return &key{private: k, public: k.Public()}
	case *ecdh.PrivateKey:
		return &key{private: k, public: k.PublicKey()}
	}
	return nil
}

var (
	errNoPrivate   = errors.New("missing private key")
	errUnsupported = errors.New("operation is not supported for this key type")
	errNoKey       = errors.New("no key of a supported kind found")
)

// The kinds of keys by the names of resty.openssl.
const (
	kindRSA     = "RSA"
	kindEC      = "EC"
	kindEd25519 = "Ed25519"
	kindX25519  = "X25519"
)

func (k *key) kind() string {
	switch k.public.(type) {
	case *rsa.PublicKey:
		return kindRSA
	case *ecdsa.PublicKey:
		return kindEC
	case ed25519.PublicKey:
		return kindEd25519
	}
	return kindX25519
}

// keyNIDs are OpenSSL's numbers of the kinds.
var keyNIDs = map[string]int{kindRSA: 6, kindEC: 408, kindEd25519: 1087, kindX25519: 1034}

// size is the greatest size of what the key makes, in bytes.
func (k *key) size() int {
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		return public.Size()
	case *ecdsa.PublicKey:
		// A sequence of two integers, each of which may need a zero in front.
		n := (public.Params().N.BitLen() + 8) / 8
		return asn1Size(2 * asn1Size(n))
	case ed25519.PublicKey:
		return ed25519.SignatureSize
	}
	return 32
}

// asn1Size is the size of an element of n bytes.
func asn1Size(n int) int {
	if n < 128 {
		return n + 2
	}
	return n + 3
}

// curves are the elliptic curves by OpenSSL's numbers, which the names of objects lead to.
var curves = map[int]elliptic.Curve{713: elliptic.P224(), 415: elliptic.P256(), 715: elliptic.P384(), 716: elliptic.P521()}

// curveAliases are names that are none of the objects.
var curveAliases = map[string]string{
	"P-224": "secp224r1", "P-256": "prime256v1", "secp256r1": "prime256v1", "P-384": "secp384r1", "P-521": "secp521r1",
}

// curveBy finds a curve by its number or its name, nil if there is none.
func curveBy(nid int, name string) elliptic.Curve {
	if alias, ok := curveAliases[name]; ok {
		name = alias
	}
	o := objectOf(nid, name)
	if o == nil {
		return nil
	}
	return curves[o.nid]
}

// curveNID is OpenSSL's number of a curve.
func curveNID(curve elliptic.Curve) int {
	for nid, c := range curves {
		if c == curve {
			return nid
		}
	}
	return 0
}

// generate makes a key. bits is for RSA, curve for EC.
func generate(kind string, bits int, curve elliptic.Curve) (*key, error) {
	var private any
	var err error
	switch kind {
	case kindRSA:
		if bits > maxPrime {
			return nil, errBits
		}
		private, err = rsa.GenerateKey(rand.Reader, bits)
	case kindEC:
		private, err = ecdsa.GenerateKey(curve, rand.Reader)
	case kindEd25519:
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case kindX25519:
		private, err = ecdh.X25519().GenerateKey(rand.Reader)
	}
	if err != nil {
		return nil, err
	}
	return keyOf(private), nil
}

// maxModulus is the greatest size of a key of RSA, in bits, as OpenSSL's OPENSSL_RSA_MAX_MODULUS_BITS.
const maxModulus = 16384

// maxKeyBytes bounds the encoding of a key: a private one of maxModulus bits has 9.3 kilobytes. It is looked at before the
// key is decoded, for private ones are checked then.
const maxKeyBytes = 16 << 10

// checkSize says whether a public key is too large to do anything with.
func checkSize(public crypto.PublicKey) error {
	if k, ok := public.(*rsa.PublicKey); ok && k.N.BitLen() > maxModulus {
		return errBits
	}
	return nil
}

// loadKey reads a key. format is PEM, DER, JWK or *, part is pr (private), pu (public) or *, and password gives the
// password of an encrypted key, nil if there is none.
func loadKey(text, format, part string, password func() []byte) (*key, error) {
	var k *key
	var err error
	isPEM := strings.Contains(text, "-----BEGIN")
	switch {
	case format == "JWK" || format == "*" && strings.HasPrefix(strings.TrimSpace(text), "{"):
		k, err = loadJWK([]byte(text))
	case format == "PEM" || format == "*" && isPEM:
		k, err = loadPEM([]byte(text), password)
	default:
		k = loadDER([]byte(text))
	}
	switch {
	case err != nil:
		return nil, err
	case k == nil || part == "pr" && k.private == nil || part == "pu" && isPEM && k.private != nil:
		return nil, errNoKey
	}
	if err := checkSize(k.public); err != nil {
		return nil, err
	}
	if part == "pu" {
		return &key{public: k.public}, nil
	}
	return k, nil
}

// loadPEM reads the first key of a PEM text, nil if there is none.
func loadPEM(text []byte, password func() []byte) (*key, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, nil
		}
		encrypted := block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")
		switch {
		case len(block.Bytes) > maxKeyBytes:
			continue
		case encrypted && password == nil:
			return nil, nil
		case encrypted:
			private, err := tls.ParseKey(pem.EncodeToMemory(block), password())
			if err != nil {
				return nil, err
			}
			return keyOf(private), nil
		case strings.HasSuffix(block.Type, "PRIVATE KEY"), strings.HasSuffix(block.Type, "PUBLIC KEY"):
			return loadDER(block.Bytes), nil
		}
	}
}

// loadDER reads a private or public key, nil if it is none.
func loadDER(der []byte) *key {
	if len(der) > maxKeyBytes {
		return nil
	}
	if private := tls.ParseKeyDER(der); private != nil {
		return keyOf(private)
	}
	if private, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return keyOf(private) // of X25519, which signs nothing
	}
	if public, err := x509.ParsePKIXPublicKey(der); err == nil {
		return keyOf(public)
	}
	if public, err := x509.ParsePKCS1PublicKey(der); err == nil {
		return keyOf(public)
	}
	return nil
}

// der writes a key as PKCS #8 or SubjectPublicKeyInfo.
func (k *key) der(private bool) ([]byte, error) {
	switch {
	case !private:
		return x509.MarshalPKIXPublicKey(k.public)
	case k.private == nil:
		return nil, errNoPrivate
	}
	return x509.MarshalPKCS8PrivateKey(k.private)
}

// pem writes a key as PEM, one of RSA in the format of PKCS #1 if asked for.
func (k *key) pem(private, pkcs1 bool) ([]byte, error) {
	name := "PUBLIC KEY"
	if private {
		name = "PRIVATE KEY"
	}
	der, err := k.der(private)
	if err != nil {
		return nil, err
	}
	if pkcs1 {
		name = "RSA " + name
		if rsaKey, ok := k.private.(*rsa.PrivateKey); ok && private {
			der = x509.MarshalPKCS1PrivateKey(rsaKey)
		} else {
			der = x509.MarshalPKCS1PublicKey(k.public.(*rsa.PublicKey))
		}
	}
	return pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}), nil
}

// ecKey makes a key of a curve of its private number, its public point (in OpenSSL's uncompressed form), or both.
func ecKey(curve elliptic.Curve, private *big.Int, point []byte) (*key, error) {
	size := (curve.Params().N.BitLen() + 7) / 8
	if private != nil {
		if private.Sign() < 0 || private.BitLen() > 8*size {
			return nil, errBits
		}
		k, err := ecdsa.ParseRawPrivateKey(curve, private.FillBytes(make([]byte, size)))
		if err != nil {
			return nil, err
		}
		return keyOf(k), nil
	}
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, err
	}
	return keyOf(public), nil
}

// ecPoint is the uncompressed form of a point.
func ecPoint(curve elliptic.Curve, x, y *big.Int) ([]byte, error) {
	size := (curve.Params().BitSize + 7) / 8
	if x.Sign() < 0 || y.Sign() < 0 || x.BitLen() > 8*size || y.BitLen() > 8*size {
		return nil, errBits
	}
	out := make([]byte, 1+2*size)
	out[0] = 4
	x.FillBytes(out[1 : 1+size])
	y.FillBytes(out[1+size:])
	return out, nil
}

// rsaKey makes a key of its numbers; those that are missing are nil, and a public key has but the first two.
func rsaKey(n, e, d, p, q *big.Int) (*key, error) {
	if n == nil || e == nil || !e.IsInt64() || e.Int64() != int64(int32(e.Int64())) {
		return nil, errors.New(`at least "n" and "e" parameter is required`)
	}
	public := rsa.PublicKey{N: n, E: int(e.Int64())}
	if err := checkSize(&public); err != nil {
		return nil, err
	}
	if n.Sign() <= 0 || e.Int64() < 2 {
		return nil, errors.New("bad key: its numbers are no key's")
	}
	if d == nil {
		return keyOf(&public), nil
	}
	k := &rsa.PrivateKey{PublicKey: public, D: d}
	if p != nil && q != nil {
		k.Primes = []*big.Int{p, q}
	}
	if err := k.Validate(); err != nil {
		return nil, fmt.Errorf("bad key: %w", err)
	}
	k.Precompute()
	return keyOf(k), nil
}

// rawKey makes a key of Ed25519 or X25519 of its bytes, of which the private ones win.
func rawKey(kind, private, public string) (*key, error) {
	switch {
	case kind == kindX25519 && private != "":
		k, err := ecdh.X25519().NewPrivateKey([]byte(private))
		if err != nil {
			return nil, err
		}
		return keyOf(k), nil
	case kind == kindX25519:
		k, err := ecdh.X25519().NewPublicKey([]byte(public))
		if err != nil {
			return nil, err
		}
		return keyOf(k), nil
	case len(private) == ed25519.SeedSize:
		return keyOf(ed25519.NewKeyFromSeed([]byte(private))), nil
	case private == "" && len(public) == ed25519.PublicKeySize:
		return keyOf(ed25519.PublicKey(public)), nil
	}
	return nil, errors.New("bad length of the key")
}
