package spec

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Server is a running server for a test that is written in Go.
type Server struct{ r *run }

// Serve starts a server on the files of a specification, without exchanges. It ends with the test, which fails
// for what no specification allows in the log.
func Serve(t *testing.T, target *Target, text string) *Server {
	t.Helper()
	s, err := Parse(t.Name(), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if reason := target.Skip(s); reason != "" {
		t.Skip(reason)
	}
	return &Server{s.begin(t, target)}
}

// Addr is the address that a port number of the configuration, 8080 to 8089, stands for.
func (s *Server) Addr(port int) string { return "127.0.0.1:" + s.r.expand(strconv.Itoa(port)) }

// Log is what the server has logged.
func (s *Server) Log() string { return s.r.log() }

// Await waits for a line of the error log that matches.
func (s *Server) Await(t *testing.T, pattern string) {
	t.Helper()
	if err := s.r.await("~ "+pattern, func() (string, error) { return s.r.log(), nil }); err != nil {
		t.Errorf("the log: %v", err)
	}
}

// AwaitFile waits for a line that matches in a file of the prefix.
func (s *Server) AwaitFile(t *testing.T, name, pattern string) {
	t.Helper()
	if err := s.r.expectFile(name, "~ "+pattern); err != nil {
		t.Error(err)
	}
}

// Reload sends HUP and waits for a new worker.
func (s *Server) Reload() error { return s.r.reload(Step{}) }

// Workers are the process ids of the workers.
func (s *Server) Workers() []int { return s.r.server.children() }

// Path is where a file of the prefix is.
func (s *Server) Path(name string) string { return s.r.path(name) }

// File is the content of a file of the prefix.
func (s *Server) File(name string) (string, error) {
	text, err := os.ReadFile(s.Path(name))
	return string(text), err
}

// Folder makes a folder that workers and what they talk to may read whoever they
// run as, with files (name, text, …).
func Folder(t *testing.T, files ...string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
