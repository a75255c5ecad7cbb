package process

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"moongate/tests/spec"
)

// TestFullDisk: a request whose body does not fit on the disk of the temporary
// files is answered with 500, one whose answer does not fit is not stored; what
// they have written is removed, so that smaller ones fit again.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	disk := spec.Folder(t)
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=256k,mode=777"); err != nil {
		t.Skipf("no small disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	s := spec.Serve(t, spec.FindTarget(t), `temporary files on a full disk
-- nginx.conf --
events { }
http {
access_log off;
client_body_temp_path `+disk+`/body;
proxy_temp_path `+disk+`/proxy;
client_max_body_size 0;
client_body_buffer_size 8k;
server {
    listen 127.0.0.1:8080;
    location /body { proxy_pass http://127.0.0.1:8081; }
    location /store { proxy_pass http://127.0.0.1:8081/large; proxy_store `+disk+`/stored; }
}
server {
    listen 127.0.0.1:8081;
    root html;
    location = /body { return 200 "taken\n"; }
}
}
-- html/large --
%%0123456789abcdef*40000%%
`)
	url := "http://" + s.Addr(8080)
	post := func(size int) int {
		r, err := http.Post(url+"/body", "text/plain", strings.NewReader(strings.Repeat("x", size)))
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		_, _ = io.Copy(io.Discard, r.Body)
		return r.StatusCode
	}
	if got := post(100_000); got != 200 {
		t.Errorf("%d to a body that fits", got)
	}
	if got := post(600_000); got != 500 {
		t.Errorf("%d to a body that does not fit", got)
	}
	s.Await(t, `\[crit\] .*pwrite\(\) "`+disk+`/body/\S+" (failed \(28: No space left on device\)|has written only \d+ of \d+)`)
	await(t, "room for a body that fits", func() bool { return post(100_000) == 200 })
	get(t, url+"/store")
	s.Await(t, `\[crit\] .*pwritev?\(\) "`+disk+`/proxy/\S+" (failed \(28: No space left on device\)|has written only \d+ of \d+)`)
	if _, err := os.Stat(filepath.Join(disk, "stored")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the answer that does not fit: %v", err)
	}
	await(t, "room for a body that fits", func() bool { return post(100_000) == 200 })
}

// TestDirectFiles: a file of the size that directio names, and none smaller, is
// read past the page cache while it is sent.
func TestDirectFiles(t *testing.T) {
	t.Parallel()
	dir := spec.Folder(t)
	for name, size := range map[string]int{"large": 32 << 20, "small": 16 << 20} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := unix.Open(filepath.Join(dir, "large"), unix.O_RDONLY|unix.O_DIRECT, 0)
	if err != nil {
		t.Skipf("the file system of %s reads nothing directly: %v", dir, err)
	}
	unix.Close(fd)
	s := spec.Serve(t, spec.FindTarget(t), `files read directly
-- server.conf --
aio threads;
directio 20m;
location / { root `+dir+`; }
`)
	for name, want := range map[string]bool{"large": true, "small": false} {
		c, err := net.Dial("tcp", s.Addr(8080))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := fmt.Fprintf(c, "GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n", name); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 100_000)); err != nil {
			t.Fatal(err)
		}
		// It is open as long as this client reads no more.
		flags := -1
		await(t, name+" among the open files", func() bool {
			flags = openFlags(s.Workers(), filepath.Join(dir, name))
			return flags >= 0
		})
		if got := flags&unix.O_DIRECT != 0; got != want {
			t.Errorf("%s: flags %o", name, flags)
		}
	}
}

// openFlags are the flags of a file that one of the processes has open, -1 when none has.
func openFlags(pids []int, file string) int {
	for _, pid := range pids {
		links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, link := range links {
			if name, _ := os.Readlink(link); name != file {
				continue
			}
			text, _ := os.ReadFile(strings.Replace(link, "/fd/", "/fdinfo/", 1))
			_, after, _ := strings.Cut(string(text), "flags:")
			flags := -1
			_, _ = fmt.Sscanf(after, "%o", &flags)
			return flags
		}
	}
	return -1
}
