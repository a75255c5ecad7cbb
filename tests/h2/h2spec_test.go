package h2

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestH2spec runs the conformance tests of h2spec, over TLS and with prior
// knowledge.
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
		// fails are tests that h2spec is wrong about.
		fails []string
	}{
		{name: "tls", port: 8081, args: []string{"-t", "-k"}},
		// What does not begin with the preface is HTTP/1.1 here, and answered so.
		{name: "cleartext", port: 8080, fails: []string{"2: Sends invalid connection preface"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			host, port, _ := net.SplitHostPort(s.Addr(test.port))
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			args := append([]string{"-h", host, "-p", port, "-o", "3", "--max-header-length", "400000"}, test.args...)
			failed, report := runH2spec(ctx, t, tool, args, test.fails)
			if len(failed) > 0 {
				t.Log(report)
			}
			for _, name := range failed {
				t.Error(name)
			}
		})
	}
}

// runH2spec runs h2spec and returns the tests that failed, but for those that are expected to, and what it printed about
// failures.
func runH2spec(ctx context.Context, t *testing.T, tool string, args, expected []string) (failed []string, report string) {
	t.Helper()
	out, _ := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	summary := regexp.MustCompile(`\d+ tests, \d+ passed, 0 skipped`).Find(out)
	if summary == nil {
		t.Fatalf("h2spec says no result:\n%s", out)
	}
	t.Logf("%s", summary)
	_, report, _ = strings.Cut(string(out), "Failures:")
	for _, f := range regexp.MustCompile(`× (\d+: .*)`).FindAllStringSubmatch(report, -1) {
		if name := strings.TrimSpace(f[1]); !slices.Contains(expected, name) {
			failed = append(failed, name)
		}
	}
	return failed, report
}
