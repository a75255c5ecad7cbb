package event

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// packetSocket is a UDP socket bound to loopback.
func (h *harness) packetSocket() *PacketConn {
	h.t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Bind(fd, loopback)
	}
	if err != nil {
		h.t.Fatal(err)
	}
	p, err := h.AdoptPacket(fd)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func TestPackets(t *testing.T) {
	each(t, func(t *testing.T, h *harness) {
		h.fiber(func() {
			server := h.packetSocket()
			addr := server.LocalAddr().AddrPort
			if err := server.SetOption(unix.SOL_IP, unix.IP_PKTINFO, 1); err != nil {
				t.Error(err)
			}
			h.Go(func() { // echo, empty datagrams too
				buf, oob := make([]byte, 100), make([]byte, 100)
				for {
					n, oobn, flags, from, err := server.RecvMsg(buf, oob)
					if err != nil {
						if err != ErrClosed {
							t.Error(err)
						}
						return
					}
					if m, err := unix.ParseSocketControlMessage(oob[:oobn]); err != nil || len(m) != 1 || flags != 0 {
						t.Errorf("control messages %v, %v, flags %d", m, err, flags)
					}
					if _, err := server.SendTo(buf[:n], from); err != nil {
						t.Error(err)
					}
				}
			})
			sa := &unix.SockaddrInet4{Addr: addr.Addr().As4(), Port: int(addr.Port())}
			client, err := h.DialPacket(sa, DialOptions{})
			if err != nil {
				t.Error(err)
				return
			}
			client.SetTimeouts(10*time.Second, time.Second)
			buf := make([]byte, 100)
			for _, text := range []string{"one", "", "three"} {
				if _, err := client.Write([]byte(text)); err != nil {
					t.Error(err)
				}
				n, from, err := client.RecvFrom(buf)
				if string(buf[:n]) != text || from != addr || err != nil {
					t.Errorf("%q from %v, %v", buf[:n], from, err)
				}
			}
			// Two datagrams wait at once: a short read does not mean that nothing is left.
			client.Write([]byte("a"))
			client.Write([]byte("b"))
			for _, want := range []string{"a", "b"} {
				if n, err := client.Read(buf); string(buf[:n]) != want || err != nil {
					t.Errorf("%q, %v", buf[:n], err)
				}
			}
			client.SetTimeouts(5*time.Millisecond, 0)
			if _, _, err := client.RecvFrom(buf); err != ErrTimeout {
				t.Errorf("%v", err)
			}
			server.Close()
			client.Write([]byte("nobody is there"))
			client.SetTimeouts(time.Second, 0)
			if _, err := client.Read(buf); !errors.Is(err, unix.ECONNREFUSED) {
				t.Errorf("%v", err)
			}
			client.SetTimeouts(5*time.Millisecond, 0)
			if _, err := client.Read(buf); err != ErrTimeout { // the error has passed
				t.Errorf("%v", err)
			}
			client.Close()
			if _, err := client.SendTo(nil, netip.AddrPort{}); err != ErrClosed || client.FD() != -1 {
				t.Errorf("%v", err)
			}
		})
	})
}

func TestPacketTruncated(t *testing.T) {
	h := start(t, Config{})
	h.fiber(func() {
		a, b := h.packetSocket(), h.packetSocket()
		defer a.Close()
		defer b.Close()
		if _, err := a.SendTo([]byte("too long"), b.LocalAddr().AddrPort); err != nil {
			t.Error(err)
		}
		buf := make([]byte, 3)
		n, _, flags, from, err := b.RecvMsg(buf, nil)
		if string(buf[:n]) != "too" || flags&unix.MSG_TRUNC == 0 || from != a.LocalAddr().AddrPort || err != nil {
			t.Errorf("%q, flags %x, from %v, %v", buf[:n], flags, from, err)
		}
	})
}
