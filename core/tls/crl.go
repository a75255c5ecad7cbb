package tls

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"time"
)

// CRL is a list of revoked certificates. Lists of version 1 are good too, as
// "openssl ca" makes them by default, which crypto/x509's newer parser refuses.
type CRL struct {
	list    *pkix.CertificateList
	issuer  []byte // DER of the name
	revoked map[string]bool
}

// LoadCRLs reads revocation lists (nginx's ngx_ssl_cache_crl_create).
func LoadCRLs(read Reader, name string) ([]*CRL, error) {
	b, err := read(name)
	if err != nil {
		return nil, openError("BIO_new_file() failed", name, "r", err)
	}
	const what = "PEM_read_bio_X509_CRL() failed"
	var list []*CRL
	for {
		var block *pem.Block
		if block, b = pem.Decode(b); block == nil {
			break
		}
		if block.Type != "X509 CRL" {
			continue
		}
		crl := parseCRL(block.Bytes)
		if crl == nil {
			return nil, &Error{What: what, Queue: []string{
				"0688010A:asn1 encoding routines::nested asn1 error:Type=X509_CRL",
				"0488000D:PEM routines::ASN1 lib",
			}}
		}
		list = append(list, crl)
	}
	if len(list) == 0 {
		return nil, &Error{What: what, Queue: []string{"0480006C:PEM routines::no start line:Expecting: X509 CRL"}}
	}
	return list, nil
}

// removeFromCRL is the reason of an entry that takes an earlier one back.
const removeFromCRL = 8

var oidReasonCode = asn1.ObjectIdentifier{2, 5, 29, 21}

// parseCRL reads a list in DER, nil if it is not one.
func parseCRL(der []byte) *CRL {
	list := new(pkix.CertificateList)
	if rest, err := asn1.Unmarshal(der, list); err != nil || len(rest) != 0 {
		return nil
	}
	issuer := rawIssuer(list.TBSCertList.Raw)
	if issuer == nil {
		return nil
	}
	crl := &CRL{list: list, issuer: issuer, revoked: make(map[string]bool, len(list.TBSCertList.RevokedCertificates))}
	for _, e := range list.TBSCertList.RevokedCertificates {
		if e.SerialNumber == nil {
			return nil
		}
		crl.revoked[e.SerialNumber.String()] = !hasReason(e.Extensions, removeFromCRL)
	}
	return crl
}

// rawIssuer cuts the issuer's name out of a list's signed part, where it
// follows the algorithm, and the version if there is one.
func rawIssuer(tbs []byte) []byte {
	var seq, v asn1.RawValue
	if _, err := asn1.Unmarshal(tbs, &seq); err != nil {
		return nil
	}
	sequences := 0
	for rest := seq.Bytes; sequences < 2; {
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return nil
		}
		if v.Tag == asn1.TagSequence {
			sequences++
		}
	}
	return v.FullBytes
}

func hasReason(extensions []pkix.Extension, code asn1.Enumerated) bool {
	for _, e := range extensions {
		var reason asn1.Enumerated
		if e.Id.Equal(oidReasonCode) {
			if _, err := asn1.Unmarshal(e.Value, &reason); err == nil && reason == code {
				return true
			}
		}
	}
	return false
}

// check looks a certificate up in the list of its issuer.
func (l *CRL) check(c, issuer *x509.Certificate, now time.Time) VerifyResult {
	tbs := &l.list.TBSCertList
	switch {
	case issuer.CheckCRLSignature(l.list) != nil: //lint:ignore SA1019 see CRL
		return VerifyBadCRLSignature
	case now.Before(tbs.ThisUpdate):
		return VerifyCRLNotYetValid
	case !tbs.NextUpdate.IsZero() && now.After(tbs.NextUpdate):
		return VerifyCRLExpired
	case l.revoked[c.SerialNumber.String()]:
		return VerifyRevoked
	}
	return VerifyOK
}

// revoked looks a certificate up in the lists.
func (v *verifier) revoked(c, issuer *x509.Certificate, now time.Time) VerifyResult {
	result := VerifyNoCRL
	for _, l := range v.crls {
		if !bytes.Equal(l.issuer, c.RawIssuer) {
			continue
		}
		if result = l.check(c, issuer, now); result == VerifyOK || result == VerifyRevoked {
			break
		}
	}
	return result
}
