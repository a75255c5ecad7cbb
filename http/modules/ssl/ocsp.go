package ssl

import (
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"

	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/tls"
	"moongate/http"
)

// Values of ssl_ocsp.
const (
	ocspOff = iota
	ocspOn
	ocspLeaf
)

// ocsp has the certificates of clients looked up with their responders (nginx's
// ngx_ssl_ocsp).
func (b *builder) ocsp() error {
	c := b.c
	switch {
	case c.ocsp.V == ocspOff:
		return nil
	case c.verify.V == verifyOptionalNoCA:
		return problem(`"ssl_ocsp" is incompatible with "ssl_verify_client optional_no_ca"`)
	}
	if url := c.ocspResponder.V; url != "" {
		r, err := parseResponder(b.cf, url)
		if err != nil {
			return problem(`%s in "ssl_ocsp_responder"`, err)
		}
		c.responder = r
	}
	return nil
}

// validate asks about the certificate that a client has shown, and with "on"
// about those of its chain, except the root's. It waits in the fiber of the
// connection (nginx's ngx_ssl_ocsp_validate).
func (s *srvConf) validate(c *http.Conn, t *tls.Conn) {
	if t.PeerCertificate() == nil || t.Verdict() != tls.VerifyOK {
		return
	}
	chain := t.VerifiedChain()
	if chain == nil {
		t.Revocation = errOCSP.Error()
		return
	}
	for i := 0; i+1 < len(chain) && (s.ocsp.V == ocspOn || i == 0); i++ {
		status, err := s.status(c, chain[i], chain[i+1])
		switch {
		case err != nil:
			t.Revocation = err.Error()
			return
		case status == tls.OCSPRevoked:
			t.Revocation = "certificate revoked"
			return
		case status != tls.OCSPGood:
			t.Revocation = "certificate status unknown"
			return
		}
	}
}

// status finds the status of a certificate, in the cache or with its responder.
func (s *srvConf) status(c *http.Conn, cert, issuer *x509.Certificate) (tls.OCSPStatus, error) {
	r := s.responder
	if r == nil {
		var err error
		if r, err = ownResponder(c, cert); err != nil {
			return 0, err
		}
	}
	cache := statusCache{s.ocspCache.V}
	key := statusKey(cert, issuer)
	now := c.Loop().Now().Unix()
	if status, ok := cache.get(key, now); ok {
		return status, nil
	}
	q := inquiry{responder: r, loop: c.Loop(), server: c.Server, log: c.Log, cert: cert, issuer: issuer, verify: true,
		timeout: c.Server.ClientHeaderTimeout.V}
	answer, _, err := q.ask()
	if err != nil {
		return 0, err
	}
	expires := now + latestRefresh
	if !answer.NextUpdate.IsZero() {
		expires = answer.NextUpdate.Unix()
	}
	if !cache.put(key, answer.Status, now, expires) {
		c.Log.Log(log.Alert, nil, "could not allocate new entry in OCSP cache \"%s\"", s.ocspCache.V.Name)
		return 0, errOCSP
	}
	return answer.Status, nil
}

// ownResponder is the responder that a certificate names.
func ownResponder(c *http.Conn, cert *x509.Certificate) (*responder, error) {
	if len(cert.OCSPServer) == 0 {
		c.Log.Log(log.Error, nil, "no OCSP responder URL in certificate")
		return nil, errOCSP
	}
	r, err := parseResponder(nil, cert.OCSPServer[0])
	var bad *badResponder
	switch {
	case errors.As(err, &bad):
		c.Log.Log(log.Error, nil, "%s in certificate", bad)
	case r.host == "":
		c.Log.Log(log.Error, nil, "empty host in OCSP responder in certificate")
	default:
		return r, nil
	}
	return nil, errOCSP
}

// statusKey identifies a certificate: digests of its issuer's name and key, and
// its number.
func statusKey(cert, issuer *x509.Certificate) []byte {
	name := sha1.Sum(issuer.RawSubject)
	key := append(make([]byte, 0, 60), name[:]...)
	var info struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &info); err == nil {
		digest := sha1.Sum(info.Key.RightAlign())
		key = append(key, digest[:]...)
	}
	return append(key, cert.SerialNumber.Bytes()...)
}

// statusCache keeps statuses in a zone (ssl_ocsp_cache); without one it is
// always empty.
type statusCache struct{ zone *process.Zone }

// get returns a status that has not expired, in Unix seconds.
func (s statusCache) get(key []byte, now int64) (status tls.OCSPStatus, ok bool) {
	if s.zone == nil {
		return 0, false
	}
	z := s.zone.Shm
	z.Lock()
	defer z.Unlock()
	t := z.Table(0)
	p := t.Lookup(key)
	switch {
	case p == 0:
		return 0, false
	case t.Expires(p) <= now:
		t.Delete(p)
		return 0, false
	}
	return tls.OCSPStatus(t.Value(p)[0]), true
}

// put keeps a status; the oldest one makes way when there is no room. False
// says that there is none still.
func (s statusCache) put(key []byte, status tls.OCSPStatus, now, expires int64) bool {
	if s.zone == nil || expires < now {
		return true
	}
	z := s.zone.Shm
	z.Lock()
	defer z.Unlock()
	t := z.Table(0)
	if p := t.Lookup(key); p != 0 { // another connection was as quick
		t.Delete(p)
	}
	p := t.Insert(key, 1, expires)
	if p == 0 {
		if oldest := t.Oldest(); oldest != 0 {
			t.Delete(oldest)
		}
		p = t.Insert(key, 1, expires)
	}
	if p == 0 {
		return false
	}
	t.Value(p)[0] = byte(status)
	return true
}
