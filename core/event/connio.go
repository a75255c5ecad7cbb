package event

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// TryRead reads what is there: ErrAgain when nothing is, io.EOF when the peer has closed.
func (c *Conn) TryRead(p []byte) (int, error) {
	if !c.Readable() || c.has(flagClosed) {
		return 0, c.notReady()
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.has(flagSocket) {
		n, e := sysRecv(int(c.fd), p)
		return c.received(n, len(p), "recv", e)
	}
	n, e := sysRead(int(c.fd), p)
	return c.received(n, len(p), "read", e)
}

// TryPeek is TryRead that leaves the data unread (MSG_PEEK); sockets only.
func (c *Conn) TryPeek(p []byte) (int, error) {
	if !c.Readable() || c.has(flagClosed) {
		return 0, c.notReady()
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, e := sysPeek(int(c.fd), p)
	return c.received(n, n, "recv", e)
}

// TryReadv is TryRead into several buffers; those past the 64th are left alone.
func (c *Conn) TryReadv(bufs [][]byte) (int, error) {
	if !c.Readable() || c.has(flagClosed) {
		return 0, c.notReady()
	}
	iov, size := c.loop.iovecs(bufs, 0)
	if len(iov) == 0 {
		return 0, nil
	}
	n, e := sysReadWritev(unix.SYS_READV, int(c.fd), iov)
	clear(iov)
	return c.received(n, size, "readv", e)
}

// notReady is the error of an attempt that is not even made.
func (c *Conn) notReady() error {
	if c.has(flagClosed) {
		return ErrClosed
	}
	return ErrAgain
}

// received takes in the result of a read of up to size bytes.
func (c *Conn) received(n, size int, call string, e unix.Errno) (int, error) {
	switch {
	case e == unix.EAGAIN:
		c.flags &^= flagReadable
		return 0, ErrAgain
	case e != 0:
		if c.has(flagStream) { // of a datagram socket, errors pass
			c.flags |= flagPeerClosed | flagHangup
		}
		return 0, os.NewSyscallError(call, e)
	case n == 0 && c.has(flagStream):
		c.flags |= flagEOF | flagPeerClosed
		return 0, io.EOF
	case n < size && c.flags&(flagStream|flagPeerClosed|flagHangup) == flagStream:
		// All that had arrived was taken, and what comes, be it the end, is a new event.
		c.flags &^= flagReadable
	}
	return n, nil
}

// Read reads what is there, waiting for at least a byte, at most ReadTimeout. The errors are io.EOF at
// the peer's FIN, ErrTimeout, ErrClosed, the fiber's when cancelled, and the system's.
func (c *Conn) Read(p []byte) (int, error) {
	for {
		n, err := c.TryRead(p)
		if err != ErrAgain {
			c.loop.Spend(n)
			return n, err
		}
		if err := c.WaitReadable(c.ReadTimeout); err != nil {
			return 0, err
		}
	}
}

// Readv is Read into several buffers.
func (c *Conn) Readv(bufs [][]byte) (int, error) {
	for {
		n, err := c.TryReadv(bufs)
		if err != ErrAgain {
			c.loop.Spend(n)
			return n, err
		}
		if err := c.WaitReadable(c.ReadTimeout); err != nil {
			return 0, err
		}
	}
}

// TryWrite writes what the kernel takes: less than all of p, with ErrAgain, when it is full.
func (c *Conn) TryWrite(p []byte) (int, error) {
	if !c.Writable() || c.has(flagClosed) {
		return 0, c.notReady()
	}
	if len(p) == 0 {
		return 0, nil
	}
	if c.has(flagSocket) {
		n, e := sysSend(int(c.fd), p)
		return c.sent(n, len(p), "send", e)
	}
	n, e := sysWrite(int(c.fd), p)
	return c.sent(n, len(p), "write", e)
}

// TryWritev is TryWrite of several buffers. The slices are not changed.
func (c *Conn) TryWritev(bufs [][]byte) (int64, error) {
	var done int64
	for skip := 0; ; {
		n, err := c.tryWritev(bufs, skip)
		done += int64(n)
		if bufs, skip = advance(bufs, skip+n); err != nil || len(bufs) == 0 {
			return done, err
		}
	}
}

// advance drops the first n bytes: whole buffers, and skip bytes of the next.
func advance(bufs [][]byte, n int) (rest [][]byte, skip int) {
	for len(bufs) > 0 && n >= len(bufs[0]) {
		n -= len(bufs[0])
		bufs = bufs[1:]
	}
	return bufs, n
}

// tryWritev writes bufs from the byte skip of the first; at most 64 of them, which is no error.
func (c *Conn) tryWritev(bufs [][]byte, skip int) (int, error) {
	if !c.Writable() || c.has(flagClosed) {
		return 0, c.notReady()
	}
	iov, size := c.loop.iovecs(bufs, skip)
	if len(iov) == 0 {
		return 0, nil
	}
	n, e := sysReadWritev(unix.SYS_WRITEV, int(c.fd), iov)
	clear(iov)
	return c.sent(n, size, "writev", e)
}

// iovecs lists the non-empty buffers, at most maxIovecs, and their size. The list is the loop's: it
// must be cleared before the next parking.
func (l *Loop) iovecs(bufs [][]byte, skip int) (iov []unix.Iovec, size int) {
	iov = l.iov[:0]
	for _, b := range bufs {
		b = b[skip:]
		skip = 0
		if len(b) == 0 {
			continue
		}
		if len(iov) == maxIovecs {
			break
		}
		v := unix.Iovec{Base: &b[0]}
		v.SetLen(len(b))
		iov = append(iov, v)
		size += len(b)
	}
	return iov, size
}

// sent takes in the result of a write of size bytes.
func (c *Conn) sent(n, size int, call string, e unix.Errno) (int, error) {
	switch {
	case e == unix.EAGAIN:
		n = 0
	case e != 0:
		c.flags |= flagHangup
		return 0, os.NewSyscallError(call, e)
	case n == size:
		return n, nil
	}
	c.flags &^= flagWritable
	if err := c.loop.poll.wantWrite(c); err != nil {
		return n, err
	}
	return n, ErrAgain
}

// Write writes all of p, waiting as often as needed, each time at most WriteTimeout. The errors are
// ErrTimeout, ErrClosed, the fiber's when cancelled, and the system's.
func (c *Conn) Write(p []byte) (int, error) {
	done := 0
	for {
		n, err := c.TryWrite(p[done:])
		done += n
		if err != ErrAgain {
			c.loop.Spend(n)
			return done, err
		}
		if err := c.WaitWritable(c.WriteTimeout); err != nil {
			return done, err
		}
	}
}

// Writev is Write of several buffers. The slices are not changed.
func (c *Conn) Writev(bufs [][]byte) (int64, error) {
	if len(bufs) == 1 {
		n, err := c.Write(bufs[0])
		return int64(n), err
	}
	var done int64
	skip := 0
	for {
		n, err := c.tryWritev(bufs, skip)
		done += int64(n)
		bufs, skip = advance(bufs, skip+n)
		switch {
		case err == ErrAgain:
			if err := c.WaitWritable(c.WriteTimeout); err != nil {
				return done, err
			}
		case err != nil || len(bufs) == 0:
			c.loop.Spend(n)
			return done, err
		}
	}
}

// DefaultSendfileChunk is how much one sendfile call may send (sendfile_max_chunk).
const DefaultSendfileChunk = 2 << 20

// TrySendfile sends n bytes of the file fd from off, as far as the kernel takes them: less, with
// ErrAgain, when it is full; io.ErrUnexpectedEOF when the file is shorter.
func (c *Conn) TrySendfile(fd int, off, n int64) (int64, error) {
	if !c.Writable() || c.has(flagClosed) {
		return 0, c.notReady()
	}
	if n <= 0 {
		return 0, nil
	}
	const most = 1 << 30
	size := int(min(n, most))
	sent, e := sysSendfile(int(c.fd), fd, &off, size)
	if e == 0 && sent == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if e == 0 && sent < size {
		return int64(sent), nil // short for the file or for the socket: the next call tells
	}
	sent, err := c.sent(sent, size, "sendfile", e)
	return int64(sent), err
}

// Sendfile sends n bytes of the file fd from off, at most chunk (0: DefaultSendfileChunk) in one go
// before others have their turn. It waits and fails like Write; io.ErrUnexpectedEOF says that the
// file is shorter.
func (c *Conn) Sendfile(fd int, off, n, chunk int64) (int64, error) {
	if chunk <= 0 {
		chunk = DefaultSendfileChunk
	}
	var done int64
	for done < n {
		sent, err := c.TrySendfile(fd, off+done, min(chunk, n-done))
		done += sent
		switch {
		case err == ErrAgain:
			if err := c.WaitWritable(c.WriteTimeout); err != nil {
				return done, err
			}
		case err != nil:
			return done, err
		default:
			c.loop.Spend(int(sent))
		}
	}
	return done, nil
}

// WaitReadable parks the current fiber until the connection is readable or at its end, at most d (0:
// without limit). It returns at once when nothing says that a read would block.
func (c *Conn) WaitReadable(d time.Duration) error { return c.wait(true, false, d) }

// WaitWritable is WaitReadable for writing.
func (c *Conn) WaitWritable(d time.Duration) error { return c.wait(false, true, d) }

// WaitAny waits for either direction; Readable and Writable say which.
func (c *Conn) WaitAny(read, write bool, d time.Duration) error { return c.wait(read, write, d) }

func (c *Conn) ready(read, write bool) bool { return read && c.Readable() || write && c.Writable() }

func (c *Conn) wait(read, write bool, d time.Duration) error {
	if c.ready(read, write) && !c.has(flagClosed) {
		c.loop.Spend(0)
		return nil
	}
	for {
		if c.has(flagClosed) {
			return ErrClosed
		}
		f := c.loop.cur
		if f == nil {
			return ErrAgain
		}
		if err := c.enlist(f, read, write); err != nil {
			return err
		}
		w := f.park(fiberIO, d)
		c.delist(f)
		switch {
		case c.has(flagClosed):
			return ErrClosed
		case c.ready(read, write):
			return nil
		case w == Canceled:
			return f.err
		case w == Timeout:
			return ErrTimeout
		}
	}
}

// enlist notes f as the one to wake.
func (c *Conn) enlist(f *Fiber, read, write bool) error {
	if read && c.rwait != nil && c.rwait != f || write && c.wwait != nil && c.wwait != f {
		return ErrBusy
	}
	if read {
		c.rwait = f
	}
	if write {
		c.wwait = f
	}
	return nil
}

func (c *Conn) delist(f *Fiber) {
	if c.rwait == f {
		c.rwait = nil
	}
	if c.wwait == f {
		c.wwait = nil
	}
}

// Interest is one connection WaitAny waits for, and in which directions.
type Interest struct {
	Conn        *Conn
	Read, Write bool
}

// WaitAny parks the current fiber until one of the connections is ready in a direction asked for, or
// is closed here, at most d (0: without limit). It returns the index of the first that is; -1 with no
// error when the fiber's Ready was called instead.
func (l *Loop) WaitAny(d time.Duration, in []Interest) (int, error) {
	if i := firstReady(in); i >= 0 {
		return i, nil
	}
	f := l.cur
	if f == nil {
		return -1, ErrAgain
	}
	for i := range in {
		if err := in[i].Conn.enlist(f, in[i].Read, in[i].Write); err != nil {
			for j := range in[:i] {
				in[j].Conn.delist(f)
			}
			return -1, err
		}
	}
	w := f.park(fiberParked, d)
	for i := range in {
		in[i].Conn.delist(f)
	}
	if i := firstReady(in); i >= 0 {
		return i, nil
	}
	switch w {
	case Canceled:
		return -1, f.err
	case Timeout:
		return -1, ErrTimeout
	}
	return -1, nil
}

func firstReady(in []Interest) int {
	for i := range in {
		if c := in[i].Conn; c.has(flagClosed) || c.ready(in[i].Read, in[i].Write) {
			return i
		}
	}
	return -1
}
