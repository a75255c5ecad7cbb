package backends

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moongate/tests/spec"
)

// speeches are all protocols.
var speeches = []*speech{&oddHTTP, &oddCGI, &oddUWSGI, &oddFastCGI, &oddMemcached, &oddGRPC}

// location is one that passes to a peer, with further directives, in which P_
// stands for the protocol's prefix.
func (s *speech) location(path, peer, directives string) string {
	return fmt.Sprintf("location %s { %s %s }\n", path, fmt.Sprintf(s.modes[0].location, peer), strings.ReplaceAll(directives, "P_", s.prefix+"_"))
}

// listen listens at a free port until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestSharedSockets: what a protocol's directives say about connections is so
// when a peer gets one.
func TestSharedSockets(t *testing.T) {
	t.Parallel()
	ss, oracle := find(t, "ss"), spec.FindTarget(t).Oracle
	for _, s := range speeches {
		t.Run(s.prefix, func(t *testing.T) {
			t.Parallel()
			l := listen(t)
			to := l.Addr().String()
			text := s.location("/plain/", to, "") + s.location("/bind/", to, "P_bind 127.0.0.2;") +
				s.location("/keepalive/", to, "P_socket_keepalive on;")
			sizes := s.prefix != "memcached" && !oracle // they are of 1.31
			if sizes {
				text += s.location("/sizes/", to, "P_socket_rcvbuf 20k; P_socket_sndbuf 24k;")
			}
			server := start(t, "Sockets.\n\n-- http.conf --\nserver { listen 127.0.0.1:8080;\n"+text+"}\n")
			// seen asks for a path; it returns what the peer sees of the connection.
			seen := func(path string) string {
				answered := make(chan string)
				go func() { answered <- exchange(t, server.Addr(8080), "GET", path+"odd/fine/") }()
				c, err := l.Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				if text, err := s.read(bufio.NewReader(c)); text == "" {
					t.Fatal(err)
				}
				from := c.RemoteAddr().String()
				out, err := exec.Command(ss, "-Htnmo", "src", from, "dst", to).CombinedOutput()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.WriteString(c, strings.ReplaceAll(s.fine, "$path", path+"odd/fine/")); err != nil {
					t.Fatal(err)
				}
				c.Close()
				<-answered
				return from + " " + string(out)
			}
			plain := seen("/plain/")
			if strings.Contains(plain, "timer:(keepalive") || !strings.HasPrefix(plain, "127.0.0.1:") {
				t.Errorf("without directives: %s", plain)
			}
			if got := seen("/bind/"); !strings.HasPrefix(got, "127.0.0.2:") {
				t.Errorf("bind: %s", got)
			}
			if got := seen("/keepalive/"); !strings.Contains(got, "timer:(keepalive") {
				t.Errorf("socket_keepalive: %s", got)
			}
			if !sizes {
				return
			}
			if got := seen("/sizes/"); !strings.Contains(got, ",rb40960,") || !strings.Contains(got, ",tb49152,") {
				t.Errorf("socket_rcvbuf and sndbuf: %s", got)
			}
		})
	}
}

// TestSharedTries: how many peers are asked, and for how long.
func TestSharedTries(t *testing.T) {
	t.Parallel()
	for _, s := range speeches {
		t.Run(s.prefix, func(t *testing.T) {
			t.Parallel()
			var asked atomic.Int32
			groups, text := "", ""
			for _, test := range []struct{ name, directives string }{
				{"all", ""}, {"tries", "P_next_upstream_tries 2;"}, {"off", "P_next_upstream off;"}, {"time", "P_next_upstream_timeout 100ms;"},
			} {
				groups += "upstream " + test.name + " {"
				for range 3 {
					l := listen(t)
					groups += " server " + l.Addr().String() + " max_fails=0;"
					go func() {
						for {
							c, err := l.Accept()
							if err != nil {
								return
							}
							_, _ = s.read(bufio.NewReader(c))
							if asked.Add(1); test.name == "time" {
								time.Sleep(150 * time.Millisecond)
							}
							c.Close()
						}
					}()
				}
				groups += " }\n"
				text += s.location("/"+test.name+"/", test.name, test.directives)
			}
			server := start(t, "Tries.\n\n-- http.conf --\n"+groups+"server { listen 127.0.0.1:8080;\n"+text+"}\n")
			for name, want := range map[string]int32{"all": 3, "tries": 2, "off": 1, "time": 1} {
				asked.Store(0)
				if got := exchange(t, server.Addr(8080), "GET", "/"+name+"/odd/fine/"); !strings.HasPrefix(got, "HTTP/1.1 502 ") {
					t.Errorf("%s: %q", name, got)
				}
				if n := asked.Load(); n != want {
					t.Errorf("%s: %d peers were asked, want %d", name, n, want)
				}
			}
		})
	}
}

// fullListener listens and takes no connection any more: the kernel drops what
// asks for one.
func fullListener(t *testing.T) (address string) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	address = fmt.Sprintf("127.0.0.1:%d", name.(*unix.SockaddrInet4).Port)
	for range 8 {
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Skip("the kernel queues more connections than it was asked to")
	return ""
}

// TestSharedTimeouts: the time for connecting, and for sending a request to a
// peer that does not read it. That for reading is TestOddAnswers'.
func TestSharedTimeouts(t *testing.T) {
	t.Parallel()
	full := fullListener(t)
	small := net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) (err error) {
		_ = c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, 4096) })
		return err
	}}
	deaf, err := small.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { deaf.Close() })
	text := ""
	for _, s := range speeches {
		text += s.location("/connect-"+s.prefix+"/", full, "P_connect_timeout 300ms;")
		if s.prefix != "memcached" {
			text += s.location("/send-"+s.prefix+"/", deaf.Addr().String(), "P_send_timeout 300ms;")
		}
	}
	server := start(t, "Timeouts.\n\n-- http.conf --\nclient_max_body_size 0;\nserver { listen 127.0.0.1:8080;\n"+text+"}\n")
	for _, s := range speeches {
		t.Run(s.prefix, func(t *testing.T) {
			t.Parallel()
			if a := ask(t, "GET", "http://"+server.Addr(8080)+"/connect-"+s.prefix+"/", nil); a.StatusCode != 504 {
				t.Errorf("connecting: %s", a.Status)
			}
			server.Await(t, `upstream timed out \(110: Connection timed out\) while connecting to upstream, .* "GET /connect-`+s.prefix+"/")
			if s.prefix == "memcached" {
				return
			}
			if a := ask(t, "POST", "http://"+server.Addr(8080)+"/send-"+s.prefix+"/", strings.NewReader(strings.Repeat("x", 10<<20))); a.StatusCode != 504 {
				t.Errorf("sending: %s", a.Status)
			}
			server.Await(t, `upstream timed out \(110: Connection timed out\) while sending request to upstream, .* "POST /send-`+s.prefix+"/")
		})
	}
}
