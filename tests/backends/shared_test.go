package backends

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"moongate/tests/spec"
)

// shared is a server in front of a program that speaks one of the four protocols
// that have the same directives.
type shared struct {
	*testing.T
	*spec.Server
	mu    sync.Mutex
	count map[string]int // visits by URI
}

// share starts a server with locations; P_ stands for the prefix of the
// protocol's directives, PASS for what passes to the program, whose n-th visit
// with a URI say answers.
func share(t *testing.T, d *dialect, main, locations string, say func(v *visit, n int)) *shared {
	t.Helper()
	s := &shared{T: t, count: make(map[string]int)}
	address := runProgram(t, d, func(v *visit) {
		s.mu.Lock()
		s.count[v.uri]++
		n := s.count[v.uri]
		s.mu.Unlock()
		say(v, n)
	})
	text := strings.NewReplacer("P_", d.prefix+"_", "PASS", d.prefix+"_pass "+d.scheme()+address+";").Replace(
		"Shared.\n\n-- http.conf --\n" + main + "\nclient_max_body_size 0;\nserver { listen 127.0.0.1:8080;\n" + d.params() + "\n" + locations + "}\n")
	s.Server = start(t, text)
	return s
}

// get asks for a path.
func (s *shared) get(method, path string, header ...string) answer {
	s.Helper()
	return ask(s.T, method, "http://"+s.Addr(8080)+path, nil, header...)
}

// each runs a test with each of the four protocols.
func each(t *testing.T, f func(t *testing.T, d *dialect)) {
	t.Parallel()
	for i := range dialects {
		t.Run(dialects[i].prefix, func(t *testing.T) {
			t.Parallel()
			f(t, &dialects[i])
		})
	}
}

// TestSharedFields: which fields of a response go to the client, and which have
// a meaning here.
func TestSharedFields(t *testing.T) {
	each(t, func(t *testing.T, d *dialect) {
		s := share(t, d, "", `
location /hidden { P_hide_header X-A; PASS }
location /shown { P_pass_header X-Accel-Charset; PASS }
location /redirected { PASS }
location /ignored { P_ignore_headers X-Accel-Redirect X-Accel-Charset; P_pass_header X-Accel-Redirect; PASS }
location /inner { return 200 "inner\n"; }
location /small { P_buffer_size 1k; P_buffers 4 1k; P_busy_buffers_size 2k; PASS }
`, func(v *visit, _ int) {
			switch v.uri {
			case "/redirected", "/ignored":
				v.answer("outer\n", "X-Accel-Redirect: /inner")
			case "/small/header":
				v.answer("", "X-A: "+strings.Repeat("a", 1100))
			case "/small/body":
				v.answer(strings.Repeat("0123456789", 30_000))
			default:
				v.answer("", "X-A: b", "X-Accel-Charset: utf-8", "Content-Type: text/plain")
			}
		})
		if h := s.get("GET", "/hidden").Header; h.Get("X-A") != "" || h.Get("X-Accel-Charset") != "" {
			t.Errorf("hide_header: %v", h)
		}
		if h := s.get("GET", "/shown").Header; h.Get("X-A") != "b" || h.Get("X-Accel-Charset") != "utf-8" {
			t.Errorf("pass_header: %v", h)
		}
		s.get("GET", "/redirected").want(t, 200, "inner\n")
		a := s.get("GET", "/ignored")
		if a.want(t, 200, "outer\n"); a.Header.Get("X-Accel-Redirect") != "/inner" {
			t.Errorf("ignore_headers: %v", a.Header)
		}
		if a := s.get("GET", "/small/header"); a.StatusCode != 502 {
			t.Errorf("buffer_size: %s", a.Status)
		}
		s.Await(t, `upstream sent too big header while reading response header from upstream, .* "GET /small/header`)
		s.get("GET", "/small/body").want(t, 200, strings.Repeat("0123456789", 30_000))
	})
}

// TestSharedBuffering: with buffering a response goes on when there is enough
// of it, and a request when all of it is there; without, at once.
func TestSharedBuffering(t *testing.T) {
	each(t, func(t *testing.T, d *dialect) {
		next, arrived := make(chan bool), make(chan string, 1)
		s := share(t, d, "", `
location /direct { P_buffering off; PASS }
location /asked { P_buffering on; PASS }
location /streamed { P_request_buffering off; PASS }
location /whole { P_request_buffering on; PASS }
`, func(v *visit, _ int) {
			switch v.uri {
			case "/direct", "/asked":
				line := "X-A: b"
				if v.uri == "/asked" {
					line = "X-Accel-Buffering: no"
				}
				v.say("Status: 200 OK\r\n" + line + "\r\nContent-Length: 6\r\n\r\none")
				await(t, next)
				v.say("two")
			default:
				b := make([]byte, 3)
				_, _ = io.ReadFull(v.body, b)
				arrived <- string(b)
				rest, _ := io.ReadAll(v.body)
				v.answer(string(b) + string(rest))
			}
		})
		for _, path := range []string{"/direct", "/asked"} {
			resp, err := http.Get("http://" + s.Addr(8080) + path)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 3)
			_, err = io.ReadFull(resp.Body, b)
			next <- true
			rest, _ := io.ReadAll(resp.Body)
			if resp.Body.Close(); err != nil || string(b)+string(rest) != "onetwo" {
				t.Errorf("%s: %q %q %v", path, b, rest, err)
			}
		}
		for _, path := range []string{"/whole", "/streamed"} {
			if path == "/streamed" && d.prefix == "scgi" && spec.FindTarget(t).Oracle {
				continue // an old one says that the body ends where it is at first
			}
			c, err := net.Dial("tcp", s.Addr(8080))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nConnection: close\r\n\r\none", path)
			if path == "/streamed" {
				if got := <-arrived; got != "one" {
					t.Errorf("%s: %q", path, got)
				}
			}
			fmt.Fprint(c, "two")
			b, err := io.ReadAll(c)
			if err != nil || !strings.HasSuffix(string(b), "\r\n\r\nonetwo") {
				t.Errorf("%s: %q %v", path, b, err)
			}
		}
	})
}

// TestSharedFiles: what the client does not take goes into a temporary file,
// or waits with the peer; what is stored stays.
func TestSharedFiles(t *testing.T) {
	const size = 8 << 20
	large := strings.Repeat("0123456789abcdef", size/16)
	each(t, func(t *testing.T, d *dialect) {
		s := share(t, d, "P_temp_path places 1;", `
location /filed { PASS }
location /unfiled { P_max_temp_file_size 0; PASS }
location /pieces { P_max_temp_file_size 64k; P_temp_file_write_size 16k; PASS }
location /store { P_store on; P_store_access group:r all:r; root places; PASS }
`, func(v *visit, _ int) {
			if v.uri == "/stored.txt" || strings.HasPrefix(v.uri, "/store") {
				v.answer("to be kept\n")
				return
			}
			v.answer(large)
		})
		for _, path := range []string{"/filed", "/pieces", "/unfiled"} {
			c, err := net.Dial("tcp", s.Addr(8080))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			_ = c.SetDeadline(time.Now().Add(20 * time.Second))
			_ = c.(*net.TCPConn).SetReadBuffer(1 << 16)
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", path)
			if path != "/unfiled" {
				s.Await(t, `an upstream response is buffered to a temporary file \S+places/\d/\d+ while reading upstream, .* "GET `+path+" ")
			}
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := io.ReadAll(resp.Body); err != nil || string(b) != large {
				t.Errorf("%s: %d bytes, %v", path, len(b), err)
			}
		}
		if strings.Contains(s.Log(), `"GET /unfiled `) {
			t.Errorf("max_temp_file_size: %s", s.Log())
		}
		s.get("GET", "/store/d/kept.txt").want(t, 200, "to be kept\n")
		s.AwaitFile(t, "places/store/d/kept.txt", "^to be kept")
		if info, err := os.Stat(s.Path("places/store/d/kept.txt")); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("store_access: %v %v", info, err)
		}
	})
}

// TestSharedAbort: a client that goes away ends the request, or not.
func TestSharedAbort(t *testing.T) {
	each(t, func(t *testing.T, d *dialect) {
		reached, next := make(chan bool, 1), make(chan bool)
		s := share(t, d, `log_format seen '$uri $status'; access_log logs/access.log seen;`, `
location /ended { PASS }
location /ignored { P_ignore_client_abort on; PASS }
`, func(v *visit, _ int) {
			reached <- true
			await(t, next)
			v.answer("late")
		})
		for path, status := range map[string]string{"/ended": "499", "/ignored": "200"} {
			c, err := net.Dial("tcp", s.Addr(8080))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
			<-reached
			c.Close()
			if path == "/ended" {
				s.AwaitFile(t, "logs/access.log", "^"+path+" "+status)
			}
			next <- true
			s.AwaitFile(t, "logs/access.log", "(?m)^"+path+" "+status+"$")
		}
	})
}

// TestSharedRate: no more than so many bytes a second are read from the peer.
func TestSharedRate(t *testing.T) {
	each(t, func(t *testing.T, d *dialect) {
		s := share(t, d, "", "location / { P_limit_rate 20k; PASS }", func(v *visit, _ int) { v.answer(strings.Repeat("x", 30_000)) })
		began := time.Now()
		if a := s.get("GET", "/"); len(a.body) != 30_000 {
			t.Errorf("%d bytes", len(a.body))
		}
		if took := time.Since(began); took < 400*time.Millisecond {
			t.Errorf("30,000 bytes at 20 KB a second took %s", took)
		}
	})
}

// await waits for what the test says, at most until it ends.
func await(t *testing.T, said chan bool) {
	select {
	case <-said:
	case <-t.Context().Done():
	}
}

// visits is how often the program was asked for a URI.
func (s *shared) visits(uri string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count[uri]
}

// kept is what the cache says and what the client got. Its connection is used
// once: a response that is being renewed keeps it busy.
func (s *shared) kept(path string, header ...string) string {
	s.Helper()
	a := s.get("GET", path, append(header, "Connection", "close")...)
	return a.Header.Get("X-Cache") + " " + strconv.Itoa(a.StatusCode) + " " + a.body
}
