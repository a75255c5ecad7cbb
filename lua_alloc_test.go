package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
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
	n, bytes := allocations(t, port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	t.Logf("%.1f allocations, %.0f bytes a request", n, bytes)
	if n > luaHelloAllocations {
		t.Errorf("%.1f allocations a request", n)
	}
}
