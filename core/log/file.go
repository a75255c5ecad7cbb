package log

import (
	"fmt"
	"runtime"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	openFlags = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_CLOEXEC
	openMode  = 0o644

	stderrFD = 2
	noFD     = -1
)

// File is a file that the server appends to for as long as its configuration
// lives: an error log or an access log (ngx_open_file_t).
type File struct {
	// Name is the full path; empty for standard error.
	Name string

	// Flush, if set, writes out what the owner holds in buffers; it is called
	// before the file is reopened or closed.
	Flush func(*File)

	// fd is one more than the descriptor, so that a zero File is not open.
	fd atomic.Int32
}

// FD is the open descriptor, -1 before the file is opened.
func (f *File) FD() int { return int(f.fd.Load()) - 1 }

// SetFD gives the file a descriptor inherited from the master.
func (f *File) SetFD(fd int) { f.fd.Store(int32(fd) + 1) }

// Files is the list of the files of one configuration (cycle->open_files).
type Files struct {
	list   []*File
	byName map[string]*File
}

// Add returns the file of that full name, adding it unopened when the list
// does not have it yet. An empty name is standard error, which is open.
func (fs *Files) Add(name string) *File {
	if f := fs.byName[name]; f != nil {
		return f
	}
	f := &File{Name: name}
	if name == "" {
		f.SetFD(stderrFD)
	}
	if fs.byName == nil {
		fs.byName = make(map[string]*File)
	}
	fs.byName[name] = f
	fs.list = append(fs.list, f)
	return f
}

// All is the list in the order of the configuration; it must not be changed.
func (fs *Files) All() []*File { return fs.list }

// Open opens, creating them if necessary, the files that have no descriptor
// yet. The error is of the first that fails, in nginx's words, and wraps the
// errno that belongs in the log line: see [OpenError].
func (fs *Files) Open() error {
	for _, f := range fs.list {
		if f.FD() != noFD {
			continue
		}
		fd, err := openFile(f.Name)
		if err != nil {
			return &OpenError{Name: f.Name, Err: err}
		}
		f.SetFD(fd)
	}
	return nil
}

// OpenError says which file could not be opened. Its text has no errno, which
// the log line appends itself when given Err.
type OpenError struct {
	Name string
	Err  error
}

// Error implements error.
func (e *OpenError) Error() string { return fmt.Sprintf("open() \"%s\" failed", e.Name) }

// Unwrap returns the errno.
func (e *OpenError) Unwrap() error { return e.Err }

// Reopen opens every file again by its name, so that a log can be rotated.
// With uid >= 0 (the master, for its workers' user) it also gives the file to
// that user, readable and writable by him. A file that cannot be reopened is
// reported to logger and goes on with the old one.
//
// The descriptor keeps its number, so that a goroutine which is about to write
// finds the new file behind it, and not whatever took the number meanwhile.
func (fs *Files) Reopen(logger *Logger, uid int) {
	for _, f := range fs.list {
		if f.Name == "" {
			continue
		}
		if f.Flush != nil {
			f.Flush(f)
		}
		fd, err := openFile(f.Name)
		if err != nil {
			logger.Log(Emerg, err, "open() \"%s\" failed", f.Name)
			continue
		}
		logger.Log(DebugEvent, nil, "reopen file \"%s\", old:%d new:%d", f.Name, f.FD(), fd)
		switch {
		case uid >= 0 && !giveTo(logger, f.Name, uid):
		case f.FD() == noFD:
			f.SetFD(fd)
			continue
		default:
			if err := replaceFD(fd, f.FD()); err != nil {
				logger.Log(Emerg, err, "dup3() \"%s\" failed", f.Name)
			}
		}
		closeFD(logger, f.Name, fd)
	}
}

// replaceFD makes old refer to what fd refers to, at one blow. The kernel says
// EBUSY while another thread is opening something that will have that number.
func replaceFD(fd, old int) error {
	for {
		if err := unix.Dup3(fd, old, unix.O_CLOEXEC); err != unix.EINTR && err != unix.EBUSY {
			return err
		}
	}
}

// Flush writes out what the owners of the files hold in buffers.
func (fs *Files) Flush() {
	for _, f := range fs.list {
		if f.Flush != nil {
			f.Flush(f)
		}
	}
}

// Close closes every file except standard error.
func (fs *Files) Close(logger *Logger) {
	for _, f := range fs.list {
		if fd := f.FD(); fd != stderrFD {
			f.SetFD(noFD)
			closeFD(logger, f.Name, fd)
		}
	}
}

// Release is Close for a process in which requests may still write to the
// files: each is closed once nothing refers to it.
func (fs *Files) Release() {
	for _, f := range fs.list {
		if fd := f.FD(); fd != stderrFD && fd != noFD {
			runtime.AddCleanup(f, func(fd int) { unix.Close(fd) }, fd)
		}
	}
}

func openFile(name string) (int, error) {
	for {
		fd, err := unix.Open(name, openFlags, openMode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// giveTo makes uid the owner of the file, with the right to read and write.
func giveTo(logger *Logger, name string, uid int) bool {
	var st unix.Stat_t
	if err := unix.Stat(name, &st); err != nil {
		logger.Log(Emerg, err, "stat() \"%s\" failed", name)
		return false
	}
	if st.Uid != uint32(uid) {
		if err := unix.Chown(name, uid, -1); err != nil {
			logger.Log(Emerg, err, "chown(\"%s\", %d) failed", name, uid)
			return false
		}
	}
	const readWrite = unix.S_IRUSR | unix.S_IWUSR
	if st.Mode&readWrite != readWrite {
		if err := unix.Chmod(name, (st.Mode|readWrite)&^unix.S_IFMT); err != nil {
			logger.Log(Emerg, err, "chmod() \"%s\" failed", name)
			return false
		}
	}
	return true
}

func closeFD(logger *Logger, name string, fd int) {
	if fd < 0 {
		return
	}
	if err := unix.Close(fd); err != nil {
		logger.Log(Emerg, err, "close() \"%s\" failed", name)
	}
}
