package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// luaHelloAllocations is how many allocations a request may make that content_by_lua answers with one ngx.say.
const luaHelloAllocations = 2

// TestLuaHelloAllocations runs the whole server in this process and counts what the shortest Lua handler costs.
func TestLuaHelloAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the server")
	}
	dir, port := t.TempDir(), freePort(t)
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`daemon off; master_process off; error_log logs/error.log crit; pid logs/nginx.pid;
events { }
http { access_log off; keepalive_requests 1000000;
server { listen 127.0.0.1:%d; location / { content_by_lua_block { ngx.say("hello") } } } }
`, port)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	stop := startServer(t, dir)
	defer stop()
	fd := connect(t, port)
	defer unix.Close(fd)
	request, reply := []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"), make([]byte, 4096)
	exchange := func() {
		if _, err := unix.Write(fd, request); err != nil {
			t.Fatal(err)
		}
		if n, err := unix.Read(fd, reply); err != nil || n == 0 {
			t.Fatal(n, err)
		}
	}
	for range 1000 {
		exchange()
	}
	const rounds = 5000
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range rounds {
		exchange()
	}
	runtime.ReadMemStats(&after)
	n := float64(after.Mallocs-before.Mallocs) / rounds
	t.Logf("%.1f allocations, %d bytes a request", n, (after.TotalAlloc-before.TotalAlloc)/rounds)
	if n > luaHelloAllocations {
		t.Errorf("%.1f allocations a request", n)
	}
}
