package tls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	gotls "crypto/tls"
	"io"
	"reflect"
)

// signer is the key of a certificate, which notes for the connection of the
// handshake what it signs with: crypto/tls does not tell.
type signer struct {
	crypto.Signer
	// conn is the connection that chose the certificate last. No other one runs
	// between the choice and the signature.
	conn *Conn
}

// Sign implements crypto.Signer.
func (s *signer) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.conn != nil {
		s.conn.signed, s.conn = schemeOf(s.Public(), opts), nil
	}
	return s.Signer.Sign(rand, digest, opts)
}

// chosenBy makes c the connection of the next signature.
func (s *signer) chosenBy(c *Conn) { s.conn = c }

// rsaSigner is a signer for ciphers that exchange keys by RSA, too.
type rsaSigner struct {
	signer
	crypto.Decrypter
}

// Public implements crypto.Signer and crypto.Decrypter.
func (s *rsaSigner) Public() crypto.PublicKey { return s.signer.Public() }

// noting makes a key note what it signs with.
func noting(key crypto.Signer) crypto.Signer {
	if d, ok := key.(crypto.Decrypter); ok {
		return &rsaSigner{signer{Signer: key}, d}
	}
	return &signer{Signer: key}
}

// schemeOf is the number of a way to sign, 0 for one without (TLSv1.1).
func schemeOf(pub crypto.PublicKey, opts crypto.SignerOpts) gotls.SignatureScheme {
	switch pub.(type) {
	case ed25519.PublicKey:
		return gotls.Ed25519
	case *ecdsa.PublicKey:
		switch opts.HashFunc() {
		case crypto.SHA1:
			return gotls.ECDSAWithSHA1
		case crypto.SHA256:
			return gotls.ECDSAWithP256AndSHA256
		case crypto.SHA384:
			return gotls.ECDSAWithP384AndSHA384
		case crypto.SHA512:
			return gotls.ECDSAWithP521AndSHA512
		}
		return 0
	}
	// In both families SHA-256, SHA-384 and SHA-512 follow each other.
	first, step := gotls.PKCS1WithSHA256, gotls.PKCS1WithSHA384-gotls.PKCS1WithSHA256
	if _, ok := opts.(*rsa.PSSOptions); ok {
		first, step = gotls.PSSWithSHA256, gotls.PSSWithSHA384-gotls.PSSWithSHA256
	}
	switch opts.HashFunc() {
	case crypto.SHA1:
		return gotls.PKCS1WithSHA1
	case crypto.SHA256:
		return first
	case crypto.SHA384:
		return first + step
	case crypto.SHA512:
		return first + 2*step
	}
	return 0
}

// signatureNames are OpenSSL's (SSL_get0_signature_name).
var signatureNames = map[gotls.SignatureScheme]string{
	gotls.PKCS1WithSHA1: "rsa_pkcs1_sha1", gotls.PKCS1WithSHA256: "rsa_pkcs1_sha256",
	gotls.PKCS1WithSHA384: "rsa_pkcs1_sha384", gotls.PKCS1WithSHA512: "rsa_pkcs1_sha512",
	gotls.PSSWithSHA256: "rsa_pss_rsae_sha256", gotls.PSSWithSHA384: "rsa_pss_rsae_sha384", gotls.PSSWithSHA512: "rsa_pss_rsae_sha512",
	gotls.ECDSAWithSHA1: "ecdsa_sha1", gotls.ECDSAWithP256AndSHA256: "ecdsa_secp256r1_sha256",
	gotls.ECDSAWithP384AndSHA384: "ecdsa_secp384r1_sha384", gotls.ECDSAWithP521AndSHA512: "ecdsa_secp521r1_sha512",
	gotls.Ed25519: "ed25519",
}

// Signature is OpenSSL's name of the algorithm that the server signed the
// handshake with, "" when it did not sign.
func (c *Conn) Signature() string { return signatureNames[c.signed] }

// PeerSignature is OpenSSL's name of the algorithm that a client with a
// certificate signed the handshake with, "" for others and resumed sessions.
//
// crypto/tls knows it and keeps it to itself: the field is read by its name. A
// release of Go without that field leaves this empty and fails the test.
func (c *Conn) PeerSignature() string {
	state := c.State()
	if len(state.PeerCertificates) == 0 || state.DidResume {
		return ""
	}
	field := reflect.ValueOf(state).FieldByName("testingOnlyPeerSignatureAlgorithm")
	if !field.IsValid() || !field.CanUint() {
		return ""
	}
	return signatureNames[gotls.SignatureScheme(field.Uint())]
}
