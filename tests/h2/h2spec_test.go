package h2

import (
	"bytes"
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestH2spec runs the conformance tests of h2spec, the strict ones too, over
// TLS and with prior knowledge.
//
// What does not begin with the preface is HTTP/1.1 without TLS, and its answer
// would be; h2spec wants the connection closed, and so it is.
//
// Its test of frames that are too large sends a header of five fields without a
// look at the server's SETTINGS_MAX_FRAME_SIZE: the fields are made long enough
// to exceed it. The requests reach something that reads their bodies, as
// otherwise nobody looks at these.
func TestH2spec(t *testing.T) {
	t.Parallel()
	s := start(t, `h2spec

needs: certificate
-- http.conf --
http2 on;
large_client_header_buffers 4 4m;
server {
    listen 127.0.0.1:8080;
    listen 127.0.0.1:8081 ssl;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    location / { proxy_pass http://127.0.0.1:8082; }
    error_page 400 /close;
    location = /close { return 444; }
}
server {
    listen 127.0.0.1:8082;
    large_client_header_buffers 4 4m;
    location / { return 200 "this is the body of a response\n"; }
}
`)
	tool := filepath.Join(t.TempDir(), "h2spec")
	if out, err := exec.Command("go", "-C", "../h2spec", "build", "-o", tool, "github.com/summerwind/h2spec/cmd/h2spec").CombinedOutput(); err != nil {
		t.Fatalf("building h2spec: %v\n%s", err, out)
	}
	for _, test := range []struct {
		name string
		port int
		args []string
	}{
		{name: "tls", port: 8081, args: []string{"-t", "-k"}},
		{name: "cleartext", port: 8080},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			host, port, _ := net.SplitHostPort(s.Addr(test.port))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			args := append([]string{"-S", "-h", host, "-p", port, "-o", "3", "--max-header-length", "400000"}, test.args...)
			out, _ := exec.CommandContext(ctx, tool, args...).CombinedOutput()
			if !bytes.Contains(out, []byte("\n146 tests, 146 passed, 0 skipped, 0 failed\n")) {
				if _, failures, ok := bytes.Cut(out, []byte("Failures:")); ok {
					out = failures
				}
				t.Errorf("%s", out)
			}
		})
	}
}
