package log

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

type tail string

func (t tail) AppendLog(b []byte) []byte { return append(b, t...) }

// newFile returns a file output target and a function that reads it.
func newFile(t *testing.T) (*File, func() string) {
	t.Helper()
	var files Files
	f := files.Add(filepath.Join(t.TempDir(), "error.log"))
	if err := files.Open(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close(nil) })
	return f, func() string {
		b, err := os.ReadFile(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
}

func quietEnv() *Env {
	env := NewEnv()
	env.Console = false
	env.Clock.Update(time.Date(2026, 11, 23, 9, 50, 29, 0, time.Local))
	return env
}

func TestLine(t *testing.T) {
	pid := fmt.Sprintf("%d#%d: ", os.Getpid(), os.Getpid())
	tests := []struct {
		name string
		log  func(l *Logger)
		want string
	}{
		{"plain", func(l *Logger) { l.Log(Notice, nil, "start") }, "[notice] " + pid + "start"},
		{"percent", func(l *Logger) { l.Log(Notice, nil, "100%") }, "[notice] " + pid + "100%"},
		{"args", func(l *Logger) { l.Log(Warn, nil, "%d of %s", 3, "x") }, "[warn] " + pid + "3 of x"},
		{"stderr level", func(l *Logger) { l.Log(Stderr, nil, "x") }, "[] " + pid + "x"},
		{"errno", func(l *Logger) { l.Log(Crit, unix.ENOENT, "open() failed") },
			"[crit] " + pid + "open() failed (2: No such file or directory)"},
		{"wrapped errno", func(l *Logger) { l.Log(Crit, &os.PathError{Op: "open", Err: unix.EACCES}, "open() failed") },
			"[crit] " + pid + "open() failed (13: Permission denied)"},
		{"other error", func(l *Logger) { l.Log(Crit, io.ErrUnexpectedEOF, "read failed") },
			"[crit] " + pid + "read failed (unexpected EOF)"},
		{"connection", func(l *Logger) { l.With(nil, 7).Log(Error, nil, "x") }, "[error] " + pid + "*7 x"},
		{"context", func(l *Logger) { l.With(tail(", client: 1"), 7).Log(Error, unix.EPIPE, "x") },
			"[error] " + pid + "*7 x (32: Broken pipe), client: 1"},
		{"debug has no context", func(l *Logger) { l.With(tail(", client: 1"), 7).Log(DebugHTTP, nil, "x") },
			"[debug] " + pid + "*7 x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, read := newFile(t)
			tt.log(New(quietEnv(), NewFileOutput(f, DebugAll)))
			if diff := cmp.Diff("2026/11/23 09:50:29 "+tt.want+"\n", read()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLineIsCut(t *testing.T) {
	long := strings.Repeat("x", MaxLine+1000)
	tests := []struct {
		name, suffix string
		err          error
	}{
		{"message", "xxx\n", nil},
		{"errno", "xxx... (11: Resource temporarily unavailable)\n", unix.EAGAIN},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, read := newFile(t)
			New(quietEnv(), NewFileOutput(f, Error)).With(nil, 1).Log(Error, tt.err, "%s", long)
			got := read()
			if len(got) > MaxLine || !strings.HasSuffix(got, tt.suffix) {
				t.Errorf("%d bytes, ends in %q", len(got), got[len(got)-60:])
			}
		})
	}
	t.Run("context", func(t *testing.T) {
		f, read := newFile(t)
		New(quietEnv(), NewFileOutput(f, Error)).With(tail(long), 1).Log(Error, nil, "short")
		if got := read(); len(got) != MaxLine || !strings.HasSuffix(got, "x\n") {
			t.Errorf("%d bytes", len(got))
		}
	})
}

func TestChain(t *testing.T) {
	all, readAll := newFile(t)
	crit, readCrit := newFile(t)
	l := New(quietEnv(), NewFileOutput(crit, Crit), NewFileOutput(all, Info))
	if l.Level() != Info {
		t.Errorf("level %v", l.Level())
	}
	l.Log(Info, nil, "info")
	l.Log(Debug, nil, "debug")
	l.Log(Emerg, nil, "emerg")
	if got := readAll(); strings.Count(got, "\n") != 2 {
		t.Errorf("all: %q", got)
	}
	if got := readCrit(); strings.Count(got, "\n") != 1 {
		t.Errorf("crit: %q", got)
	}
	l.With(nil, 1).WithDebug().Log(DebugEvent, nil, "chosen")
	if got := readCrit(); !strings.Contains(got, "[debug]") {
		t.Errorf("debug_connection did not reach every output: %q", got)
	}
}

func TestEntryLevels(t *testing.T) {
	f, _ := newFile(t)
	info := New(quietEnv(), NewFileOutput(f, Info))
	errs := New(quietEnv(), NewFileOutput(f, Error))
	e := info.With(nil, 1)
	if !e.Enabled(Info) || e.WithLogger(errs).Enabled(Info) || e.Enabled(DebugHTTP) {
		t.Error("entry does not follow its logger")
	}
	if !e.WithDebug().WithLogger(errs).Enabled(DebugHTTP) {
		t.Error("debug_connection lost with another logger")
	}
	var none Entry
	none.Log(Stderr, nil, "nowhere")
	var nilLogger *Logger
	nilLogger.Log(Emerg, nil, "nowhere")
}

func TestIntercept(t *testing.T) {
	f, read := newFile(t)
	env := quietEnv()
	l := New(env, NewFileOutput(f, Warn))
	var got []string
	env.Intercept = func(level Level, line []byte) {
		got = append(got, fmt.Sprint(level, " ", string(line)))
		l.Log(Warn, nil, "nested")
	}
	l.Log(Error, nil, "first")
	if len(got) != 1 || !strings.HasPrefix(got[0], "error ") || !strings.HasSuffix(got[0], ": first") {
		t.Errorf("%q", got)
	}
	if n := strings.Count(read(), "\n"); n != 2 {
		t.Errorf("%d lines", n)
	}
}

func TestParseLevels(t *testing.T) {
	tests := []struct {
		in   string
		want Level
		err  string
	}{
		{"", Error, ""},
		{"warn", Warn, ""},
		{"debug", DebugAll, ""},
		{"debug_http debug_core", DebugHTTP | DebugCore, ""},
		{"warn info", 0, `duplicate log level "info"`},
		{"warn debug_http", 0, `invalid log level "debug_http"`},
		{"debug_http warn", 0, `duplicate log level "warn"`},
		{"stderr", 0, `invalid log level "stderr"`},
		{"loud", 0, `invalid log level "loud"`},
	}
	for _, tt := range tests {
		got, err := ParseLevels(strings.Fields(tt.in))
		if got != tt.want || errText(err) != tt.err {
			t.Errorf("%q: %#x, %v", tt.in, got, err)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestStrerror(t *testing.T) {
	for errno, want := range map[unix.Errno]string{
		1: "Operation not permitted", 11: "Resource temporarily unavailable", 12: "Cannot allocate memory",
		41: "Unknown error", 81: ".lib section in a.out corrupted", 110: "Connection timed out",
		133: "Memory page has hardware error", 134: "Unknown error", 4000: "Unknown error",
	} {
		if got := Strerror(errno); got != want {
			t.Errorf("%d: %q, want %q", errno, got, want)
		}
	}
}

func TestFiles(t *testing.T) {
	var files Files
	name := filepath.Join(t.TempDir(), "a.log")
	f := files.Add(name)
	stderr := files.Add("")
	if files.Add(name) != f || files.Add("") != stderr || len(files.All()) != 2 {
		t.Error("files are not shared")
	}
	if err := files.Open(); err != nil {
		t.Fatal(err)
	}
	l := New(quietEnv(), NewFileOutput(f, Notice))
	l.Log(Notice, nil, "before")
	if err := os.Rename(name, name+".1"); err != nil {
		t.Fatal(err)
	}
	flushed, fd := false, f.FD()
	f.Flush = func(*File) { flushed = true }
	files.Reopen(l, os.Getuid())
	l.Log(Notice, nil, "after")
	if _, err := unix.Write(fd, []byte("late\n")); err != nil { // of one who has asked for FD before
		t.Error(err)
	}
	b, err := os.ReadFile(name)
	if err != nil || !strings.HasSuffix(string(b), "after\nlate\n") || strings.Contains(string(b), "before") {
		t.Errorf("%q, %v", b, err)
	}
	if !flushed {
		t.Error("not flushed before the reopening")
	}
	files.Close(nil)

	missing := files.Add(filepath.Join(t.TempDir(), "no", "such"))
	err = files.Open()
	if !errors.Is(err, unix.ENOENT) || err.Error() != "open() \""+missing.Name+"\" failed" {
		t.Errorf("%v", err)
	}
}

func TestMemory(t *testing.T) {
	if _, err := NewMemory(MaxLine, "nginx.conf:1"); err == nil {
		t.Error("too small a buffer accepted")
	}
	m, err := NewMemory(8192, "nginx.conf:3")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(m.Bytes()), "MEMLOG 8192 nginx.conf:3\n   ") {
		t.Errorf("%q", m.Bytes()[:40])
	}
	l := New(quietEnv(), NewMemoryOutput(m, Notice))
	for i := range 200 {
		l.Log(Notice, nil, "line %d.", i)
	}
	got := string(m.Bytes())
	if !strings.Contains(got, "line 199.\n") || strings.Contains(got, "line 1.\n") || len(got) != 8192 {
		t.Errorf("%q", got)
	}
}

func TestDirective(t *testing.T) {
	size := func(s string) (int64, error) {
		var n int64
		_, err := fmt.Sscanf(s, "%dk", &n)
		return n << 10, err
	}
	var files Files
	parse := func(args ...string) (*Output, error) {
		d := Directive{Value: args[0], Levels: args[1:], Position: "c:1", Files: &files, Env: quietEnv(),
			Size: size, Path: func(s string) string { return "/p/" + s }}
		return d.Output()
	}
	if out, err := parse("logs/e.log", "crit"); err != nil || out.File().Name != "/p/logs/e.log" || out.Level() != Crit {
		t.Error(out, err)
	}
	if out, err := parse("stderr"); err != nil || out.File().FD() != 2 || out.Level() != Error {
		t.Error(out, err)
	}
	if out, err := parse("memory:32k", "debug"); err != nil || out.Memory() == nil || out.Level() != DebugAll {
		t.Error(out, err)
	}
	for arg, want := range map[string]string{
		"memory:1k":             `invalid buffer size "1k"`,
		"memory:x":              `invalid buffer size "x"`,
		"syslog:facility=user":  "no syslog server specified",
		"syslog:server=[::1":    `invalid host in syslog server "[::1"`,
		"syslog:server=unix:":   `no path in the unix domain socket in syslog server "unix:"`,
		"syslog:server=1.1.1.1": "",
	} {
		if _, err := parse(arg); errText(err) != want {
			t.Errorf("%s: %v", arg, err)
		}
	}
}

func TestClock(t *testing.T) {
	var c Clock
	if ok, _ := regexp.MatchString(`^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d$`, c.Times().Error); !ok {
		t.Errorf("%q", c.Times().Error)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	c.Update(now)
	if got := c.Times(); got.Error != "2026/01/02 03:04:05" || got.Syslog != "Jan  2 03:04:05" ||
		!strings.HasPrefix(got.Common, "02/Jan/2026:03:04:05 ") || !strings.HasPrefix(got.ISO8601, "2026-01-02T03:04:05") ||
		got.HTTP != now.UTC().Format(time.RFC1123[:len(time.RFC1123)-3])+"GMT" {
		t.Errorf("%+v", got)
	}
	if n := testing.AllocsPerRun(100, func() { c.Update(now.Add(time.Millisecond)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestNoAllocations(t *testing.T) {
	f, _ := newFile(t)
	e := New(quietEnv(), NewFileOutput(f, Info)).With(tail(", client: 127.0.0.1"), 3)
	if n := testing.AllocsPerRun(100, func() {
		e.Log(Info, unix.ECONNRESET, "client closed connection")
		if e.Enabled(DebugHTTP) {
			e.Log(DebugHTTP, nil, "state %d", 4)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestDiskFull(t *testing.T) {
	var files Files
	out := NewFileOutput(files.Add("/dev/full"), Info)
	if err := files.Open(); err != nil {
		t.Skip(err)
	}
	defer files.Close(nil)
	env := quietEnv()
	New(env, out).Log(Error, nil, "lost")
	if out.diskFull.Load() != env.Clock.Times().Unix {
		t.Error("a full disk was not noticed")
	}
}

// consoleEnv makes the test binary log to the console instead of testing.
const consoleEnv = "MOONGATE_TEST_CONSOLE"

func TestMain(m *testing.M) {
	if os.Getenv(consoleEnv) == "" {
		os.Exit(m.Run())
	}
	env := NewEnv()
	l := Bootstrap(env, "/nonexistent/error.log")
	env.Clock.Update(time.Date(2026, 11, 23, 9, 50, 29, 0, time.Local))
	l.Log(Emerg, unix.EADDRINUSE, "bind() failed")

	l = New(env, NewFileOutput(&File{Name: "/dev/null"}, Debug))
	l.Log(Warn, nil, "both")
	l.Log(Notice, nil, "only in the file")
	env.Console = false
	l.Log(Emerg, nil, "only in the file")
	Console(nil, "invalid option: \"%s\"", "x")
}

func TestConsole(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), consoleEnv+"=1")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	want := "nginx: [alert] could not open error log file: open() \"/nonexistent/error.log\" failed (2: No such file or directory)\n" +
		fmt.Sprintf("2026/11/23 09:50:29 [emerg] %d#%[1]d: bind() failed (98: Address already in use)\n", pid) +
		"nginx: [warn] both\n" +
		"nginx: invalid option: \"x\"\n"
	if diff := cmp.Diff(want, stderr.String()); diff != "" {
		t.Error(diff)
	}
}

func TestConcurrentUse(t *testing.T) {
	f, read := newFile(t)
	env := quietEnv()
	l := New(env, NewFileOutput(f, Info))
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for range 50 {
				l.With(tail(", client: x"), uint64(i+1)).Log(Info, nil, "line of %d", i)
				env.Clock.Update(time.Now())
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(read(), "\n"), "\n")
	if len(lines) != 200 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if !strings.HasSuffix(line, ", client: x") {
			t.Fatalf("%q", line)
		}
	}
}
