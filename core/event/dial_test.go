package event

import (
	"errors"
	"net"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestDialRefused(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		sa := sockaddr(t, ln.Addr().String())
		ln.Close()
		h.fiber(func() {
			_, err := h.Dial(sa, DialOptions{})
			var se *os.SyscallError
			if !errors.As(err, &se) || se.Syscall != "connect" || !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("refused: %v", err)
			}
			_, err = h.Dial(&unix.SockaddrUnix{Name: "/nonexistent"}, DialOptions{})
			if !errors.As(err, &se) || se.Syscall != "connect" || !errors.Is(err, unix.ENOENT) {
				t.Errorf("no such socket: %v", err)
			}
			if h.conns.used != 0 {
				t.Errorf("%d connections are left", h.conns.used)
			}
		})
	})
}

// fullBacklog is an address that connecting to takes for ever.
func fullBacklog(t *testing.T) *unix.SockaddrInet4 {
	t.Helper()
	fd, addr := listen(t, loopback)
	if err := unix.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		c, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		_ = unix.Connect(c, sockaddr(t, addr))
		t.Cleanup(func() { unix.Close(c) })
	}
	return sockaddr(t, addr)
}

func TestDialTimeoutAndCancel(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		sa := fullBacklog(t)
		h.fiber(func() {
			if _, err := h.Dial(sa, DialOptions{Timeout: 10 * time.Millisecond}); err != ErrTimeout {
				t.Errorf("timeout: %v", err)
			}
			f := h.Current()
			h.SetTimer(NewTimer(func() { f.Cancel(ErrPeerClosed) }), 5*time.Millisecond)
			if _, err := h.Dial(sa, DialOptions{}); err != ErrPeerClosed {
				t.Errorf("cancelled: %v", err)
			}
			if h.conns.used != 0 {
				t.Errorf("%d connections are left", h.conns.used)
			}
		})
	})
}

func TestDialBind(t *testing.T) {
	h := start(t, Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sa := sockaddr(t, ln.Addr().String())
	h.fiber(func() {
		c, err := h.Dial(sa, DialOptions{Bind: &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 2}}})
		if err != nil {
			t.Error(err)
			return
		}
		if a := c.LocalAddr().Addr().String(); a != "127.0.0.2" {
			t.Errorf("bound to %s", a)
		}
		c.Close()
		_, err = h.Dial(sa, DialOptions{Bind: &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}}})
		var se *os.SyscallError
		if !errors.As(err, &se) || se.Syscall != "bind" || !errors.Is(err, unix.EADDRNOTAVAIL) {
			t.Errorf("not ours: %v", err)
		}
		if os.Geteuid() != 0 {
			return
		}
		c, err = h.Dial(sa, DialOptions{
			Bind: &unix.SockaddrInet4{Addr: [4]byte{192, 0, 2, 1}}, Transparent: true, Timeout: 5 * time.Millisecond,
		})
		if err == nil {
			c.Close()
		} else if err != ErrTimeout { // the answer has nowhere to go
			t.Errorf("transparent: %v", err)
		}
	})
}

func TestDialAddresses(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		for _, sa := range []unix.Sockaddr{
			&unix.SockaddrUnix{Name: string(make([]byte, 200))},
			&unix.SockaddrNetlink{},
		} {
			if _, err := h.Dial(sa, DialOptions{}); err != errAddress {
				t.Errorf("%T: %v", sa, err)
			}
		}
	})
}

// select cannot hold descriptors from 1024 on.
func TestSelectLimit(t *testing.T) {
	h := start(t, Config{Method: "select"})
	fd, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, unix.FD_SETSIZE)
	if err != nil {
		t.Skip(err)
	}
	defer unix.Close(fd)
	h.onLoop(func() {
		const want = "the maximum number of files supported by select() is 1024"
		if _, err := h.Adopt(fd); err == nil || err.Error() != want {
			t.Errorf("Adopt: %v", err)
		}
		if err := h.AddListener(&Listener{FD: fd}); err == nil || err.Error() != want {
			t.Errorf("AddListener: %v", err)
		}
		if h.conns.used != 0 {
			t.Errorf("%d connections are left", h.conns.used)
		}
	})
}
