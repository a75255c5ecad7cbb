package backends

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

const application = `
import hashlib
def application(env, start):
    body = env['wsgi.input'].read()
    do = env.get('QUERY_STRING', '')
    if do == 'status':
        start('404 Nothing here', [('Content-Type', 'text/plain'), ('Set-Cookie', 'one=1'), ('Set-Cookie', 'two=2')])
        return [b'none\n']
    start('200 OK', [('Content-Type', 'text/plain')])
    if do == 'large':
        return (b'0123456789abcdef' * 4096 for _ in range(64))
    return [('%s %s %s x=%s body=%d %s\n' % (env['REQUEST_METHOD'], env['PATH_INFO'], do, env.get('HTTP_X_TEST', ''),
        len(body), hashlib.md5(body).hexdigest())).encode()]
`

// TestUWSGI runs one application behind the three protocols that uWSGI speaks.
func TestUWSGI(t *testing.T) {
	t.Parallel()
	uwsgi := find(t, "uwsgi-core", "uwsgi")
	dir := folder(t, "app.py", application)
	socket := func(name string) string { return filepath.Join(dir, name) }
	run(t, []string{socket("uwsgi"), socket("scgi"), socket("fastcgi")}, uwsgi, "--plugin", "python3", "--master", "--workers", "2",
		"--chmod-socket=666", "--socket", socket("uwsgi"), "--scgi-socket", socket("scgi"), "--fastcgi-socket", socket("fastcgi"),
		"--chdir", dir, "--wsgi-file", "app.py", "--need-app", "--die-on-term")
	var text strings.Builder
	for _, p := range []string{"uwsgi", "scgi", "fastcgi"} {
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
	for _, p := range []string{"uwsgi", "scgi", "fastcgi"} {
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
