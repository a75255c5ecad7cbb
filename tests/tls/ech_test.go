package tls

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"moongate/tests/spec"
)

func TestMain(m *testing.M) { spec.Main(m) }

// echKeys are a key of X25519, made for this test, and its configuration.
const echKeys = `-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VuBCIEIMYcuZWCI7pdr/tfdvjhPAA7PuyhYgEJGx9K5FLqo8nJ
-----END PRIVATE KEY-----
-----BEGIN ECHCONFIG-----
AET+DAACb2v+DQA6AQAgACB+e4U6g6T5ubluRww8c2hIoSMXBaBvolR7tdTeKmdO
GwAEAAEAAQALcHVibGljLnRlc3QAAA==
-----END ECHCONFIG-----
`

// TestEncryptedClientHello: a client that knows ssl_ech_file's configuration
// hides the name of the server it asks for, which is chosen by that name.
func TestEncryptedClientHello(t *testing.T) {
	t.Parallel()
	s := spec.Serve(t, spec.FindTarget(t), `a name that is hidden

since: 1.29.4
needs: certificate
-- http.conf --
ssl_certificate cert.pem;
ssl_certificate_key key.pem;
ssl_ech_file ech.pem;
server {
    listen 127.0.0.1:8080;
    listen 127.0.0.1:8081 ssl;
    server_name public.test;
    return 200 "public $ssl_server_name|$ssl_ech_status|$ssl_ech_outer_server_name\n";
}
server {
    listen 127.0.0.1:8081 ssl;
    server_name hidden.test;
    return 200 "hidden $ssl_server_name|$ssl_ech_status|$ssl_ech_outer_server_name\n";
}
-- conf/ech.pem --
`+echKeys)
	_, rest := pem.Decode([]byte(echKeys))
	list, _ := pem.Decode(rest)
	for _, test := range []struct {
		list []byte
		want string
	}{
		{nil, "hidden hidden.test|NOT_TRIED|\n"},
		{list.Bytes, "hidden hidden.test|SUCCESS|public.test\n"},
	} {
		got, err := askHidden(s.Addr(8081), test.list)
		if err != nil || got != test.want {
			t.Errorf("%q, %v, want %q", got, err, test.want)
		}
	}
	stale := append([]byte(nil), list.Bytes...)
	stale[2+6+4+1+2+2]++ // the public key
	_, err := askHidden(s.Addr(8081), stale)
	var rejected *tls.ECHRejectionError
	if !errors.As(err, &rejected) {
		t.Fatalf("a client with another configuration: %v", err)
	}
	if got, err := askHidden(s.Addr(8081), rejected.RetryConfigList); err != nil || got != "hidden hidden.test|SUCCESS|public.test\n" {
		t.Errorf("with the configuration that it is told: %q, %v", got, err)
	}
}

// askHidden requests / of hidden.test.
func askHidden(address string, list []byte) (string, error) {
	dialer := &tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: &tls.Config{InsecureSkipVerify: true, ServerName: "hidden.test", EncryptedClientHelloConfigList: list,
		EncryptedClientHelloRejectionVerify: func(tls.ConnectionState) error { return nil }}}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialTLSContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, address)
		},
	}}
	defer client.CloseIdleConnections()
	r, err := client.Get("https://hidden.test/")
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if r.StatusCode != http.StatusOK {
		err = errors.Join(err, fmt.Errorf("%s", r.Status))
	}
	return string(body), err
}
