package http

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"moongate/conf"
	"moongate/core/process"
)

// memory is a parser.Source of one file.
type memory string

const confFile = "/conf/nginx.conf"

func (m memory) ReadFile(name string) ([]byte, error) {
	if name != confFile {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return []byte(m), nil
}

func (memory) Glob(string) ([]string, error) { return nil, nil }

// testModule stands in for the modules that use what this package offers them.
var testModule = &Module{Module: conf.Module{Name: "test", Slots: []conf.AnySlot{testSlot}, Directives: []conf.Directive{
	TypesDirective(testSlot, "some_types", conf.HTTPAny, func(c *testConf) *conf.Opt[*TypeSet] { return &c.types },
		"text/html", "text/html", "text/css"),
	conf.Command("if", conf.HTTPServer|conf.HTTPLocation, conf.Braces|conf.OneMore, func(cf *conf.Conf) error {
		sc, in := MainOf(cf).NewIfScope(cf)
		return cf.Block(in, sc)
	}),
	conf.Command("handle", conf.HTTPLocation, conf.NoArgs, func(cf *conf.Conf) error {
		l := LocOf(cf)
		l.Handler = func(*Request) Verdict { return OK }
		l.AutoRedirect = strings.HasSuffix(l.Name, "/")
		return nil
	}),
}}}

type testConf struct{ types conf.Opt[*TypeSet] }

var testSlot = &conf.Slot[testConf]{Level: conf.LevelLocation}

// noTLS lets "ssl" parameters be given.
type noTLS struct{ TLS }

// load reads the content of an http block. What is logged meanwhile comes
// back as "level text" lines, without places.
func load(t testing.TB, text string) (m *MainConf, logged []string, err error) {
	t.Helper()
	reg := conf.NewRegistry(append(append([]*conf.Module{}, process.Modules...), New(&Options{Modules: []*Module{testModule}, TLS: noTLS{}})...)...)
	levels := map[conf.LogLevel]string{conf.LogEmerg: "emerg", conf.LogWarn: "warn"}
	c := &conf.Cycle{
		Registry: reg, Source: memory("http {\n" + text + "\n}\n"), Prefix: "/prefix/", ConfPrefix: "/conf/", File: confFile,
		Engine: new(process.Cycle),
		Log:    func(level conf.LogLevel, msg string) { logged = append(logged, levels[level]+" "+placeless(msg)) },
	}
	err = c.Load("")
	if err == nil {
		m = Of(c)
	}
	return m, logged, err
}

// placeless cuts the place off a message.
func placeless(msg string) string {
	if i := strings.LastIndex(msg, " in /"); i >= 0 {
		msg = msg[:i]
	}
	return msg
}

func mustLoad(t testing.TB, text string) *MainConf {
	t.Helper()
	m, _, err := load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// says is a configuration and what nginx says of it: complaints that end the
// reading, or "warn …" and "emerg …" for what is only logged. No complaint
// means that it is accepted.
type says struct {
	conf, complaint string
	// since is the release of nginx that says so, or what it would need.
	since string
}

// complaints are the tables that stand beside the tests of each directive.
var complaints = map[string][]says{
	"listen":      listenComplaints,
	"server_name": serverNameComplaints,
	"location":    locationComplaints,
	"root":        rootComplaints,
	"types":       typesComplaints,
	"error_page":  errorPageComplaints,
	"misc":        miscComplaints,
}

// TestComplaints reads every configuration of the tables.
func TestComplaints(t *testing.T) {
	for name, table := range complaints {
		t.Run(name, func(t *testing.T) {
			for _, row := range table {
				_, logged, err := load(t, row.conf)
				got := strings.Join(logged, "; ")
				if err != nil {
					got = strings.TrimPrefix(got+"; "+placeless(err.Error()), "; ")
				}
				if got != row.complaint {
					t.Errorf("%s\n got %s\nwant %s", row.conf, got, row.complaint)
				}
			}
		})
	}
}

// TestComplaintsOracle asks a real nginx the same: MOONGATE_ORACLE names it.
func TestComplaintsOracle(t *testing.T) {
	nginx := os.Getenv("MOONGATE_ORACLE")
	if nginx == "" {
		t.Skip("MOONGATE_ORACLE names no nginx")
	}
	prefix := t.TempDir()
	if err := os.Mkdir(filepath.Join(prefix, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(prefix, "nginx.conf")
	for name, table := range complaints {
		t.Run(name, func(t *testing.T) {
			for _, row := range table {
				if row.since != "" {
					continue
				}
				text := "error_log /dev/null warn;\nevents {}\nhttp {\naccess_log off;\n" + row.conf + "\n}\n"
				if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
				out, _ := exec.Command(nginx, "-e", "/dev/null", "-t", "-q", "-p", prefix, "-c", file).CombinedOutput()
				if got := nginxSays(string(out)); got != row.complaint {
					t.Errorf("%s\n nginx %s\n table %s", row.conf, got, row.complaint)
				}
			}
		})
	}
}

// nginxSays reads the messages of nginx -t as load gives them.
func nginxSays(out string) string {
	var said []string
	for _, line := range strings.Split(out, "\n") {
		line, ok := strings.CutPrefix(line, "nginx: [")
		level, msg, found := strings.Cut(line, "] ")
		if !ok || !found {
			continue
		}
		said = append(said, level+" "+placeless(msg))
	}
	if n := len(said); n > 0 && strings.HasPrefix(said[n-1], "emerg ") && !strings.HasSuffix(said[n-1], ", ignored") {
		said[n-1] = strings.TrimPrefix(said[n-1], "emerg ")
	}
	return strings.Join(said, "; ")
}
