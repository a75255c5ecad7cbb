package spec

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// FindTarget takes the target from the environment, or builds Moongate:
//
//	MOONGATE_BINARY          the server to test; built from this module when unset
//	MOONGATE_ORACLE          a real nginx to run the same specifications against
//	MOONGATE_ORACLE_MODULES  the folder of its dynamic modules, /usr/lib/nginx/modules when unset
//	MOONGATE_ORACLE_GLOBALS  further main-level directives for it
//
// A package that uses it has Main as its TestMain.
func FindTarget(t *testing.T) *Target {
	t.Helper()
	if oracle := os.Getenv("MOONGATE_ORACLE"); oracle != "" {
		return findOracle(t, oracle)
	}
	return findMoongate(t)
}

// FindBoth returns a real nginx, the one in its usual place when MOONGATE_ORACLE
// does not name one, and Moongate. Without a real nginx the test is skipped.
func FindBoth(t *testing.T) (oracle, moongate *Target) {
	t.Helper()
	path := cmp.Or(os.Getenv("MOONGATE_ORACLE"), "/usr/sbin/nginx")
	if _, err := os.Stat(path); err != nil {
		t.Skip("needs a real nginx: ", err)
	}
	return findOracle(t, path), findMoongate(t)
}

func findOracle(t *testing.T, path string) *Target {
	t.Helper()
	target := newTarget(t, path)
	target.Oracle = true
	target.Modules = cmp.Or(os.Getenv("MOONGATE_ORACLE_MODULES"), "/usr/lib/nginx/modules")
	target.Globals = os.Getenv("MOONGATE_ORACLE_GLOBALS")
	return target
}

func findMoongate(t *testing.T) *Target {
	t.Helper()
	binary := os.Getenv("MOONGATE_BINARY")
	if binary == "" {
		var err error
		if binary, err = build(); err != nil {
			t.Fatal(err)
		}
	}
	return newTarget(t, binary)
}

func newTarget(t *testing.T, binary string) *Target {
	t.Helper()
	if !filepath.IsAbs(binary) {
		t.Fatalf("%s is not an absolute path", binary)
	}
	target, err := NewTarget(binary)
	if err != nil {
		t.Fatal(err)
	}
	return target
}

// Main runs the tests of a package, whose TestMain it is, and removes what FindTarget built for them.
func Main(m *testing.M) {
	code := m.Run()
	os.RemoveAll(buildFolder)
	os.Exit(code)
}

// buildFolder is where build has put the binary.
var buildFolder string

// build builds Moongate, once for all tests of a package, into a folder that the workers may read.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "moongate")
	if err != nil {
		return "", err
	}
	buildFolder = dir
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "moongate")
	cmd := exec.Command("go", "build", "-o", binary, "moongate")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building moongate: %w\n%s", err, out)
	}
	return binary, nil
})
