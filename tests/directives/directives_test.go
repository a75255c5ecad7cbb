// Package directives asks Moongate and a real nginx what they say of every
// directive: in each context, with each number of arguments, given twice, with
// values of many kinds. Their words have to be the same.
package directives

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"moongate/tests/spec"
)

func TestMain(m *testing.M) { spec.Main(m) }

// contexts are the configurations that have a directive, X, in a block. The
// servers listen on the port PORT.
var contexts = map[string]string{
	"main":           "X events {} http { server { listen PORT; } }",
	"events":         "events { X }",
	"http":           "events {} http { X server { listen PORT; } }",
	"server":         "events {} http { server { listen PORT; X } }",
	"location":       "events {} http { server { listen PORT; location / { X } } }",
	"if in server":   "events {} http { server { listen PORT; if ($host) { X } } }",
	"if in location": "events {} http { server { listen PORT; location / { if ($host) { X } } } }",
	"limit_except":   "events {} http { server { listen PORT; location / { limit_except GET { X } } } }",
	"upstream":       "events {} http { upstream u { server 127.0.0.1; X } server { listen PORT; } }",
}

// values are tried as the first and as the second argument.
var values = strings.Fields(`on OFF 1 0 -1 x 10k 1m 1g 1h 10ms 1x "" $host $nothing name=x zone=x:1m /x 127.0.0.1 ::1 10.0.0.1/8 404 ` +
	`99999999999999999999 ~( text/html all *`)

// accepted are the differences that are meant, by the directive and what
// Moongate says of it.
var accepted = []struct{ directive, words, why string }{
	{"modern_browser", "invalid parameter", "nginx fails without a word"},
	{"geoip_.*", "GeoIP_open", "libGeoIP writes a line of its own to the standard error"},
	{"geoip2", "invalid metadata", "libmaxminddb has another word for files of a few bytes"},
	{".*", "directive has no effect", "nginx has an effect, or says nothing of having none"},
	{"image_filter_interlace", "has no effect", "nginx makes progressive images"},
	{".*_hash_(max|bucket)_size", "is successful", "there are no hash tables that could be too small"},
	{"resolver(_timeout)?", "is successful", "nginx has it in upstream since 1.27.3"},
	{"set_real_ip_from|resolver", "host not found", "getaddrinfo takes a number for an address"},
}

var row = regexp.MustCompile("^\\| `(\\w+)` \\| (.*) \\| (.*) \\|$")

// directive is a row of DIRECTIVES.md.
type directive struct {
	name, section string
	least, most   int // arguments
	block         bool
	in            string // the first of its contexts
}

func readTable(t *testing.T) (all []directive) {
	text, err := os.ReadFile("../../DIRECTIVES.md")
	if err != nil {
		t.Fatal(err)
	}
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = name
		}
		m := row.FindStringSubmatch(line)
		if m == nil || strings.Contains(m[1], "_by_lua") { // their blocks are Lua
			continue
		}
		d := directive{name: m[1], section: section, block: strings.Contains(m[2], "block"), least: 1, most: 1}
		d.in, _, _ = strings.Cut(m[3], ", ")
		fmt.Sscan(m[2], &d.least)
		if strings.Contains(m[2], " or ") || d.least > 1 {
			d.most = 2
		}
		if contexts[d.in] != "" {
			all = append(all, d)
		}
	}
	return all
}

// conf is the configuration with the directive, once or several times, in a
// context.
func (d *directive) conf(context string, uses ...[]string) string {
	var x []string
	for _, words := range uses {
		end := ";"
		if d.block {
			end = " {}"
		}
		x = append(x, strings.Join(append([]string{d.name}, words...), " ")+end)
	}
	return strings.Replace(contexts[context], "X", strings.Join(x, " "), 1)
}

// cases are the configurations to compare.
func (d *directive) cases() (all []string) {
	plain := slices.Repeat([]string{"1"}, d.least)
	for _, context := range slices.Sorted(maps.Keys(contexts)) {
		all = append(all, d.conf(context, plain))
	}
	for n := range 6 {
		all = append(all, d.conf(d.in, slices.Repeat([]string{"1"}, n)))
	}
	for _, v := range values {
		if d.least > 0 {
			words := slices.Clone(plain)
			words[0] = v
			all = append(all, d.conf(d.in, words), d.conf(d.in, words, words))
		}
		if d.most > 1 {
			words := slices.Repeat([]string{"1"}, max(d.least, 2))
			words[1] = v
			all = append(all, d.conf(d.in, words))
		}
	}
	return all
}

// server is one of the two that are compared.
type server struct {
	binary, prefix, head, port string
}

var (
	stamp = regexp.MustCompile(`(?m)^(nginx|moongate): |^\d{4}/\d\d/\d\d \S+ `)
	pid   = regexp.MustCompile(`\] \d+#\d+: `)
)

// says is what -t prints, without times and names.
func (s *server) says(text string) string {
	file := filepath.Join(s.prefix, "conf", "nginx.conf")
	text = s.head + strings.ReplaceAll(text, "PORT", s.port)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		return err.Error()
	}
	out, err := exec.Command(s.binary, "-p", s.prefix, "-t", "-c", file).CombinedOutput()
	said := strings.ReplaceAll(strings.ReplaceAll(string(out), file, "CONF"), s.prefix, "PREFIX")
	said = pid.ReplaceAllString(stamp.ReplaceAllString(said, ""), "] ")
	return fmt.Sprintln(strings.TrimSpace(said), err)
}

// TestDirectives needs a real nginx in MOONGATE_ORACLE. It takes some minutes;
// -run 'TestDirectives/http_access/' chooses a module.
func TestDirectives(t *testing.T) {
	if os.Getenv("MOONGATE_ORACLE") == "" {
		t.Skip("needs a real nginx: make test-directives")
	}
	oracle, ours := spec.FindBoth(t)
	objects, err := filepath.Glob(oracle.Modules + "/*_http_*.so")
	if err != nil {
		t.Fatal(err)
	}
	head := "load_module " + oracle.Modules + "/ndk_http_module.so; "
	for _, o := range objects {
		if !strings.Contains(head, o) && !strings.Contains(o, "xslt") {
			head += "load_module " + o + "; "
		}
	}
	idle := make(chan [2]*server, runtime.NumCPU()+1)
	for range cap(idle) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		prefix := t.TempDir()
		for _, dir := range []string{"conf", "logs"} {
			if err := os.Mkdir(filepath.Join(prefix, dir), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		l.Close()
		idle <- [2]*server{{oracle.Binary, prefix, head, l.Addr().String()}, {ours.Binary, prefix, head, l.Addr().String()}}
	}
	for _, d := range readTable(t) {
		t.Run(d.section+"/"+d.name, func(t *testing.T) {
			t.Parallel()
			pair := <-idle
			defer func() { idle <- pair }()
			d.compare(t, pair[0], pair[1])
		})
	}
}

func (d *directive) compare(t *testing.T, oracle, ours *server) {
	for _, text := range d.cases() {
		want := oracle.says(text)
		if strings.Contains(want, `unknown directive "`+d.name+`"`) {
			t.Skip("unknown to the oracle")
		}
		if got := ours.says(text); got != want && !d.accepts(got) {
			t.Errorf("%s: %s", text, cmp.Diff(want, got))
		}
	}
}

func (d *directive) accepts(got string) bool {
	for _, a := range accepted {
		if regexp.MustCompile("^"+a.directive+"$").MatchString(d.name) && strings.Contains(got, a.words) {
			return true
		}
	}
	return false
}
