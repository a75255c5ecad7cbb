package upstream

import (
	"strings"

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

var protocolWords = []conf.Word{
	{Name: "SSLv2", Value: int(tls.SSLv2)}, {Name: "SSLv3", Value: int(tls.SSLv3)}, {Name: "TLSv1", Value: int(tls.TLSv1)},
	{Name: "TLSv1.1", Value: int(tls.TLSv11)}, {Name: "TLSv1.2", Value: int(tls.TLSv12)}, {Name: "TLSv1.3", Value: int(tls.TLSv13)},
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
		s.Bitmask(p+"protocols", in, func(c *C) *conf.Opt[int] { return &of(c).Protocols }, int(tls.DefaultProtocols), protocolWords),
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
			parseCertificateCache),
		conf.Value(s, p+"password_file", in, conf.Take1, func(c *C) *conf.Opt[[][]byte] { return &of(c).Passwords }, nil, parsePasswordFile),
		conf.Repeat(s, p+"conf_command", in, conf.Take2, func(c *C) *conf.Opt[[][2]string] { return &of(c).Commands }, nil,
			func(cf *conf.Conf, o *conf.Opt[[][2]string]) error {
				o.Put(append(o.V, [2]string{cf.Args[0], cf.Args[1]}))
				return nil
			}),
	}
}

// parseCertificateCache reads "PREFIX_ssl_certificate_cache off | max=N
// [inactive=time] [valid=time]".
func parseCertificateCache(cf *conf.Conf) (*tls.CertificateCache, error) {
	limit, inactive, valid, off := int64(0), 10*second, 60*second, false
	for _, arg := range cf.Args {
		name, value, _ := strings.Cut(arg, "=")
		ok := true
		switch {
		case arg == "off":
			off = true
		case name == "max":
			limit, ok = conf.ParseInt(value)
			ok = ok && limit > 0
		case name == "inactive":
			inactive, ok = conf.ParseSec(value)
		case name == "valid":
			valid, ok = conf.ParseSec(value)
		default:
			ok = false
		}
		if !ok {
			return nil, cf.Errorf(`invalid parameter "%s"`, arg)
		}
	}
	switch {
	case off:
		return nil, nil
	case limit == 0:
		return nil, cf.Errorf(`"%s" must have the "max" parameter`, cf.Name)
	}
	return tls.NewCertificateCache(int(limit), valid, inactive), nil
}

// parsePasswordFile reads the passwords of a file.
func parsePasswordFile(cf *conf.Conf) ([][]byte, error) {
	name := cf.Cycle.ConfPath(cf.Args[0])
	b, err := cf.Cycle.ReadFile(name)
	if err != nil {
		return nil, cf.Errorf(`open() "%s" failed (%s)`, name, conf.ErrnoText(err))
	}
	list, tooLong := tls.ParsePasswords(b)
	if tooLong {
		return nil, cf.Errorf(`too long line in "%s"`, name)
	}
	return list, nil
}
