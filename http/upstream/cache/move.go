package cache

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"moongate/core/log"
	"moongate/http"
)

// folderAccess is the access to the folders of a cache.
const folderAccess = 0o700

// move gives a file its place, making the folders on the way:
// ngx_ext_rename_file.
func (e *Entry) move(r *http.Request, f *http.TempFile) bool {
	to := e.Path()
	err := unix.Rename(f.Name, to)
	if err == unix.ENOENT {
		if err := makeFolders(filepath.Dir(to)); err != nil {
			r.Logf(log.Crit, err, `mkdir() "%s" failed`, filepath.Dir(to))
			return false
		}
		err = unix.Rename(f.Name, to)
	}
	if err == unix.EXDEV {
		return e.moveAcross(r, f)
	}
	if err != nil {
		r.Logf(log.Crit, err, `rename() "%s" to "%s" failed`, f.Name, to)
		return false
	}
	f.Moved(to)
	return true
}

// moveAcross copies a file to another file system. The copy gets its name when
// it is complete.
func (e *Entry) moveAcross(r *http.Request, f *http.TempFile) bool {
	to := e.Path()
	part, err := e.cache.path.CreateBeside(to, http.TempClean)
	if err != nil {
		r.Logf(log.Crit, err, "%s", err)
		return false
	}
	defer part.Close()
	if err := copyFile(part.FD, f.FD); err != nil {
		r.Logf(log.Crit, err, `write() "%s" failed`, part.Name)
		return false
	}
	if err := unix.Rename(part.Name, to); err != nil {
		r.Logf(log.Crit, err, `rename() "%s" to "%s" failed`, part.Name, to)
		return false
	}
	part.Moved(to)
	return true
}

// copyFile appends a whole file to another.
func copyFile(to, from int) error {
	off := int64(0)
	for {
		n, err := unix.Sendfile(to, from, &off, 1<<20)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return os.NewSyscallError("sendfile", err)
		case n == 0:
			return nil
		}
	}
}

func makeFolders(path string) error {
	err := unix.Mkdir(path, folderAccess)
	if err == unix.ENOENT && path != "/" {
		if err := makeFolders(filepath.Dir(path)); err != nil {
			return err
		}
		err = unix.Mkdir(path, folderAccess)
	}
	if err == unix.EEXIST {
		return nil
	}
	return err
}
