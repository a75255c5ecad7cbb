package spec

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// FindTarget takes the target from the environment, or builds Moongate:
//
//	MOONGATE_BINARY          the server to test; built from this module when unset
//	MOONGATE_ORACLE          a real nginx to run the same specifications against
//	MOONGATE_ORACLE_MODULES  the folder of its dynamic modules, /usr/lib/nginx/modules when unset
//	MOONGATE_ORACLE_GLOBALS  further main-level directives for it
func FindTarget(t *testing.T) *Target {
	t.Helper()
	binary := cmp.Or(os.Getenv("MOONGATE_ORACLE"), os.Getenv("MOONGATE_BINARY"))
	if binary == "" {
		binary = build(t)
	}
	if !filepath.IsAbs(binary) {
		t.Fatalf("%s is not an absolute path", binary)
	}
	target, err := NewTarget(binary)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("MOONGATE_ORACLE") != "" {
		target.Oracle = true
		target.Modules = cmp.Or(os.Getenv("MOONGATE_ORACLE_MODULES"), "/usr/lib/nginx/modules")
		target.Globals = os.Getenv("MOONGATE_ORACLE_GLOBALS")
	}
	return target
}

// build builds Moongate into a folder that the workers may read.
func build(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "moongate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(dir, "moongate")
	cmd := exec.Command("go", "build", "-o", binary, "moongate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("building moongate: %w\n%s", err, out))
	}
	return binary
}
