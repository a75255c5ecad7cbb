package process_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moongate/core/build"
)

func TestServe(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%; zone z 64k; worker_processes 2; manager;")
	s.start()
	if got, want := ask(t, addr, "pid"), ""; got == want || got == fmt.Sprint(s.cmd.Process.Pid) {
		t.Errorf("pid %q", got)
	}
	for i := 1; i < 5; i++ {
		if got := ask(t, addr, "count"); got != strconv.Itoa(i) {
			t.Errorf("count %s, want %d", got, i)
		}
	}
	s.wait("helper runs")
	for _, line := range []string{
		`[notice] %d#%[1]d: using the "epoll" event method`,
		`[notice] %d#%[1]d: nginx/` + build.NginxVersion + ` (moongate `,
		`[notice] %d#%[1]d: start worker processes`,
	} {
		s.wait(fmt.Sprintf(line, s.pid()))
	}
	title, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", s.pid()))
	if err != nil || !strings.HasPrefix(string(title), "nginx: master process "+os.Args[0]) {
		t.Errorf("title %q, %v", title, err)
	}
	title, err = os.ReadFile("/proc/" + ask(t, addr, "pid") + "/cmdline")
	if err != nil || strings.TrimRight(string(title), "\x00") != "nginx: worker process" {
		t.Errorf("worker's title %q, %v", title, err)
	}
	s.signal(syscall.SIGQUIT)
	if err := s.cmd.Wait(); err != nil {
		t.Error(err)
	}
	s.wait("gracefully shutting down", 2)
	s.wait(": exit\n", 3)
	if s.pid() != 0 {
		t.Error("the pid file is left")
	}
}

func TestReload(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%; zone z 64k; env A=1;")
	s.start()
	first := ask(t, addr, "pid")
	ask(t, addr, "count")
	held := dial(t, addr)
	defer held.Close()
	fmt.Fprintln(held, "hold")
	b := make([]byte, 64)
	n, _ := held.Read(b)
	if string(b[:n]) != "holding\n" {
		t.Fatalf("%q", b[:n])
	}

	s.conf("daemon off; events {} listen 127.0.0.1:" + port(addr) + "; oops;")
	s.signal(syscall.SIGHUP)
	s.wait(`[emerg] ` + fmt.Sprintf("%d#%[1]d", s.pid()) + `: unknown directive "oops" in ` + s.prefix + "nginx.conf:2")
	if got := ask(t, addr, "pid"); got != first {
		t.Errorf("worker %s, want %s: a broken configuration may change nothing", got, first)
	}

	second := freePort(t)
	s.conf("daemon off; events {} listen 127.0.0.1:" + port(addr) + "; listen 127.0.0.1:" + second + "; zone z 64k; env A=2;")
	s.signal(syscall.SIGHUP)
	s.wait("gracefully shutting down")
	if got := ask(t, addr, "pid"); got == first {
		t.Error("still the old worker")
	}
	if got := ask(t, addr, "count"); got != "2" {
		t.Errorf("count %s: the zone is to survive", got)
	}
	if got := ask(t, "127.0.0.1:"+second, "env A"); got != "true 2" {
		t.Errorf("env A: %s", got)
	}
	title, _ := os.ReadFile("/proc/" + first + "/cmdline")
	if strings.TrimRight(string(title), "\x00") != "nginx: worker process is shutting down" {
		t.Errorf("title %q", title)
	}
	fmt.Fprintln(held, "end")
	if n, _ = held.Read(b); string(b[:n]) != "done\n" {
		t.Errorf("%q: the held connection is to go on", b[:n])
	}
	s.wait("worker process " + first + " exited with code 0")

	s.conf("daemon off; events {} listen 127.0.0.1:" + second + ";")
	s.signal(syscall.SIGHUP)
	s.wait("exited with code 0", 2)
	if c, err := tryDial(addr); err == nil {
		c.Close()
		t.Error("the removed address is still listened on")
	}
}

// TestReloadClosesSyslog: the master's sockets do not grow in number.
func TestReloadClosesSyslog(t *testing.T) {
	syslog, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer syslog.Close()
	s, _ := newServer(t, "daemon off; events {} error_log syslog:server="+syslog.LocalAddr().String()+" info;")
	s.start()
	sockets := func() (n int) {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid))
		for _, link := range links {
			if to, _ := os.Readlink(link); strings.HasPrefix(to, "socket:") {
				n++
			}
		}
		return n
	}
	const each = 2 // one to syslog, one to the worker
	eventually(t, "the sockets of the start", func() bool { return sockets() == each })
	for n := 1; n <= 2; n++ {
		s.signal(syscall.SIGHUP)
		s.wait("exited with code 0", n)
	}
	eventually(t, "the old socket to be closed", func() bool { return sockets() == each })
}

func TestRespawn(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%;")
	s.start()
	first := ask(t, addr, "pid")
	pid, _ := strconv.Atoi(first)
	syscall.Kill(pid, syscall.SIGKILL)
	second := ask(t, addr, "pid")
	if second == first {
		t.Error("same worker")
	}
	s.wait("[alert] " + fmt.Sprintf("%d#%[1]d", s.pid()) + ": worker process " + first + " exited on signal 9")
	ask(t, addr, "crash")
	if third := ask(t, addr, "pid"); third == second || third == "" {
		t.Errorf("after a panic: %q", third)
	}
	s.wait("panic: told to crash")
	s.wait("worker process " + second + " exited with code 2")
}

func TestFatalStart(t *testing.T) {
	s, _ := newServer(t, "daemon off; events {} fail_start;")
	s.start()
	s.wait("told to fail")
	s.wait("exited with fatal code 2 and cannot be respawned")
	time.Sleep(100 * time.Millisecond)
	if n := strings.Count(s.log(), "start worker process "); n != 1 {
		t.Errorf("%d starts", n)
	}
}

func TestReopen(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%;")
	s.start()
	ask(t, addr, "pid")
	if err := os.Rename(s.prefix+"error.log", s.prefix+"old.log"); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGUSR1)
	eventually(t, "the new log", func() bool { _, err := os.Stat(s.prefix + "error.log"); return err == nil })
	old := func() string { b, _ := os.ReadFile(s.prefix + "old.log"); return string(b) }
	eventually(t, "both processes", func() bool { return strings.Count(old(), "reopening logs\n") == 3 })
	s.signal(syscall.SIGTERM)
	s.cmd.Wait()
	s.wait("exit\n", 2)
}

func TestShutdownTimeout(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%; worker_shutdown_timeout 50ms;")
	s.start()
	c := dial(t, addr)
	defer c.Close()
	fmt.Fprintln(c, "hold")
	b := make([]byte, 64)
	c.Read(b)
	s.signal(syscall.SIGQUIT)
	began := time.Now()
	if err := s.cmd.Wait(); err != nil || time.Since(began) > 5*time.Second {
		t.Error(err, time.Since(began))
	}
}

func TestUnixSocketAndReuseport(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} worker_processes 2; listen unix:%%PREFIX%%sock; listen 127.0.0.1:%%PORT%% reuseport;")
	s.start()
	path := s.prefix + "sock"
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o666 {
		t.Error(st, err)
	}
	if ask(t, "unix:"+path, "pid") == "" {
		t.Error("no answer on the unix domain socket")
	}
	seen := map[string]bool{}
	eventually(t, "answers of both workers", func() bool {
		seen[ask(t, addr, "pid")] = true
		return len(seen) == 2
	})
	s.signal(syscall.SIGTERM)
	s.cmd.Wait()
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket file is left")
	}
}

func TestAddressInUse(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%;")
	s.start()
	other, _ := newServer(t, "daemon off; events {} listen "+addr+";")
	cmd := other.command()
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
	if n := strings.Count(string(out), "nginx: [emerg] bind() to "+addr+" failed (98: Address already in use)\n"); n != 5 {
		t.Errorf("%d tries:\n%s", n, out)
	}
	if !strings.HasSuffix(string(out), "nginx: [emerg] still could not bind()\n") {
		t.Errorf("%s", out)
	}
	if !strings.Contains(other.log(), "try again to bind() after 500ms") {
		t.Error(other.log())
	}
}

func TestReloadToReuseport(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} worker_processes 1; listen 127.0.0.1:%%PORT%%;")
	s.start()
	first := ask(t, addr, "pid")
	s.conf("daemon off; events {} worker_processes 3; listen 127.0.0.1:" + port(addr) + " reuseport;")
	s.signal(syscall.SIGHUP)
	s.wait("worker process " + first + " exited with code 0")
	seen := map[string]bool{}
	eventually(t, "answers of all workers", func() bool {
		seen[ask(t, addr, "pid")] = true
		return len(seen) == 3
	})
	s.conf("daemon off; events {} worker_processes 1; listen 127.0.0.1:" + port(addr) + " 64;")
	s.signal(syscall.SIGHUP)
	s.wait("exited with code 0", 4)
	if last := ask(t, addr, "pid"); seen[last] || last == "" {
		t.Errorf("answer of %q", last)
	}
}

func TestEventMethods(t *testing.T) {
	for _, events := range []string{"use poll;", "use select;", "accept_mutex on; accept_mutex_delay 10ms;", "multi_accept on;"} {
		t.Run(events, func(t *testing.T) {
			s, addr := newServer(t, "daemon off; worker_processes 2; events { "+events+" } listen 127.0.0.1:%%PORT%%;")
			s.start()
			for range 5 {
				pid := ask(t, addr, "pid")
				n, err := strconv.Atoi(pid)
				if err != nil {
					t.Fatal(err)
				}
				// Whoever holds the accept mutex, the next worker gets it.
				syscall.Kill(n, syscall.SIGKILL)
			}
		})
	}
}

func TestProfile(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%;")
	s.start("MOONGATE_CPUPROFILE=" + s.prefix + "cpu")
	pid := ask(t, addr, "pid")
	s.signal(syscall.SIGQUIT)
	s.cmd.Wait()
	if st, err := os.Stat(s.prefix + "cpu." + pid); err != nil || st.Size() == 0 {
		t.Error(st, err)
	}
}

func TestReloadWithoutWorkers(t *testing.T) {
	s, addr := newServer(t, "daemon off; events {} listen 127.0.0.1:%%PORT%%;")
	s.start()
	first := ask(t, addr, "pid")
	s.conf("daemon off; events {} listen 127.0.0.1:" + port(addr) + "; fail_start;")
	s.signal(syscall.SIGHUP)
	s.wait("exited with fatal code 2 and cannot be respawned")
	if got := ask(t, addr, "pid"); got != first {
		t.Errorf("%q answers, want %q: no new worker came up", got, first)
	}
	s.conf("daemon off; events {} listen 127.0.0.1:" + port(addr) + ";")
	s.signal(syscall.SIGHUP)
	s.wait("worker process " + first + " exited with code 0")
	if got := ask(t, addr, "pid"); got == first || got == "" {
		t.Errorf("%q answers", got)
	}
}
