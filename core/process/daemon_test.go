package process_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func port(addr string) string {
	_, p, _ := net.SplitHostPort(addr)
	return p
}

func tryDial(addr string) (net.Conn, error) { return net.DialTimeout("tcp", addr, time.Second) }

// gone reports whether a process has ended, although nobody may have waited
// for it yet.
func gone(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, state, _ := strings.Cut(string(b), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}

// daemonize starts a detached server and stops it at the end of the test.
func (s *server) daemonize() {
	s.t.Helper()
	cmd := s.command()
	cmd.Stderr = &s.stderr
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("%v\n%s\n%s", err, s.stderr.String(), s.log())
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			s.t.Logf("log:\n%s", s.log())
		}
		for _, name := range []string{"nginx.pid", "nginx.pid.oldbin"} {
			b, err := os.ReadFile(s.prefix + name)
			if err != nil {
				continue
			}
			pid := 0
			fmt.Sscan(string(b), &pid)
			syscall.Kill(pid, syscall.SIGTERM)
			eventually(s.t, "the end", func() bool { return gone(pid) })
		}
	})
}

func TestDaemon(t *testing.T) {
	s, addr := newServer(t, "events {} listen 127.0.0.1:%%PORT%%;")
	s.daemonize()
	if s.pid() == 0 {
		t.Fatal("no pid file when the command returned")
	}
	if c, err := tryDial(addr); err != nil {
		t.Errorf("not listening when the command returned: %v", err)
	} else {
		c.Close()
	}
	out, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/1", s.pid()))
	if err != nil || out != "/dev/null" {
		t.Error(out, err)
	}
	errFD, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/2", s.pid()))
	if err != nil || errFD != s.prefix+"error.log" {
		t.Error(errFD, err)
	}

	ask(t, addr, "pid")
	cmd := s.command("PROCESS_TEST_S=reload")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("-s reload: %v\n%s", err, out)
	}
	s.wait("gracefully shutting down")
	s.wait("signal process started", 0)

	cmd = s.command("PROCESS_TEST_S=stop")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("-s stop: %v\n%s", err, out)
	}
	eventually(t, "the end", func() bool { return s.pid() == 0 })
	cmd = s.command("PROCESS_TEST_S=stop")
	want := `nginx: [error] open() "` + s.prefix + `nginx.pid" failed (2: No such file or directory)` + "\n"
	if out, err := cmd.CombinedOutput(); err == nil || string(out) != want {
		t.Errorf("%v %q, want %q", err, out, want)
	}
}

func TestDaemonFails(t *testing.T) {
	s, _ := newServer(t, "events {} oops;")
	cmd := s.command()
	out, err := cmd.CombinedOutput()
	want := `nginx: [emerg] unknown directive "oops" in ` + s.prefix + "nginx.conf:2\n"
	if err == nil || cmd.ProcessState.ExitCode() != 1 || string(out) != want {
		t.Errorf("%v %q, want %q", err, out, want)
	}
}

func TestUpgrade(t *testing.T) {
	s, addr := newServer(t, "events {} listen 127.0.0.1:%%PORT%%; listen unix:%%PREFIX%%sock;")
	s.daemonize()
	old, oldWorker := s.pid(), ask(t, addr, "pid")
	s.signal(syscall.SIGUSR2)
	eventually(t, "the new binary", func() bool { return s.pid() != 0 && s.pid() != old })
	oldPid, err := os.ReadFile(s.prefix + "nginx.pid.oldbin")
	if err != nil || strings.TrimSpace(string(oldPid)) != fmt.Sprint(old) {
		t.Errorf("%s %v", oldPid, err)
	}
	s.wait("using inherited sockets from", 0)
	syscall.Kill(old, syscall.SIGWINCH)
	s.wait("worker process " + oldWorker + " exited with code 0")
	if w := ask(t, addr, "pid"); w == oldWorker || w == "" {
		t.Errorf("worker %q", w)
	}
	// The old binary can take over again.
	syscall.Kill(old, syscall.SIGHUP)
	s.wait("start worker processes", 3)
	syscall.Kill(s.pid(), syscall.SIGQUIT)
	eventually(t, "the old pid file", func() bool { return s.pid() == old })
	if ask(t, "unix:"+s.prefix+"sock", "pid") == "" {
		t.Error("no answer from the old binary")
	}
	// And the other way round: the old one ends, the new one stays.
	s.signal(syscall.SIGUSR2)
	eventually(t, "the second new binary", func() bool { return s.pid() != 0 && s.pid() != old })
	syscall.Kill(old, syscall.SIGQUIT)
	eventually(t, "the end of the old binary", func() bool { return gone(old) })
	if ask(t, addr, "pid") == "" || ask(t, "unix:"+s.prefix+"sock", "pid") == "" {
		t.Error("no answer from the new binary")
	}
}

func TestSingleProcess(t *testing.T) {
	s, addr := newServer(t, "daemon off; master_process off; events {} listen 127.0.0.1:%%PORT%%;")
	cmd := s.command()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	eventually(t, "the server", func() bool { return s.pid() != 0 })
	if got := ask(t, addr, "pid"); got != fmt.Sprint(cmd.Process.Pid) {
		t.Errorf("pid %s", got)
	}
	second := freePort(t)
	s.conf("daemon off; master_process off; events {} listen 127.0.0.1:" + second + ";")
	s.signal(syscall.SIGHUP)
	eventually(t, "the new address", func() bool {
		c, err := tryDial("127.0.0.1:" + second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	if got := ask(t, "127.0.0.1:"+second, "pid"); got != fmt.Sprint(cmd.Process.Pid) {
		t.Errorf("pid %s", got)
	}
	if c, err := tryDial(addr); err == nil {
		c.Close()
		t.Error("the old address is still listened on")
	}
	s.signal(syscall.SIGTERM)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestPrivileges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can drop rights")
	}
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%; secret key; temp_path temp; env PATH; env B=2;\n"+
		"working_directory %%PREFIX%%; worker_priority 5; worker_rlimit_nofile 1000; worker_cpu_affinity 1;")
	if err := os.WriteFile(s.prefix+"key", []byte("hidden"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start("C=3")
	if got := ask(t, addr, "secret"); got != "hidden" {
		t.Errorf("secret %q: the worker is to get what the master read", got)
	}
	if got := ask(t, addr, "uid"); got != "65534 65534 [65534]" {
		t.Errorf("uid %q", got)
	}
	if got := ask(t, addr, "env B"); got != "true 2" {
		t.Errorf("B %q", got)
	}
	if got := ask(t, addr, "env C"); got != "false" {
		t.Errorf("C %q", got)
	}
	if got := ask(t, addr, "env GOGC"); got != "false" {
		t.Errorf("GOGC %q", got)
	}
	if got := ask(t, addr, "env PATH"); got != "true "+os.Getenv("PATH") {
		t.Errorf("PATH %q", got)
	}
	if got := ask(t, addr, "cwd"); got+"/" != s.prefix {
		t.Errorf("cwd %q", got)
	}
	var st syscall.Stat_t
	if err := syscall.Stat(s.prefix+"temp", &st); err != nil || st.Uid != 65534 || st.Mode&0o777 != 0o700 {
		t.Errorf("%+v %v", st, err)
	}
	pid := ask(t, addr, "pid")
	limits, _ := os.ReadFile("/proc/" + pid + "/limits")
	if !strings.Contains(string(limits), "Max open files            1000                 1000") {
		t.Errorf("%s", limits)
	}
	tasks, _ := filepath.Glob("/proc/" + pid + "/task/*/stat")
	for _, name := range tasks {
		b, _ := os.ReadFile(name)
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 16 && f[16] != "5" {
			t.Errorf("nice %s of %s", f[16], name)
		}
	}
	tasks, _ = filepath.Glob("/proc/" + pid + "/task/*/status")
	for _, name := range tasks {
		b, _ := os.ReadFile(name)
		if !strings.Contains(string(b), "Cpus_allowed_list:\t0\n") {
			t.Errorf("affinity of %s: %s", name, b)
		}
	}
}

func TestConfigurationTest(t *testing.T) {
	s, _ := newServer(t, "events {} listen 127.0.0.1:%%PORT%%; listen unix:%%PREFIX%%sock;")
	cmd := s.command("PROCESS_TEST_T=1")
	out, err := cmd.CombinedOutput()
	want := "nginx: the configuration file " + s.prefix + "nginx.conf syntax is ok\n" +
		"nginx: configuration file " + s.prefix + "nginx.conf test is successful\n"
	if err != nil || string(out) != want {
		t.Errorf("%v %q", err, out)
	}
	if _, err := os.Stat(s.prefix + "sock"); err == nil {
		t.Error("the test has left a socket")
	}
}
