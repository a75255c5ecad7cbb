package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// target is a server to be measured.
type target struct {
	name, binary string
	modules      string // of an nginx; Moongate has its modules built in
	globals      string // further main-level directives
}

// version returns what -v says.
func (t *target) version() string {
	out, err := exec.Command(t.binary, "-v").CombinedOutput()
	if err != nil {
		return t.name
	}
	return strings.TrimSpace(string(out))
}

// misses tells what a case needs that the target lacks, "" when it can run.
func (t *target) misses(c benchCase) string {
	if t.modules == "" || !c.lua {
		return ""
	}
	if _, err := os.Stat(filepath.Join(t.modules, luaModule)); err != nil {
		return "no " + luaModule + " (Debian package libnginx-mod-http-lua)"
	}
	return ""
}

const (
	ndkModule = "ndk_http_module.so"
	luaModule = "ngx_http_lua_module.so"
)

// running is a started server.
type running struct {
	target *target
	prefix string
	port   int
	// clientPort is where a case listens that clients other than wrk measure (%CLIENT%).
	clientPort int
	cmd        *exec.Cmd
}

// prepare makes a prefix with the files of a case and a configuration whose server block has the text given.
func (t *target) prepare(c benchCase, http string) (*running, error) {
	prefix, err := os.MkdirTemp("", "bench-"+t.name+"-")
	if err != nil {
		return nil, err
	}
	port, err := freePort(firstPort + os.Getpid()%5000)
	if err != nil {
		return nil, err
	}
	s := &running{target: t, prefix: prefix, port: port}
	if s.clientPort, err = freePort(port + 1); err != nil {
		return nil, err
	}
	files := map[string]string{"conf/nginx.conf": s.configuration(c, http), "logs/.keep": "", "html/.keep": ""}
	for name, text := range c.files {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(prefix, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	return s, os.Chmod(prefix, 0o755)
}

// configuration is the same text for every target but for load_module.
func (s *running) configuration(c benchCase, http string) string {
	var b strings.Builder
	if s.target.modules != "" && c.lua {
		fmt.Fprintf(&b, "load_module %s;\nload_module %s;\n", filepath.Join(s.target.modules, ndkModule), filepath.Join(s.target.modules, luaModule))
	}
	log := "off"
	if c.log {
		log = "logs/access.log"
	}
	fmt.Fprintf(&b, `worker_processes 1;
worker_rlimit_nofile 65536;
error_log logs/error.log error;
pid logs/nginx.pid;
daemon off;
%s
events { worker_connections 20000; }
http {
    access_log %s;
    sendfile on;
    keepalive_timeout 600s;
    keepalive_requests 1000000000;
    %s
    server {
        listen 127.0.0.1:%d backlog=4096;
        root html;
        %s
    }
}
`, s.target.globals, log, c.http+http, s.port, c.server)
	return strings.NewReplacer("%PORT%", strconv.Itoa(s.port), "%PREFIX%", s.prefix, "%REDIS%", strconv.Itoa(c.redisPort),
		"%CLIENT%", strconv.Itoa(s.clientPort),
		"%BACKEND%", strconv.Itoa(c.backendPort)).Replace(b.String())
}

// run prepares and starts the server of a case.
func (t *target) run(ctx context.Context, c benchCase) (*running, error) {
	s, err := t.prepare(c, "")
	if err != nil {
		return nil, err
	}
	if err := s.start(ctx, ""); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// start starts the server and waits until a worker answers a request.
func (s *running) start(ctx context.Context, profile string) error {
	s.cmd = s.command(ctx)
	if profile != "" {
		s.cmd.Env = append(os.Environ(), "MOONGATE_CPUPROFILE="+profile)
	}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- s.cmd.Wait() }()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		select {
		case err := <-exited:
			return fmt.Errorf("%s did not start: %v", s.target.name, err)
		default:
		}
		c, err := net.Dial("tcp", s.address())
		if err != nil {
			continue
		}
		err = ask(c, "/")
		c.Close()
		return err
	}
	return fmt.Errorf("%s does not listen", s.target.name)
}

// command composes a call of the binary on the prepared prefix.
func (s *running) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.target.binary, append([]string{"-p", s.prefix + "/", "-e", "logs/error.log", "-c", "conf/nginx.conf"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	return cmd
}

// lastError is the last line of the error log.
func (s *running) lastError() string {
	text, err := os.ReadFile(filepath.Join(s.prefix, "logs/error.log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

func (s *running) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

// stop ends the server gracefully, so that a worker can write its profile, and removes its prefix.
func (s *running) stop() {
	if s.cmd != nil && s.cmd.Process != nil {
		s.cmd.Process.Signal(syscall.SIGQUIT)
		for range 500 {
			if syscall.Kill(s.cmd.Process.Pid, 0) != nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		for _, pid := range s.processes() {
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	os.RemoveAll(s.prefix)
}

// firstPort and lastPort bound the ports of servers, below the range of outgoing connections.
const firstPort, lastPort = 21000, 32000

// freePort returns a port from the given one on that nothing listens on.
func freePort(from int) (int, error) {
	for port := from; port < lastPort; port++ {
		l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, fmt.Errorf("no free port")
}
