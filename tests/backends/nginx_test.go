package backends

import (
	"moongate/tests/spec"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNginx is in front of a real nginx, over each version of HTTP, with and
// without kept connections.
func TestNginx(t *testing.T) {
	t.Parallel()
	nginx := find(t, "nginx")
	large := strings.Repeat("0123456789abcdef", 1<<17)
	dir := spec.Folder(t, "large", large)
	port, port2 := freePort(t), freePort(t)
	user := ""
	if os.Getuid() == 0 {
		user = "user root;"
	}
	conf := user + `daemon off; master_process off; pid ` + dir + `/pid; error_log stderr warn; events {}
http {
    access_log off; client_max_body_size 0; client_body_temp_path ` + dir + `/body;
    proxy_temp_path ` + dir + `/proxy; fastcgi_temp_path ` + dir + `/f; uwsgi_temp_path ` + dir + `/u; scgi_temp_path ` + dir + `/s;
    server {
        listen 127.0.0.1:` + port + `;
        listen 127.0.0.1:` + port2 + ` http2;
        root ` + dir + `;
        location /show { return 200 "$request_method $http_host $server_protocol $connection_requests\n"; }
        location /take { proxy_pass http://127.0.0.1:` + port + `/taken; }
        location /taken { return 200 "$content_length\n"; }
    }
}
`
	if err := os.WriteFile(filepath.Join(dir, "nginx.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, []string{"127.0.0.1:" + port, "127.0.0.1:" + port2}, nginx, "-p", dir, "-c", filepath.Join(dir, "nginx.conf"), "-e", "stderr")
	s := start(t, `nginx behind

since: 1.29.4
-- http.conf --
client_max_body_size 0;
upstream one { server 127.0.0.1:`+port+`; keepalive 4; }
upstream two { server 127.0.0.1:`+port2+`; keepalive 4; }
proxy_set_header Host backend;
server {
    listen 127.0.0.1:8080;
    location /1.0/ { proxy_pass http://127.0.0.1:`+port+`/; proxy_http_version 1.0; }
    location /1.1/ { proxy_pass http://one/;  }
    location /2/ { proxy_pass http://two/; proxy_http_version 2; }
}
`)
	for version, proto := range map[string]string{"1.0": "HTTP/1.0", "1.1": "HTTP/1.1", "2": "HTTP/2.0"} {
		url := "http://" + s.Addr(8080) + "/" + version
		ask(t, "GET", url+"/show", nil).want(t, 200, "GET backend "+proto+" 1\n")
		again := "GET backend " + proto + " 2\n"
		if version == "1.0" {
			again = "GET backend HTTP/1.0 1\n"
		}
		ask(t, "GET", url+"/show", nil).want(t, 200, again)
		ask(t, "GET", url+"/large", nil).want(t, 200, large)
		ask(t, "GET", url+"/large", nil, "Range", "bytes=5-14").want(t, 206, "56789abcde")
		ask(t, "POST", url+"/take", strings.NewReader(large)).want(t, 200, "2097152\n")
		ask(t, "HEAD", url+"/large", nil).want(t, 200, "")
		ask(t, "GET", url+"/none", nil)
	}
}
