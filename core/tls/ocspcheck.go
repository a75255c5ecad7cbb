package tls

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// OCSPStatus is what a responder says of a certificate, numbered as
// V_OCSP_CERTSTATUS_*.
type OCSPStatus int

// The statuses.
const (
	OCSPGood OCSPStatus = iota
	OCSPRevoked
	OCSPUnknown
)

// String is OpenSSL's word.
func (s OCSPStatus) String() string {
	switch s {
	case OCSPGood:
		return "good"
	case OCSPRevoked:
		return "revoked"
	}
	return "unknown"
}

// OCSPAnswer is a response that was checked.
type OCSPAnswer struct {
	Status OCSPStatus
	// NextUpdate is when there will be news, zero when the responder does not say.
	NextUpdate time.Time
}

// OCSPRequest makes a request for the status of a certificate, in DER.
func OCSPRequest(cert, issuer *x509.Certificate) ([]byte, error) {
	der, err := ocsp.CreateRequest(cert, issuer, nil)
	if err != nil {
		return nil, &Error{What: "OCSP_cert_to_id() failed"}
	}
	return der, nil
}

// IsIssuer reports whether one certificate may have issued another, by their
// names and keys (X509_check_issued).
func IsIssuer(issuer, cert *x509.Certificate) bool {
	return bytes.Equal(issuer.RawSubject, cert.RawIssuer) &&
		(len(cert.AuthorityKeyId) == 0 || len(issuer.SubjectKeyId) == 0 || bytes.Equal(cert.AuthorityKeyId, issuer.SubjectKeyId))
}

// ocspSkew is how far clocks may be apart.
const ocspSkew = 300 * time.Second

// errOCSPVerify is the error of a response that nobody to be trusted signed.
var errOCSPVerify = &Error{What: "OCSP_basic_verify() failed"}

// CheckOCSP reads a response about a certificate (nginx's ngx_ssl_ocsp_verify).
// With verify it must be signed by the issuer, or by who has its certificate
// for that from the issuer; without, by anybody. The errors are in the words of
// nginx's log.
func CheckOCSP(der []byte, cert, issuer *x509.Certificate, verify bool, now time.Time) (OCSPAnswer, error) {
	var answer OCSPAnswer
	r, err := ocsp.ParseResponseForCert(der, cert, nil)
	var refused ocsp.ResponseError
	var malformed ocsp.ParseError
	switch {
	case errors.As(err, &refused):
		return answer, fmt.Errorf("OCSP response not successful (%d: %s)", int(refused.Status), ocspRefusals[refused.Status])
	case errors.As(err, &malformed) && malformed == "no response matching the supplied certificate":
		return answer, errors.New("certificate status not found in the OCSP response")
	case errors.As(err, &malformed) && bytes.HasPrefix([]byte(malformed), []byte("bad signature")):
		return answer, errOCSPVerify
	case err != nil:
		return answer, &Error{What: "d2i_OCSP_RESPONSE() failed"}
	case !ocspSigned(r, issuer, verify):
		return answer, errOCSPVerify
	case r.ThisUpdate.After(now.Add(ocspSkew)), !r.NextUpdate.IsZero() && r.NextUpdate.Before(now.Add(-ocspSkew)):
		return answer, &Error{What: "OCSP_check_validity() failed"}
	}
	answer.NextUpdate = r.NextUpdate
	switch r.Status {
	case ocsp.Good:
	case ocsp.Revoked:
		answer.Status = OCSPRevoked
	default:
		answer.Status = OCSPUnknown
	}
	return answer, nil
}

// ocspRefusals are OpenSSL's names of the errors of a responder.
var ocspRefusals = map[ocsp.ResponseStatus]string{
	ocsp.Malformed: "malformedrequest", ocsp.InternalError: "internalerror", ocsp.TryLater: "trylater",
	ocsp.SignatureRequired: "sigrequired", ocsp.Unauthorized: "unauthorized",
}

// ocspSigned reports whether a response is signed. Its signature has been
// checked against the certificate that it brings, if any.
func ocspSigned(r *ocsp.Response, issuer *x509.Certificate, verify bool) bool {
	signer := r.Certificate
	switch {
	case signer == nil:
		return r.CheckSignatureFrom(issuer) == nil
	case !verify, signer.Equal(issuer):
		return true
	}
	return slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) && signer.CheckSignatureFrom(issuer) == nil
}

// VerifiedChain is a chain from the peer's certificate to a trusted one, nil
// when there is none.
func (c *Conn) VerifiedChain() []*x509.Certificate {
	certs := c.State().PeerCertificates
	if len(certs) == 0 {
		return nil
	}
	chains, err := c.ctx.verify.chains(certs, c.t.conn.Loop().Now())
	if err != nil {
		return nil
	}
	return chains[0]
}

// FindIssuer returns the issuer of a certificate among others and the trusted
// ones, nil if it is not there.
func (ctx *Context) FindIssuer(cert *x509.Certificate, others []*x509.Certificate) *x509.Certificate {
	for _, list := range [][]*x509.Certificate{others, ctx.verify.trusted} {
		for _, c := range list {
			if IsIssuer(c, cert) {
				return c
			}
		}
	}
	return nil
}
