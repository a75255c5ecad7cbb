package tls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	gotls "crypto/tls"
	"crypto/x509"
	"fmt"
)

// Pairs are certificates with their keys, at most one of a kind of key: what a
// SSL or SSL_CTX of OpenSSL holds. Certificates and keys of different kinds may
// come in any order.
type Pairs struct {
	slots []keySlot
	// Staple is the OCSP response sent along.
	Staple []byte
	list   []*gotls.Certificate
}

// keySlot is a certificate or a key waiting for the other of its kind.
type keySlot struct {
	kind  string
	chain []*x509.Certificate
	key   crypto.Signer
}

// Clear forgets all (SSL_certs_clear).
func (p *Pairs) Clear() { p.slots, p.list = nil, nil }

// clone copies the pairs, for a connection to change.
func (p *Pairs) clone() *Pairs {
	return &Pairs{slots: append([]keySlot(nil), p.slots...), Staple: p.Staple, list: p.list}
}

// SetChain puts a certificate with its chain in the place of the one of its
// kind. A key that it is not for goes, as with SSL_use_certificate.
func (p *Pairs) SetChain(chain []*x509.Certificate) {
	s := p.slot(keyKind(chain[0].PublicKey))
	s.chain = chain
	if s.key != nil && !Matches(chain[0], s.key) {
		s.key = nil
	}
	p.pair()
}

// SetKey gives a certificate its key; false says that it is another's
// (SSL_use_PrivateKey).
func (p *Pairs) SetKey(key crypto.Signer) bool {
	s := p.slot(keyKind(key.Public()))
	if s.chain != nil && !Matches(s.chain[0], key) {
		return false
	}
	s.key = key
	p.pair()
	return true
}

// SetStaple has an OCSP response sent along with the certificates.
func (p *Pairs) SetStaple(der []byte) {
	p.Staple = der
	p.pair()
}

// Leaves are the certificates, without their chains.
func (p *Pairs) Leaves() (list []*x509.Certificate) {
	for _, s := range p.slots {
		if s.chain != nil {
			list = append(list, s.chain[0])
		}
	}
	return list
}

// slot finds or makes the place of a kind of key.
func (p *Pairs) slot(kind string) *keySlot {
	for i := range p.slots {
		if p.slots[i].kind == kind {
			return &p.slots[i]
		}
	}
	p.slots = append(p.slots, keySlot{kind: kind})
	return &p.slots[len(p.slots)-1]
}

// pair lists the certificates that have their keys.
func (p *Pairs) pair() {
	p.list = nil
	for _, s := range p.slots {
		if s.chain != nil && s.key != nil {
			c := NewCertificate(s.chain, s.key)
			c.OCSPStaple = p.Staple
			p.list = append(p.list, c)
		}
	}
}

// has reports whether there is a certificate with a kind of key.
func (p *Pairs) has(kind string) bool {
	for _, s := range p.slots {
		if s.kind == kind {
			return s.chain != nil && s.key != nil
		}
	}
	return false
}

// NewCertificate makes what crypto/tls calls a certificate.
func NewCertificate(chain []*x509.Certificate, key crypto.Signer) *gotls.Certificate {
	c := &gotls.Certificate{PrivateKey: noting(key), Leaf: chain[0]}
	for _, x := range chain {
		c.Certificate = append(c.Certificate, x.Raw)
	}
	return c
}

func keyKind(pub any) string {
	switch pub.(type) {
	case *rsa.PublicKey:
		return "RSA"
	case *ecdsa.PublicKey:
		return "EC"
	case ed25519.PublicKey:
		return "ED25519"
	}
	return fmt.Sprintf("%T", pub)
}

// Matches reports whether a key is the certificate's.
func Matches(cert *x509.Certificate, key crypto.Signer) bool {
	pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && pub.Equal(key.Public())
}
