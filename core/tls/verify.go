package tls

import (
	"bytes"
	gotls "crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// VerifyResult is a verdict on a certificate, numbered as X509_V_ERR_*.
type VerifyResult int

// The verdicts that are told apart.
const (
	VerifyOK                 VerifyResult = 0
	VerifyUnspecified        VerifyResult = 1
	VerifyNoIssuer           VerifyResult = 2
	VerifyNoCRL              VerifyResult = 3
	VerifyBadSignature       VerifyResult = 7
	VerifyBadCRLSignature    VerifyResult = 8
	VerifyNotYetValid        VerifyResult = 9
	VerifyExpired            VerifyResult = 10
	VerifyCRLNotYetValid     VerifyResult = 11
	VerifyCRLExpired         VerifyResult = 12
	VerifySelfSignedLeaf     VerifyResult = 18
	VerifySelfSignedChain    VerifyResult = 19
	VerifyNoLocalIssuer      VerifyResult = 20
	VerifyNoFirstIssuer      VerifyResult = 21
	VerifyChainTooLong       VerifyResult = 22
	VerifyRevoked            VerifyResult = 23
	VerifyInvalidCA          VerifyResult = 24
	VerifyPathLength         VerifyResult = 25
	VerifyPurpose            VerifyResult = 26
	VerifyUnhandledExtension VerifyResult = 34
	VerifyNamePermitted      VerifyResult = 47
	VerifyHostname           VerifyResult = 62
	VerifyWeakSignature      VerifyResult = 68
)

var verifyTexts = map[VerifyResult]string{
	VerifyOK: "ok", VerifyUnspecified: "unspecified certificate verification error",
	VerifyNoIssuer: "unable to get issuer certificate", VerifyNoCRL: "unable to get certificate CRL",
	VerifyBadSignature: "certificate signature failure", VerifyBadCRLSignature: "CRL signature failure",
	VerifyNotYetValid: "certificate is not yet valid", VerifyExpired: "certificate has expired",
	VerifyCRLNotYetValid: "CRL is not yet valid", VerifyCRLExpired: "CRL has expired",
	VerifySelfSignedLeaf: "self-signed certificate", VerifySelfSignedChain: "self-signed certificate in certificate chain",
	VerifyNoLocalIssuer: "unable to get local issuer certificate", VerifyNoFirstIssuer: "unable to verify the first certificate",
	VerifyChainTooLong: "certificate chain too long", VerifyRevoked: "certificate revoked",
	VerifyInvalidCA: "invalid CA certificate", VerifyPathLength: "path length constraint exceeded",
	VerifyPurpose: "unsuitable certificate purpose", VerifyUnhandledExtension: "unhandled critical extension",
	VerifyNamePermitted: "permitted subtree violation", VerifyHostname: "hostname mismatch",
	VerifyWeakSignature: "CA signature digest algorithm too weak",
}

// String is OpenSSL's text.
func (v VerifyResult) String() string {
	if s, ok := verifyTexts[v]; ok {
		return s
	}
	return "unknown certificate verification error"
}

// Optional reports whether ssl_verify_client optional_no_ca passes over the
// verdict: the chain does not lead to a trusted authority (nginx's
// ngx_ssl_verify_error_optional).
func (v VerifyResult) Optional() bool {
	switch v {
	case VerifySelfSignedLeaf, VerifySelfSignedChain, VerifyNoLocalIssuer, VerifyNoFirstIssuer:
		return true
	}
	return false
}

// verifier checks the certificates of peers.
type verifier struct {
	ask     bool // a client is asked for a certificate
	strict  bool // a handshake with a server that is not trusted fails
	trusted []*x509.Certificate
	crls    []*CRL
	depth   int
	usage   x509.ExtKeyUsage
	// roots and others are the trusted certificates, those that are their own
	// issuers and the rest, for crypto/x509. They are made when first needed, as
	// a file of all the world's authorities takes its time; nil before.
	roots, others *x509.CertPool
}

// VerifyClient asks clients for a certificate, naming the authorities of cas
// (ssl_verify_client, ssl_client_certificate, ssl_verify_depth).
func (ctx *Context) VerifyClient(cas []*x509.Certificate, depth int) {
	ctx.verify.ask, ctx.verify.depth, ctx.verify.usage = true, depth, x509.ExtKeyUsageClientAuth
	ctx.config.ClientAuth = gotls.RequestClientCert
	if len(cas) > 0 {
		ctx.config.ClientCAs = x509.NewCertPool()
		for _, c := range cas {
			ctx.config.ClientCAs.AddCert(c)
		}
	}
	ctx.Trust(cas)
}

// SetVerifyDepth bounds chains also where clients are asked for certificates by
// a hook only (ssl_verify_depth).
func (ctx *Context) SetVerifyDepth(depth int) { ctx.verify.depth = depth }

// Trust adds authorities (ssl_trusted_certificate).
func (ctx *Context) Trust(cas []*x509.Certificate) {
	ctx.verify.trust(append(ctx.verify.trusted, cas...))
}

// trust replaces the authorities.
func (v *verifier) trust(cas []*x509.Certificate) { v.trusted, v.roots, v.others = cas, nil, nil }

// Trusted are the authorities.
func (ctx *Context) Trusted() []*x509.Certificate { return ctx.verify.trusted }

// SetCRLs has every certificate of a chain looked up in a revocation list
// (ssl_crl).
func (ctx *Context) SetCRLs(list []*CRL) { ctx.verify.crls = list }

// verifyConnection implements tls.Config.VerifyConnection. It keeps the verdict
// and lets the handshake go on, as nginx answers with a page.
func (ctx *Context) verifyConnection(cs gotls.ConnectionState) error {
	c := ctx.current
	v := &ctx.verify
	if c.open != nil && c.open.verify != nil {
		v = c.open.verify
	}
	now := c.t.conn.Loop().Now()
	switch {
	case len(cs.PeerCertificates) == 0:
		c.verdict = VerifyOK
	case cs.DidResume && c.resumed != nil:
		c.verdict = c.resumed.verify
	case cs.DidResume && c.client != nil && c.client.ClientOptions.Session != nil:
		c.verdict = c.client.ClientOptions.Session.verdict
	case c.client != nil && (c.client.Check != nil || v.strict):
		c.client.version = cs.Version
		return c.checkServer(v, cs.PeerCertificates)
	case !v.ask:
		c.verdict = VerifyOK
	default:
		c.verdict = v.check(cs.PeerCertificates, now)
	}
	return nil
}

// checkServer judges the certificates of a server where that may end the
// handshake, or other code has a say in it.
func (c *Conn) checkServer(v *verifier, certs []*x509.Certificate) error {
	check := c.client.Check
	if check == nil || !c.client.SkipVerify {
		c.verdict = v.check(certs, c.t.conn.Loop().Now())
	}
	if check == nil || c.verdict != VerifyOK && !v.ask {
		// Without a callback for each certificate OpenSSL stops at the first error.
		if c.verdict != VerifyOK && v.strict {
			return errVerify
		}
		return nil
	}
	err := c.during(errVerify, func() error { return check(c, certs) })
	if err == errVerify && !v.strict {
		return nil
	}
	return err
}

// SetVerdict replaces the verdict on the peer's certificate.
func (c *Conn) SetVerdict(v VerifyResult) { c.verdict = v }

// Verdict is what is thought of the peer's certificate.
func (c *Conn) Verdict() VerifyResult { return c.verdict }

// check verifies a chain that a peer sent, its own certificate first.
//
// crypto/x509 decides whether a chain is good. Only when it finds none, the
// certificates are looked through for the reason that OpenSSL would give. As
// nginx lets it go on after each error, the last one counts: it looks at the
// end of the chain first, then from the leaf up for revoked certificates, then
// from the root down for dates and signatures.
func (v *verifier) check(certs []*x509.Certificate, now time.Time) VerifyResult {
	chains, err := v.chains(certs, now)
	if err != nil {
		return v.diagnose(certs, now, err)
	}
	result := VerifyUnspecified
	for _, chain := range chains {
		if result = v.checkChain(chain, now); result == VerifyOK {
			break
		}
	}
	return result
}

// VerifyChain verifies certificates, of which the first is in question, by trusted authorities, for any purpose. The chain
// is nil if there is no good one.
func VerifyChain(certs, trusted []*x509.Certificate, now time.Time) ([]*x509.Certificate, VerifyResult) {
	v := verifier{trusted: trusted, depth: maxChain, usage: x509.ExtKeyUsageAny}
	chains, err := v.chains(certs, now)
	if err != nil {
		return nil, v.diagnose(certs, now, err)
	}
	return chains[0], VerifyOK
}

// chains are the good chains that begin with the first certificate.
func (v *verifier) chains(certs []*x509.Certificate, now time.Time) ([][]*x509.Certificate, error) {
	if v.roots == nil {
		v.roots, v.others = x509.NewCertPool(), x509.NewCertPool()
		for _, c := range v.trusted {
			if selfIssued(c) {
				v.roots.AddCert(c)
			} else {
				v.others.AddCert(c)
			}
		}
	}
	others := v.others
	if len(certs) > 1 {
		others = others.Clone()
		for _, c := range certs[1:] {
			others.AddCert(c)
		}
	}
	return certs[0].Verify(x509.VerifyOptions{
		Roots: v.roots, Intermediates: others, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{v.usage},
	})
}

// checkChain applies to a good chain what crypto/x509 does not know of.
func (v *verifier) checkChain(chain []*x509.Certificate, now time.Time) VerifyResult {
	// The depth counts the certificates between the leaf and the root. OpenSSL
	// goes no farther than it, says that the chain is too long, and then that the
	// end of it has no issuer.
	if len(chain)-2 > v.depth {
		return VerifyNoLocalIssuer
	}
	if len(v.crls) == 0 {
		return VerifyOK
	}
	result := VerifyOK
	for i, c := range chain {
		if r := v.revoked(c, chain[min(i+1, len(chain)-1)], now); r != VerifyOK {
			result = r
		}
	}
	return result
}

func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawSubject, c.RawIssuer) }

// maxChain bounds the walk along issuers.
const maxChain = 100

// diagnose finds out why no chain is good.
func (v *verifier) diagnose(certs []*x509.Certificate, now time.Time, err error) VerifyResult {
	chain := []*x509.Certificate{certs[0]}
	trusted := v.isTrusted(certs[0])
	for len(chain) < maxChain {
		last := chain[len(chain)-1]
		if selfIssued(last) {
			break
		}
		next := findIssuer(v.trusted, last)
		if next != nil {
			trusted = true
		} else if trusted {
			break
		} else if next = findIssuer(certs[1:], last); next == nil {
			break
		}
		chain = append(chain, next)
	}
	result := VerifyOK
	if len(chain)-2 > v.depth {
		chain, result = chain[:v.depth+2], VerifyNoLocalIssuer
	} else if !trusted || !selfIssued(chain[len(chain)-1]) {
		result = untrusted(chain, trusted)
	}
	for i := len(chain) - 1; i >= 0; i-- {
		if r := checkLink(chain, i, now); r != VerifyOK {
			result = r
		}
	}
	if result == VerifyOK {
		result = verifyResultOf(err)
	}
	return result
}

// untrusted says what is wrong with the end of a chain.
func untrusted(chain []*x509.Certificate, trusted bool) VerifyResult {
	switch self := selfIssued(chain[len(chain)-1]); {
	case trusted:
		return VerifyNoIssuer
	case self && len(chain) == 1:
		return VerifySelfSignedLeaf
	case self:
		return VerifySelfSignedChain
	case len(chain) == 1:
		// OpenSSL says first that the issuer is not at hand.
		return VerifyNoFirstIssuer
	}
	return VerifyNoLocalIssuer
}

// checkLink checks a certificate of a chain by itself and against its issuer.
func checkLink(chain []*x509.Certificate, i int, now time.Time) VerifyResult {
	c := chain[i]
	switch {
	case i > 0 && (c.BasicConstraintsValid && !c.IsCA || c.Version == 3 && !c.BasicConstraintsValid):
		return VerifyInvalidCA
	case i+1 < len(chain) && c.CheckSignatureFrom(chain[i+1]) != nil:
		return VerifyBadSignature
	case now.Before(c.NotBefore):
		return VerifyNotYetValid
	case now.After(c.NotAfter):
		return VerifyExpired
	}
	return VerifyOK
}

func (v *verifier) isTrusted(c *x509.Certificate) bool {
	for _, t := range v.trusted {
		if t.Equal(c) {
			return true
		}
	}
	return false
}

func findIssuer(list []*x509.Certificate, c *x509.Certificate) *x509.Certificate {
	for _, t := range list {
		if bytes.Equal(t.RawSubject, c.RawIssuer) && !t.Equal(c) &&
			(len(c.AuthorityKeyId) == 0 || len(t.SubjectKeyId) == 0 || bytes.Equal(c.AuthorityKeyId, t.SubjectKeyId)) {
			return t
		}
	}
	return nil
}

// verifyResultOf translates an error of crypto/x509.
func verifyResultOf(err error) VerifyResult {
	var invalid x509.CertificateInvalidError
	var weak x509.InsecureAlgorithmError
	var extension x509.UnhandledCriticalExtension
	switch {
	case errors.As(err, &weak):
		return VerifyWeakSignature
	case errors.As(err, &extension):
		return VerifyUnhandledExtension
	case errors.As(err, &invalid):
		switch invalid.Reason {
		case x509.Expired:
			return VerifyExpired
		case x509.NotAuthorizedToSign:
			return VerifyInvalidCA
		case x509.TooManyIntermediates:
			return VerifyPathLength
		case x509.IncompatibleUsage:
			return VerifyPurpose
		case x509.CANotAuthorizedForThisName, x509.UnconstrainedName:
			return VerifyNamePermitted
		}
	}
	return VerifyUnspecified
}
