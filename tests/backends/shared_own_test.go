package backends

import (
	"bufio"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"moongate/tests/spec"
)

// TestSharedUWSGI: what only uwsgi has, on the wire and over TLS.
func TestSharedUWSGI(t *testing.T) {
	t.Parallel()
	identity := httptest.NewTLSServer(nil) // has a certificate for example.com
	t.Cleanup(identity.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: identity.Certificate().Raw})
	plain := listen(t)
	secure := tls.NewListener(listen(t), &tls.Config{Certificates: identity.TLS.Certificates, ClientAuth: tls.RequestClientCert})
	s := start(t, `uwsgi

needs: certificate
-- http.conf --
server {
	listen 127.0.0.1:8080;
	uwsgi_param A b;
	uwsgi_ssl_name example.com;
	location /plain { uwsgi_modifier1 5; uwsgi_modifier2 6; uwsgi_string more; uwsgi_pass `+plain.Addr().String()+`; }
	location /secure {
		uwsgi_ssl_server_name on;
		uwsgi_ssl_protocols TLSv1.2;
		uwsgi_ssl_ciphers ECDHE-RSA-AES256-GCM-SHA384;
		uwsgi_ssl_certificate other.pem;
		uwsgi_ssl_certificate_key other.key;
		uwsgi_pass suwsgi://`+secure.Addr().String()+`;
	}
	location /again { uwsgi_ssl_session_reuse off; uwsgi_pass suwsgi://`+secure.Addr().String()+`; }
	location /verified {
		uwsgi_ssl_verify on;
		uwsgi_ssl_verify_depth 2;
		uwsgi_ssl_trusted_certificate `+filepath.Join(spec.Folder(t, "ca.pem", string(ca)), "ca.pem")+`;
		uwsgi_pass suwsgi://`+secure.Addr().String()+`;
	}
	location /refused {
		uwsgi_ssl_verify on;
		uwsgi_ssl_trusted_certificate cert.pem;
		uwsgi_ssl_session_reuse off; # nginx takes the verdict of another location's session
		uwsgi_pass suwsgi://`+secure.Addr().String()+`;
	}
}
`)
	// visit asks for a path; it returns the request's head and what follows it,
	// and how the connection is encrypted.
	visit := func(l net.Listener, path string) (head, text string, state tls.ConnectionState) {
		t.Helper()
		answered := make(chan string, 1)
		go func() { answered <- exchange(t, s.Addr(8080), "GET", path) }()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		in := bufio.NewReader(c)
		b, err := in.Peek(4)
		if err == nil {
			head = string(b)
			text, err = oddUWSGI.read(in)
		}
		if secure, ok := c.(*tls.Conn); ok {
			state = secure.ConnectionState()
		}
		if err == nil {
			_, _ = io.WriteString(c, oddUWSGI.fine)
		}
		c.Close()
		if got := <-answered; err == nil != strings.HasSuffix(got, "fine") {
			t.Errorf("%s: %q", path, got)
		}
		return head, text, state
	}
	if head, text, _ := visit(plain, "/plain"); head[0] != 5 || head[3] != 6 || !strings.HasPrefix(text, "\x01\x00A\x01\x00b") || !strings.HasSuffix(text, "more") {
		t.Errorf("modifiers and string: %q %q", head, text)
	}
	_, _, state := visit(secure, "/secure")
	if state.ServerName != "example.com" || state.Version != tls.VersionTLS12 || state.CipherSuite != tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 || len(state.PeerCertificates) == 0 {
		t.Errorf("TLS: name %q, version %x, suite %x, %d certificates", state.ServerName, state.Version, state.CipherSuite, len(state.PeerCertificates))
	}
	if _, _, state := visit(secure, "/secure"); !state.DidResume {
		t.Error("the session was not used again")
	}
	for range 2 {
		if _, _, state := visit(secure, "/again"); state.DidResume || state.ServerName != "" {
			t.Errorf("without directives: resumed %v, name %q", state.DidResume, state.ServerName)
		}
	}
	if _, text, _ := visit(secure, "/verified"); text == "" {
		t.Error("a sound certificate was refused")
	}
	if _, text, _ := visit(secure, "/refused"); text != "" {
		t.Error("the request went to somebody unknown")
	}
	s.Await(t, `upstream SSL certificate verify error: \(\d+:.*\) while SSL handshaking to upstream, .* "GET /refused`)
}

// TestSharedFastCGI: what only FastCGI has.
func TestSharedFastCGI(t *testing.T) {
	t.Parallel()
	d := &dialects[3]
	sound := runProgram(t, d, func(v *visit) { v.answer("fine\n") })
	failing := runProgram(t, d, func(v *visit) {
		_, _ = io.WriteString(v.Conn, record(stderr, "PHP Fatal error: x\n", 0))
		v.answer("failed\n")
	})
	names := runProgram(t, d, func(v *visit) { v.answer(v.uri + "\n") })
	s := start(t, `FastCGI

-- http.conf --
upstream both { server `+failing+` max_fails=0; server `+sound+` backup; }
server {
	listen 127.0.0.1:8080;
	location /caught { fastcgi_catch_stderr "PHP Fatal error"; fastcgi_next_upstream invalid_header; fastcgi_pass both; }
	location /logged { fastcgi_catch_stderr "PHP Parse error"; fastcgi_pass both; }
	location /index { fastcgi_index start.php; fastcgi_param REQUEST_URI $fastcgi_script_name; fastcgi_pass `+names+`; }
	location /split {
		fastcgi_split_path_info ^(/split/.+\.php)(/.*)$;
		fastcgi_param REQUEST_URI $fastcgi_script_name:$fastcgi_path_info; fastcgi_pass `+names+`;
	}
}
`)
	for path, want := range map[string]string{
		"/caught": "fine\n", "/logged": "failed\n", "/index/": "/index/start.php\n", "/index/a": "/index/a\n",
		"/split/a.php/b": "/split/a.php:/b\n", "/split/a": "/split/a:\n",
	} {
		ask(t, "GET", "http://"+s.Addr(8080)+path, nil).want(t, 200, want)
	}
	s.Await(t, `FastCGI sent in stderr: "PHP Fatal error: x" while reading response header from upstream, .* "GET /caught`)
}
