package upstream

import (
	"moongate/conf"
	"moongate/core/tls"
	"moongate/http"
)

// SSL is what a location decides about TLS to the peers.
type SSL struct {
	SessionReuse conf.Opt[bool]
	Protocols    conf.Opt[int]
	Ciphers      conf.Opt[string]
	Name         conf.Opt[*http.Complex]
	ServerName   conf.Opt[bool]
	Verify       conf.Opt[bool]
	VerifyDepth  conf.Opt[int64]
	Trusted, CRL conf.Opt[string]
	// Certificate and Key are for authentication at the peer.
	Certificate, Key conf.Opt[*http.Complex]
	Cache            conf.Opt[*tls.CertificateCache]
	Passwords        conf.Opt[[][]byte]
	Commands         conf.Opt[[][2]string]

	// use: some of the location's peers may speak TLS.
	use bool
	// context is shared by the blocks that say nothing about it.
	context *sslContext
}

// SSL are the directives about TLS to the peers.
func (w Rows[C]) SSL() []conf.Directive {
	s, p := w.Slot, w.Prefix+"_ssl_"
	of := func(c *C) *SSL { return &w.Of(c).SSL }
	str := func(name string, field func(*SSL) *conf.Opt[string], def string) conf.Directive {
		return s.Str(p+name, in, func(c *C) *conf.Opt[string] { return field(of(c)) }, def)
	}
	complexValue := func(name string, field func(*SSL) *conf.Opt[*http.Complex]) conf.Directive {
		return conf.Value(s, p+name, in, conf.Take1, func(c *C) *conf.Opt[*http.Complex] { return field(of(c)) }, nil,
			func(cf *conf.Conf) (*http.Complex, error) { return http.CompileArg(cf, cf.Args[0]) })
	}
	return []conf.Directive{
		s.Flag(p+"session_reuse", in, func(c *C) *conf.Opt[bool] { return &of(c).SessionReuse }, true),
		s.Bitmask(p+"protocols", in, func(c *C) *conf.Opt[int] { return &of(c).Protocols }, int(tls.DefaultProtocols), http.SSLProtocols),
		str("ciphers", func(c *SSL) *conf.Opt[string] { return &c.Ciphers }, "DEFAULT"),
		complexValue("name", func(c *SSL) *conf.Opt[*http.Complex] { return &c.Name }),
		s.Flag(p+"server_name", in, func(c *C) *conf.Opt[bool] { return &of(c).ServerName }, false),
		s.Flag(p+"verify", in, func(c *C) *conf.Opt[bool] { return &of(c).Verify }, false),
		s.Num(p+"verify_depth", in, func(c *C) *conf.Opt[int64] { return &of(c).VerifyDepth }, 1),
		str("trusted_certificate", func(c *SSL) *conf.Opt[string] { return &c.Trusted }, ""),
		str("crl", func(c *SSL) *conf.Opt[string] { return &c.CRL }, ""),
		complexValue("certificate", func(c *SSL) *conf.Opt[*http.Complex] { return &c.Certificate }),
		complexValue("certificate_key", func(c *SSL) *conf.Opt[*http.Complex] { return &c.Key }),
		conf.Value(s, p+"certificate_cache", in, conf.Take123, func(c *C) *conf.Opt[*tls.CertificateCache] { return &of(c).Cache }, nil,
			http.ParseCertificateCache),
		conf.Value(s, p+"password_file", in, conf.Take1, func(c *C) *conf.Opt[[][]byte] { return &of(c).Passwords }, nil, http.ParsePasswordFile),
		conf.Repeat(s, p+"conf_command", in, conf.Take2, func(c *C) *conf.Opt[[][2]string] { return &of(c).Commands }, nil,
			func(cf *conf.Conf, o *conf.Opt[[][2]string]) error {
				o.Put(append(o.V, [2]string{cf.Args[0], cf.Args[1]}))
				return nil
			}),
	}
}
