package http

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"moongate/core/log"
)

// Move gives the file its place for good, making folders with the given access
// on the way: nginx's ngx_ext_rename_file. To another file system it is copied,
// and the copy gets its name when it is complete. p is where the file was made.
// False after a failure, which is logged.
func (f *TempFile) Move(r *Request, p *TempPath, to string, folders uint32) bool {
	err := unix.Rename(f.Name, to)
	if err == unix.ENOENT {
		if err := makeFolders(filepath.Dir(to), folders); err != nil {
			r.Logf(log.Crit, err, `mkdir() "%s" failed`, filepath.Dir(to))
			return false
		}
		err = unix.Rename(f.Name, to)
	}
	if err == unix.EXDEV {
		return f.moveAcross(r, p, to)
	}
	if err != nil {
		r.Logf(log.Crit, err, `rename() "%s" to "%s" failed`, f.Name, to)
		return false
	}
	f.Moved(to)
	return true
}

// moveAcross copies the file to another file system, with its access and time.
func (f *TempFile) moveAcross(r *Request, p *TempPath, to string) bool {
	part, err := p.CreateBeside(to, TempClean)
	if err != nil {
		r.Logf(log.Crit, err, "%s", err)
		return false
	}
	defer part.Close()
	if err := copyFile(part.FD, f.FD); err != nil {
		r.Logf(log.Crit, err, `copying "%s" to "%s" failed`, f.Name, part.Name)
		return false
	}
	if err := unix.Rename(part.Name, to); err != nil {
		r.Logf(log.Crit, err, `rename() "%s" to "%s" failed`, part.Name, to)
		return false
	}
	part.Moved(to)
	return true
}

// copyFile makes an empty file like another one.
func copyFile(to, from int) error {
	var st unix.Stat_t
	if err := unix.Fstat(from, &st); err != nil {
		return fmt.Errorf("fstat: %w", err)
	}
	off := int64(0)
	for {
		n, err := unix.Sendfile(to, from, &off, 1<<20)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return os.NewSyscallError("sendfile", err)
		case n > 0:
			continue
		}
		if err := unix.Fchmod(to, st.Mode&0o7777); err != nil {
			return os.NewSyscallError("fchmod", err)
		}
		times := []unix.Timeval{unix.NsecToTimeval(st.Atim.Nano()), unix.NsecToTimeval(st.Mtim.Nano())}
		return os.NewSyscallError("futimes", unix.Futimes(to, times))
	}
}

// makeFolders makes a folder and those above it.
func makeFolders(path string, access uint32) error {
	err := unix.Mkdir(path, access)
	if err == unix.ENOENT && path != "/" {
		if err := makeFolders(filepath.Dir(path), access); err != nil {
			return err
		}
		err = unix.Mkdir(path, access)
	}
	if err == unix.EEXIST {
		return nil
	}
	return err
}
