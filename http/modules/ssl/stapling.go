package ssl

import "moongate/core/tls"

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
	b.warn(`"ssl_stapling" ignored, moongate does not ask OCSP responders yet; "ssl_stapling_file" works`)
	return nil
}
