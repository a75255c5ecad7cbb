package http

import (
	"fmt"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
)

// FileInfo is an open file or a folder: the results of nginx's
// ngx_open_file_info_t.
type FileInfo struct {
	// FD is -1 for folders and when only information was asked for. It belongs
	// to the request, whose end closes it.
	FD int
	// Uniq is the inode, by which a file that was replaced is known.
	Uniq uint64
	// MTime is in Unix seconds, Size in bytes.
	MTime, Size int64
	// FSSize is how many bytes of the file system the file takes.
	FSSize int64
	IsDir  bool
	IsFile bool // a regular file
	IsExec bool // its owner may execute it
	// IsDirectIO: reads bypass the page cache and must be aligned.
	IsDirectIO bool
}

// FileOptions says how OpenFile goes about it.
type FileOptions struct {
	// TestOnly asks for information only; nothing is opened.
	TestOnly bool
	// TestDir: the path is likely a folder, which is told without opening it.
	TestDir bool
}

// FileError is a failed system call: nginx's of.err and of.failed.
type FileError struct {
	// Call is the system call, as "open()".
	Call string
	// Name is the file, where the caller does not know it.
	Name  string
	Errno unix.Errno
}

// Error implements error; the errno goes where Log puts it.
func (e *FileError) Error() string { return fmt.Sprintf(`%s "%s" failed`, e.Call, e.Name) }

// Unwrap returns the errno.
func (e *FileError) Unwrap() error { return e.Errno }

// fileCall numbers the system calls that a FileError names.
type fileCall uint8

const (
	callOpen fileCall = iota
	callOpenat
	callStat
	callFstat
	numFileCalls
)

var fileCallNames = [...]string{"open()", "openat()", "stat()", "fstat()"}

// fileErrors has the errors of OpenFile, so that a file that is not there
// costs no allocation.
var fileErrors = func() (t [numFileCalls][maxErrno]FileError) {
	for call := range t {
		for e := range t[call] {
			t[call][e] = FileError{Call: fileCallNames[call], Errno: unix.Errno(e)}
		}
	}
	return t
}()

const maxErrno = 134

func fileError(call fileCall, e unix.Errno) *FileError {
	if int(e) < maxErrno {
		return &fileErrors[call][e]
	}
	return &FileError{Call: fileCallNames[call], Errno: e}
}

// OpenFile opens a file for the rest of the request, or from the cache of open
// files, under the rules of its location (disable_symlinks, open_file_cache,
// directio, read_ahead): nginx's ngx_open_cached_file. A folder is only looked
// at. The system calls block, as in nginx.
func (r *Request) OpenFile(path string, o FileOptions) (FileInfo, *FileError) {
	l := r.Core
	return r.openQuery(l.OpenFileCache.V, &fileQuery{
		path: path, FileOptions: o, log: r.Log,
		directIO: l.DirectIO.V, readAhead: l.ReadAhead.V, links: l.DisableSymlinks.V.check(r, path),
		valid: int64(l.OpenFileCacheValid.V / second), minUses: l.OpenFileCacheMinUses.V, errors: l.OpenFileCacheErrors.V,
	})
}

// FileFailed logs why a file that a request asks for cannot be opened, and
// returns the status for it.
func (r *Request) FileFailed(path string, err *FileError) Verdict {
	level, v := log.Crit, StatusInternalServerError
	switch err.Errno {
	case 0:
		return v
	case unix.ENOENT, unix.ENOTDIR, unix.ENAMETOOLONG:
		level, v = log.Error, StatusNotFound
	case unix.EACCES, unix.EMLINK, unix.ELOOP:
		level, v = log.Error, StatusForbidden
	}
	if v != StatusNotFound || r.Core.LogNotFound.V {
		r.Logf(level, err.Errno, `%s "%s" failed`, err.Call, untilNUL(path))
	}
	return v
}

// openQuery opens a file for the rest of the request, from a cache if not nil.
func (r *Request) openQuery(c *OpenFileCache, q *fileQuery) (FileInfo, *FileError) {
	p := &r.Conn.Worker.files
	if c != nil {
		q.now = r.Loop().Now().Unix()
		file, info, err := c.open(p, q)
		if file != nil {
			h := p.handle(info.FD)
			h.loop, h.cache, h.file, h.minUses = r.Loop(), c, file, q.minUses
			r.Cleanup(h.release)
		}
		return info, err
	}
	info, err := p.open(q)
	if info.FD >= 0 {
		r.Cleanup(p.handle(info.FD).release)
	}
	return info, err
}

// fileQuery is what is asked of a filePool.
type fileQuery struct {
	FileOptions
	path                string
	links               symlinkCheck
	directIO, readAhead int64
	append              bool // a log: it is made if it is not there
	log                 log.Entry

	// For the cache: now in Unix seconds, valid in seconds.
	now, valid, minUses int64
	errors              bool
	// known is a descriptor that stays if the path still leads to its file,
	// whose inode is uniq; 0 for none.
	known int
	uniq  uint64
	// want is the inode that the file is known to have, 0 if it is not: another
	// one is not taken from the cache without a test.
	want uint64
}

// filePool does the file system calls of a worker. It keeps what they need
// from being allocated.
type filePool struct {
	stat unix.Stat_t
	path [unix.PathMax]byte
	free *fileHandle
}

// fileHandle closes a descriptor, or gives it back to the cache, when the
// request that it belongs to ends.
type fileHandle struct {
	fd      int
	release func()
	next    *fileHandle

	// Set when the file is the cache's.
	loop    *event.Loop
	cache   *OpenFileCache
	file    *cachedFile
	minUses int64
}

// handle takes a handle from the free list.
func (p *filePool) handle(fd int) *fileHandle {
	h := p.free
	if h == nil {
		h = &fileHandle{}
		h.release = func() { p.done(h) }
	} else {
		p.free = h.next
	}
	h.fd = fd
	return h
}

func (p *filePool) done(h *fileHandle) {
	if h.cache != nil {
		h.cache.release(h.file, h.minUses, h.loop.Now().Unix())
	} else {
		closeFD(h.fd)
	}
	h.cache, h.file = nil, nil
	h.next, p.free = p.free, h
}

// open opens a path and looks at what it is: nginx's ngx_open_and_stat_file.
// A known descriptor is returned when it still is the file's.
func (p *filePool) open(q *fileQuery) (FileInfo, *FileError) {
	info := FileInfo{FD: -1}
	if q.TestOnly || q.TestDir || q.known > 0 {
		if err := p.statPath(q); err != nil {
			return info, err
		}
		info = p.info()
		switch {
		case q.TestOnly, q.TestDir && info.IsDir:
			return info, nil
		case q.known > 0 && info.Uniq == q.uniq:
			info.FD = q.known
			return info, nil
		}
	}
	fd, call, e := p.openPath(q)
	if e != 0 {
		return FileInfo{FD: -1}, fileError(call, e)
	}
	if e := p.fstat(fd); e != 0 {
		q.log.Log(log.Crit, e, `fstat() "%s" failed`, q.path)
		closeFD(fd)
		return FileInfo{FD: -1}, fileError(callFstat, e)
	}
	info = p.info()
	if info.IsDir {
		closeFD(fd)
		return info, nil
	}
	info.FD = fd
	info.prepare(q)
	return info, nil
}

// minReadAhead is the size in bytes from which read_ahead has an effect.
const minReadAhead = 128 << 10

// prepare applies read_ahead and directio to a file just opened.
func (f *FileInfo) prepare(q *fileQuery) {
	if q.readAhead > 0 && f.Size > minReadAhead {
		if err := unix.Fadvise(f.FD, 0, 0, unix.FADV_SEQUENTIAL); err != nil {
			q.log.Log(log.Alert, err, `posix_fadvise(POSIX_FADV_SEQUENTIAL) "%s" failed`, q.path)
		}
	}
	if q.directIO == DirectIOOff || q.directIO > f.Size {
		return
	}
	flags, err := unix.FcntlInt(uintptr(f.FD), unix.F_GETFL, 0)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(f.FD), unix.F_SETFL, flags|unix.O_DIRECT)
	}
	if err != nil {
		q.log.Log(log.Alert, err, `fcntl(O_DIRECT) "%s" failed`, q.path)
		return
	}
	f.IsDirectIO = true
}

// openFlags do not let a FIFO without a writer stall the worker.
const (
	openFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_CLOEXEC
	logFlags  = unix.O_WRONLY | unix.O_APPEND | unix.O_CREAT | unix.O_CLOEXEC
	logMode   = 0o644
)

func (p *filePool) openPath(q *fileQuery) (int, fileCall, unix.Errno) {
	flags := openFlags
	if q.append {
		flags = logFlags
	}
	if q.links.mode != SymlinksAllowed {
		return p.openChecked(q.path, flags, q.links)
	}
	fd, e := p.openat(unix.AT_FDCWD, q.path, flags)
	return fd, callOpen, e
}

// statPath fills p.stat: nginx's ngx_file_info_wrapper.
func (p *filePool) statPath(q *fileQuery) *FileError {
	if q.links.mode == SymlinksAllowed {
		if e := p.statat(unix.AT_FDCWD, q.path, 0); e != 0 {
			return fileError(callStat, e)
		}
		return nil
	}
	fd, call, e := p.openChecked(q.path, openFlags, q.links)
	if e != 0 {
		return fileError(call, e)
	}
	defer closeFD(fd)
	if e := p.fstat(fd); e != 0 {
		return fileError(callFstat, e)
	}
	return nil
}

// info reads p.stat.
func (p *filePool) info() FileInfo {
	st := &p.stat
	return FileInfo{
		FD: -1, Uniq: st.Ino, MTime: st.Mtim.Sec, Size: st.Size, FSSize: FSSize(st),
		IsDir: st.Mode&unix.S_IFMT == unix.S_IFDIR, IsFile: st.Mode&unix.S_IFMT == unix.S_IFREG,
		IsExec: st.Mode&unix.S_IXUSR != 0,
	}
}

// FSSize is how many bytes of the file system a file takes; what was allocated
// ahead of its end does not count (ngx_file_fs_size).
func FSSize(st *unix.Stat_t) int64 {
	const sector, ahead = 512, 8
	if used := st.Blocks * sector; st.Size < used && used < st.Size+ahead*int64(st.Blksize) {
		return used
	}
	return st.Size
}

// name puts a path with a NUL where the kernel can read it. A path that has a
// NUL itself, which only ngx.req.set_uri brings in, ends there as it does for
// nginx; one that is too long is refused as the kernel would.
func (p *filePool) name(path string) (*byte, unix.Errno) {
	path = untilNUL(path)
	if len(path) >= len(p.path) {
		return nil, unix.ENAMETOOLONG
	}
	p.path[copy(p.path[:], path)] = 0
	return &p.path[0], 0
}

// untilNUL is a path as C reads it.
func untilNUL(path string) string {
	path, _, _ = strings.Cut(path, "\x00")
	return path
}

// openat, statat, fstat and closeFD are the system calls without the allocations of package unix and, since they are
// short and the worker could do nothing else meanwhile, without telling the scheduler.
func (p *filePool) openat(at int, path string, flags int) (int, unix.Errno) {
	name, e := p.name(path)
	if e != 0 {
		return -1, e
	}
	for {
		fd, _, e := unix.RawSyscall6(unix.SYS_OPENAT, uintptr(at), uintptr(unsafe.Pointer(name)), uintptr(flags), logMode, 0, 0)
		switch e {
		case 0:
			return int(fd), 0
		case unix.EINTR:
		default:
			return -1, e
		}
	}
}

func (p *filePool) statat(at int, path string, flags int) unix.Errno {
	name, e := p.name(path)
	if e != 0 {
		return e
	}
	_, _, e = unix.RawSyscall6(sysFstatat, uintptr(at), uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(&p.stat)),
		uintptr(flags), 0, 0)
	return e
}

func (p *filePool) fstat(fd int) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_FSTAT, uintptr(fd), uintptr(unsafe.Pointer(&p.stat)), 0)
	return e
}

func closeFD(fd int) {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}
