package event

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The wrappers below are raw system calls: the descriptors are non-blocking, so telling the scheduler
// about them would cost more than many of the calls. They allocate nothing and retry EINTR.

// maxIovecs is how many buffers go into one readv or writev (NGX_IOVS_PREALLOCATE).
const maxIovecs = 64

var zeroByte byte

func bytesPtr(p []byte) unsafe.Pointer {
	if len(p) == 0 {
		return unsafe.Pointer(&zeroByte)
	}
	return unsafe.Pointer(&p[0])
}

func sysRead(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(bytesPtr(p)), uintptr(len(p)))
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

func sysWrite(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(bytesPtr(p)), uintptr(len(p)))
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// sysRecv is read for sockets.
func sysRecv(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(bytesPtr(p)), uintptr(len(p)), 0, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// sysSend is write for sockets.
func sysSend(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(bytesPtr(p)), uintptr(len(p)), unix.MSG_NOSIGNAL, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// sysReadWritev is readv or writev, as trap says.
func sysReadWritev(trap uintptr, fd int, iov []unix.Iovec) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&iov[0])), uintptr(len(iov)))
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

// sysPeek looks at the next bytes of a socket without taking them.
func sysPeek(fd int, p []byte) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(bytesPtr(p)), uintptr(len(p)),
			unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

func sysSendfile(out, in int, off *int64, n int) (int, unix.Errno) {
	for {
		r, _, e := unix.RawSyscall6(unix.SYS_SENDFILE, uintptr(out), uintptr(in),
			uintptr(unsafe.Pointer(off)), uintptr(n), 0, 0)
		if e == unix.EINVAL && directOff(in) {
			continue
		}
		if e != unix.EINTR {
			return int(r), e
		}
	}
}

// sysAccept is accept4 with the new descriptor non-blocking and close-on-exec.
func sysAccept(fd int, sa *unix.RawSockaddrAny, salen *uint32) (int, unix.Errno) {
	for {
		*salen = unix.SizeofSockaddrAny
		n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(sa)),
			uintptr(unsafe.Pointer(salen)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

func sysConnect(fd int, sa *unix.RawSockaddrAny, salen uint32) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(salen))
	return e
}

// sysSockName is getsockname or getpeername, as trap says.
func sysSockName(trap uintptr, fd int, sa *unix.RawSockaddrAny, salen *uint32) unix.Errno {
	*salen = unix.SizeofSockaddrAny
	_, _, e := unix.RawSyscall(trap, uintptr(fd), uintptr(unsafe.Pointer(sa)), uintptr(unsafe.Pointer(salen)))
	return e
}

func sysRecvmsg(fd int, m *unix.Msghdr) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(m)), 0)
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

func sysSendmsg(fd int, m *unix.Msghdr, flags int) (int, unix.Errno) {
	for {
		n, _, e := unix.RawSyscall(unix.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(m)), uintptr(flags))
		if e != unix.EINTR {
			return int(n), e
		}
	}
}

func sysShutdown(fd, how int) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), uintptr(how), 0)
	return e
}

func sysClose(fd int) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	return e
}

func sysSetsockoptInt(fd, level, name, value int) unix.Errno {
	v := int32(value)
	_, _, e := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&v)), 4, 0)
	return e
}

func sysGetsockoptInt(fd, level, name int) (int, unix.Errno) {
	var v int32
	n := uint32(4)
	_, _, e := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(name),
		uintptr(unsafe.Pointer(&v)), uintptr(unsafe.Pointer(&n)), 0)
	return int(v), e
}

func sysEpollCtl(epfd, op, fd int, ev *unix.EpollEvent) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epfd), uintptr(op), uintptr(fd),
		uintptr(unsafe.Pointer(ev)), 0, 0)
	return e
}

// sysEpollWait waits for at most msec milliseconds (-1: without limit). With block the scheduler knows about it,
// see Loop.wait.
func sysEpollWait(epfd int, evs []unix.EpollEvent, msec int, block bool) (int, unix.Errno) {
	if !block {
		n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&evs[0])),
			uintptr(len(evs)), uintptr(msec), 0, 0)
		return int(n), e
	}
	n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(epfd), uintptr(unsafe.Pointer(&evs[0])),
		uintptr(len(evs)), uintptr(msec), 0, 0)
	return int(n), e
}

// timespec is msec for ppoll and pselect6: nil without limit.
func timespec(ts *unix.Timespec, msec int) *unix.Timespec {
	if msec < 0 {
		return nil
	}
	*ts = unix.NsecToTimespec(int64(msec) * 1e6)
	return ts
}

// sysPoll is ppoll, in the same way.
func sysPoll(fds []unix.PollFd, msec int, block bool) (int, unix.Errno) {
	var ts unix.Timespec
	tp := timespec(&ts, msec)
	if !block {
		n, _, e := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)),
			uintptr(unsafe.Pointer(tp)), 0, 0, 0)
		return int(n), e
	}
	n, _, e := unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)),
		uintptr(unsafe.Pointer(tp)), 0, 0, 0)
	return int(n), e
}

// sysSelect is pselect6, likewise; limit is the highest descriptor + 1.
func sysSelect(limit int, r, w *unix.FdSet, msec int, block bool) (int, unix.Errno) {
	var ts unix.Timespec
	tp := timespec(&ts, msec)
	if !block {
		n, _, e := unix.RawSyscall6(unix.SYS_PSELECT6, uintptr(limit), uintptr(unsafe.Pointer(r)),
			uintptr(unsafe.Pointer(w)), 0, uintptr(unsafe.Pointer(tp)), 0)
		return int(n), e
	}
	n, _, e := unix.Syscall6(unix.SYS_PSELECT6, uintptr(limit), uintptr(unsafe.Pointer(r)),
		uintptr(unsafe.Pointer(w)), 0, uintptr(unsafe.Pointer(tp)), 0)
	return int(n), e
}

func sysSignalEventfd(fd int) {
	one := uint64(1)
	_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), 8)
}

func sysDrainEventfd(fd int) {
	var n uint64
	_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&n)), 8)
}
