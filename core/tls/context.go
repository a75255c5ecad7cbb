package tls

import (
	gotls "crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
)

// Protocols is a set of versions of the protocol.
type Protocols int

// The versions that ssl_protocols knows.
const (
	SSLv2 Protocols = 1 << (iota + 1)
	SSLv3
	TLSv1
	TLSv11
	TLSv12
	TLSv13

	// DefaultProtocols are those of a configuration that names none.
	DefaultProtocols = TLSv12 | TLSv13
)

// versions are the protocols in their order.
var versions = []struct {
	bit  Protocols
	id   uint16
	name string
}{
	{TLSv1, gotls.VersionTLS10, "TLSv1"},
	{TLSv11, gotls.VersionTLS11, "TLSv1.1"},
	{TLSv12, gotls.VersionTLS12, "TLSv1.2"},
	{TLSv13, gotls.VersionTLS13, "TLSv1.3"},
}

// limits are the lowest and the highest version of a set, 0 for none.
func (p Protocols) limits() (low, high uint16) {
	for _, v := range versions {
		if p&v.bit == 0 {
			continue
		}
		if low == 0 {
			low = v.id
		}
		high = v.id
	}
	return low, high
}

// ProtocolName is OpenSSL's name of a version: "TLSv1.3".
func ProtocolName(id uint16) string {
	for _, v := range versions {
		if v.id == id {
			return v.name
		}
	}
	return "unknown"
}

// Context is what the connections of one server have in common: nginx's
// ngx_ssl_t with OpenSSL's SSL_CTX. It is complete once configured; it is used
// by one loop only.
type Context struct {
	// BufferSize is the plaintext of a record (ssl_buffer_size).
	BufferSize int
	// Select chooses, by what the client says, the context that goes on with the
	// handshake (nil keeps this one) and the protocols of ALPN to choose from,
	// the preferred ones first. It runs in the fiber of the handshake.
	Select func(c *Conn, h *Hello) (next *Context, alpn []string, err error)
	// Staple, when not nil, is asked for the certificate to send, with the OCSP
	// response about it, when a client wants one. It must not wait.
	Staple func(c *Conn, chosen *gotls.Certificate) *gotls.Certificate
	// Certificate, when not nil, finds the certificates of a connection, whose
	// names depend on it, in place of those that were added.
	Certificate func(c *Conn) ([]*gotls.Certificate, error)

	config       *gotls.Config
	current      *Conn // see Conn.current
	pairs        Pairs
	hooks        Hooks
	keepHello    bool
	ciphers      []uint16
	preferServer bool
	verify       verifier
	sessions     sessions
	variants     map[variant]*gotls.Config
	clients      map[clientVariant]*gotls.Config
	ech          []gotls.EncryptedClientHelloKey
}

// variant is what a copy of a context's configuration differs in.
type variant struct {
	alpn   string
	cipher uint16
}

// NewContext makes a context that speaks some versions of the protocol.
func NewContext(p Protocols) (*Context, error) {
	ctx := &Context{BufferSize: MaxRecord, variants: make(map[variant]*gotls.Config)}
	cfg := &gotls.Config{DynamicRecordSizingDisabled: true}
	cfg.MinVersion, cfg.MaxVersion = p.limits()
	if cfg.MaxVersion == 0 {
		return nil, &Error{What: "none of the protocols of the \"ssl_protocols\" directive is supported"}
	}
	cfg.GetConfigForClient = ctx.configFor
	cfg.GetCertificate = ctx.getCertificate
	cfg.VerifyConnection = ctx.verifyConnection
	ctx.config = cfg
	ctx.initSessions()
	return ctx, nil
}

// SetCiphers chooses the ciphers up to TLSv1.2 (ssl_ciphers,
// ssl_prefer_server_ciphers). It returns the names of those that cannot be had.
func (ctx *Context) SetCiphers(s string, preferServer bool) (missing []string, err error) {
	set, err := ParseCiphers(s)
	if err != nil {
		return nil, err
	}
	ctx.ciphers, ctx.preferServer = set.IDs, preferServer
	ctx.config.CipherSuites = set.IDs
	if set.IDs == nil {
		ctx.config.CipherSuites = []uint16{}
	}
	return set.Missing, nil
}

// curveIDs are OpenSSL's names of the groups that crypto/tls has, in lower case.
var curveIDs = map[string]gotls.CurveID{
	"prime256v1": gotls.CurveP256, "secp256r1": gotls.CurveP256, "p-256": gotls.CurveP256,
	"secp384r1": gotls.CurveP384, "p-384": gotls.CurveP384,
	"secp521r1": gotls.CurveP521, "p-521": gotls.CurveP521,
	"x25519": gotls.X25519, "x25519mlkem768": gotls.X25519MLKEM768,
	"secp256r1mlkem768": gotls.SecP256r1MLKEM768, "secp384r1mlkem1024": gotls.SecP384r1MLKEM1024,
}

// otherCurves are groups of OpenSSL that crypto/tls has not.
var otherCurves = []string{"x448", "secp224r1", "p-224", "secp256k1", "sect571r1", "sect409r1", "sect283r1", "sect233r1",
	"secp192r1", "prime192v1", "brainpoolp256r1", "brainpoolp384r1", "brainpoolp512r1",
	"ffdhe2048", "ffdhe3072", "ffdhe4096", "ffdhe6144", "ffdhe8192", "mlkem512", "mlkem768", "mlkem1024", "x448mlkem1024"}

// SetCurves chooses the groups of the key exchange (ssl_ecdh_curve); "auto"
// leaves it to crypto/tls. It returns the names of those that cannot be had.
func (ctx *Context) SetCurves(s string) (missing []string, err error) {
	if s == "auto" {
		return nil, nil
	}
	var ids []gotls.CurveID
	for _, word := range strings.FieldsFunc(s, func(c rune) bool { return c == ':' || c == '/' }) {
		name, optional := strings.CutPrefix(strings.TrimLeft(word, "*-"), "?")
		lower := strings.ToLower(name)
		id, ok := curveIDs[lower]
		switch {
		case ok:
			ids = append(ids, id)
		case slices.Contains(otherCurves, lower):
			missing = append(missing, name)
		case !optional:
			return nil, &Error{What: fmt.Sprintf(`SSL_CTX_set1_curves_list("%s") failed`, s),
				Queue: []string{"0A080106:SSL routines::passed invalid argument:group '" + name + "' cannot be set"}}
		}
	}
	if len(ids) == 0 {
		return missing, &Error{What: fmt.Sprintf(`SSL_CTX_set1_curves_list("%s") failed`, s),
			Queue: []string{"0A080106:SSL routines::passed invalid argument:no supported group"}}
	}
	ctx.config.CurvePreferences = ids
	return missing, nil
}

// AddCertificate loads a certificate with its chain and its key
// (ngx_ssl_certificate). One that has the kind of key of an earlier one takes
// its place; certificates and keys of different kinds may come in any order.
func (ctx *Context) AddCertificate(read Reader, cert, key string, passwords [][]byte) error {
	chain, err := LoadCertificate(read, cert)
	if err != nil {
		return Prefixed(err, `cannot load certificate "%s": `, cert)
	}
	signer, _, err := LoadKey(read, key, passwords)
	if err != nil {
		return Prefixed(err, `cannot load certificate key "%s": `, key)
	}
	ctx.pairs.SetChain(chain)
	if !ctx.pairs.SetKey(signer) {
		return &Error{What: fmt.Sprintf(`SSL_CTX_use_PrivateKey("%s") failed`, key),
			Queue: []string{"05800074:x509 certificate routines::key values mismatch"}}
	}
	return nil
}

// SetStaple has an OCSP response sent along with the certificates
// (ssl_stapling_file).
func (ctx *Context) SetStaple(der []byte) { ctx.pairs.SetStaple(der) }

// Certificates are the leaves that were added.
func (ctx *Context) Certificates() []*x509.Certificate { return ctx.pairs.Leaves() }

// Chains are the certificates that were added, each with its chain.
func (ctx *Context) Chains() (list [][]*x509.Certificate) {
	for _, s := range ctx.pairs.slots {
		if s.chain != nil {
			list = append(list, s.chain)
		}
	}
	return list
}

// errNoCertificate fails a handshake for which there is no certificate.
var errNoCertificate = &Error{What: "no certificate", Queue: []string{"0A0000C1:SSL routines::no shared cipher"}}

// getCertificate implements tls.Config.GetCertificate.
func (ctx *Context) getCertificate(h *gotls.ClientHelloInfo) (*gotls.Certificate, error) {
	list := ctx.pairs.list
	switch c := ownerOf(h); {
	case ctx.hooks.Certificate != nil:
		var err error
		if list, err = c.askCertificates(); err != nil {
			return nil, err
		}
	case ctx.Certificate != nil:
		var err error
		list, err = ctx.Certificate(c)
		c.current()
		if err != nil {
			return nil, err
		}
	}
	if len(list) == 0 {
		return nil, errNoCertificate
	}
	chosen := ctx.preferred(list, h)
	if ctx.Staple != nil && slices.Contains(h.Extensions, statusRequest) {
		chosen = ctx.Staple(ownerOf(h), chosen)
	}
	if key, ok := chosen.PrivateKey.(interface{ chosenBy(*Conn) }); ok {
		key.chosenBy(ownerOf(h))
	}
	return chosen, nil
}

// preferred is the first certificate of a list that the client can verify: in
// the order of the ways to sign that the client names with TLSv1.3, as OpenSSL
// does unless the server's order counts, in that of the server's costs before,
// where the cipher has decided.
func (ctx *Context) preferred(list []*gotls.Certificate, h *gotls.ClientHelloInfo) *gotls.Certificate {
	if len(list) == 1 {
		return list[0]
	}
	order := []string{"EC", "ED25519", "RSA"}
	if !ctx.preferServer && ctx.config.MaxVersion == gotls.VersionTLS13 && slices.Contains(h.SupportedVersions, gotls.VersionTLS13) {
		order = append(signers(h.SignatureSchemes), order...)
	}
	for _, kind := range order {
		for _, c := range list {
			if keyKind(c.Leaf.PublicKey) == kind && h.SupportsCertificate(c) == nil {
				return c
			}
		}
	}
	return list[0]
}

// signers are the kinds of keys that sign in these ways with TLSv1.3.
func signers(schemes []gotls.SignatureScheme) (kinds []string) {
	for _, s := range schemes {
		switch s {
		case gotls.ECDSAWithP256AndSHA256, gotls.ECDSAWithP384AndSHA384, gotls.ECDSAWithP521AndSHA512:
			kinds = append(kinds, "EC")
		case gotls.Ed25519:
			kinds = append(kinds, "ED25519")
		case gotls.PSSWithSHA256, gotls.PSSWithSHA384, gotls.PSSWithSHA512:
			kinds = append(kinds, "RSA")
		}
	}
	return kinds
}

// ownerOf is the connection that a callback is about.
func ownerOf(h *gotls.ClientHelloInfo) *Conn { return h.Conn.(*transport).owner }

// configFor implements tls.Config.GetConfigForClient.
func (ctx *Context) configFor(h *gotls.ClientHelloInfo) (*gotls.Config, error) {
	c := ownerOf(h)
	c.Hello = newHello(h)
	c.t.capture = false
	chosen := ctx
	var alpn []string
	if ctx.Select != nil {
		next, protocols, err := ctx.Select(c, c.Hello)
		alpn = protocols
		if err != nil {
			if err == ErrRejected {
				c.t.alert = alertUnrecognizedName
			}
			return nil, err
		}
		if next != nil {
			chosen = next
		}
	}
	c.ctx, c.record = chosen, chosen.BufferSize
	c.current()
	cfg := chosen.variant(h, alpn)
	if c.ech != nil {
		cfg = cfg.Clone()
		cfg.EncryptedClientHelloKeys = ctx.ech // to be told to the client, if its own were of no use
	}
	if ctx.hooks.ClientHello == nil && chosen.hooks.Certificate == nil {
		return cfg, nil
	}
	return c.begin(ctx, cfg)
}

// variant returns the configuration for a client: with the cipher that OpenSSL
// would choose, if that is one up to TLSv1.2, as crypto/tls knows no order but
// its own.
func (ctx *Context) variant(h *gotls.ClientHelloInfo, alpn []string) *gotls.Config {
	v := variant{cipher: ctx.chooseCipher(h)}
	if len(h.SupportedProtos) > 0 {
		v.alpn = strings.Join(alpn, ",")
	}
	cfg := ctx.variants[v]
	if cfg == nil {
		cfg = ctx.config.Clone()
		cfg.GetConfigForClient, cfg.GetEncryptedClientHelloKeys = nil, nil
		if v.alpn != "" {
			cfg.NextProtos = alpn
		}
		if v.cipher != 0 {
			cfg.CipherSuites = []uint16{v.cipher}
		}
		ctx.variants[v] = cfg
	}
	return cfg
}

// chooseCipher picks the cipher for a client of TLSv1.2 or older; 0 leaves it
// to crypto/tls.
func (ctx *Context) chooseCipher(h *gotls.ClientHelloInfo) uint16 {
	if ctx.Certificate != nil || ctx.hooks.Certificate != nil || ctx.config.MaxVersion == gotls.VersionTLS13 && slices.Contains(h.SupportedVersions, gotls.VersionTLS13) {
		return 0
	}
	first, second := h.CipherSuites, ctx.ciphers
	if ctx.preferServer {
		first, second = second, first
	}
	tls12 := ctx.config.MaxVersion >= gotls.VersionTLS12 && slices.Contains(h.SupportedVersions, gotls.VersionTLS12)
	for _, id := range first {
		if slices.Contains(second, id) && ctx.fits(id, tls12, len(h.SupportedCurves) > 0) {
			return id
		}
	}
	return 0
}

// fits reports whether a cipher goes with the version and the certificates.
func (ctx *Context) fits(id uint16, tls12, curves bool) bool {
	all := cipherList()
	i := slices.IndexFunc(all, func(c suite) bool { return c.id == id })
	if i < 0 {
		return false
	}
	tags := all[i].tags
	has := func(tag string) bool { return slices.Contains(tags, tag) }
	switch {
	case has("TLSv1.2") && !tls12, has("kECDHE") && !curves:
		return false
	case has("aECDSA"):
		return ctx.pairs.has("EC") || ctx.pairs.has("ED25519")
	case has("aRSA"):
		return ctx.pairs.has("RSA")
	}
	return false
}

// Hello is what a client offered.
type Hello struct {
	ServerName string
	Ciphers    []uint16
	Curves     []gotls.CurveID
	SigAlgs    []gotls.SignatureScheme
	Versions   []uint16
	Protocols  []string
	Extensions []uint16
}

func newHello(h *gotls.ClientHelloInfo) *Hello {
	return &Hello{ServerName: h.ServerName, Ciphers: h.CipherSuites, Curves: h.SupportedCurves, SigAlgs: h.SignatureSchemes,
		Versions: h.SupportedVersions, Protocols: h.SupportedProtos, Extensions: h.Extensions}
}
