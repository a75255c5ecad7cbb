package process

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moongate/tests/spec"
)

func TestMain(m *testing.M) { spec.Main(m) }

// installation is a server that was started as sbin/nginx of a prefix, a link
// that names another binary later.
type installation struct {
	t      *testing.T
	prefix string
	url    string
}

// TestUpgradeOfRunningNginx: a running nginx is replaced by the server under
// test, which is replaced by nginx again, each by USR2 and QUIT to the master,
// while requests come; none of them fails.
func TestUpgradeOfRunningNginx(t *testing.T) {
	t.Parallel()
	const nginx = "/usr/sbin/nginx"
	if _, err := os.Stat(nginx); err != nil {
		t.Skipf("%s is not there", nginx)
	}
	old, err := spec.NewTarget(nginx)
	if err != nil {
		t.Fatal(err)
	}
	target := spec.FindTarget(t)
	s := install(t, nginx)
	if got := s.ask(); got != old.Version {
		t.Fatalf("%s answers", got)
	}
	stop := s.load()
	s.upgrade(target)
	s.upgrade(old)
	if n := stop(); n == 0 {
		t.Error("no request was answered")
	}
	if t.Failed() {
		return
	}
	pid := s.pid("nginx.pid")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.await("the end", func() bool { return s.pid("nginx.pid") == 0 })
}

// install starts a binary as a daemon.
func install(t *testing.T, binary string) *installation {
	t.Helper()
	dir := spec.Folder(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s := &installation{t, dir, "http://" + address + "/"}
	for _, name := range []string{"sbin", "logs"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s.link(binary)
	conf := `worker_processes 2; error_log logs/error.log notice; pid logs/nginx.pid; events { }
http {
    access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server { listen ` + address + `; return 200 $nginx_version; }
}
`
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.end)
	cmd := exec.Command(filepath.Join(dir, "sbin/nginx"), "-p", dir+"/", "-c", dir+"/nginx.conf", "-e", "logs/error.log")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	s.await("the pid file", func() bool { return s.pid("nginx.pid") != 0 })
	return s
}

// end kills what still runs, and shows the log of a test that has failed.
func (s *installation) end() {
	for _, name := range []string{"nginx.pid", "nginx.pid.oldbin"} {
		if pid := s.pid(name); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGTERM)
		}
	}
	text, _ := os.ReadFile(filepath.Join(s.prefix, "logs/error.log"))
	if s.t.Failed() || strings.Contains(string(text), "[alert]") || strings.Contains(string(text), "[emerg]") {
		s.t.Errorf("%s", text)
	}
}

// link makes sbin/nginx stand for a binary.
func (s *installation) link(binary string) {
	s.t.Helper()
	path := filepath.Join(s.prefix, "sbin/nginx")
	if err := os.Symlink(binary, path+".new"); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		s.t.Fatal(err)
	}
}

// pid is the process id in a file of logs/, 0 without one.
func (s *installation) pid(name string) int {
	text, _ := os.ReadFile(filepath.Join(s.prefix, "logs", name))
	line, whole := strings.CutSuffix(string(text), "\n")
	pid, err := strconv.Atoi(line)
	if !whole || err != nil {
		return 0
	}
	return pid
}

// upgrade replaces the running binary.
func (s *installation) upgrade(to *spec.Target) {
	s.t.Helper()
	s.link(to.Binary)
	before := s.pid("nginx.pid")
	if err := syscall.Kill(before, syscall.SIGUSR2); err != nil {
		s.t.Fatal(err)
	}
	s.await("the pid file of the new binary", func() bool {
		now := s.pid("nginx.pid")
		return now != 0 && now != before && s.pid("nginx.pid.oldbin") == before
	})
	if err := syscall.Kill(before, syscall.SIGQUIT); err != nil {
		s.t.Fatal(err)
	}
	s.await("the end of the old binary", func() bool {
		_, err := os.Stat(filepath.Join(s.prefix, "logs/nginx.pid.oldbin"))
		return os.IsNotExist(err) && parent(s.pid("nginx.pid")) != before
	})
	for range 10 {
		if got := s.ask(); got != to.Version {
			s.t.Errorf("%q answers, not %s", got, to.Version)
		}
	}
}

// parent is the process id of a process's parent, 0 when it is not known.
func parent(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		return 0
	}
	ppid, _ := strconv.Atoi(fields[1])
	return ppid
}

// ask sends a request on a connection of its own; the answer is the version of the server.
func (s *installation) ask() string {
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	r, err := c.Get(s.url)
	if err != nil {
		s.t.Error(err)
		return ""
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != 200 {
		s.t.Errorf("%s, %v", r.Status, err)
	}
	return string(body)
}

// load sends requests, one after the other, until it is stopped, which tells how many it sent.
func (s *installation) load() (stop func() int) {
	var n int
	var stopped atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stopped.Load() && !s.t.Failed() {
			s.ask()
			n++
		}
	}()
	finish := func() int {
		stopped.Store(true)
		<-done
		return n
	}
	s.t.Cleanup(func() { finish() })
	return finish
}

func (s *installation) await(what string, check func() bool) {
	s.t.Helper()
	await(s.t, what, check)
}

// await waits until something is so.
func await(t *testing.T, what string, check func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !check(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) || t.Failed() {
			t.Fatalf("%s did not come", what)
		}
	}
}
