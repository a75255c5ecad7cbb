package parser

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// memory is a Source of contents by name; patterns match what they were given.
type memory struct {
	files map[string]string
	globs map[string][]string
	reads int
}

func (m *memory) ReadFile(name string) ([]byte, error) {
	m.reads++
	content, ok := m.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return []byte(content), nil
}

func (m *memory) Glob(pattern string) ([]string, error) { return m.globs[pattern], nil }

func TestReaderDump(t *testing.T) {
	src := &memory{files: map[string]string{"/c": "include d;\n", "/d": "a;", "/empty": "", "/never": "b;"}}
	r := NewReader(src)
	for _, name := range []string{"/c", "/d", "/empty", "/d"} {
		if _, err := r.Open(name); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	if err := r.Dump(&b); err != nil {
		t.Fatal(err)
	}
	want := "# configuration file /c:\ninclude d;\n\n# configuration file /d:\na;\n# configuration file /empty:\n\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
	if src.reads != 3 {
		t.Errorf("%d files read", src.reads)
	}
}

func TestReaderOpen(t *testing.T) {
	r := NewReader(&memory{files: map[string]string{"/c": "a {"}})
	root, err := r.Open("/c")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := root.Items[0].Block.Err.Error(), `unexpected end of file, expecting "}" in /c:1`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err = r.Open("/d"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestReaderRecursion(t *testing.T) {
	r := NewReader(&memory{files: map[string]string{"/c": "include c;"}})
	open := func() error {
		_, err := r.Open("/c")
		return err
	}
	for range maxOpen {
		if err := open(); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(); !errors.Is(err, syscall.EMFILE) {
		t.Errorf("%d files open: %v", maxOpen+1, err)
	}
	r.Close()
	if err := open(); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

func TestExpand(t *testing.T) {
	src := &memory{globs: map[string][]string{"/a*": {"/a1", "/a2"}}}
	for name, want := range map[string][]string{
		"/a":      {"/a"}, // whether it exists or not
		"/a{b,c}": {"/a{b,c}"},
		`/a\b`:    {`/a\b`},
		"/a*":     {"/a1", "/a2"},
		"/b*":     nil,
		"/b?":     nil,
		"/b[":     nil,
	} {
		got, err := NewReader(src).Expand(name)
		if err != nil || cmp.Diff(want, got) != "" {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestFilesReadFile(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	if err := os.WriteFile(name, []byte("a;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := (Files{}).ReadFile(name); err != nil || string(got) != "a;\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := (Files{}).ReadFile("/dev/zero"); err != nil || len(got) != 0 {
		t.Errorf("a device: got %d bytes, %v", len(got), err)
	}
	for _, tt := range []struct {
		name string
		want fs.PathError
	}{
		{dir, fs.PathError{Op: "pread", Path: dir, Err: syscall.EISDIR}},
		{name + "b", fs.PathError{Op: "open", Path: name + "b", Err: syscall.ENOENT}},
	} {
		_, err := (Files{}).ReadFile(tt.name)
		if got := (*fs.PathError)(nil); !errors.As(err, &got) || *got != tt.want {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
