package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/http"
	"moongate/lua/api"
)

// breaker gives Lua a function in Go that panics.
var breaker = &http.Module{Module: conf.Module{
	Name: "test_breaker",
	Directives: []conf.Directive{conf.Command("install_broken", conf.HTTPLocation, conf.NoArgs, func(cf *conf.Conf) error {
		http.LocOf(cf).Handler = func(r *http.Request) http.Verdict {
			v := api.Of(r).VM
			v.Globals().RawSetString("broken", v.L.NewFunction(func(l *lua.LState) int { return []int{}[l.GetTop()] }))
			return r.Respond(http.StatusOK, "text/plain", "installed\n")
		}
		return nil
	})},
}}

// TestLuaPanic: a Go panic in a function of the API is the 500 of the request that called it. The server, whose worker
// is this process, answers the next one.
func TestLuaPanic(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the server")
	}
	dir, port := t.TempDir(), freePort(t)
	if err := os.MkdirAll(filepath.Join(dir, "logs"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf(`daemon off; master_process off; error_log logs/error.log; pid logs/nginx.pid;
events { }
http { access_log off;
server { listen 127.0.0.1:%d;
location /install { install_broken; }
location /call { content_by_lua_block { broken() } }
location /thread { content_by_lua_block { ngx.thread.wait(ngx.thread.spawn(broken)) broken() } }
location /access { access_by_lua_block { broken() } }
location /caught { content_by_lua_block { ngx.print(select(2, pcall(broken))) } }
} }
`, port)
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	stop := startServer(t, dir, &breaker.Module)
	defer stop()
	for _, c := range []struct{ path, want string }{
		{"/install", "HTTP/1.1 200 OK"}, {"/call", "HTTP/1.1 500 Internal Server Error"},
		{"/thread", "HTTP/1.1 500 Internal Server Error"}, {"/access", "HTTP/1.1 500 Internal Server Error"},
		{"/caught", "HTTP/1.1 200 OK"}, {"/install", "HTTP/1.1 200 OK"},
	} {
		if got := statusLine(t, port, c.path); got != c.want {
			t.Errorf("%s: %q, want %q", c.path, got, c.want)
		}
	}
	if log, err := os.ReadFile(filepath.Join(dir, "logs/error.log")); err != nil ||
		!bytes.Contains(log, []byte("[alert]")) || !bytes.Contains(log, []byte("panic: ")) {
		t.Errorf("the log does not tell of the panic: %v\n%s", err, log)
	}
}

// statusLine asks on a connection of its own, which the server closes.
func statusLine(t *testing.T, port int, path string) string {
	fd := connect(t, port)
	defer unix.Close(fd)
	if _, err := unix.Write(fd, []byte("GET "+path+" HTTP/1.0\r\nHost: localhost\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	var reply []byte
	for b := make([]byte, 4096); ; {
		n, err := unix.Read(fd, b)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			break
		}
		reply = append(reply, b[:n]...)
	}
	line, _, _ := bytes.Cut(reply, []byte("\r\n"))
	return string(line)
}
