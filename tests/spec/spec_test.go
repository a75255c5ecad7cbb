package spec

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// TestSpecs runs every specification of this folder against Moongate, or against a real nginx (see FindTarget).
// One specification is chosen with -run 'TestSpecs/http/location/order'.
func TestSpecs(t *testing.T) {
	paths := specFiles(t)
	target := FindTarget(t)
	t.Logf("%s (nginx %s), %d specifications", target.Binary, target.Version, len(paths))
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.ToSlash(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if reason := target.Skip(s); reason != "" {
				t.Skip(reason)
			}
			s.Run(t, target)
		})
	}
}

// specFiles lists the specification files below this folder.
func specFiles(t *testing.T) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.HasSuffix(path, ".txtar") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(paths) == 0 {
		t.Fatal("no specifications found")
	}
	slices.Sort(paths)
	return paths
}
