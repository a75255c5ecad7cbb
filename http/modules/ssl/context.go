package ssl

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"moongate/conf"
	"moongate/core/process"
	"moongate/core/tls"
)

// mergeServer completes a server's configuration and makes its context.
func mergeServer(cf *conf.Conf, outer, c *srvConf) error {
	c.sessionCache.inherit(&outer.sessionCache)
	c.locate(cf)
	if n := len(c.certificates.V); n > 0 {
		if len(c.keys.V) < n {
			return problem(`no "ssl_certificate_key" is defined for certificate "%s"`, c.certificates.V[n-1])
		}
	} else if !c.rejectHandshake.V {
		return nil
	}
	ctx, err := tls.NewContext(tls.Protocols(c.protocols.V))
	if err != nil {
		return problem("%s", err)
	}
	c.ctx = ctx
	b := builder{cf: cf, c: c, ctx: ctx}
	for _, step := range []func() error{b.protocols, b.ciphers, b.certificates, b.verify, b.keyExchange, b.sessions, b.rest} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// problem is a complaint without a place, as nginx makes them when merging.
func problem(format string, args ...any) error { return &conf.Error{Msg: fmt.Sprintf(format, args...)} }

// locate makes the names of certificates absolute, as ngx_ssl_cache_init_key does.
func (c *srvConf) locate(cf *conf.Conf) {
	c.certificates.V = absolute(cf, c.certificates.V, "data:")
	c.keys.V = absolute(cf, c.keys.V, "data:", "engine:", "store:")
}

func absolute(cf *conf.Conf, names []string, schemes ...string) []string {
	var list []string
names:
	for _, name := range names {
		for _, s := range schemes {
			if strings.HasPrefix(name, s) {
				list = append(list, name)
				continue names
			}
		}
		if !strings.Contains(name, "$") {
			name = cf.Cycle.ConfPath(name)
		}
		list = append(list, name)
	}
	return list
}

// builder makes a server's context in nginx's order, which decides about the
// complaint that is made.
type builder struct {
	cf  *conf.Conf
	c   *srvConf
	ctx *tls.Context
	cas []*x509.Certificate
}

func (b *builder) warn(format string, args ...any) {
	b.cf.Cycle.Log(conf.LogWarn, fmt.Sprintf(format, args...))
}

// protocols complains about what crypto/tls cannot do.
func (b *builder) protocols() error {
	p := tls.Protocols(b.c.protocols.V)
	if b.c.protocols.Set && p&(tls.SSLv2|tls.SSLv3) != 0 {
		b.warn(`"ssl_protocols": SSLv2 and SSLv3 are not supported, ignored`)
	}
	return nil
}

func (b *builder) ciphers() error {
	missing, err := b.ctx.SetCiphers(b.c.ciphers.V, b.c.preferServerCiphers.V)
	if err != nil {
		return problem("%s", err)
	}
	if len(missing) > 0 {
		b.warn(`"ssl_ciphers": %s not supported, ignored`, strings.Join(missing, ":"))
	}
	return nil
}

func (b *builder) certificates() error {
	if err := b.compile(); err != nil || b.c.values != nil {
		return err
	}
	for i, name := range b.c.certificates.V {
		if err := b.ctx.AddCertificate(process.Of(b.cf.Cycle).ReadObject, name, b.c.keys.V[i], b.c.passwords.V); err != nil {
			return problem("%s", err)
		}
	}
	return nil
}

func (b *builder) verify() error {
	c := b.c
	b.ctx.SetVerifyDepth(int(c.depth.V))
	b.ctx.BufferSize = int(max(min(c.bufferSize.V, tls.MaxRecord), 1))
	if c.verify.V != verifyOff {
		if c.verify.V != verifyOptionalNoCA && c.clientCertificate.V == "" && c.trustedCertificate.V == "" {
			return problem("no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client")
		}
		if err := b.authorities(c.clientCertificate.V, func(cas []*x509.Certificate) {
			b.cas = cas
			b.ctx.VerifyClient(cas, int(c.depth.V))
		}); err != nil {
			return err
		}
	}
	if err := b.authorities(c.trustedCertificate.V, b.ctx.Trust); err != nil {
		return err
	}
	if c.crl.V != "" {
		name := b.cf.Cycle.ConfPath(c.crl.V)
		list, err := tls.LoadCRLs(process.Of(b.cf.Cycle).ReadObject, name)
		if err != nil {
			return problem("%s", tls.Prefixed(err, `cannot load CRL "%s": `, name))
		}
		b.ctx.SetCRLs(list)
	}
	return b.ocsp()
}

// authorities reads a file of certificates, none if it has no name.
func (b *builder) authorities(name string, use func([]*x509.Certificate)) error {
	if name == "" {
		use(nil)
		return nil
	}
	name = b.cf.Cycle.ConfPath(name)
	cas, err := tls.LoadAuthorities(process.Of(b.cf.Cycle).ReadObject, name)
	if err != nil {
		return problem("%s", tls.Prefixed(err, `cannot load certificate "%s": `, name))
	}
	use(cas)
	return nil
}

func (b *builder) keyExchange() error {
	if name := b.c.dhparam.V; name != "" {
		if err := tls.CheckDHParam(b.cf.Cycle.ReadFile, b.cf.Cycle.ConfPath(name)); err != nil {
			return problem("%s", err)
		}
		b.warn(`"ssl_dhparam": finite-field Diffie-Hellman is not supported, ignored`)
	}
	for _, name := range b.c.echFiles.V {
		if err := b.ctx.AddECH(b.cf.Cycle.ReadFile, b.cf.Cycle.ConfPath(name)); err != nil {
			return problem("%s", err)
		}
	}
	missing, err := b.ctx.SetCurves(b.c.curves.V)
	if err != nil {
		return problem("%s", err)
	}
	if len(missing) > 0 {
		b.warn(`"ssl_ecdh_curve": %s not supported, ignored`, strings.Join(missing, ":"))
	}
	return nil
}

// sessions decides how sessions are resumed.
func (b *builder) sessions() error {
	c := b.c
	var keys tls.TicketKeys
	if c.tickets.V {
		var err error
		if keys, err = b.ticketKeys(); err != nil {
			return err
		}
	}
	b.ctx.SetSessions(keys, c.sessionCache.store(), c.sessionTimeout.V, b.sessionContext())
	if c.sessionCache.builtin == cacheOff {
		b.ctx.NoSessions()
	}
	return nil
}

// sessionContext tells servers apart by their certificates and the authorities
// for clients (ngx_ssl_session_id_context).
func (b *builder) sessionContext() (id [16]byte) {
	h := sha256.New()
	h.Write([]byte("HTTP"))
	if b.c.values != nil {
		for _, name := range b.c.certificates.V {
			h.Write([]byte(name))
		}
	}
	for _, cert := range b.ctx.Certificates() {
		d := sha256.Sum256(cert.Raw)
		h.Write(d[:])
	}
	for _, ca := range b.cas {
		h.Write(ca.RawSubject)
	}
	copy(id[:], h.Sum(nil))
	return id
}

// ticketKeys finds the keys of tickets: those of files, else the ones in the
// shared session cache, else a key of the configuration's own.
func (b *builder) ticketKeys() (tls.TicketKeys, error) {
	cf := b.cf
	if names := b.c.ticketKeys.V; len(names) > 0 {
		var keys tls.FixedKeys
		for _, name := range names {
			name = cf.Cycle.ConfPath(name)
			file, err := cf.Cycle.ReadFile(name)
			if err != nil {
				return nil, problem(`open() "%s" failed (%s)`, name, conf.ErrnoText(err))
			}
			key, err := tls.ParseTicketKey(file)
			if err != nil {
				return nil, problem(`"%s" %s`, name, err)
			}
			keys = append(keys, key)
		}
		return keys, nil
	}
	if zone := b.c.sessionCache.zone; zone != nil {
		return sharedKeys(zone), nil
	}
	key, err := ownKey(cf)
	if err != nil {
		return nil, problem("%s", err)
	}
	return tls.FixedKeys{key}, nil
}

// ownKey makes a key that lasts as long as the configuration. The master makes
// it and its workers get the same one.
func ownKey(cf *conf.Conf) (*tls.TicketKey, error) {
	m := mainSlot.Of(cf.Scope)
	m.ownKeys++
	text, err := process.Of(cf.Cycle).Recall(fmt.Sprintf("TLS ticket key %d", m.ownKeys), func() ([]string, error) {
		b := make([]byte, 80)
		rand.Read(b)
		return []string{hex.EncodeToString(b)}, nil
	})
	if err != nil {
		return nil, err
	}
	b, err := hex.DecodeString(text[0])
	if err != nil {
		return nil, err
	}
	return tls.ParseTicketKey(b)
}

// rest has what comes last.
func (b *builder) rest() error {
	if err := b.stapling(); err != nil {
		return err
	}
	if b.c.earlyData.V {
		b.warn(`"ssl_early_data" is not supported on this platform, ignored`)
	}
	if b.c.compression.V {
		b.warn(`"ssl_certificate_compression" is not supported on this platform, ignored`)
	}
	for _, cmd := range b.c.confCommands.V {
		ignored, err := b.ctx.Command(process.Of(b.cf.Cycle).ReadObject, cmd.key, cmd.value)
		if err != nil {
			return problem("%s", err)
		}
		if ignored {
			b.warn(`"ssl_conf_command": %s %s is not supported, ignored`, cmd.key, cmd.value)
		}
	}
	b.ctx.Select = mainSlot.Of(b.cf.Scope).selectServer
	return nil
}
