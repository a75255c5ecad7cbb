package ssl

import (
	gotls "crypto/tls"
	"crypto/x509"
	"math"
	"time"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/tls"
	"moongate/http"
)

// stapling sends the status of the certificates along with them (nginx's
// ngx_ssl_stapling).
func (b *builder) stapling() error {
	c := b.c
	switch {
	case !c.stapling.V:
		return nil
	case c.compression.V:
		return problem(`"ssl_stapling" is incompatible with "ssl_certificate_compression"`)
	}
	if c.staplingFile.V != "" {
		der, err := tls.LoadStaple(b.cf.Cycle.ReadFile, b.cf.Cycle.ConfPath(c.staplingFile.V))
		if err != nil {
			return problem("%s", err)
		}
		b.ctx.SetStaple(der)
		return nil
	}
	staples := make(map[*x509.Certificate]*staple)
	for _, chain := range b.ctx.Chains() {
		if s := b.staple(chain); s != nil {
			staples[chain[0]] = s
		}
	}
	if len(staples) > 0 {
		b.ctx.Staple = func(t *tls.Conn, chosen *gotls.Certificate) *gotls.Certificate {
			if s := staples[chosen.Leaf]; s != nil {
				return s.attach(chosen, t.Data.(*http.Conn))
			}
			return chosen
		}
	}
	return nil
}

// staple prepares for asking about a certificate; nil, with a warning, if that
// is not possible.
func (b *builder) staple(chain []*x509.Certificate) *staple {
	cert, name := chain[0], b.nameOf(chain[0])
	s := &staple{cert: cert, name: name, verify: b.c.staplingVerify.V}
	if s.issuer = b.ctx.FindIssuer(cert, chain[1:]); s.issuer == nil {
		b.warn(`"ssl_stapling" ignored, issuer certificate not found for certificate "%s"`, name)
		return nil
	}
	url := b.c.staplingResponder.V
	if url == "" {
		if len(cert.OCSPServer) == 0 {
			b.warn(`"ssl_stapling" ignored, no OCSP responder URL in the certificate "%s"`, name)
			return nil
		}
		url = cert.OCSPServer[0]
	}
	var err error
	if s.responder, err = parseResponder(b.cf, url); err != nil {
		b.warn(`"ssl_stapling" ignored, %s in the certificate "%s"`, err, name)
		return nil
	}
	return s
}

// nameOf is the name that a certificate has in the configuration.
func (b *builder) nameOf(cert *x509.Certificate) string {
	for _, name := range b.c.certificates.V {
		if chain, err := tls.LoadCertificate(process.Of(b.cf.Cycle).ReadObject, name); err == nil && chain[0].Equal(cert) {
			return name
		}
	}
	return ""
}

// staple is the status of a certificate as a worker has it (nginx's
// ngx_ssl_stapling_t).
type staple struct {
	cert, issuer *x509.Certificate
	name         string
	responder    *responder
	verify       bool

	stapled *gotls.Certificate // with the response
	der     []byte
	valid   int64 // Unix seconds until which the response may be sent
	refresh int64 // and until which there is no need of another one
	loading bool
}

// Intervals of nginx: a response is refreshed some time before it expires, but
// neither sooner nor later than these.
const (
	soonestRefresh  = 300
	latestRefresh   = 3600
	staplingTimeout = time.Minute
)

// attach returns the certificate with its status, if there is one, and sees to
// it that there will be.
func (s *staple) attach(chosen *gotls.Certificate, c *http.Conn) *gotls.Certificate {
	loop, server, logger := c.Loop(), c.Server, c.Worker.Cycle.Log()
	now := loop.Now().Unix()
	if !s.loading && s.refresh < now {
		s.loading = true
		loop.Go(func() { s.update(loop, server, logger.With(nil, 0)) })
	}
	if s.der == nil || s.valid < now {
		return chosen
	}
	if s.stapled == nil {
		s.stapled = new(gotls.Certificate)
		*s.stapled = *chosen
		s.stapled.OCSPStaple = s.der
	}
	return s.stapled
}

// update asks the responder, in a fiber of its own.
func (s *staple) update(loop *event.Loop, server *http.ServerConf, entry log.Entry) {
	q := inquiry{responder: s.responder, loop: loop, server: server, log: entry, cert: s.cert, issuer: s.issuer, name: s.name,
		verify: s.verify, timeout: staplingTimeout}
	answer, der, err := q.ask()
	now := loop.Now().Unix()
	s.loading = false
	s.refresh = now + soonestRefresh
	switch {
	case err != nil:
		return
	case answer.Status != tls.OCSPGood:
		q.log.Log(log.Error, nil, "certificate status \"%s\" in the OCSP response", answer.Status)
		return
	}
	s.der, s.stapled, s.valid = append([]byte(nil), der...), nil, math.MaxInt64
	if !answer.NextUpdate.IsZero() {
		s.valid = answer.NextUpdate.Unix()
	}
	s.refresh = max(min(s.valid-soonestRefresh, now+latestRefresh), now+soonestRefresh)
}
