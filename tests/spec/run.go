package spec

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// run is one specification being run.
type run struct {
	t      *testing.T
	spec   *Spec
	target *Target
	*expander
	server *server
	block  int
	conns  map[string][]*conn // by name; "" is the connection of the block
	output string             // of the last command
	exit   int
	moved  []string // paths that logs were renamed to
}

// fileTime is the modification time of every file of a specification, so that Last-Modified and ETag are known.
var fileTime = time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)

// Run runs the specification; each expectation that is not met fails t with the file and line.
func (s *Spec) Run(t *testing.T, target *Target) { s.begin(t, target).steps() }

// begin lays the files and starts the server, which is stopped when the test ends.
func (s *Spec) begin(t *testing.T, target *Target) *run {
	t.Helper()
	prefix, err := makePrefix()
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, spec: s, target: target, conns: map[string][]*conn{}}
	t.Cleanup(func() {
		if t.Failed() {
			r.showLog()
		}
		os.RemoveAll(prefix)
	})
	texts := []string{s.configuration()}
	for _, f := range s.Files {
		texts = append(texts, string(f.Data))
	}
	for _, step := range s.Steps {
		texts = append(texts, step.Arg)
	}
	if r.expander, err = newExpander(prefix, texts...); err != nil {
		t.Fatal(err)
	}
	if err := r.lay(); err != nil {
		t.Fatal(err)
	}
	if s.Starts() {
		if err := r.start(); err != nil {
			t.Fatalf("%s: %v", s.Path, err)
		}
		t.Cleanup(r.finish)
	}
	t.Cleanup(func() { r.closeConns(func(string) bool { return true }) })
	return r
}

// makePrefix makes the folder the server runs in, readable for workers that run as nobody.
func makePrefix() (string, error) {
	prefix, err := os.MkdirTemp("", "spec")
	if err != nil {
		return "", err
	}
	return prefix, os.Chmod(prefix, 0o755)
}

// lay writes the files of the specification into the prefix.
func (r *run) lay() error {
	for _, dir := range []string{"conf", "html", "logs"} {
		if err := os.MkdirAll(filepath.Join(r.prefix, dir), 0o755); err != nil {
			return err
		}
	}
	if slices.Contains(r.spec.Needs, "certificate") {
		if err := r.writeCertificates(); err != nil {
			return err
		}
	}
	if r.spec.Starts() {
		if err := r.write("conf/nginx.conf", r.expand(r.spec.configuration())); err != nil {
			return err
		}
	}
	for _, f := range r.spec.Files {
		if isConfiguration(f.Name) {
			continue
		}
		if err := r.write(f.Name, r.expand(string(f.Data))); err != nil {
			return err
		}
	}
	return nil
}

// write writes one file below the prefix.
func (r *run) write(name, text string) error {
	path := r.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Chtimes(path, fileTime, fileTime)
}

// path returns the path of a file of the prefix.
func (r *run) path(name string) string {
	return filepath.Join(r.prefix, name)
}

// start starts the server on conf/nginx.conf as it stands.
func (r *run) start() error {
	conf, err := os.ReadFile(r.path("conf/nginx.conf"))
	if err != nil {
		return err
	}
	r.server, err = r.target.start(r.prefix, r.target.globals(r.spec, string(conf)), r.spec.Environment, r.spec.Daemon || sets(string(conf), "daemon"))
	return err
}

// steps runs the exchanges. A connection or a server that is gone ends the specification; other failures do not.
func (r *run) steps() {
	for _, step := range r.spec.Steps {
		if step.Block != r.block {
			r.block = step.Block
			r.closeConns(func(name string) bool { return name == "" || name[0] <= '9' })
		}
		step.Arg = r.expand(step.Arg)
		err := verbs[step.Verb](r, step)
		if err == nil {
			continue
		}
		r.t.Errorf("%s:%d: %s: %v", r.spec.Path, step.Line, strings.TrimSpace(step.Conn+step.Verb+" "+quote(step.Arg)), err)
		var f final
		if errors.As(err, &f) {
			return
		}
	}
}

// closeConns closes the connections whose name is chosen.
func (r *run) closeConns(chosen func(name string) bool) {
	for name, group := range r.conns {
		if chosen(name) {
			for _, c := range group {
				c.Close()
			}
			delete(r.conns, name)
		}
	}
}

// finish stops the server and looks for what no specification allows in its logs.
func (r *run) finish() {
	r.closeConns(func(string) bool { return true })
	if err := r.server.stop(); err != nil {
		r.t.Errorf("%s: %v", r.spec.Path, err)
	}
	for line := range strings.Lines(r.log()) {
		if alarming.MatchString(line) && !r.allowed(line) {
			r.t.Errorf("%s: in the log: %s", r.spec.Path, line)
		}
	}
}

// alarming are the log lines that fail a specification unless it allows them.
var alarming = regexp.MustCompile(`\[(emerg|alert)\]|^panic:|^fatal error:|^goroutine \d+ |DATA RACE`)

func (r *run) allowed(line string) bool {
	for _, re := range r.spec.Allows {
		if re.MatchString(line) {
			return true
		}
	}
	return false
}

// log returns everything the server has logged and printed.
func (r *run) log() string {
	text, _ := os.ReadFile(r.path("logs/error.log"))
	if r.server != nil {
		return string(text) + r.server.stderr.String()
	}
	return string(text)
}

// showLog shows the end of the log with a failure.
func (r *run) showLog() {
	if r.expander == nil {
		return
	}
	text := r.log()
	const most = 3000
	if len(text) > most {
		text = "…" + text[len(text)-most:]
	}
	if text != "" {
		r.t.Logf("log of %s:\n%s", r.spec.Path, text)
	}
}

// group returns the connections that a step speaks of, opened when there are none yet.
func (r *run) group(s Step) ([]*conn, error) {
	if r.conns[s.Conn] == nil {
		if err := r.connect(s, fmt.Sprint(firstPort)); err != nil {
			return nil, err
		}
	}
	return r.conns[s.Conn], nil
}
