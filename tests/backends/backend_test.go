package backends

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moongate/tests/spec"
)

func TestMain(m *testing.M) { spec.Main(m) }

// start starts the server under test.
func start(t *testing.T, text string) *spec.Server {
	t.Helper()
	return spec.Serve(t, spec.FindTarget(t), text)
}

// shipped is the path of a file that comes with the server.
func shipped(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../../conf/default", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// find looks for one of several programs, and skips the test without.
func find(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, path := range []string{name, "/usr/sbin/" + name} {
			if found, err := exec.LookPath(path); err == nil {
				return found
			}
		}
	}
	t.Skipf("%s is not installed", names[0])
	return ""
}

// run runs an application until the test ends. It is ready when something
// listens at all of the addresses.
func run(t *testing.T, ready []string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second // its children have the pipe as well
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s: %s", filepath.Base(name), out.String())
		}
	})
	for deadline := time.Now().Add(10 * time.Second); len(ready) > 0; {
		network := "tcp"
		if strings.HasPrefix(ready[0], "/") {
			network = "unix"
		}
		if c, err := net.Dial(network, ready[0]); err == nil {
			c.Close()
			ready = ready[1:]
			continue
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not listen at %s", name, ready[0])
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// freePort returns a port that nobody listens at.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// answer is a response that was read.
type answer struct {
	*http.Response
	body string
}

// ask sends a request.
func ask(t *testing.T, method, url string, body io.Reader, header ...string) answer {
	t.Helper()
	r, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s %s: %v after %d bytes", method, url, err, len(b))
	}
	return answer{resp, string(b)}
}

// want checks a response's status and body.
func (a answer) want(t *testing.T, status int, body string) {
	t.Helper()
	if a.StatusCode != status || a.body != body {
		got := a.body
		if len(got) > 200 {
			got = got[:200] + "…"
		}
		t.Errorf("%s %s: %d %q (%d bytes), want %d", a.Request.Method, a.Request.URL, a.StatusCode, got, len(a.body), status)
	}
}
