package process

import (
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"moongate/conf"
	"moongate/core/log"
	"moongate/parser"
)

func affinity(t *testing.T, args ...string) (Affinity, error) {
	t.Helper()
	c := new(Core)
	err := setAffinity(&conf.Conf{Cycle: &conf.Cycle{}, Name: "worker_cpu_affinity", Args: args}, c)
	return c.Affinity, err
}

func TestAffinity(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want []cpuMask // of the workers 0 to 3
	}{
		{[]string{"1", "10", "1100"}, []cpuMask{{0}, {1}, {2, 3}, {2, 3}}},
		{[]string{"101 01"}, []cpuMask{{0, 2, 4}, {0, 2, 4}}}, // blanks are skipped
		{[]string{"auto", "1010"}, []cpuMask{{1}, {3}, {1}, {3}}},
		{[]string{"0"}, []cpuMask{{}, {}, {}, {}}},
		{[]string{"auto", "0"}, []cpuMask{nil, nil, nil, nil}},
	} {
		a, err := affinity(t, tt.args...)
		if err != nil {
			t.Fatal(err)
		}
		for n, want := range tt.want {
			if diff := cmp.Diff(want, a.of(n)); diff != "" {
				t.Errorf("%q worker %d: %s", tt.args, n, diff)
			}
		}
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"102"}, `invalid character "2" in "worker_cpu_affinity"`},
		{[]string{"auto", "1", "1"}, `invalid number of arguments in "worker_cpu_affinity" directive`},
		{[]string{string(make([]byte, 1025))}, `"worker_cpu_affinity" supports up to 1024 CPUs only`},
	} {
		if _, err := affinity(t, tt.args...); err == nil || err.Error() != tt.want {
			t.Errorf("%q: %v, want %s", tt.args, err, tt.want)
		}
	}
	if a, err := affinity(t, "auto"); err != nil || len(a.of(0)) != 1 {
		t.Errorf("auto: %v, %v", a, err)
	}
	if s := (cpuMask{0, 5}).String(); s != "#0 #5" {
		t.Errorf("%q", s)
	}
}

func TestEnvironment(t *testing.T) {
	environ := []string{"PATH=/bin", "TZ=UTC", "A=1", "EMPTY=", "GOGC=50", "MOONGATE_CPUPROFILE=/x"}
	for _, tt := range []struct {
		env  []string
		want []string
	}{
		{nil, []string{"TZ=UTC"}},
		{[]string{"TZ=CET"}, []string{"TZ=CET"}},
		{[]string{"PATH", "B=2", "MISSING", "EMPTY"}, []string{"PATH=/bin", "B=2", "EMPTY=", "TZ=UTC"}},
		{[]string{"A=x=y", "TZ"}, []string{"A=x=y", "TZ=UTC"}},
	} {
		c := Core{Env: tt.env}
		if diff := cmp.Diff(tt.want, c.environment(environ)); diff != "" {
			t.Errorf("%q: %s", tt.env, diff)
		}
	}
	c := Core{Env: []string{"GOMAXPROCS=1"}}
	want := []string{"GOMAXPROCS=1", "TZ=UTC", "GOGC=50", "MOONGATE_CPUPROFILE=/x"}
	if diff := cmp.Diff(want, c.childEnvironment(environ)); diff != "" {
		t.Error(diff)
	}
	if got, ok := lookup((&Core{}).childEnvironment(nil), "GOGC"); !ok || got != workerGOGC {
		t.Errorf("GOGC %q", got)
	}
}

func TestSnapshot(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a.conf")
	if err := os.WriteFile(name, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRecorder(parser.Files{})
	r.ReadFile(name)
	r.ReadFile(name + ".missing")
	r.Glob(dir + "/*.conf")
	r.Glob(dir + "/none*")
	master := &Cycle{source: r}
	asked := 0
	question := func() ([]string, error) { asked++; return []string{"192.0.2.1"}, nil }
	failing := func() ([]string, error) { asked++; return nil, errors.New("no such host") }
	master.Recall("addresses of a", question)
	master.Recall("addresses of b", failing)
	fd, err := memoryFile("test", r.encode())
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	b, err := mapFile(fd)
	if err != nil {
		t.Fatal(err)
	}
	os.Remove(name)
	got, err := decodeRecorder(b, nil) // nothing is to be read from the disk
	if err != nil {
		t.Fatal(err)
	}
	if text, err := got.ReadFile(name); string(text) != "text" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	_, err = got.ReadFile(name + ".missing")
	var failed *fs.PathError
	if !errors.As(err, &failed) || failed.Op != "open" || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v", err)
	}
	if names, err := got.Glob(dir + "/*.conf"); err != nil || !cmp.Equal(names, []string{name}) {
		t.Errorf("%q, %v", names, err)
	}
	worker := &Cycle{source: got}
	if names, err := worker.Recall("addresses of a", question); err != nil || !cmp.Equal(names, []string{"192.0.2.1"}) {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := worker.Recall("addresses of b", failing); err == nil || err.Error() != "no such host" || asked != 2 {
		t.Errorf("%v after %d questions", err, asked)
	}
	if names, err := got.Glob(dir + "/none*"); err != nil || len(names) != 0 {
		t.Errorf("%q, %v", names, err)
	}
}

func TestSnapshotProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		answers := rapid.MapOf(rapid.String(), rapid.Custom(func(t *rapid.T) answer {
			return answer{
				content: rapid.SliceOf(rapid.Byte()).Draw(t, "content"),
				names:   rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "names"),
				op:      rapid.SampledFrom([]string{"", "open", "read"}).Draw(t, "op"),
				errno:   syscall.Errno(rapid.Uint8().Draw(t, "errno")),
				text:    rapid.String().Draw(t, "text"),
			}
		}))
		r := newRecorder(nil)
		r.files, r.globs, r.facts = answers.Draw(t, "files"), answers.Draw(t, "globs"), answers.Draw(t, "facts")
		b := r.encode()
		got, err := decodeRecorder(b, nil)
		if err != nil {
			t.Fatal(err)
		}
		same := cmp.Options{cmp.AllowUnexported(answer{}), cmp.Transformer("nil", func(b []byte) string { return string(b) }),
			cmp.Transformer("none", func(s []string) int { return len(s) })}
		if diff := cmp.Diff(r.all(), got.all(), same); diff != "" {
			t.Fatal(diff)
		}
		cut := rapid.IntRange(0, len(b)-1).Draw(t, "cut")
		if _, err := decodeRecorder(b[:cut], nil); err == nil {
			t.Fatalf("cut to %d of %d bytes it is still whole", cut, len(b))
		}
	})
}

func TestAddr(t *testing.T) {
	for text, a := range map[string]Addr{
		"0.0.0.0:80":     {IP: netip.MustParseAddrPort("0.0.0.0:80")},
		"[::]:80":        {IP: netip.MustParseAddrPort("[::]:80")},
		"[fe80::1]:8080": {IP: netip.MustParseAddrPort("[fe80::1]:8080")},
		"unix:/run/x":    {Unix: "/run/x"},
	} {
		if got := a.String(); got != text {
			t.Errorf("%q, want %q", got, text)
		}
		if back, ok := addrOf(a.Sockaddr()); !ok || back != a {
			t.Errorf("%v, want %v", back, a)
		}
	}
}

func TestInheritedSocketDoesNotBlock(t *testing.T) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if ls := inheritedSocket(fd, log.New(log.NewEnv())); ls == nil || ls.FD != fd {
		t.Fatalf("%+v", ls)
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
		t.Errorf("flags %#x, %v", flags, err)
	}
}

// TestDrainedIsNotRespawned: a worker that dies while its successor starts is
// not started again, for there would be one too many of the new cycle.
func TestDrainedIsNotRespawned(t *testing.T) {
	m := &master{generation: 2, draining: true, children: []*child{
		{pid: 1, generation: 1, respawn: true, exited: true},
		{pid: 2, generation: 2, respawn: true},
	}}
	if live := m.replaceExited(); !live || len(m.children) != 1 || m.children[0].pid != 2 {
		t.Errorf("live %v, children %v", live, m.children)
	}
}

// loop is a configuration whose every file includes itself, twice.
type loop struct{ parser.Files }

func (loop) ReadFile(string) ([]byte, error) { return []byte("include a; include a;"), nil }

func TestPeekAtLoop(t *testing.T) {
	o := &CommandLine{Source: loop{}, ConfPrefix: "/", File: "/a"}
	if o.wantsDaemon() {
		t.Error("the complaint belongs into the foreground")
	}
}

func TestPathFile(t *testing.T) {
	p := Path{Name: "/t", Levels: [maxPathLevels]int{1, 2}}
	if got, want := p.File(TempName(12345)), "/t/5/34/0000012345"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&Path{Name: "/t"}).File("x"), "/t/x"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestReadPid(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pid")
	for content, want := range map[string]string{
		"123\n": "", "123\r\n\n": "", "": `invalid PID number "" in "` + name + `"`, "x1\n": `invalid PID number "x1" in "` + name + `"`,
	} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		pid, err := readPid(name)
		if want == "" && (pid != 123 || err != nil) || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: %d, %v", content, pid, err)
		}
	}
}

func TestGCPercent(t *testing.T) {
	for live, want := range map[uint64]int{0: 400, 4 << 20: 400, 16 << 20: 400, 32 << 20: 200, 64 << 20: 100, 1 << 30: 100} {
		if got := gcPercent(live); got != want {
			t.Errorf("%d live bytes: %d, want %d", live, got, want)
		}
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	r := newRecorder(parser.Files{})
	r.ReadFile("/nonexistent")
	r.Glob("/nonexistent*")
	f.Add(r.encode())
	f.Add([]byte{0, 0})
	f.Fuzz(func(_ *testing.T, b []byte) { decodeRecorder(b, nil) })
}
