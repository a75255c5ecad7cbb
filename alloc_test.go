package main

import (
	"bytes"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/process"
	"moongate/parser"
)

// allocCases are the requests that must not allocate once the worker is warm,
// with the directives of the location that serves html/.
var allocCases = []struct{ name, location, header string }{
	{"file", "", ""},
	{"none", "", ""},
	{"log", "access_log logs/a.log;", ""},
	{"try", "try_files $uri /index.html;", ""},
	{"headers", "add_header X-A $uri; add_header X-B b always; expires 1h;", ""},
	{"conditional", "", "If-None-Match: \"x\"\r\n"},
	{"gzip", "gzip on; gzip_min_length 1;", "Accept-Encoding: gzip\r\n"},
	{"charset", "charset utf-8;", ""},
	{"proxy", `proxy_pass http://self/file/; proxy_http_version 1.1; proxy_set_header Connection "";`, ""},
}

// TestKeepAliveRequestsDoNotAllocate runs the whole server in this process and
// counts what a request on a kept connection allocates in the steady state.
func TestKeepAliveRequestsDoNotAllocate(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the server")
	}
	dir := t.TempDir()
	port := freePort(t)
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	locations := ""
	for _, c := range allocCases {
		locations += fmt.Sprintf("location /%s/ { root html; %s }\n", c.name, c.location)
		if c.name != "none" {
			write("html/"+c.name+"/index.html", "hello\n")
		}
	}
	write("logs/keep", "")
	write("nginx.conf", fmt.Sprintf(`daemon off; master_process off; error_log logs/error.log crit; pid logs/nginx.pid;
events { }
http { access_log off; keepalive_requests 1000000;
upstream self { server 127.0.0.1:%[1]d; keepalive 4; keepalive_requests 1000000; }
server { listen 127.0.0.1:%[1]d; log_not_found off; types { text/html html; }
%[2]s} }
`, port, locations))
	stop := startServer(t, dir)
	defer stop()
	for _, c := range allocCases {
		t.Run(c.name, func(t *testing.T) {
			n, _ := allocations(t, port, "GET /"+c.name+"/index.html HTTP/1.1\r\nHost: localhost\r\nUser-Agent: test\r\nAccept: */*\r\n"+c.header+"\r\n")
			// The clock's texts change once a second, which is all there may be.
			if n > 0.02 {
				t.Errorf("%.2f allocations a request", n)
			}
		})
	}
}

// allocations sends a request again and again on a kept connection to the
// server in this process, and returns what each costs once it is warm. What
// happens by the clock and not by the request (its texts, a collection that
// empties the pools) is the more the slower the machine is: the least of
// several measurements counts, which each request's own allocations are part of.
func allocations(t *testing.T, port int, request string) (number, size float64) {
	fd := connect(t, port)
	defer unix.Close(fd)
	out, reply := []byte(request), make([]byte, 4096)
	exchange := func() {
		if _, err := unix.Write(fd, out); err != nil {
			t.Fatal(err)
		}
		for got := 0; !complete(reply[:got]); {
			n, err := unix.Read(fd, reply[got:])
			if err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 {
				t.Fatalf("%v after %q", err, reply[:got])
			}
			got += n
		}
	}
	for range 1000 {
		exchange()
	}
	const rounds, measurements = 1000, 5
	number, size = math.Inf(1), math.Inf(1)
	for range measurements {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			exchange()
		}
		runtime.ReadMemStats(&after)
		number = min(number, float64(after.Mallocs-before.Mallocs)/rounds)
		size = min(size, float64(after.TotalAlloc-before.TotalAlloc)/rounds)
	}
	return number, size
}

// complete tells whether a reply has come whole, without allocating.
func complete(reply []byte) bool {
	head, body, ok := bytes.Cut(reply, []byte("\r\n\r\n"))
	if !ok || bytes.HasPrefix(head, []byte("HTTP/1.1 304 ")) {
		return ok
	}
	_, field, ok := bytes.Cut(head, []byte("\r\nContent-Length: "))
	if !ok {
		return bytes.HasSuffix(body, []byte("0\r\n\r\n"))
	}
	n := 0
	for _, c := range field {
		if c < '0' || c > '9' {
			break
		}
		n = n*10 + int(c-'0')
	}
	return len(body) >= n
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// startServer runs the server in a goroutine of this process, with modules of
// the test behind its own.
func startServer(t *testing.T, dir string, extra ...*conf.Module) (stop func()) {
	done := make(chan int)
	o := &process.CommandLine{
		Registry: conf.NewRegistry(slices.Concat(modules, extra)...), Source: parser.Files{},
		Prefix: dir + "/", ConfPrefix: dir + "/", File: dir + "/nginx.conf", ErrorLog: "logs/error.log",
	}
	go func() { done <- process.Main(o) }()
	return func() {
		select {
		case <-done:
			return // it never started, and said why
		default:
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGQUIT); err != nil {
			t.Error(err)
		}
		select {
		case <-done:
		case <-time.After(10 * time.Second):
			t.Error("the server did not stop")
		}
	}
}

// connect opens a blocking socket, waiting for the server to listen.
func connect(t *testing.T, port int) int {
	sa := &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}
	for end := time.Now().Add(10 * time.Second); ; {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err = unix.Connect(fd, sa); err == nil {
			return fd
		}
		unix.Close(fd)
		if time.Now().After(end) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
