package process_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/parser"
)

// serverVariable makes the test binary be a server: its prefix.
const serverVariable = "PROCESS_TEST_SERVER"

func TestMain(m *testing.M) {
	modules := append([]*conf.Module{}, process.Modules...)
	reg := conf.NewRegistry(append(modules, testModule)...)
	process.RunChild(reg)
	if prefix, ok := os.LookupEnv(serverVariable); ok {
		os.Exit(process.Main(&process.CommandLine{
			Registry: reg, Source: parser.Files{}, Prefix: prefix, ConfPrefix: prefix, File: prefix + "nginx.conf",
			ErrorLog: "boot.log", Test: os.Getenv("PROCESS_TEST_T") != "", Signal: os.Getenv("PROCESS_TEST_S"),
		}))
	}
	os.Exit(m.Run())
}

// testModule serves a protocol of one command a connection:
// "pid", "hold" (answers "holding" and waits for the peer to close), "env
// NAME", "uid", "panic", "count" (of all calls, in shared memory), "cwd".
var testModule = &conf.Module{
	Name: "test",
	Directives: []conf.Directive{
		conf.Command("listen", conf.Main, conf.OneMore, setListen),
		conf.Command("zone", conf.Main, conf.Take2, setZone),
		conf.Command("temp_path", conf.Main, conf.Take1, func(cf *conf.Conf) error {
			_, err := process.Of(cf.Cycle).AddPath(cf, &process.Path{Name: cf.Args[0]})
			return err
		}),
		conf.Command("fail_start", conf.Main, conf.NoArgs, func(cf *conf.Conf) error {
			process.Of(cf.Cycle).OnStart(func(*process.Worker) error { return fmt.Errorf("told to fail") })
			return nil
		}),
		conf.Command("secret", conf.Main, conf.Take1, func(cf *conf.Conf) error {
			b, err := cf.Cycle.ReadFile(cf.Args[0])
			if err == nil {
				testSecret = string(b)
			}
			return err
		}),
		conf.Command("manager", conf.Main, conf.NoArgs, func(cf *conf.Conf) error {
			process.Of(cf.Cycle).AddHelper(&process.Helper{Name: "test helper process", Respawn: true, Run: func(w *process.Worker) {
				w.Cycle.Log().Log(log.Notice, nil, "helper runs")
				w.Loop.Sleep(time.Hour)
			}})
			return nil
		}),
	},
}

var (
	testZone   *process.Zone
	testSecret string
)

func setListen(cf *conf.Conf) error {
	c := process.Of(cf.Cycle)
	var addr process.Addr
	if path, ok := strings.CutPrefix(cf.Args[0], "unix:"); ok {
		addr.Unix = path
	} else {
		ap, err := netip.ParseAddrPort(cf.Args[0])
		if err != nil {
			return cf.Errorf("%s", err)
		}
		addr.IP = ap
	}
	opt := process.Options{IPv6Only: true}
	for _, a := range cf.Args[1:] {
		switch a {
		case "reuseport":
			opt.Reuseport = true
		case "deferred":
			opt.Deferred = true
		default:
			opt.Backlog, _ = strconv.Atoi(a)
		}
	}
	ls := c.Listen(addr, unix.SOCK_STREAM, opt)
	ls.Server = testServer{c}
	return nil
}

func setZone(cf *conf.Conf) error {
	size, ok := conf.ParseSize(cf.Args[1])
	if !ok {
		return cf.Errorf("bad size")
	}
	z, err := process.Of(cf.Cycle).AddZone(cf, cf.Args[0], size, "test")
	if err != nil {
		return err
	}
	testZone = z
	z.Init = func(z *process.Zone, old any) error {
		if old == nil && !z.Exists {
			z.Shm.SetRoot(z.Shm.Calloc(8))
		}
		z.Data = "known"
		return nil
	}
	return nil
}

type testServer struct{ c *process.Cycle }

func (s testServer) IdleTimeout(c *event.Conn) { c.Close() }

func (s testServer) Serve(c *event.Conn) {
	defer c.Close()
	var b [256]byte
	n, err := c.Read(b[:])
	if err != nil {
		return
	}
	command, arg, _ := strings.Cut(strings.TrimSpace(string(b[:n])), " ")
	switch command {
	case "pid":
		fmt.Fprintln(c, os.Getpid())
	case "uid":
		groups, _ := os.Getgroups()
		fmt.Fprintln(c, os.Getuid(), os.Getgid(), groups)
	case "env":
		v, ok := os.LookupEnv(arg)
		fmt.Fprintln(c, ok, v)
	case "cwd":
		wd, _ := os.Getwd()
		fmt.Fprintln(c, wd)
	case "secret":
		fmt.Fprintln(c, testSecret)
	case "hold":
		fmt.Fprintln(c, "holding")
		c.Read(b[:])
		fmt.Fprintln(c, "done")
	case "crash":
		go panic("told to crash")
		time.Sleep(time.Second)
	case "count":
		z := testZone.Shm
		z.Lock()
		counter := z.Bytes(z.Root(), 8)
		counter[0]++
		v := counter[0]
		z.Unlock()
		fmt.Fprintln(c, v)
	}
}

// server is a server under test with a prefix of its own.
type server struct {
	t      *testing.T
	prefix string
	cmd    *exec.Cmd
	stderr bytes.Buffer
	args   []string
}

// newServer writes the configuration. %%PORT%% in it is a free port, and
// %%PREFIX%% the prefix.
func newServer(t *testing.T, text string) (*server, string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Dir(dir), 0o755)
	s := &server{t: t, prefix: dir + "/"}
	port := freePort(t)
	s.conf(strings.ReplaceAll(text, "%%PORT%%", port))
	return s, "127.0.0.1:" + port
}

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

// conf writes nginx.conf after what every test needs.
func (s *server) conf(text string) {
	s.t.Helper()
	text = "env " + serverVariable + "; pid nginx.pid; error_log error.log info;\n" +
		strings.ReplaceAll(text, "%%PREFIX%%", s.prefix)
	if err := os.WriteFile(s.prefix+"nginx.conf", []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *server) command(env ...string) *exec.Cmd {
	exe, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(exe, s.args...)
	cmd.Env = append(os.Environ(), append(env, serverVariable+"="+s.prefix)...)
	return cmd
}

// start runs the server in the foreground until the end of the test.
func (s *server) start(env ...string) {
	s.t.Helper()
	s.cmd = s.command(env...)
	s.cmd.Stderr = &s.stderr
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.cmd.Process.Signal(syscall.SIGTERM)
		s.cmd.Wait()
		if s.t.Failed() {
			s.t.Logf("log:\n%s\nstderr:\n%s", s.log(), s.stderr.String())
		}
	})
	s.wait("start worker process")
}

func (s *server) log() string {
	b, err := os.ReadFile(s.prefix + "error.log")
	if err != nil {
		return ""
	}
	return string(b)
}

const patience = 15 * time.Second

// eventually waits for something that has to become true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if f() {
			return
		}
	}
	t.Fatalf("waited in vain for %s", what)
}

// wait waits until the log has a text, n times with a second argument.
func (s *server) wait(text string, n ...int) {
	s.t.Helper()
	want := 1
	if len(n) > 0 {
		want = n[0]
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if strings.Count(s.log(), text) >= want {
			return
		}
	}
	s.t.Fatalf("no %q in the log:\n%s\nstderr: %s", text, s.log(), s.stderr.String())
}

func (s *server) pid() int {
	b, err := os.ReadFile(s.prefix + "nginx.pid")
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b)))
	return n
}

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := syscall.Kill(s.pid(), sig); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends a command and returns the answer, "" when there is none.
func ask(t *testing.T, addr, command string) string {
	t.Helper()
	c := dial(t, addr)
	defer c.Close()
	fmt.Fprintln(c, command)
	b, _ := io.ReadAll(c)
	return strings.TrimSpace(string(b))
}

func dial(t *testing.T, addr string) net.Conn {
	t.Helper()
	network := "tcp"
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		network, addr = "unix", path
	}
	c, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(patience))
	return c
}
