package http

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func mkdir(name string) error { return os.MkdirAll(name, 0o755) }

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// tree makes files in a fresh folder: "name=content", "folder/" or
// "link->target".
func tree(t *testing.T, entries ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, e := range entries {
		var err error
		if name, content, ok := strings.Cut(e, "="); ok {
			err = os.WriteFile(filepath.Join(root, name), []byte(content), 0o644)
		} else if link, target, ok := strings.Cut(e, "->"); ok {
			err = os.Symlink(target, filepath.Join(root, link))
		} else {
			err = mkdir(filepath.Join(root, e))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// TestOpenFile opens, and looks at, what there may be.
func TestOpenFile(t *testing.T) {
	root := tree(t, "d/", "d/f=text", "d/x=#!", "l->d/f")
	os.Chmod(root+"/d/x", 0o755)
	unix.Mkfifo(root+"/fifo", 0o644)
	r := testRequest(t, mustLoad(t, `server { listen 80; }`))
	for _, test := range []struct {
		path  string
		o     FileOptions
		want  FileInfo // FD 1: any
		call  string
		errno unix.Errno
	}{
		{path: "/d/f", want: FileInfo{FD: 1, Size: 4, IsFile: true}},
		{path: "/l", want: FileInfo{FD: 1, Size: 4, IsFile: true}},
		{path: "/d/x", want: FileInfo{FD: 1, Size: 2, IsFile: true, IsExec: true}},
		{path: "/d", want: FileInfo{FD: -1, IsDir: true, IsExec: true}},
		{path: "/d", o: FileOptions{TestDir: true}, want: FileInfo{FD: -1, IsDir: true, IsExec: true}},
		{path: "/d/f", o: FileOptions{TestDir: true}, want: FileInfo{FD: 1, Size: 4, IsFile: true}},
		{path: "/d/f", o: FileOptions{TestOnly: true}, want: FileInfo{FD: -1, Size: 4, IsFile: true}},
		{path: "/fifo", want: FileInfo{FD: 1}},
		{path: "/none", want: FileInfo{FD: -1}, call: "open()", errno: unix.ENOENT},
		{path: "/none", o: FileOptions{TestOnly: true}, want: FileInfo{FD: -1}, call: "stat()", errno: unix.ENOENT},
		{path: "/d/f/x", want: FileInfo{FD: -1}, call: "open()", errno: unix.ENOTDIR},
		{path: "/d/f\x00.x", want: FileInfo{FD: 1, Size: 4, IsFile: true}},
		{path: strings.Repeat("/long", 1000), want: FileInfo{FD: -1}, call: "open()", errno: unix.ENAMETOOLONG},
	} {
		info, err := r.OpenFile(root+test.path, test.o)
		if info.FD > 0 {
			info.FD = 1
		}
		if info.IsDir {
			info.Size = 0
		}
		info.Uniq, info.MTime, info.FSSize = 0, 0, 0
		if info != test.want {
			t.Errorf("%s: %+v", test.path, info)
		}
		if (err != nil) != (test.errno != 0) || err != nil && (err.Call != test.call || err.Errno != test.errno) {
			t.Errorf("%s: %v", test.path, err)
		}
	}
}

// TestDescriptors: the request's end closes what it opened.
func TestDescriptors(t *testing.T) {
	root := tree(t, "f=text")
	m := mustLoad(t, `server { listen 80; }`)
	r := testRequest(t, m)
	conn, scope := r.Conn, r.Scope
	file, none := root+"/f", root+"/none"
	info, err := r.OpenFile(file, FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Free()
	if _, err := unix.FcntlInt(uintptr(info.FD), unix.F_GETFD, 0); err == nil {
		t.Error("the descriptor is open")
	}
	if n := testing.AllocsPerRun(50, func() {
		r := conn.NewRequest(nil)
		r.SetScope(scope)
		r.OpenFile(file, FileOptions{})
		r.OpenFile(none, FileOptions{})
		r.Free()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
	r = conn.NewRequest(nil) // for the cleanup of testRequest
	r.SetScope(scope)
}

// TestSymlinks follows links as disable_symlinks allows.
func TestSymlinks(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("links of another owner take root")
	}
	root := tree(t, "d/", "d/f=text", "own->d/f", "other->d/f", "dir->d", "otherdir->d")
	for _, name := range []string{"/other", "/otherdir"} {
		if err := os.Lchown(root+name, 1, 1); err != nil {
			t.Fatal(err)
		}
	}
	m := mustLoad(t, `server { listen 80;
		location /off { disable_symlinks off; }
		location /on { disable_symlinks on from=`+root+`; }
		location /from { disable_symlinks on from=`+root+`/dir; }
		location /owner { disable_symlinks if_not_owner from=`+root+`/; } }`)
	r := testRequest(t, m)
	for _, test := range []struct {
		where, path string
		errno       unix.Errno
	}{
		{"/off", "/other", 0}, {"/off", "/dir/f", 0},
		{"/on", "/d/f", 0}, {"/on", "/d//f", 0}, {"/on", "/own", unix.ELOOP}, {"/on", "/dir/f", unix.ENOTDIR}, {"/on", "/d/", 0},
		{"/on", "/d/f/", unix.ENOTDIR},
		{"/from", "/dir/f", 0}, {"/from", "/own", unix.ELOOP},
		{"/owner", "/own", 0}, {"/owner", "/other", unix.ELOOP}, {"/owner", "/dir/f", 0}, {"/owner", "/otherdir/f", unix.ELOOP},
		{"/owner", "/none", unix.ENOENT},
	} {
		route(r, test.where)
		for _, o := range []FileOptions{{}, {TestOnly: true}} {
			_, err := r.OpenFile(root+test.path, o)
			switch {
			case err == nil && test.errno != 0, err != nil && err.Errno != test.errno:
				t.Errorf("%s %s: %v, want %v", test.where, test.path, err, test.errno)
			case err != nil && err.Call != "openat()":
				t.Errorf("%s %s: %s", test.where, test.path, err.Call)
			}
		}
	}
}

// TestFileCache follows a file through the cache.
func TestFileCache(t *testing.T) {
	root := tree(t, "f=1", "g=1", "d/")
	c, p := newOpenFileCache(2, 10), &filePool{}
	open := func(name string, now int64, minUses int64) (*cachedFile, FileInfo, *FileError) {
		return c.open(p, &fileQuery{path: root + name, directIO: DirectIOOff, now: now, valid: 5, minUses: minUses, errors: true})
	}
	f, info, err := open("/f", 100, 1)
	if err != nil || f == nil || info.FD < 0 {
		t.Fatal(f, info, err)
	}
	fd := info.FD
	c.release(f, 1, 100)
	if _, info, _ := open("/f", 104, 1); info.FD != fd {
		t.Error("not cached")
	}
	// Valid no longer, and another file while the old one is in use.
	os.Remove(root + "/f")
	if _, info, _ := open("/f", 104, 1); info.FD != fd || f.count != 2 {
		t.Errorf("%+v", f)
	}
	os.WriteFile(root+"/f2", []byte("22"), 0o644)
	os.Rename(root+"/f2", root+"/f")
	f2, info, _ := open("/f", 105, 1)
	if info.FD == fd || info.Size != 2 || !f.orphan {
		t.Errorf("%+v", info)
	}
	c.release(f, 1, 105)
	c.release(f, 1, 105)
	if f.info.FD != -1 {
		t.Error("the old file is open")
	}
	c.release(f2, 1, 105)
	// Errors and folders are kept, the least recently used goes.
	if _, _, err := open("/none", 106, 1); err == nil || len(c.files) != 2 {
		t.Error(err, len(c.files))
	}
	os.WriteFile(root+"/none", nil, 0o644)
	if _, _, err := open("/none", 107, 1); err == nil {
		t.Error("the error was not kept")
	}
	if _, info, _ := open("/d", 107, 1); !info.IsDir || len(c.files) != 2 || f2.info.FD != -1 {
		t.Errorf("%+v in %d", info, len(c.files))
	}
	// A file that is not used often enough is known but not kept open.
	g, _, _ := open("/g", 120, 2)
	c.release(g, 2, 120)
	if g.info.FD != -1 || c.files[root+"/g"] != g {
		t.Errorf("%+v", g)
	}
	if _, info, _ := open("/g", 121, 2); info.FD < 0 {
		t.Errorf("%+v", info)
	}
	c.release(g, 2, 121)
	if g.info.FD < 0 {
		t.Error("closed after two uses")
	}
	// Inactive ones go with the next release.
	c.files[root+"/g"].accessed = 0
	h, _, _ := open("/f", 140, 1)
	c.release(h, 1, 140)
	if len(c.files) != 1 {
		t.Errorf("%d files", len(c.files))
	}
}

// TestFileCacheWithoutErrors forgets a file that is gone.
func TestFileCacheWithoutErrors(t *testing.T) {
	root := tree(t, "f=1")
	c, p := newOpenFileCache(2, 10), &filePool{}
	q := func() *fileQuery { return &fileQuery{path: root + "/f", directIO: DirectIOOff, now: 1} }
	f, _, _ := c.open(p, q())
	os.Remove(root + "/f")
	if _, _, err := c.open(p, q()); err == nil || len(c.files) != 0 || f.info.FD < 0 {
		t.Errorf("%v, %+v", err, f)
	}
	c.release(f, 1, 1)
	if f.info.FD != -1 {
		t.Error("left open")
	}
}

func BenchmarkOpenFile(b *testing.B) {
	for name, text := range map[string]string{"plain": "", "cached": "open_file_cache max=10;"} {
		b.Run(name, func(b *testing.B) {
			r := testRequest(b, mustLoad(b, `server { listen 80; `+text+` }`))
			conn, scope := r.Conn, r.Scope
			for b.Loop() {
				r := conn.NewRequest(nil)
				r.SetScope(scope)
				r.OpenFile("/etc/passwd", FileOptions{})
				r.Free()
			}
		})
	}
}
