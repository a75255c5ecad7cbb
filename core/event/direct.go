package event

import "golang.org/x/sys/unix"

// Pread is pread(2). A file that is read past the page cache (directio) is read
// through it from where the offset, the length or the memory is not aligned, as
// its end never is (ngx_directio_off).
func Pread(fd int, p []byte, off int64) (int, error) {
	n, err := unix.Pread(fd, p, off)
	if err == unix.EINVAL && directOff(fd) {
		return unix.Pread(fd, p, off)
	}
	return n, err
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
