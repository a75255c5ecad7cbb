package arch

import (
	"bytes"
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the root of the module, from this folder.
const root = "../.."

// Lengths, in lines, that a file and a function of the server may have; tests are not limited. About 500 and 60 is
// the aim: what is longer has to earn it.
const (
	longestFile     = 550
	longestFunction = 100
)

// longFiles may be longer, each for its reason.
var longFiles = map[string]string{}

// longFunctions ("path.function") may be longer, each for its reason.
var longFunctions = map[string]string{
	"lua/vm/exec.go.execute": "one case for each instruction, over state that has to stay in local variables",
}

// tracked lists the files under version control, and those that are about to be.
func tracked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skip("not a git checkout: ", err)
	}
	return strings.Fields(string(out))
}

// source is a parsed Go file of the module.
type source struct {
	path string // from the root
	text []byte
	file *ast.File
	fset *token.FileSet
}

func (s source) isTest() bool {
	return strings.HasSuffix(s.path, "_test.go") || strings.HasPrefix(s.path, "tests/")
}

// ignored matches the files that the go command does not see either.
var ignored = regexp.MustCompile(`(^|/)(_|\.|testdata/)`)

// sources parses the Go files of the module.
func sources(t *testing.T) []source {
	t.Helper()
	var all []source
	for _, name := range tracked(t) {
		if !strings.HasSuffix(name, ".go") || ignored.MatchString(name) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		s := source{path: name, text: text, fset: token.NewFileSet()}
		if s.file, err = parser.ParseFile(s.fset, name, text, parser.ParseComments|parser.SkipObjectResolution); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// TestPackagesAreDocumented checks that one file of each package begins with its doc comment.
func TestPackagesAreDocumented(t *testing.T) {
	documented := map[string]bool{}
	for _, s := range sources(t) {
		if strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		dir := path.Dir(s.path)
		documented[dir] = documented[dir] || s.file.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}

// TestFilesAndFunctionsAreShort checks the lengths; an entry that is no longer needed is an error too.
func TestFilesAndFunctionsAreShort(t *testing.T) {
	used := map[string]bool{}
	for _, s := range sources(t) {
		if s.isTest() || ast.IsGenerated(s.file) {
			continue
		}
		if lines := bytes.Count(s.text, []byte("\n")); lines > longestFile {
			used[s.path] = true
			if longFiles[s.path] == "" {
				t.Errorf("%s has %d lines, more than %d", s.path, lines, longestFile)
			}
		}
		for _, decl := range s.file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.fset.Position(f.End()).Line - s.fset.Position(f.Pos()).Line + 1
			if name := s.path + "." + f.Name.Name; lines > longestFunction {
				used[name] = true
				if longFunctions[name] == "" {
					t.Errorf("%s has %d lines, more than %d", name, lines, longestFunction)
				}
			}
		}
	}
	for _, allowed := range []map[string]string{longFiles, longFunctions} {
		for name := range allowed {
			if !used[name] {
				t.Errorf("%s is short enough now: take it off the list", name)
			}
		}
	}
}

// TestNoInit checks that nothing is registered behind the reader's back: order is an explicit list.
func TestNoInit(t *testing.T) {
	for _, s := range sources(t) {
		for _, decl := range s.file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: func init", s.fset.Position(f.Pos()))
			}
		}
	}
}

// TestFormatted checks that gofmt would change nothing.
func TestFormatted(t *testing.T) {
	for _, s := range sources(t) {
		formatted, err := format.Source(s.text)
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(formatted, s.text) {
			t.Errorf("%s: gofmt would change it", s.path)
		}
	}
}

// machinePath matches paths that exist on one machine only. Classes of one letter keep it from matching itself.
var machinePath = regexp.MustCompile(`(^|[^A-Za-z0-9_])/([w]ork|[f]arm)/|/tmp/([s]rc|[r]ef|[c]orpus)/|\.[m]irror/`)

// TestNoMachinePaths checks that no file mentions a path of the machine it was written on.
func TestNoMachinePaths(t *testing.T) {
	for _, name := range tracked(t) {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil || bytes.IndexByte(text, 0) >= 0 {
			continue
		}
		for i, line := range strings.Split(string(text), "\n") {
			if machinePath.MatchString(line) {
				t.Errorf("%s:%d: a path of one machine: %s", name, i+1, strings.TrimSpace(line))
			}
		}
	}
}
