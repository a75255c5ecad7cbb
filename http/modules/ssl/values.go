package ssl

import (
	gotls "crypto/tls"
	"os"
	"strings"

	"moongate/core/log"
	"moongate/core/tls"
	"moongate/http"
)

// certificateValue is a pair of names of which some have variables.
type certificateValue struct{ certificate, key *http.Complex }

// compile compiles the names if some have variables, and has the context ask
// for certificates at each handshake.
func (b *builder) compile() error {
	c, variable := b.c, false
	for i, name := range c.certificates.V {
		variable = variable || strings.Contains(name, "$") || strings.Contains(c.keys.V[i], "$")
	}
	if !variable {
		return nil
	}
	for i, name := range c.certificates.V {
		cert, err := http.CompileArg(b.cf, name)
		if err != nil {
			return err
		}
		key, err := http.CompileArg(b.cf, c.keys.V[i])
		if err != nil {
			return err
		}
		c.values = append(c.values, certificateValue{cert, key})
	}
	if c.passwords.V == nil {
		c.passwords.V = [][]byte{}
	}
	b.ctx.Certificate = c.find
	return nil
}

// find loads the certificates of a connection (ngx_http_ssl_certificate). The
// names are evaluated for a request that is none yet.
func (s *srvConf) find(t *tls.Conn) ([]*gotls.Certificate, error) {
	c := t.Data.(*http.Conn)
	r := c.NewRequest(nil)
	defer func() {
		r.Free()
		c.Action = "SSL handshaking"
	}()
	r.EnterDefaultServer()
	var list []*gotls.Certificate
	for _, v := range s.values {
		cert, err := s.load(c, r, v)
		if err != nil {
			c.Log.Log(log.Error, nil, "%s", err)
			return nil, tls.ErrCertificate
		}
		list = append(list, cert)
	}
	return list, nil
}

// load loads a certificate and its key, again when they do not match: one of
// the files may have changed while the other was kept.
func (s *srvConf) load(c *http.Conn, r *http.Request, v certificateValue) (*gotls.Certificate, error) {
	now := c.Loop().Now()
	certName, keyName := runtimeName(c, v.certificate.Eval(r)), runtimeName(c, v.key.Eval(r))
	for fresh := false; ; fresh = true {
		chain, err := s.certificateCache.V.Chain(os.ReadFile, certName, now, fresh)
		if err != nil {
			return nil, tls.Prefixed(err, `cannot load certificate "%s": `, certName)
		}
		key, err := s.certificateCache.V.Key(os.ReadFile, keyName, s.passwords.V, now, fresh)
		if err != nil {
			return nil, tls.Prefixed(err, `cannot load certificate key "%s": `, keyName)
		}
		if tls.Matches(chain[0], key) {
			return tls.NewCertificate(chain, key), nil
		}
		if fresh {
			return nil, &tls.Error{What: `SSL_use_PrivateKey("` + keyName + `") failed`,
				Queue: []string{"05800074:x509 certificate routines::key values mismatch"}}
		}
	}
}

// runtimeName makes a name absolute and owns it.
func runtimeName(c *http.Conn, name string) string {
	name = strings.Clone(name)
	for _, scheme := range []string{"data:", "engine:", "store:"} {
		if strings.HasPrefix(name, scheme) {
			return name
		}
	}
	return c.Worker.Cycle.Conf.ConfPath(name)
}
