package backends

import (
	"fmt"
	"moongate/tests/spec"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const script = `<?php
switch ($_GET['do'] ?? '') {
case 'status':
    header('Status: 404 Nothing here');
    setcookie('one', '1');
    setcookie('two', '2');
    echo "none\n";
    break;
case 'moved':
    header('Location: /elsewhere');
    break;
case 'large':
    echo str_repeat('0123456789abcdef', 1 << 18);
    break;
case 'accel':
    header('X-Accel-Redirect: /internal/file');
    break;
case 'stderr':
    file_put_contents('php://stderr', 'said in stderr');
    error_log('said in the log');
    echo "done\n";
    break;
default:
    $body = file_get_contents('php://input');
    printf("%s %s path=%s query=%s host=%s x=%s body=%d %s\n", $_SERVER['REQUEST_METHOD'], $_SERVER['SCRIPT_NAME'],
        $_SERVER['PATH_INFO'] ?? '', $_SERVER['QUERY_STRING'], $_SERVER['HTTP_HOST'], $_SERVER['HTTP_X_TEST'] ?? '',
        strlen($body), md5($body));
}
`

func TestFPM(t *testing.T) {
	t.Parallel()
	fpm := find(t, "php-fpm8.2", "php-fpm8.4", "php-fpm8.3", "php-fpm")
	dir := spec.Folder(t, "app.php", script, "file", "a file\n")
	socket := filepath.Join(dir, "fpm.sock")
	pool := "[global]\nerror_log = /dev/stderr\ndaemonize = no\n[www]\nlisten = " + socket +
		"\nlisten.mode = 0666\npm = static\npm.max_children = 2\ncatch_workers_output = no\n"
	args := []string{"-F", "-n", "-y", filepath.Join(dir, "fpm.conf")}
	if os.Getuid() == 0 {
		pool += "user = root\ngroup = root\n"
		args = append(args, "-R")
	}
	if err := os.WriteFile(filepath.Join(dir, "fpm.conf"), []byte(pool), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, []string{socket}, fpm, args...)
	s := start(t, `PHP-FPM
-- http.conf --
client_max_body_size 0;
upstream fpm { server unix:`+socket+`; keepalive 2; }
server {
    listen 127.0.0.1:8080;
    location ~ ^/(kept|closed|streamed)/ {
        fastcgi_split_path_info ^/\w+(/app\.php)(.*)$;
        include `+shipped(t, "fastcgi_params")+`;
        fastcgi_param SCRIPT_FILENAME `+dir+`$fastcgi_script_name;
        fastcgi_param SCRIPT_NAME $fastcgi_script_name;
        fastcgi_param PATH_INFO $fastcgi_path_info;
        fastcgi_pass fpm;
        location ~ ^/kept/ { fastcgi_keep_conn on; fastcgi_pass fpm; }
        location ~ ^/streamed/ { fastcgi_request_buffering off; fastcgi_buffering off; fastcgi_pass fpm; }
    }
    location /internal/ { internal; alias `+dir+`/; }
}
`)
	body := strings.Repeat("some data ", 200_000)
	for _, how := range []string{"kept", "closed", "streamed"} {
		url := "http://" + s.Addr(8080) + "/" + how + "/app.php"
		for range 3 {
			ask(t, "GET", url+"/more?q=1", nil, "X-Test", "yes").want(t, 200,
				fmt.Sprintf("GET /app.php path=/more query=q=1 host=%s x=yes body=0 d41d8cd98f00b204e9800998ecf8427e\n", s.Addr(8080)))
		}
		a := ask(t, "POST", url, strings.NewReader(body))
		if !strings.Contains(a.body, fmt.Sprintf("body=%d e55c9a9aaaef7f894e1342f645b8a851", len(body))) || a.StatusCode != 200 {
			t.Errorf("%s: %d %q", how, a.StatusCode, a.body)
		}
		a = ask(t, "GET", url+"?do=status", nil)
		a.want(t, 404, "none\n")
		if got := a.Header.Values("Set-Cookie"); len(got) != 2 {
			t.Errorf("%s: cookies %q", how, got)
		}
		if a = ask(t, "GET", url+"?do=moved", nil); a.StatusCode != 302 || a.Header.Get("Location") != "/elsewhere" {
			t.Errorf("%s: %d %s", how, a.StatusCode, a.Header.Get("Location"))
		}
		ask(t, "GET", url+"?do=large", nil).want(t, 200, strings.Repeat("0123456789abcdef", 1<<18))
		ask(t, "HEAD", url+"?do=large", nil).want(t, 200, "")
		ask(t, "GET", url+"?do=accel", nil).want(t, 200, "a file\n")
		ask(t, "GET", url+"?do=stderr", nil).want(t, 200, "done\n")
		ask(t, "GET", strings.Replace(url, "app", "none", 1), nil).want(t, 404, "File not found.\n")
	}
	s.Await(t, `FastCGI sent in stderr: "(PHP message: )?said in the log`)
	s.Await(t, `FastCGI sent in stderr: "Primary script unknown" while reading response header from upstream`)
	if log := s.Log(); strings.Contains(log, "prematurely closed") {
		t.Errorf("a connection that php-fpm closes was kept:\n%s", log)
	}
}
