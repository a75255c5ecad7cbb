package dav

import (
	"os"

	"golang.org/x/sys/unix"

	"moongate/core/log"
	"moongate/core/process"
	"moongate/http"
)

const (
	accessBits = 0o777
	// maxTree is how deep folders may be inside each other.
	maxTree = 1024
)

// dirAccess are the permissions of a folder whose files have those: who can
// read can search.
func dirAccess(access uint32) uint32 { return access | access&0o444>>2 }

// setTime sets the time of the last change in Unix seconds.
func setTime(r *http.Request, path string, t int64) error {
	return unix.Utimes(path, []unix.Timeval{{Sec: r.Loop().Now().Unix()}, {Sec: t}})
}

// walker visits what is in a folder: ngx_walk_tree. Any of its functions may be
// nil.
type walker struct {
	r *http.Request
	// follow: links stand for what they lead to.
	follow       bool
	file, other  func(path string, st *unix.Stat_t)
	enter, leave func(path string, st *unix.Stat_t)
}

// walk visits the entries of a folder, and those of its folders between enter
// and leave. It reports false when the folder cannot be read.
func (w *walker) walk(dir string, level int) bool {
	f, err := os.Open(dir)
	if err != nil {
		w.r.Logf(log.Crit, errnoOf(err), `opendir() "%s" failed`, dir)
		return false
	}
	names, err := f.Readdirnames(-1)
	f.Close()
	if err != nil {
		w.r.Logf(log.Crit, errnoOf(err), `readdir() "%s" failed`, dir)
		return false
	}
	for _, name := range names {
		w.visit(dir+"/"+name, level)
	}
	return true
}

func (w *walker) visit(path string, level int) {
	stat := unix.Lstat
	if w.follow {
		stat = unix.Stat
	}
	var st unix.Stat_t
	if err := stat(path, &st); err != nil {
		w.r.Logf(log.Crit, err, `stat() "%s" failed`, path)
		return
	}
	call := func(f func(string, *unix.Stat_t)) {
		if f != nil {
			f(path, &st)
		}
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		call(w.file)
	case unix.S_IFDIR:
		call(w.enter)
		if level < maxTree {
			w.walk(path, level+1)
		}
		call(w.leave)
	default:
		call(w.other)
	}
}

func errnoOf(err error) error {
	if e, ok := err.(*os.PathError); ok {
		return e.Err
	}
	return err
}

// deletePath deletes a file or a folder. Unlike nginx it does not follow links
// inside the folder, so that nothing outside it is lost.
func deletePath(r *http.Request, path string, dir bool) http.Verdict {
	if !dir {
		if err := unix.Unlink(path); err != nil {
			return failed(r, err, http.StatusNotFound, "unlink()", path)
		}
		return http.OK
	}
	unlink := func(path string, _ *unix.Stat_t) {
		if err := unix.Unlink(path); err != nil {
			failed(r, err, 0, "unlink()", path)
		}
	}
	w := walker{r: r, file: unlink, other: unlink, leave: func(path string, _ *unix.Stat_t) {
		if err := unix.Rmdir(path); err != nil {
			failed(r, err, 0, "rmdir()", path)
		}
	}}
	if !w.walk(path, 0) {
		return http.StatusInternalServerError
	}
	if err := unix.Rmdir(path); err != nil {
		return failed(r, err, http.StatusNotFound, "rmdir()", path)
	}
	return http.OK
}

// move renames a file: ngx_ext_rename_file.
type move struct {
	r *http.Request
	// access are the permissions that the file gets, 0 to leave them.
	access, pathAccess uint32
	time               int64 // -1 to leave it
	createPath         bool  // make the folders that are missing
	remove             bool  // delete the file if it fails
}

// rename moves the file, across file systems too, and reports whether that went
// well, having logged why not.
func (m *move) rename(from, to string) bool {
	if m.try(from, to) {
		return true
	}
	if m.remove {
		if err := unix.Unlink(from); err != nil {
			m.r.Logf(log.Crit, err, `unlink() "%s" failed`, from)
		}
	}
	return false
}

func (m *move) try(from, to string) bool {
	r := m.r
	if m.access != 0 {
		if err := unix.Chmod(from, m.access); err != nil {
			r.Logf(log.Crit, err, `chmod() "%s" failed`, from)
			return false
		}
	}
	if m.time != -1 {
		if err := setTime(r, from, m.time); err != nil {
			r.Logf(log.Crit, err, `utimes() "%s" failed`, from)
			return false
		}
	}
	err := unix.Rename(from, to)
	if err == unix.ENOENT && m.createPath {
		if err := makePath(to, dirAccess(m.pathAccess)); err != nil {
			r.Logf(log.Crit, err, `mkdir() "%s" failed`, to)
			return false
		}
		err = unix.Rename(from, to)
	}
	switch err {
	case nil:
		return true
	case unix.EXDEV:
		return m.copyOver(from, to)
	}
	r.Logf(log.Crit, err, `rename() "%s" to "%s" failed`, from, to)
	return false
}

// copyOver moves the file to another file system.
func (m *move) copyOver(from, to string) bool {
	r := m.r
	var st unix.Stat_t
	if err := unix.Stat(from, &st); err != nil {
		r.Logf(log.Alert, err, `fstat() "%s" failed`, from)
		return false
	}
	if m.time != -1 {
		st.Mtim.Sec = m.time
	}
	name := to + "." + process.TempName(r.Conn.Worker.Cycle.Shared().TempNumber.Add(1))
	if !copyFile(r, from, name, &st) {
		return false
	}
	if err := unix.Rename(name, to); err != nil {
		r.Logf(log.Crit, err, `rename() "%s" to "%s" failed`, name, to)
		if err := unix.Unlink(name); err != nil {
			r.Logf(log.Crit, err, `unlink() "%s" failed`, name)
		}
		return false
	}
	if err := unix.Unlink(from); err != nil {
		r.Logf(log.Crit, err, `unlink() "%s" failed`, from)
		return false
	}
	return true
}

// makePath makes the folders that a file is in.
func makePath(file string, access uint32) error {
	for i := 1; i < len(file); i++ {
		if file[i] != '/' {
			continue
		}
		if err := unix.Mkdir(file[:i], access); err != nil && err != unix.EEXIST && err != unix.EACCES {
			return err
		}
	}
	return nil
}

const copySize = 64 << 10

// copyFile copies a file of which st tells size, permissions and time:
// ngx_copy_file.
func copyFile(r *http.Request, from, to string, st *unix.Stat_t) bool {
	in, err := unix.Open(from, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		r.Logf(log.Crit, err, `open() "%s" failed`, from)
		return false
	}
	defer unix.Close(in)
	out, err := unix.Open(to, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC|unix.O_CLOEXEC, st.Mode&accessBits)
	if err != nil {
		r.Logf(log.Crit, err, `open() "%s" failed`, to)
		return false
	}
	defer unix.Close(out)
	mem := make([]byte, min(st.Size, copySize))
	for left := st.Size; left > 0; {
		p := mem[:min(left, copySize)]
		if n, err := unix.Read(in, p); err != nil {
			r.Logf(log.Alert, err, `read() "%s" failed`, from)
			return false
		} else if n != len(p) {
			r.Logf(log.Alert, nil, "read() has read only %d of %d from %s", n, left, from)
			return false
		}
		if n, err := unix.Write(out, p); err != nil {
			r.Logf(log.Alert, err, `write() "%s" failed`, to)
			return false
		} else if n != len(p) {
			r.Logf(log.Alert, nil, "write() has written only %d of %d to %s", n, left, to)
			return false
		}
		left -= int64(len(p))
	}
	if err := setTime(r, to, st.Mtim.Sec); err != nil {
		r.Logf(log.Alert, err, `utimes() "%s" failed`, to)
		return false
	}
	return true
}
