package backends

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"moongate/tests/spec"
)

// TestCacheSurvives: what is in a cache is there after a restart. Of what was
// being written when the worker was killed nothing is served.
func TestCacheSurvives(t *testing.T) {
	t.Parallel()
	const count = 40
	body := strings.Repeat("0123456789", 20_000)
	dir := filepath.Join(spec.Folder(t), "cache")
	asked, broken := make(chan bool, 1), false
	address := runProgram(t, &dialects[0], func(v *visit) {
		if v.uri != "/broken" || broken {
			v.answer(body)
			return
		}
		broken = true
		v.say(fmt.Sprintf("Status: 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body[:len(body)/2]))
		asked <- true
		_, _ = io.Copy(io.Discard, v) // until the worker is dead
	})
	serve := func(t *testing.T) *spec.Server {
		return start(t, `A cache that survives.

allows: exited on signal 9
-- http.conf --
proxy_cache_path `+dir+` levels=1:2 keys_zone=a:1m use_temp_path=off;
server {
	listen 127.0.0.1:8080;
	proxy_cache a;
	proxy_cache_key $uri;
	proxy_cache_valid any 1h;
	proxy_buffers 4 4k;
	add_header X-Cache $upstream_cache_status;
	location / { proxy_pass http://`+address+`; }
}
`)
	}
	want := func(t *testing.T, s *spec.Server, path, status string) {
		t.Helper()
		a := ask(t, "GET", "http://"+s.Addr(8080)+path, nil, "Connection", "close")
		if got := a.Header.Get("X-Cache"); got != status || a.body != body {
			t.Errorf("%s: %s, %d bytes; want %s", path, got, len(a.body), status)
		}
	}
	t.Run("before", func(t *testing.T) {
		s := serve(t)
		for i := range count {
			want(t, s, fmt.Sprintf("/%d", i), "MISS")
		}
		c, err := net.Dial("tcp", s.Addr(8080))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprint(c, "GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
		<-asked
		in := bufio.NewReader(c)
		if _, err := http.ReadResponse(in, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(in, make([]byte, len(body)/4)); err != nil { // much of it is in the file
			t.Fatal(err)
		}
		if n := unfinished(dir); n != 1 {
			t.Errorf("%d files are being written", n)
		}
		old := s.Workers()
		for _, pid := range old {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		s.Await(t, "exited on signal 9")
		want(t, s, "/0", "HIT")
	})
	t.Run("after", func(t *testing.T) {
		s := serve(t)
		for i := range count {
			want(t, s, fmt.Sprintf("/%d", i), "HIT")
		}
		want(t, s, "/broken", "MISS")
		want(t, s, "/broken", "HIT")
	})
}

// unfinished is how many files of a cache have not got their names yet.
func unfinished(dir string) (n int) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && strings.Contains(filepath.Base(path), ".") {
			n++
		}
		return nil
	})
	return n
}
