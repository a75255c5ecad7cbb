package tls

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// authority signs the certificates and responses of a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate; the empty authority signs with the new key.
func (a authority) issue(t testing.TB, template *x509.Certificate) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert == nil {
		a = authority{template, key}
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key}
}

func newAuthority(t testing.TB, name string) authority {
	return authority{}.issue(t, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true})
}

// answer signs a response about a certificate of issuer; shown tells whether
// the signer's certificate is in it.
func (a authority) answer(t testing.TB, issuer authority, r ocsp.Response, shown bool) []byte {
	t.Helper()
	r.ThisUpdate = time.Now().Add(-time.Minute)
	if shown {
		r.Certificate = a.cert
	}
	der, err := ocsp.CreateResponse(issuer.cert, a.cert, r, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestCheckOCSP judges responses by who signed them and what they say.
func TestCheckOCSP(t *testing.T) {
	ca := newAuthority(t, "ca")
	leaf := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(7)})
	stranger := newAuthority(t, "stranger")
	delegate := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(8), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
	sibling := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(9), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: big.NewInt(7), NextUpdate: time.Now().Add(time.Hour)}
	revoked := ocsp.Response{Status: ocsp.Revoked, SerialNumber: big.NewInt(7), RevokedAt: time.Now().Add(-time.Minute)}
	other, old := good, good
	other.SerialNumber, old.NextUpdate = big.NewInt(1), time.Now().Add(-time.Hour)
	const unverified = "OCSP_basic_verify() failed"
	for name, c := range map[string]struct {
		der    []byte
		status OCSPStatus
		err    string
	}{
		"good":              {ca.answer(t, ca, good, false), OCSPGood, ""},
		"good, with signer": {ca.answer(t, ca, good, true), OCSPGood, ""},
		"revoked":           {ca.answer(t, ca, revoked, false), OCSPRevoked, ""},
		"delegated":         {delegate.answer(t, ca, good, true), OCSPGood, ""},
		"not delegated":     {sibling.answer(t, ca, good, true), 0, unverified},
		"a stranger":        {stranger.answer(t, ca, good, true), 0, unverified},
		"a stranger, alone": {stranger.answer(t, ca, good, false), 0, unverified},
		"other certificate": {ca.answer(t, ca, other, false), 0, "certificate status not found in the OCSP response"},
		"expired":           {ca.answer(t, ca, old, false), 0, "OCSP_check_validity() failed"},
		"refused":           {ocsp.TryLaterErrorResponse, 0, "OCSP response not successful (3: trylater)"},
		"nonsense":          {[]byte("x"), 0, "d2i_OCSP_RESPONSE() failed"},
	} {
		answer, err := CheckOCSP(c.der, leaf.cert, ca.cert, true, time.Now())
		if got := text(err); got != c.err || answer.Status != c.status {
			t.Errorf("%s: %v, %q", name, answer.Status, got)
		}
	}
	if _, err := CheckOCSP(stranger.answer(t, ca, good, true), leaf.cert, ca.cert, false, time.Now()); err != nil {
		t.Error("without verification:", err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func FuzzCheckOCSP(f *testing.F) {
	ca := newAuthority(f, "ca")
	leaf := ca.issue(f, &x509.Certificate{SerialNumber: big.NewInt(7)})
	stranger := newAuthority(f, "stranger")
	good := ocsp.Response{Status: ocsp.Good, SerialNumber: big.NewInt(7)}
	f.Add(stranger.answer(f, ca, good, true))
	f.Add(stranger.answer(f, ca, good, false))
	f.Fuzz(func(t *testing.T, der []byte) {
		// Nobody but a stranger has signed anything.
		if _, err := CheckOCSP(der, leaf.cert, ca.cert, true, time.Now()); err == nil {
			t.Fatal("a forged response is good")
		}
	})
}

// TestKeyDER writes keys as OpenSSL does and reads them again.
func TestKeyDER(t *testing.T) {
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, e, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crypto.Signer{r, e, newAuthority(t, "x").key} {
		back := ParseKeyDER(KeyDER(key))
		if back == nil || !back.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
			t.Errorf("%T comes back as %T", key, back)
		}
	}
	if ParseKeyDER([]byte("x")) != nil || ParseKeyDER(nil) != nil {
		t.Error("a key out of nothing")
	}
}
