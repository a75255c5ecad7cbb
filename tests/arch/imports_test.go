package arch

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "moongate"

// layers lists the folders of the module from the bottom up: a package imports packages of its own layer and of those
// below it. The longest folder that fits decides; "" is the main package.
var layers = [][]string{
	{"parser"},
	{"conf"},
	{"core"},
	{"http"},
	{"http/h1", "http/h2", "http/h3", "http/upstream"},
	{"http/modules"},
	{"lua"},
	{""},
}

// owners lists the only folders that may import a library, so that it can be replaced there.
var owners = map[string]string{
	"github.com/yuin/gopher-lua":          "lua",
	"github.com/alecthomas/participle/v2": "parser",
	"go.elara.ws/pcre":                    "core/regex",
}

// pkg is what `go list` tells of a package.
type pkg struct {
	ImportPath string
	Imports    []string
}

// packages lists the packages of the module that are not tests.
func packages(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("go list: %s", failed.Stderr)
		}
		t.Fatal(err)
	}
	var all []pkg
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if !within(folder(p.ImportPath), "tests") {
			all = append(all, p)
		}
	}
}

// folder returns the folder of a package of the module.
func folder(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}

// within tells whether a folder is another one or lies below it.
func within(folder, other string) bool {
	return folder == other || strings.HasPrefix(folder, other+"/")
}

// layer returns the number of a folder's layer, -1 for a folder that has none.
func layer(folder string) int {
	found, length := -1, -1
	for i, names := range layers {
		for _, name := range names {
			if within(folder, name) && len(name) > length {
				found, length = i, len(name)
			}
		}
	}
	return found
}

// moduleOf returns the name of the HTTP module that a folder belongs to, "" for any other folder.
func moduleOf(folder string) string {
	rest, ok := strings.CutPrefix(folder, "http/modules/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

// TestImportsGoOneWay checks the direction of every import within the module.
func TestImportsGoOneWay(t *testing.T) {
	for _, p := range packages(t) {
		from := folder(p.ImportPath)
		if layer(from) < 0 {
			t.Errorf("%s: the folder has no place in the layers of this test", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			to := folder(path)
			switch {
			case within(to, "tests"):
				t.Errorf("%s imports %s: only tests import tests", p.ImportPath, path)
			case layer(to) > layer(from):
				t.Errorf("%s imports %s, which is above it", p.ImportPath, path)
			case moduleOf(from) != "" && moduleOf(to) != "" && moduleOf(from) != moduleOf(to):
				t.Errorf("%s imports %s: modules do not import each other", p.ImportPath, path)
			}
		}
	}
}

// TestLibrariesHaveOneOwner checks that a library which may be replaced is imported in one place.
func TestLibrariesHaveOneOwner(t *testing.T) {
	for _, p := range packages(t) {
		for _, path := range p.Imports {
			for library, owner := range owners {
				if within(path, library) && !within(folder(p.ImportPath), owner) {
					t.Errorf("%s imports %s, which belongs to %s", p.ImportPath, path, owner)
				}
			}
		}
	}
}

// TestLayer checks the rule itself.
func TestLayer(t *testing.T) {
	for _, c := range []struct{ lower, upper string }{
		{"parser", "conf/default"},
		{"conf", "core/event"},
		{"core", "http/wire"},
		{"http/wire", "http/h1"},
		{"http/upstream", "http/modules/proxy"},
		{"http/modules/proxy", "lua/vm"},
		{"lua/vm", ""},
	} {
		if layer(c.lower) >= layer(c.upper) || layer(c.lower) < 0 {
			t.Errorf("%q is on layer %d, %q on layer %d", c.lower, layer(c.lower), c.upper, layer(c.upper))
		}
	}
	if layer("unknown/x") != -1 || layer("httpx") != -1 {
		t.Error("an unknown folder has a layer")
	}
}
