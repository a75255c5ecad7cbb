package ssl

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"moongate/core/tls"
	"moongate/http"
	"moongate/http/wire"
)

// variables are the module's. All but the first two are not found when they
// are empty.
var variables = []http.Variable{
	established("ssl_protocol", func(t *tls.Conn) string { return tls.ProtocolName(t.State().Version) }),
	established("ssl_cipher", func(t *tls.Conn) string { return tls.CipherName(t.State().CipherSuite) }),
	of("ssl_ciphers", func(t *tls.Conn, _ *http.Request) string { return joined(t.Hello.Ciphers, tls.CipherName) }),
	of("ssl_curve", curve),
	of("ssl_curves", func(t *tls.Conn, _ *http.Request) string { return joined(t.Hello.Curves, tls.CurveName) }),
	of("ssl_sigalg", func(t *tls.Conn, _ *http.Request) string { return t.Signature() }),
	of("ssl_sigalgs", func(t *tls.Conn, _ *http.Request) string { return joined(t.Hello.SigAlgs, hexCode) }),
	of("ssl_session_id", func(t *tls.Conn, _ *http.Request) string { return hex.EncodeToString(t.SessionID()) }),
	of("ssl_session_reused", func(t *tls.Conn, _ *http.Request) string {
		if t.State().DidResume {
			return "r"
		}
		return "."
	}),
	of("ssl_early_data", func(*tls.Conn, *http.Request) string { return "" }),
	of("ssl_server_name", func(t *tls.Conn, _ *http.Request) string { return t.ServerName() }),
	of("ssl_alpn_protocol", func(t *tls.Conn, _ *http.Request) string { return t.State().NegotiatedProtocol }),
	of("ssl_ech_status", func(t *tls.Conn, _ *http.Request) string { return t.ECHStatus() }),
	of("ssl_ech_outer_server_name", func(t *tls.Conn, _ *http.Request) string { return t.OuterServerName() }),
	client("ssl_client_cert", func(c *x509.Certificate, _ *http.Request) string {
		return strings.ReplaceAll(strings.TrimSuffix(tls.PEM(c), "\n"), "\n", "\n\t")
	}),
	client("ssl_client_raw_cert", func(c *x509.Certificate, _ *http.Request) string { return tls.PEM(c) }),
	client("ssl_client_escaped_cert", func(c *x509.Certificate, _ *http.Request) string {
		return string(wire.AppendEscaped(nil, tls.PEM(c), wire.EscapeURIComponent))
	}),
	client("ssl_client_s_dn", func(c *x509.Certificate, _ *http.Request) string { return tls.Name(c.RawSubject) }),
	client("ssl_client_i_dn", func(c *x509.Certificate, _ *http.Request) string { return tls.Name(c.RawIssuer) }),
	client("ssl_client_s_dn_legacy", func(c *x509.Certificate, _ *http.Request) string { return tls.OneLine(c.RawSubject) }),
	client("ssl_client_i_dn_legacy", func(c *x509.Certificate, _ *http.Request) string { return tls.OneLine(c.RawIssuer) }),
	client("ssl_client_serial", func(c *x509.Certificate, _ *http.Request) string { return tls.Serial(c) }),
	client("ssl_client_fingerprint", func(c *x509.Certificate, _ *http.Request) string { return tls.Fingerprint(c) }),
	of("ssl_client_verify", clientVerify),
	client("ssl_client_v_start", func(c *x509.Certificate, _ *http.Request) string { return tls.Time(c.NotBefore) }),
	client("ssl_client_v_end", func(c *x509.Certificate, _ *http.Request) string { return tls.Time(c.NotAfter) }),
	client("ssl_client_v_remain", remaining),
	of("ssl_client_sigalg", func(t *tls.Conn, _ *http.Request) string { return t.PeerSignature() }),
}

// of is a variable of the connection.
func of(name string, get func(*tls.Conn, *http.Request) string) http.Variable {
	return http.Variable{Name: name, Changeable: true, Get: func(r *http.Request, _ any) http.Value {
		t, _ := r.Conn.TLS.(*tls.Conn)
		if t == nil {
			return http.Value{}
		}
		s := get(t, r)
		return http.Value{S: s, Found: s != ""}
	}}
}

// established is a variable that has no value before the handshake is done.
func established(name string, get func(*tls.Conn) string) http.Variable {
	return of(name, func(t *tls.Conn, _ *http.Request) string {
		if t.State().Version == 0 {
			return ""
		}
		return get(t)
	})
}

// client is a variable of the client's certificate.
func client(name string, get func(*x509.Certificate, *http.Request) string) http.Variable {
	return of(name, func(t *tls.Conn, r *http.Request) string {
		if c := t.PeerCertificate(); c != nil {
			return get(c, r)
		}
		return ""
	})
}

func joined[T any](list []T, name func(T) string) string {
	var b strings.Builder
	for i, v := range list {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(name(v))
	}
	return b.String()
}

func hexCode[T ~uint16](v T) string { return fmt.Sprintf("0x%04x", uint16(v)) }

func curve(t *tls.Conn, _ *http.Request) string {
	if id := t.State().CurveID; id != 0 {
		return tls.CurveName(id)
	}
	return ""
}

func clientVerify(t *tls.Conn, _ *http.Request) string {
	switch {
	case t.PeerCertificate() == nil:
		return "NONE"
	case t.Verdict() == tls.VerifyOK && t.Revocation != "":
		return "FAILED:" + t.Revocation
	case t.Verdict() == tls.VerifyOK:
		return "SUCCESS"
	}
	return "FAILED:" + t.Verdict().String()
}

// remaining is the number of whole days until the certificate expires.
func remaining(c *x509.Certificate, r *http.Request) string {
	left := c.NotAfter.Sub(r.Loop().Now())
	return strconv.Itoa(int(max(left, 0) / (24 * time.Hour)))
}
