// Package ssl lets servers speak TLS: nginx's ngx_http_ssl_module, and of
// ngx_http_request.c what concerns the handshake. The protocol is core/tls's.
package ssl

import (
	"time"

	"moongate/conf"
	"moongate/core/process"
	"moongate/core/tls"
	"moongate/http"
)

// srvConf is what a server says.
type srvConf struct {
	certificates, keys  conf.Opt[[]string]
	certificateCache    conf.Opt[*tls.CertificateCache]
	echFiles            conf.Opt[[]string]
	passwords           conf.Opt[[][]byte]
	compression         conf.Opt[bool]
	dhparam             conf.Opt[string]
	curves              conf.Opt[string]
	protocols           conf.Opt[int]
	ciphers             conf.Opt[string]
	bufferSize          conf.Opt[int64]
	verify              conf.Opt[int]
	depth               conf.Opt[int64]
	clientCertificate   conf.Opt[string]
	trustedCertificate  conf.Opt[string]
	preferServerCiphers conf.Opt[bool]
	sessionCache        sessionCache
	tickets             conf.Opt[bool]
	ticketKeys          conf.Opt[[]string]
	sessionTimeout      conf.Opt[time.Duration]
	crl                 conf.Opt[string]
	ocsp                conf.Opt[int]
	ocspResponder       conf.Opt[string]
	ocspCache           conf.Opt[*process.Zone]
	stapling            conf.Opt[bool]
	staplingFile        conf.Opt[string]
	staplingResponder   conf.Opt[string]
	staplingVerify      conf.Opt[bool]
	earlyData           conf.Opt[bool]
	confCommands        conf.Opt[[]keyValue]
	rejectHandshake     conf.Opt[bool]

	// ctx is nil for servers without certificates that do not reject.
	ctx *tls.Context
	// responder is that of ssl_ocsp_responder.
	responder *responder
	// values are the names of certificates and keys when some have variables.
	values []certificateValue
}

// Values of ssl_verify_client.
const (
	verifyOff = iota
	verifyOn
	verifyOptional
	verifyOptionalNoCA
)

var (
	verifyWords = []conf.Word{{Name: "off", Value: verifyOff}, {Name: "on", Value: verifyOn},
		{Name: "optional", Value: verifyOptional}, {Name: "optional_no_ca", Value: verifyOptionalNoCA}}
	ocspWords = []conf.Word{{Name: "off", Value: ocspOff}, {Name: "on", Value: ocspOn}, {Name: "leaf", Value: ocspLeaf}}
)

const in = conf.HTTPMain | conf.HTTPServer

// mainConf is what there is once.
type mainConf struct {
	ownKeys int // ticket keys made for servers
	// selectServer goes into every context.
	selectServer func(t *tls.Conn, h *tls.Hello) (*tls.Context, []string, error)
}

var mainSlot = &conf.Slot[mainConf]{Level: conf.LevelMain}

var slot = &conf.Slot[srvConf]{Level: conf.LevelServer, Merge: mergeServer}

// Module is the ssl module.
var Module = &http.Module{
	Module: conf.Module{
		Name:       "http_ssl",
		Slots:      []conf.AnySlot{mainSlot, slot},
		Directives: directives(),
		Arguments:  []string{"--with-http_ssl_module"},
	},
	Variables: variables,
	Preconfiguration: func(cf *conf.Conf, _ *http.MainConf) error {
		mainSlot.Of(cf.Scope).selectServer = selectServer
		return nil
	},
	Init: checkListen,
}

func directives() []conf.Directive {
	s := slot
	return []conf.Directive{
		list("ssl_certificate", func(c *srvConf) *conf.Opt[[]string] { return &c.certificates }),
		list("ssl_certificate_key", func(c *srvConf) *conf.Opt[[]string] { return &c.keys }),
		conf.Value(s, "ssl_certificate_cache", in, conf.Take123,
			func(c *srvConf) *conf.Opt[*tls.CertificateCache] { return &c.certificateCache }, nil, http.ParseCertificateCache),
		list("ssl_ech_file", func(c *srvConf) *conf.Opt[[]string] { return &c.echFiles }),
		conf.Value(s, "ssl_password_file", in, conf.Take1,
			func(c *srvConf) *conf.Opt[[][]byte] { return &c.passwords }, nil, http.ParsePasswordFile),
		s.Flag("ssl_certificate_compression", in, func(c *srvConf) *conf.Opt[bool] { return &c.compression }, false),
		s.Str("ssl_dhparam", in, func(c *srvConf) *conf.Opt[string] { return &c.dhparam }, ""),
		s.Str("ssl_ecdh_curve", in, func(c *srvConf) *conf.Opt[string] { return &c.curves }, "auto"),
		s.Bitmask("ssl_protocols", in, func(c *srvConf) *conf.Opt[int] { return &c.protocols }, int(tls.DefaultProtocols), http.SSLProtocols),
		s.Str("ssl_ciphers", in, func(c *srvConf) *conf.Opt[string] { return &c.ciphers }, "HIGH:!aNULL:!MD5"),
		s.Size("ssl_buffer_size", in, func(c *srvConf) *conf.Opt[int64] { return &c.bufferSize }, tls.MaxRecord),
		s.Enum("ssl_verify_client", in, func(c *srvConf) *conf.Opt[int] { return &c.verify }, verifyOff, verifyWords),
		s.Num("ssl_verify_depth", in, func(c *srvConf) *conf.Opt[int64] { return &c.depth }, 1),
		s.Str("ssl_client_certificate", in, func(c *srvConf) *conf.Opt[string] { return &c.clientCertificate }, ""),
		s.Str("ssl_trusted_certificate", in, func(c *srvConf) *conf.Opt[string] { return &c.trustedCertificate }, ""),
		s.Flag("ssl_prefer_server_ciphers", in, func(c *srvConf) *conf.Opt[bool] { return &c.preferServerCiphers }, false),
		s.Custom("ssl_session_cache", in, conf.Take12, func(cf *conf.Conf, c *srvConf) error { return c.sessionCache.parse(cf) }),
		s.Flag("ssl_session_tickets", in, func(c *srvConf) *conf.Opt[bool] { return &c.tickets }, true),
		list("ssl_session_ticket_key", func(c *srvConf) *conf.Opt[[]string] { return &c.ticketKeys }),
		s.Sec("ssl_session_timeout", in, func(c *srvConf) *conf.Opt[time.Duration] { return &c.sessionTimeout }, 300*time.Second),
		s.Str("ssl_crl", in, func(c *srvConf) *conf.Opt[string] { return &c.crl }, ""),
		s.Enum("ssl_ocsp", in, func(c *srvConf) *conf.Opt[int] { return &c.ocsp }, 0, ocspWords),
		s.Str("ssl_ocsp_responder", in, func(c *srvConf) *conf.Opt[string] { return &c.ocspResponder }, ""),
		conf.Value(s, "ssl_ocsp_cache", in, conf.Take1,
			func(c *srvConf) *conf.Opt[*process.Zone] { return &c.ocspCache }, nil, parseOCSPCache),
		s.Flag("ssl_stapling", in, func(c *srvConf) *conf.Opt[bool] { return &c.stapling }, false),
		s.Str("ssl_stapling_file", in, func(c *srvConf) *conf.Opt[string] { return &c.staplingFile }, ""),
		s.Str("ssl_stapling_responder", in, func(c *srvConf) *conf.Opt[string] { return &c.staplingResponder }, ""),
		s.Flag("ssl_stapling_verify", in, func(c *srvConf) *conf.Opt[bool] { return &c.staplingVerify }, false),
		s.Flag("ssl_early_data", in, func(c *srvConf) *conf.Opt[bool] { return &c.earlyData }, false),
		conf.Repeat(s, "ssl_conf_command", in, conf.Take2, func(c *srvConf) *conf.Opt[[]keyValue] { return &c.confCommands }, nil,
			func(cf *conf.Conf, o *conf.Opt[[]keyValue]) error {
				o.Put(append(o.V, keyValue{cf.Args[0], cf.Args[1]}))
				return nil
			}),
		s.Flag("ssl_reject_handshake", in, func(c *srvConf) *conf.Opt[bool] { return &c.rejectHandshake }, false),
	}
}

// keyValue is an ssl_conf_command.
type keyValue struct{ key, value string }

// list is a row that collects the arguments of several directives.
func list(name string, field func(*srvConf) *conf.Opt[[]string]) conf.Directive {
	return conf.Repeat(slot, name, in, conf.Take1, field, nil, func(cf *conf.Conf, o *conf.Opt[[]string]) error {
		o.Put(append(o.V, cf.Args[0]))
		return nil
	})
}

// parseOCSPCache reads "off | shared:name:size".
func parseOCSPCache(cf *conf.Conf) (*process.Zone, error) {
	if cf.Args[0] == "off" {
		return nil, nil
	}
	return sharedZone(cf, cf.Args[0], "OCSP cache", "http_ssl ocsp")
}

// checkListen looks whether every address with "ssl" has a certificate.
func checkListen(_ *conf.Conf, m *http.MainConf) error {
	for _, p := range m.Ports() {
		for _, a := range p.Addrs {
			if a.SSL {
				if err := checkAddress(a); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func checkAddress(a *http.Address) error {
	c := slot.Of(a.Default.Scope())
	if c.certificates.V != nil {
		return nil
	}
	if !c.rejectHandshake.V {
		return noCertificate(a.Default)
	}
	for _, s := range a.Servers {
		if c := slot.Of(s.Scope()); c.certificates.V == nil && !c.rejectHandshake.V {
			return noCertificate(s)
		}
	}
	return nil
}

func noCertificate(s *http.ServerConf) error {
	file, line := s.Place()
	return &conf.Error{Msg: `no "ssl_certificate" is defined for the "listen ... ssl" directive`, File: file, Line: line}
}
