// Package httptest runs requests through HTTP modules in a unit test, without
// processes and connections. What needs those is tested by tests/spec.
package httptest

import (
	"io/fs"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
	"moongate/http/wire"
)

// Site is a configuration that serves requests.
type Site struct {
	Main *http.MainConf
	conn *http.Conn
}

// files is a parser.Source of files by their names.
type files map[string]string

func (f files) ReadFile(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return []byte(text), nil
}

func (f files) Glob(string) ([]string, error) { return nil, nil }

const (
	prefix   = "/prefix/"
	confFile = prefix + "nginx.conf"
)

// Load reads the content of an http block for the given modules and returns
// what was complained about, as "place: text".
func Load(text string, modules ...*http.Module) (*http.MainConf, error) {
	reg := conf.NewRegistry(append(append([]*conf.Module{}, process.Modules...), http.New(&http.Options{Modules: modules})...)...)
	c := &conf.Cycle{
		Registry: reg, Source: files{confFile: "http {\n" + text + "\n}\n"}, Prefix: prefix, ConfPrefix: prefix, File: confFile,
		Engine: new(process.Cycle), Log: func(conf.LogLevel, string) {},
	}
	if err := c.Load(""); err != nil {
		return nil, err
	}
	return http.Of(c), nil
}

// New loads a configuration with at least one server, the first of which
// serves. A complaint fails the test.
func New(t testing.TB, text string, modules ...*http.Module) *Site {
	t.Helper()
	m, err := Load(text, modules...)
	if err != nil {
		t.Fatal(err)
	}
	loop, err := event.New(event.Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := &http.Worker{
		Worker: &process.Worker{Cycle: &process.Cycle{Conf: &conf.Cycle{Prefix: prefix, ConfPrefix: prefix}}, Loop: loop},
		Main:   m,
		Clock:  new(log.Clock),
	}
	addr := m.Ports()[0].Addrs[0]
	c := &http.Conn{Conn: &event.Conn{}, Worker: w, Addr: addr, Server: addr.Default}
	c.Peer = http.NewPeer(netip.MustParseAddrPort("127.0.0.1:12345"))
	return &Site{m, c}
}

// From has the following requests come from an address.
func (s *Site) From(addr string) { s.conn.Peer = http.NewPeer(netip.MustParseAddrPort(addr)) }

// Get makes a GET request for a path, with arguments perhaps; the fields are
// of the form "Name: value". It does not run yet, and ends by Free.
func (s *Site) Get(target string, fields ...string) *http.Request {
	r := s.conn.NewRequest(stream{})
	r.Method, r.MethodName, r.Version = wire.GET, "GET", http.Version11
	r.UnparsedURI = target
	r.URI, r.Args = http.SplitArgs(target)
	r.SetExten()
	r.In.ContentLength = -1
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		lower := strings.ToLower(name)
		r.In.Add(http.Header{Name: name, Lower: lower, Value: value, ID: wire.LookupHeader(lower)})
	}
	r.EnterDefaultServer()
	return r
}

// Status runs a request and returns the status of its response.
func (s *Site) Status(r *http.Request) int {
	defer r.Free()
	r.Run()
	return r.Out.Status
}

// Value runs a GET request and returns the value that a variable had in the
// end.
func (s *Site) Value(variable, target string, fields ...string) string {
	r := s.Get(target, fields...)
	defer r.Free()
	r.Run()
	v, _ := r.Lookup(variable)
	return strings.Clone(v.S)
}

// stream is a client that sends no body and takes everything.
type stream struct{}

func (stream) SendHeader(*http.Request) error                     { return nil }
func (stream) SendBody(*http.Request, []http.Buf) error           { return nil }
func (stream) BodyAhead() (arrived, room int)                     { return 0, 0 }
func (stream) ReadBody(*http.Request, []byte) (int, http.Verdict) { return 0, http.OK }
func (stream) DiscardBody(*http.Request) http.Verdict             { return http.OK }
func (stream) Continue(*http.Request) http.Verdict                { return http.OK }
