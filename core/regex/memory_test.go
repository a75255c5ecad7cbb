package regex

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestMatchAllocates(t *testing.T) {
	vm := newVM(t, DefaultLimits)
	re := compile(t, vm, `^/([^/]+)/(?<file>.+)\.php$`, Caseless)
	deep := compile(t, vm, `(?:(a)|b)*$`, 0) // outgrows the first frame vector
	ovector := make([]int, 2*(re.NumGroups()+1))
	subject := []byte("/app/index.php")
	long := strings.Repeat("ab", 2000)
	allocs := testing.AllocsPerRun(100, func() {
		if re.Match(subject, 0, ovector) != 3 || deep.MatchString(long, 0, nil) < 0 {
			t.Fatal("no match")
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations per match, want 0", allocs)
	}
}

// TestReloadLeaks compiles a configuration's worth of patterns over and over:
// the process may not grow.
func TestReloadLeaks(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector uses memory of its own")
	}
	cycle := func() {
		vm := NewVM(DefaultLimits)
		for i := range 100 {
			re := compile(t, vm, `^/(?<dir>[^/]+)/`+strconv.Itoa(i)+`(?:\.(php|html))?$`, Caseless)
			re.MatchString("/a/1.php", 0, nil)
		}
		if _, err := vm.Compile("(", 0); err == nil {
			t.Fatal("compiled")
		}
		vm.Close()
	}
	for range 20 {
		cycle()
	}
	before := residentKiB(t)
	for range 200 {
		cycle()
	}
	if grown := residentKiB(t) - before; grown > 8<<10 {
		t.Errorf("200 reloads grew the process by %d KiB", grown)
	}
}

func residentKiB(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			if err != nil {
				t.Fatal(err)
			}
			return kib
		}
	}
	t.Fatal("no VmRSS")
	return 0
}

func BenchmarkMatch(b *testing.B) {
	for _, bm := range []struct {
		name, pattern string
		options       Options
		subject       string
	}{
		{"suffix", `\.php$`, 0, "/app/public/index.php"},
		{"suffix-miss", `\.php$`, 0, "/static/js/vendor.bundle.min.js"},
		{"groups", `^/([^/]+)/(?<file>.+)\.php$`, Caseless, "/app/index.php"},
		{"alternatives", `\.(?:jpe?g|png|gif|css|js)$`, Caseless, "/static/js/vendor.bundle.min.js"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			vm := newVM(b, DefaultLimits)
			re := compile(b, vm, bm.pattern, bm.options)
			ovector := make([]int, 2*(re.NumGroups()+1))
			subject := []byte(bm.subject)
			b.ReportAllocs()
			for b.Loop() {
				re.Match(subject, 0, ovector)
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	vm := newVM(b, DefaultLimits)
	for b.Loop() {
		re, err := vm.Compile(`^/([^/]+)/(?<file>.+)\.php$`, Caseless)
		if err != nil {
			b.Fatal(err)
		}
		re.Close()
	}
}
