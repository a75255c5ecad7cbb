package spec

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Target is the binary that the specifications are run against.
type Target struct {
	Binary  string
	Oracle  bool   // a real nginx, which loads its modules and may skip what is "moongate only"
	Modules string // the folder of an oracle's dynamic modules
	Globals string // further main-level directives for an oracle
	Version string // nginx version, as 1.22.1
}

// NewTarget asks the binary for its version.
func NewTarget(binary string) (*Target, error) {
	out, err := exec.Command(binary, "-v").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%s -v: %w: %s", binary, err, out)
	}
	m := regexp.MustCompile(`nginx version: \S+/([\d.]+)`).FindSubmatch(out)
	if m == nil {
		return nil, fmt.Errorf("%s -v: no version in %q", binary, out)
	}
	return &Target{Binary: binary, Version: string(m[1])}, nil
}

// Skip tells why the target cannot meet a specification, "" when it should.
func (t *Target) Skip(s *Spec) string {
	if t.Oracle && s.MoongateOnly != "" {
		return "moongate only: " + s.MoongateOnly
	}
	if t.Oracle && s.Since != "" && older(t.Version, s.Since) {
		return fmt.Sprintf("behaviour of nginx %s, this is %s", s.Since, t.Version)
	}
	for _, need := range s.Needs {
		if need == "root" && os.Getuid() != 0 {
			return "needs root"
		}
		if need == "ipv6" && !hasIPv6() {
			return "needs ipv6"
		}
		if slices.Contains(programs, need) {
			if _, err := exec.LookPath(need); err != nil {
				return "needs " + need
			}
		}
		for _, module := range needs[need] {
			if _, err := os.Stat(filepath.Join(t.Modules, module)); t.Oracle && err != nil {
				return "needs the module " + module
			}
		}
	}
	return ""
}

// older compares two dotted versions.
func older(a, b string) bool {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		x, _ := strconv.Atoi(as[i])
		y, _ := strconv.Atoi(bs[i])
		if x != y {
			return x < y
		}
	}
	return len(as) < len(bs)
}

// hasIPv6 tells whether the loopback interface has an IPv6 address.
func hasIPv6() bool {
	data, err := os.ReadFile("/proc/net/if_inet6")
	return err == nil && bytes.Contains(data, []byte("00000000000000000000000000000001"))
}

// globals returns the argument of -g: what the configuration text does not say itself.
func (t *Target) globals(s *Spec, text string) string {
	var g strings.Builder
	if t.Oracle {
		loaded := map[string]bool{}
		for _, need := range s.Needs {
			for _, module := range needs[need] {
				if !loaded[module] {
					fmt.Fprintf(&g, "load_module %s; ", filepath.Join(t.Modules, module))
				}
				loaded[module] = true
			}
		}
		g.WriteString(t.Globals)
	}
	if !sets(text, "pid") {
		g.WriteString("pid logs/nginx.pid; ")
	}
	return g.String()
}

// server is one running server.
type server struct {
	cmd    *exec.Cmd
	prefix string
	master int // its process id
	stderr lockedBuffer
	exited chan struct{} // closed when the started process has ended
	daemon bool
	ended  bool // the specification has ended the server itself
}

// lockedBuffer collects output while it is read. The buffer is a field and not embedded: its ReadFrom would be promoted,
// and taken by io.Copy past the lock.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// command composes a call of the binary in the prefix that logs to the file named; a -g among args joins the globals.
func (t *Target) command(prefix, log, globals string, args ...string) *exec.Cmd {
	var rest []string
	for i := 0; i < len(args); i++ {
		if args[i] == "-g" && i+1 < len(args) {
			globals += args[i+1]
			i++
			continue
		}
		rest = append(rest, args[i])
	}
	cmd := exec.Command(t.Binary, append([]string{"-p", prefix + "/", "-e", log, "-g", globals}, rest...)...)
	cmd.Dir = prefix
	return cmd
}

// start starts the server and waits until its pid file is there, which nginx writes once it listens.
func (t *Target) start(prefix, globals string, environment []string, daemon bool) (*server, error) {
	if !daemon {
		globals += "daemon off; "
	}
	s := &server{prefix: prefix, daemon: daemon, exited: make(chan struct{})}
	s.cmd = t.command(prefix, "logs/error.log", globals, "-c", "conf/nginx.conf")
	s.cmd.Env = append(s.cmd.Environ(), environment...)
	s.cmd.Stdout, s.cmd.Stderr = &s.stderr, &s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		s.cmd.Wait()
		close(s.exited)
	}()
	err := wait(func() error {
		if err := s.readPid(); err == nil {
			return nil
		}
		select {
		case <-s.exited:
			if !daemon || s.cmd.ProcessState.ExitCode() != 0 {
				return final{fmt.Errorf("the server did not start: %v", s.cmd.ProcessState)}
			}
		default:
		}
		return fmt.Errorf("the server has not written its pid file")
	})
	if err == nil {
		return s, nil
	}
	s.kill()
	return nil, fmt.Errorf("%w\n%s", err, s.stderr.String())
}

// readPid takes the master's process id from the pid file.
func (s *server) readPid() error {
	data, err := os.ReadFile(filepath.Join(s.prefix, "logs/nginx.pid"))
	if err != nil {
		return err
	}
	text, ok := strings.CutSuffix(string(data), "\n")
	if !ok {
		return fmt.Errorf("the pid file is incomplete: %q", data)
	}
	s.master, err = strconv.Atoi(text)
	return err
}

// alive tells whether the master still runs.
func (s *server) alive() bool {
	if s.daemon {
		return syscall.Kill(s.master, 0) == nil && state(s.master) != 'Z'
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

// waitEnd waits until the server has ended by itself.
func (s *server) waitEnd() error {
	s.ended = true
	return wait(func() error {
		if s.alive() {
			return fmt.Errorf("the server still runs")
		}
		return nil
	})
}

// stop ends the server with TERM unless the specification did so already.
func (s *server) stop() error {
	if s.ended {
		return nil
	}
	if !s.alive() {
		return fmt.Errorf("the server has ended by itself: %v", s.cmd.ProcessState)
	}
	syscall.Kill(s.master, syscall.SIGTERM)
	if err := s.waitEnd(); err != nil {
		s.kill()
		return fmt.Errorf("after TERM %w", err)
	}
	if !s.daemon && s.cmd.ProcessState.ExitCode() != 0 {
		return fmt.Errorf("the server ended with %v", s.cmd.ProcessState)
	}
	return nil
}

// kill ends every process of the server at once.
func (s *server) kill() {
	for _, pid := range append(s.children(), s.master) {
		if pid > 0 {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
}

// children returns the process ids of the workers and helpers of the master, in order. Each thread of the master has
// children of its own.
func (s *server) children() []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", s.master))
	if err != nil {
		return nil
	}
	var pids []int
	for _, list := range lists {
		data, _ := os.ReadFile(list)
		for _, text := range strings.Fields(string(data)) {
			if pid, err := strconv.Atoi(text); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return pids
}

// state returns the state letter of /proc/PID/stat, 0 when there is no such process.
func state(pid int) byte {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if i := bytes.LastIndexByte(data, ')'); i >= 0 && i+2 < len(data) {
		return data[i+2]
	}
	return 0
}

// final is an error that waiting longer cannot mend.
type final struct{ error }

// wait calls check until it returns nil, for as long as patience allows, and returns its last error.
func wait(check func() error) error {
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := check()
		var f final
		if err == nil || errors.As(err, &f) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
	}
}
