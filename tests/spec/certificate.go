package spec

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

// identity is a certificate with its key.
type identity struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// localhost is a certificate for localhost that is signed with its own key. All of a process have the same.
var localhost = sync.OnceValues(func() (identity, error) {
	return identity{}.issue(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true})
})

// issue makes a certificate of a template, signed by the identity, or with its own key by the empty one.
func (i identity) issue(template *x509.Certificate) (made identity, err error) {
	if made.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return made, err
	}
	if i.cert == nil {
		i = identity{template, made.key}
	}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().AddDate(1, 0, 0)
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, &made.key.PublicKey, i.key)
	if err != nil {
		return made, err
	}
	made.cert, err = x509.ParseCertificate(der)
	return made, err
}

// writeCertificates writes what README.md says of "needs: certificate".
func (r *run) writeCertificates() error {
	ca, err := localhost()
	if err != nil {
		return err
	}
	other, err := ca.issue(&x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "other.test"},
		DNSNames: []string{"other.test"}, OCSPServer: []string{r.expand("http://127.0.0.1:8088/")},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return err
	}
	files := map[string][]byte{"cert.pem": ca.certPEM(), "other.pem": append(other.certPEM(), ca.certPEM()...)}
	for name, id := range map[string]identity{"key.pem": ca, "other.key": other} {
		der, err := x509.MarshalPKCS8PrivateKey(id.key)
		if err != nil {
			return err
		}
		files[name] = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	for name, status := range map[string]int{"good.der": ocsp.Good, "revoked.der": ocsp.Revoked} {
		files[name], err = ocsp.CreateResponse(ca.cert, ca.cert, ocsp.Response{Status: status, SerialNumber: other.cert.SerialNumber,
			ThisUpdate: time.Now().Add(-time.Minute), NextUpdate: time.Now().Add(time.Hour), RevokedAt: time.Now().Add(-time.Minute)}, ca.key)
		if err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := r.write("conf/"+name, string(data)); err != nil {
			return err
		}
	}
	return nil
}

func (i identity) certPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.cert.Raw})
}
