package event

import (
	"io"

	"golang.org/x/sys/unix"
)

// Pread fills p from a place of a file; when the file ends before, the error is
// io.ErrUnexpectedEOF. A file that is read past the page cache (directio) is
// read through it from where the offset, the length or the memory is not
// aligned, as its end never is (ngx_directio_off).
func Pread(fd int, p []byte, off int64) (n int, err error) {
	for n < len(p) {
		m, err := unix.Pread(fd, p[n:], off+int64(n))
		switch {
		case err == unix.EINTR, err == unix.EINVAL && directOff(fd):
		case err != nil:
			return n, err
		case m == 0:
			return n, io.ErrUnexpectedEOF
		default:
			n += m
		}
	}
	return n, nil
}

// directOff ends the reading past the page cache; it tells whether there was any.
func directOff(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_DIRECT == 0 {
		return false
	}
	_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFL, flags&^unix.O_DIRECT)
	return err == nil
}
