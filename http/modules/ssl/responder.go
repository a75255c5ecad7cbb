package ssl

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/core/tls"
	"moongate/http"
	"moongate/http/wire"
)

// responder is an OCSP responder: the URL of a directive or of a certificate.
type responder struct {
	host  string
	port  uint16
	uri   string
	addrs []process.Addr // empty when the name was not resolved yet
}

// badResponder is a URL that is of no use, in nginx's words: what is wrong, and
// the URL as the complaint quotes it.
type badResponder struct{ reason, url string }

func (e *badResponder) Error() string { return e.reason + ` in OCSP responder "` + e.url + `"` }

// parseResponder reads the URL of a responder. Without cf, names are left to
// the resolver.
func parseResponder(cf *conf.Conf, url string) (*responder, error) {
	const prefix = "http://"
	if len(url) <= len(prefix) || !strings.EqualFold(url[:len(prefix)], prefix) {
		return nil, &badResponder{"invalid URL prefix", url}
	}
	rest := url[len(prefix):]
	u, err := http.ParseURL(cf, rest, http.URLOptions{URIPart: true, NoResolve: cf == nil, DefaultPort: 80})
	if err != nil {
		return nil, &badResponder{err.Error(), rest}
	}
	r := &responder{host: u.Host, port: u.Port, uri: u.URI, addrs: u.Addrs}
	if r.uri == "" {
		r.uri = "/"
	}
	return r, nil
}

// inquiry is a question to a responder: nginx's ngx_ssl_ocsp_ctx_t.
type inquiry struct {
	*responder
	loop   *event.Loop
	server *http.ServerConf
	log    log.Entry

	cert, issuer *x509.Certificate
	// name is that of the certificate in the configuration, "" for clients'.
	name string
	// verify: the signature of the response must be one to trust.
	verify  bool
	timeout time.Duration
	peer    string
}

// AppendLog implements log.Context.
func (q *inquiry) AppendLog(b []byte) []byte {
	b = append(append(b, " while requesting certificate status, responder: "...), q.host...)
	if q.peer != "" {
		b = append(append(b, ", peer: "...), q.peer...)
	}
	if q.name != "" {
		b = append(append(append(b, `, certificate: "`...), q.name...), '"')
	}
	return b
}

// errOCSP is the error of an inquiry that came to nothing; why was logged.
var errOCSP = errors.New("certificate status request failed")

// ask asks the addresses of the responder in turn, in the current fiber. der is
// the response, for stapling.
func (q *inquiry) ask() (answer tls.OCSPAnswer, der []byte, err error) {
	q.log = q.log.WithContext(q)
	request, err := q.request()
	if err != nil {
		q.log.Log(log.Crit, nil, "%s", err)
		return answer, nil, errOCSP
	}
	addrs, err := q.resolve()
	if err != nil {
		return answer, nil, err
	}
	for _, a := range addrs {
		q.peer = a.String()
		status, body, ok := q.exchange(a, request)
		if !ok {
			continue
		}
		if status != 200 {
			return answer, nil, errOCSP
		}
		if answer, err = tls.CheckOCSP(body, q.cert, q.issuer, q.verify, q.loop.Now()); err != nil {
			q.log.Log(log.Error, nil, "%s", err)
			return answer, nil, errOCSP
		}
		return answer, body, nil
	}
	return answer, nil, errOCSP
}

// request is the request as nginx sends it.
func (q *inquiry) request() ([]byte, error) {
	der, err := tls.OCSPRequest(q.cert, q.issuer)
	if err != nil {
		return nil, err
	}
	b := append([]byte("GET "), q.uri...)
	if b[len(b)-1] != '/' {
		b = append(b, '/')
	}
	b = wire.AppendEscaped(b, base64.StdEncoding.EncodeToString(der), wire.EscapeURIComponent)
	return append(append(append(b, " HTTP/1.0\r\nHost: "...), q.host...), "\r\n\r\n"...), nil
}

// resolve finds the addresses, with the resolver of the server if it has one.
func (q *inquiry) resolve() ([]process.Addr, error) {
	core := http.CoreOf(q.server)
	conf := core.Resolver.V
	if _, err := netip.ParseAddr(strings.Trim(q.host, "[]")); err == nil {
		return q.addrs, nil
	}
	if conf == nil || len(conf.Config.Servers) == 0 {
		level := log.Warn
		if len(q.addrs) == 0 {
			level = log.Error
		}
		q.log.Log(level, nil, "no resolver defined to resolve %s", q.host)
		if level == log.Error {
			return nil, errOCSP
		}
		return q.addrs, nil
	}
	ips, _, err := conf.On(q.loop).Resolve(nil, q.host, core.ResolverTimeout.V)
	if err != nil {
		q.log.Log(log.Error, nil, "%s", err)
		return nil, errOCSP
	}
	list := make([]process.Addr, len(ips))
	for i, ip := range ips {
		list[i] = process.Addr{IP: netip.AddrPortFrom(ip, q.port)}
	}
	return list, nil
}

// maxOCSPResponse is the size of nginx's buffer for a response with its header.
const maxOCSPResponse = 16 << 10

// exchange speaks with one address; ok is false when another is to be tried.
func (q *inquiry) exchange(a process.Addr, request []byte) (status int, body []byte, ok bool) {
	c, err := q.loop.Dial(a.Sockaddr(), event.DialOptions{Timeout: q.timeout})
	if err != nil {
		q.failed(err, "connect() failed")
		return 0, nil, false
	}
	defer c.Close()
	c.WriteTimeout = q.timeout
	if _, err := c.Writev([][]byte{request}); err != nil {
		q.failed(err, "send() failed")
		return 0, nil, false
	}
	response := make([]byte, 0, maxOCSPResponse)
	deadline := q.loop.NowMsec() + q.timeout.Milliseconds() // of the whole response
	for {
		n, err := c.TryRead(response[len(response):cap(response)])
		response = response[:len(response)+max(n, 0)]
		switch {
		case err == event.ErrAgain:
			left := time.Duration(0)
			if q.timeout > 0 {
				left = max(time.Duration(deadline-q.loop.NowMsec())*time.Millisecond, time.Millisecond)
			}
			err = c.WaitReadable(left)
		case err == nil && len(response) == cap(response):
			err = io.EOF // what is too long is cut, as with nginx
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			q.failed(err, "recv() failed")
			return 0, nil, false
		}
	}
	status, body, complaint := parseOCSPResponse(response)
	if complaint != "" {
		q.log.Log(log.Error, nil, "%s", complaint)
		return 0, nil, false
	}
	return status, body, true
}

// failed logs why an address did not answer.
func (q *inquiry) failed(err error, what string) {
	switch {
	case errors.Is(err, event.ErrTimeout):
		q.log.Log(log.Error, unix.ETIMEDOUT, "OCSP responder timed out")
	case errors.Is(err, event.ErrClosed):
	default:
		q.log.Log(log.Error, err, "%s", what)
	}
}

// parseOCSPResponse takes an HTTP response to its end apart. The complaint is
// nginx's; it is empty for a response of whatever status.
func parseOCSPResponse(b []byte) (status int, body []byte, complaint string) {
	const invalid, closed = "OCSP responder sent invalid response", "OCSP responder prematurely closed connection"
	line, rest, ok := bytes.Cut(b, []byte("\n"))
	if !ok && (len(b) == 0 || bytes.HasPrefix([]byte("HTTP/"), b[:min(len(b), 5)])) {
		return 0, nil, closed
	}
	version, text, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\r")), []byte(" "))
	text = bytes.TrimLeft(text, " ")
	if !bytes.HasPrefix(version, []byte("HTTP/")) || len(text) < 3 || len(text) > 3 && text[3] != ' ' && text[3] != '.' {
		return 0, nil, invalid
	}
	for _, d := range text[:3] {
		if d < '0' || d > '9' {
			return 0, nil, invalid
		}
		status = status*10 + int(d-'0')
	}
	for {
		if line, rest, ok = bytes.Cut(rest, []byte("\n")); !ok {
			return 0, nil, closed
		}
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			return status, rest, ""
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.Trim(value, " ")
		switch {
		case bytes.ContainsFunc(name, notInName):
			return 0, nil, invalid
		case bytes.EqualFold(name, []byte("Content-Type")) && !bytes.EqualFold(value, []byte("application/ocsp-response")):
			return 0, nil, `OCSP responder sent invalid "Content-Type" header: "` + string(value) + `"`
		}
	}
}

func notInName(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-')
}
