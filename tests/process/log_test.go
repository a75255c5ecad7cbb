package process

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moongate/tests/spec"
)

// get sends a request and reads the answer, which is of no matter.
func get(t *testing.T, url string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, r.Body)
	r.Body.Close()
}

// TestErrorLogToSyslog: error_log sends each line to a syslog server, as one
// message with the priority of the facility and the level.
func TestErrorLogToSyslog(t *testing.T) {
	t.Parallel()
	syslog, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syslog.Close() })
	server := "syslog:server=" + syslog.LocalAddr().String()
	s := spec.Serve(t, spec.FindTarget(t), `error_log to syslog
-- nginx.conf --
error_log `+server+`,facility=daemon,tag=main,nohostname notice;
events { }
http {
    access_log off;
    error_log `+server+`,tag=requests error;
    server { listen 127.0.0.1:8080; root html; }
}
`)
	get(t, "http://"+s.Addr(8080)+"/gone")
	const head, line = `[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d `, `\d{4}/\d\d/\d\d \d\d:\d\d:\d\d `
	want := []*regexp.Regexp{
		regexp.MustCompile(`^<29>` + head + `main: ` + line + `\[notice\] \d+#\d+: start worker processes$`),
		regexp.MustCompile(`^<187>` + head + `\S+ requests: ` + line + `\[error\] \d+#\d+: \*\d+ open\(\) "\S+/html/gone" failed \(2: No such file or directory\), client: 127\.0\.0\.1, `),
	}
	var all []string
	message := make([]byte, 4096)
	for len(want) > 0 {
		_ = syslog.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _, err := syslog.ReadFrom(message)
		if err != nil {
			t.Fatalf("%v; there is no %s in\n%s", err, want, strings.Join(all, "\n"))
		}
		all = append(all, string(message[:n]))
		want = slices.DeleteFunc(want, func(re *regexp.Regexp) bool { return re.Match(message[:n]) })
	}
}

// TestErrorLogInMemory: error_log keeps lines in the memory of the process,
// behind a mark by which a debugger finds them.
func TestErrorLogInMemory(t *testing.T) {
	t.Parallel()
	s := spec.Serve(t, spec.FindTarget(t), `error_log in memory
-- nginx.conf --
master_process off;
error_log logs/error.log notice;
error_log memory:40000 debug;
events { }
http {
    access_log off;
    server { listen 127.0.0.1:8080; root html; }
}
`)
	get(t, "http://"+s.Addr(8080)+"/remembered")
	pid, err := s.File("logs/nginx.pid")
	if err != nil {
		t.Fatal(err)
	}
	buffers := find(t, strings.TrimSpace(pid), regexp.MustCompile(`MEMLOG 40000 \S+/conf/nginx\.conf:3\n`), 40000)
	if !slices.ContainsFunc(buffers, func(b []byte) bool {
		return bytes.Contains(b, []byte(`[debug]`)) && bytes.Contains(b, []byte(`html/remembered" failed (2: No such file or directory)`))
	}) {
		t.Errorf("%d buffers, none with the request", len(buffers))
	}
}

// find returns, for each match in the memory of a process, size bytes from there on.
func find(t *testing.T, pid string, mark *regexp.Regexp, size int) (found [][]byte) {
	t.Helper()
	memory, err := os.Open(filepath.Join("/proc", pid, "mem"))
	if err != nil {
		t.Skipf("the memory of another process cannot be read here: %v", err)
	}
	defer memory.Close()
	maps, err := os.ReadFile(filepath.Join("/proc", pid, "maps"))
	if err != nil {
		t.Fatal(err)
	}
	const step = 1 << 20
	chunk := make([]byte, step+size) // what begins in a step may end behind it
	for area := range strings.Lines(string(maps)) {
		var begin, end uint64
		var rights string
		if _, err := fmt.Sscanf(area, "%x-%x %s", &begin, &end, &rights); err != nil || !strings.HasPrefix(rights, "rw") {
			continue
		}
		for ; begin < end; begin += step {
			n, _ := memory.ReadAt(chunk[:min(uint64(len(chunk)), end-begin)], int64(begin))
			for _, at := range mark.FindAllIndex(chunk[:n], -1) {
				if at[0] < step {
					found = append(found, slices.Clone(chunk[at[0]:min(at[0]+size, n)]))
				}
			}
		}
	}
	return found
}
