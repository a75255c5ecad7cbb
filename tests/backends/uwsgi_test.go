package backends

import (
	"fmt"
	"moongate/tests/spec"
	"path/filepath"
	"strings"
	"testing"
)

const application = `
import hashlib, os
def application(env, start):
    body = env['wsgi.input'].read()
    do = env.get('QUERY_STRING', '')
    if do == 'status':
        start('404 Nothing here', [('Content-Type', 'text/plain'), ('Set-Cookie', 'one=1'), ('Set-Cookie', 'two=2')])
        return [b'none\n']
    start('200 OK', [('Content-Type', 'text/plain')])
    if do == 'counted':
        start('200 OK', [('Content-Type', 'text/plain'), ('Content-Length', '16'), ('X-Secret', 'yes')])
        return [os.urandom(8).hex().encode()]
    if do == 'large':
        return (b'0123456789abcdef' * 4096 for _ in range(64))
    return [('%s %s %s x=%s body=%d %s\n' % (env['REQUEST_METHOD'], env['PATH_INFO'], do, env.get('HTTP_X_TEST', ''),
        len(body), hashlib.md5(body).hexdigest())).encode()]
`

// protocols are those that uWSGI speaks.
var protocols = []string{"uwsgi", "scgi", "fastcgi"}

// runUWSGI runs the application; socket is where it listens for a protocol.
func runUWSGI(t *testing.T) (socket func(protocol string) string) {
	t.Helper()
	uwsgi := find(t, "uwsgi-core", "uwsgi")
	dir := spec.Folder(t, "app.py", application)
	socket = func(name string) string { return filepath.Join(dir, name) }
	run(t, []string{socket("uwsgi"), socket("scgi"), socket("fastcgi")}, uwsgi, "--plugin", "python3", "--master", "--workers", "2",
		"--chmod-socket=666", "--socket", socket("uwsgi"), "--scgi-socket", socket("scgi"), "--fastcgi-socket", socket("fastcgi"),
		"--chdir", dir, "--wsgi-file", "app.py", "--need-app", "--die-on-term")
	return socket
}

// TestUWSGI runs one application behind the three protocols.
func TestUWSGI(t *testing.T) {
	t.Parallel()
	socket := runUWSGI(t)
	var text strings.Builder
	for _, p := range protocols {
		fmt.Fprintf(&text, `
    location /%[1]s/ { include %[3]s; %[1]s_param PATH_INFO $uri; %[1]s_pass unix:%[2]s; }
    location /%[1]s/streamed { include %[3]s; %[1]s_param PATH_INFO $uri; %[1]s_pass unix:%[2]s;
        %[1]s_buffering off; %[1]s_request_buffering off; }
`, p, socket(p), shipped(t, p+"_params"))
	}
	s := start(t, `uWSGI
-- http.conf --
client_max_body_size 0;
server {
    listen 127.0.0.1:8080;
`+text.String()+`}
`)
	body := strings.Repeat("some data ", 200_000)
	for _, p := range protocols {
		for _, path := range []string{"/" + p + "/buffered", "/" + p + "/streamed"} {
			url := "http://" + s.Addr(8080) + path
			ask(t, "GET", url+"?q=1", nil, "X-Test", "yes").want(t, 200, "GET "+path+" q=1 x=yes body=0 d41d8cd98f00b204e9800998ecf8427e\n")
			ask(t, "POST", url, strings.NewReader(body)).want(t, 200,
				fmt.Sprintf("POST %s  x= body=%d %s\n", path, len(body), "e55c9a9aaaef7f894e1342f645b8a851"))
			a := ask(t, "GET", url+"?status", nil)
			a.want(t, 404, "none\n")
			if got := a.Header.Values("Set-Cookie"); len(got) != 2 {
				t.Errorf("%s: cookies %q", path, got)
			}
			ask(t, "GET", url+"?large", nil).want(t, 200, strings.Repeat("0123456789abcdef", 1<<18))
		}
	}
}

// TestUWSGIShared has the three protocols do what they share with proxy_pass:
// keep and purge responses, ask another peer, replace errors, hide fields, send
// ranges.
func TestUWSGIShared(t *testing.T) {
	t.Parallel()
	socket := runUWSGI(t)
	var caches, locations strings.Builder
	for _, p := range protocols {
		fmt.Fprintf(&caches, `
%[1]s_cache_path cache-%[1]s keys_zone=%[1]s:1m levels=1:2;
upstream %[1]s { server unix:%[2]s-none max_fails=0; server unix:%[2]s max_fails=0; }
`, p, socket(p))
		fmt.Fprintf(&locations, `
location /%[1]s/ {
    include %[3]s;
    %[1]s_param PATH_INFO $uri;
    %[1]s_cache_key $request_uri;
    %[1]s_cache_valid any 1h;
    %[1]s_hide_header X-Secret;
    %[1]s_pass %[1]s;
    location /%[1]s/kept {
        %[1]s_cache %[1]s;
        %[1]s_cache_purge PURGE from all;
        %[1]s_cache_bypass $arg_new;
        %[1]s_no_cache $arg_once;
        %[1]s_cache_lock on;
        %[1]s_pass %[1]s;
    }
    location /%[1]s/replaced { %[1]s_intercept_errors on; error_page 404 = /found; %[1]s_pass %[1]s; }
    location /%[1]s/ranges { %[1]s_force_ranges on; %[1]s_pass %[1]s; }
    location /%[1]s/shown { %[1]s_hide_header X-Other; %[1]s_pass %[1]s; }
    location /%[1]s/alone { %[1]s_next_upstream off; %[1]s_pass unix:%[2]s-none; }
    location /%[1]s/bare { %[1]s_pass_request_headers off; %[1]s_pass_request_body off; %[1]s_pass %[1]s; }
}
`, p, socket(p), shipped(t, p+"_params"))
	}
	s := start(t, "What three protocols share\n\nmoongate only: nginx does not purge\n-- http.conf --\nadd_header X-Cache $upstream_cache_status;"+caches.String()+
		"server {\nlisten 127.0.0.1:8080;\nlocation /found { return 200 \"found\\n\"; }\n"+locations.String()+"}\n")
	for _, p := range protocols {
		get := func(method, path string, header ...string) answer {
			t.Helper()
			return ask(t, method, "http://"+s.Addr(8080)+"/"+p+path, nil, header...)
		}
		kept := func(method, path, status string) string {
			t.Helper()
			a := get(method, path)
			if got := a.Header.Get("X-Cache"); got != status || a.StatusCode != 200 || a.Header.Get("X-Secret") != "" {
				t.Errorf("%s %s %s: %d, %v; want %s", p, method, path, a.StatusCode, a.Header, status)
			}
			return a.body
		}
		first := kept("GET", "/kept?counted", "MISS")
		if again := kept("GET", "/kept?counted", "HIT"); again != first {
			t.Errorf("%s: the cache gave %q for %q", p, again, first)
		}
		kept("HEAD", "/kept?counted", "HIT")
		if a := get("PURGE", "/kept?counted"); a.StatusCode != 200 || !strings.Contains(a.body, "Key : /"+p+"/kept?counted") {
			t.Errorf("%s: purge: %d %q", p, a.StatusCode, a.body)
		}
		if a := get("PURGE", "/kept?counted"); a.StatusCode != 404 {
			t.Errorf("%s: purge again: %d", p, a.StatusCode)
		}
		if again := kept("GET", "/kept?counted", "MISS"); again == first {
			t.Errorf("%s: the response was not purged", p)
		}
		kept("GET", "/kept/2?new=1", "BYPASS")
		kept("GET", "/kept/2?new=1&once=1", "BYPASS")
		kept("GET", "/kept/3?once=1", "MISS")
		kept("GET", "/kept/3?once=1", "MISS")

		get("GET", "/replaced?status").want(t, 200, "found\n")
		if a := get("GET", "/alone"); a.StatusCode != 502 {
			t.Errorf("%s: without another peer: %d", p, a.StatusCode)
		}
		if a := get("GET", "/shown?counted"); a.Header.Get("X-Secret") != "yes" {
			t.Errorf("%s: %v", p, a.Header)
		}
		if a := get("GET", "/ranges?counted", "Range", "bytes=10-13"); a.StatusCode != 206 || len(a.body) != 4 {
			t.Errorf("%s: a range: %d %q", p, a.StatusCode, a.body)
		}
		get("GET", "/bare", "X-Test", "yes").want(t, 200, "GET /"+p+"/bare  x= body=0 d41d8cd98f00b204e9800998ecf8427e\n")
	}
}
