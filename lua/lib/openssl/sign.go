package openssl

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
)

// The paddings of RSA, by OpenSSL's numbers.
const (
	paddingPKCS1 = 1
	paddingNone  = 3
	paddingOAEP  = 4
	paddingPSS   = 6
)

// paddings are the numbers by their names in pkey.PADDINGS.
var paddings = map[string]int{
	"RSA_PKCS1_PADDING": paddingPKCS1, "RSA_SSLV23_PADDING": 2, "RSA_NO_PADDING": paddingNone,
	"RSA_PKCS1_OAEP_PADDING": paddingOAEP, "RSA_X931_PADDING": 5, "RSA_PKCS1_PSS_PADDING": paddingPSS,
}

// scheme is how a key signs or encrypts.
type scheme struct {
	digest  *digestKind // nil for the default
	padding int         // of RSA
	salt    int         // of PSS: its length in bytes, rsa.PSSSaltLengthAuto for any
	raw     bool        // ECDSA: two numbers of fixed size in place of ASN.1

	oaep, mgf1 *digestKind // of OAEP; mgf1 is nil for the same digest
}

// defaultScheme is how keys sign and encrypt if nothing is said.
func defaultScheme() scheme {
	return scheme{padding: paddingPKCS1, salt: rsa.PSSSaltLengthAuto, oaep: digests["sha1"]}
}

// id is the digest to sign with.
func (s *scheme) id() crypto.Hash {
	if s.digest == nil {
		return crypto.SHA256
	}
	return s.digest.id
}

// sum is the digest of a message to sign.
func (s *scheme) sum(message []byte) []byte {
	kind := s.digest
	if kind == nil {
		kind = digests["sha256"]
	}
	h := kind.make()
	h.Write(message)
	return h.Sum(nil)
}

func (s *scheme) unsupportedPadding() error {
	return fmt.Errorf("padding %d is not supported", s.padding)
}

// sign signs a message.
func (k *key) sign(message []byte, s *scheme) ([]byte, error) {
	if private, ok := k.private.(ed25519.PrivateKey); ok {
		return ed25519.Sign(private, message), nil
	}
	return k.signSum(s.sum(message), s, s.id())
}

// signSum signs a digest; with the id 0 the text itself.
func (k *key) signSum(sum []byte, s *scheme, id crypto.Hash) ([]byte, error) {
	switch private := k.private.(type) {
	case nil:
		return nil, errNoPrivate
	case *rsa.PrivateKey:
		switch s.padding {
		case paddingPKCS1:
			return rsa.SignPKCS1v15(nil, private, id, sum)
		case paddingPSS:
			if !id.Available() {
				return nil, errDigest
			}
			return rsa.SignPSS(rand.Reader, private, id, sum, &rsa.PSSOptions{SaltLength: s.salt})
		}
		return nil, s.unsupportedPadding()
	case *ecdsa.PrivateKey:
		sig, err := ecdsa.SignASN1(rand.Reader, private, sum)
		if err != nil || !s.raw {
			return sig, err
		}
		return rawSignature(sig, orderSize(&private.PublicKey))
	}
	return nil, errUnsupported
}

// verify checks the signature of a message.
func (k *key) verify(signature, message []byte, s *scheme) error {
	if public, ok := k.public.(ed25519.PublicKey); ok {
		if !ed25519.Verify(public, message, signature) {
			return errBadSignature
		}
		return nil
	}
	return k.verifySum(signature, s.sum(message), s)
}

var (
	errBadSignature = errors.New("bad signature")
	errDigest       = errors.New("invalid digest")
)

// verifySum checks the signature of a digest.
func (k *key) verifySum(signature, sum []byte, s *scheme) error {
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		switch s.padding {
		case paddingPKCS1:
			return rsa.VerifyPKCS1v15(public, s.id(), sum, signature)
		case paddingPSS:
			if !s.id().Available() {
				return errDigest
			}
			return rsa.VerifyPSS(public, s.id(), sum, signature, &rsa.PSSOptions{SaltLength: s.salt})
		}
		return s.unsupportedPadding()
	case *ecdsa.PublicKey:
		if !ecdsa.VerifyASN1(public, sum, signature) {
			return errBadSignature
		}
		return nil
	}
	return errUnsupported
}

// orderSize is the size of the numbers of a signature, in bytes.
func orderSize(public *ecdsa.PublicKey) int { return (public.Params().N.BitLen() + 7) / 8 }

// pairOfNumbers is a signature of ECDSA in ASN.1 (RFC 3279, 2.2.3).
type pairOfNumbers struct{ R, S *big.Int }

// rawSignature turns the ASN.1 of a signature into two numbers of size bytes.
func rawSignature(sig []byte, size int) ([]byte, error) {
	var n pairOfNumbers
	if rest, err := asn1.Unmarshal(sig, &n); err != nil || len(rest) > 0 {
		return nil, errors.New("invalid signature")
	}
	if n.R.Sign() < 0 || n.S.Sign() < 0 || n.R.BitLen() > 8*size || n.S.BitLen() > 8*size {
		return nil, errors.New("signature does not fit the key")
	}
	out := make([]byte, 2*size)
	n.R.FillBytes(out[:size])
	n.S.FillBytes(out[size:])
	return out, nil
}

// asn1Signature turns two numbers of size bytes into ASN.1.
func asn1Signature(raw []byte, size int) ([]byte, error) {
	if len(raw) != 2*size {
		return nil, fmt.Errorf("invalid signature length, expect %d but got %d", 2*size, len(raw))
	}
	return asn1.Marshal(pairOfNumbers{new(big.Int).SetBytes(raw[:size]), new(big.Int).SetBytes(raw[size:])})
}

// encrypt encrypts with a public key of RSA.
func (k *key) encrypt(text []byte, s *scheme) ([]byte, error) {
	public, ok := k.public.(*rsa.PublicKey)
	if !ok {
		return nil, errUnsupported
	}
	switch s.padding {
	case paddingPKCS1:
		//lint:ignore SA1019 what the other side expects
		return rsa.EncryptPKCS1v15(rand.Reader, public, text)
	case paddingOAEP:
		return rsa.EncryptOAEPWithOptions(rand.Reader, public, text, s.oaepOptions())
	}
	return nil, s.unsupportedPadding()
}

// decrypt decrypts with a private key of RSA.
func (k *key) decrypt(text []byte, s *scheme) ([]byte, error) {
	if k.private == nil {
		return nil, errNoPrivate
	}
	private, ok := k.private.(*rsa.PrivateKey)
	if !ok {
		return nil, errUnsupported
	}
	switch s.padding {
	case paddingPKCS1:
		//lint:ignore SA1019 what the other side made
		return rsa.DecryptPKCS1v15(nil, private, text)
	case paddingOAEP:
		out, err := private.Decrypt(nil, text, s.oaepOptions())
		if err != nil {
			return nil, errors.New("oaep decoding error")
		}
		return out, nil
	}
	return nil, s.unsupportedPadding()
}

func (s *scheme) oaepOptions() *rsa.OAEPOptions {
	o := &rsa.OAEPOptions{Hash: s.oaep.id}
	if s.mgf1 != nil {
		o.MGFHash = s.mgf1.id
	}
	return o
}

// recover gives the text that a signature of sign_raw holds (RFC 8017, 8.2.2 and 9.2).
func (k *key) recover(signature []byte) ([]byte, error) {
	public, ok := k.public.(*rsa.PublicKey)
	if !ok {
		return nil, errUnsupported
	}
	n := new(big.Int).SetBytes(signature)
	if n.Cmp(public.N) >= 0 || len(signature) != public.Size() {
		return nil, errBadSignature
	}
	b := n.Exp(n, big.NewInt(int64(public.E)), public.N).FillBytes(make([]byte, public.Size()))
	if b[0] != 0 || b[1] != 1 {
		return nil, errBadSignature
	}
	for i, c := range b[2:] {
		switch {
		case c == 0 && i >= 8:
			return b[2+i+1:], nil
		case c != 0xff:
			return nil, errBadSignature
		}
	}
	return nil, errBadSignature
}

// shared is the secret that two keys have in common.
func (k *key) shared(peer *key) ([]byte, error) {
	private, public, err := k.private, peer.public, error(nil)
	if ec, ok := private.(*ecdsa.PrivateKey); ok {
		if private, err = ec.ECDH(); err != nil {
			return nil, err
		}
	}
	if ec, ok := public.(*ecdsa.PublicKey); ok {
		if public, err = ec.ECDH(); err != nil {
			return nil, err
		}
	}
	own, okOwn := private.(*ecdh.PrivateKey)
	other, okOther := public.(*ecdh.PublicKey)
	if !okOwn || !okOther {
		return nil, errUnsupported
	}
	return own.ECDH(other)
}
