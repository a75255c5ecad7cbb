package backends

import (
	"moongate/tests/spec"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMemcached writes with the memc module and reads with both.
func TestMemcached(t *testing.T) {
	t.Parallel()
	memcached := find(t, "memcached")
	dir := spec.Folder(t)
	socket := filepath.Join(dir, "memcached.sock")
	args := []string{"-s", socket, "-a", "666", "-U", "0", "-m", "16", "-I", "4m"}
	if os.Getuid() == 0 {
		args = append(args, "-u", "root")
	}
	run(t, []string{socket}, memcached, args...)
	s := start(t, `memcached

moongate only: nginx has no memc module
-- http.conf --
client_max_body_size 0;
upstream cache { server unix:`+socket+`; keepalive 2; }
server {
    listen 127.0.0.1:8080;
    location /read { set $memcached_key $arg_key; memcached_pass cache; error_page 404 = @none; }
    location @none { return 200 "no such key\n"; }
    location /memc { set $memc_key $arg_key; memc_pass cache; }
    location /flush { set $memc_cmd flush_all; memc_pass cache; }
    location /count { set $memc_cmd incr; set $memc_key $arg_key; set $memc_value 5; memc_pass cache; }
}
`)
	url := "http://" + s.Addr(8080)
	large := strings.Repeat("0123456789abcdef", 1<<16)
	for key, value := range map[string]string{"small": "a value\r\nEND\r\n", "large": large, "%20%0a%25": "odd key"} {
		ask(t, "PUT", url+"/memc?key="+key, strings.NewReader(value)).want(t, 201, "STORED\r\n")
		for range 3 {
			ask(t, "GET", url+"/read?key="+key, nil).want(t, 200, value)
			ask(t, "GET", url+"/memc?key="+key, nil).want(t, 200, value)
		}
		ask(t, "HEAD", url+"/read?key="+key, nil).want(t, 200, "")
	}
	ask(t, "GET", url+"/read?key=none", nil).want(t, 200, "no such key\n")
	ask(t, "PUT", url+"/memc?key=n", strings.NewReader("37")).want(t, 201, "STORED\r\n")
	ask(t, "GET", url+"/count?key=n", nil).want(t, 201, "42\r\n")
	ask(t, "DELETE", url+"/memc?key=n", nil).want(t, 200, "DELETED\r\n")
	ask(t, "GET", url+"/flush", nil).want(t, 200, "OK\r\n")
	if a := ask(t, "GET", url+"/memc?key=small", nil); a.StatusCode != 404 {
		t.Errorf("%d after flush_all", a.StatusCode)
	}
}
