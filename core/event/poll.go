package event

import (
	"os"

	"golang.org/x/sys/unix"
)

// poll is the poll(2) back end. It asks for what is not yet known to be ready, which makes the
// level-triggered call behave like epoll's edges; the list is rebuilt for each wait, which costs no
// more than the kernel's own walk over it.
type poll struct {
	loop   *Loop
	fds    []unix.PollFd
	of     []event // whose descriptors these are
	events []event
}

func newPoll(l *Loop) poller { return &poll{loop: l} }

func (p *poll) add(*Conn, bool) error        { return nil }
func (p *poll) wantWrite(*Conn) error        { return nil }
func (p *poll) del(*Conn)                    {}
func (p *poll) enable(*Listener, bool) error { return nil }
func (p *poll) disable(*Listener) error      { return nil }
func (p *poll) peerClose() bool              { return true }
func (p *poll) close()                       {}

func (p *poll) list(fd int, bits int16, of event) {
	p.fds = append(p.fds, unix.PollFd{Fd: int32(fd), Events: bits})
	p.of = append(p.of, of)
}

func (p *poll) wait(msec int, block bool) ([]event, error) {
	l := p.loop
	p.fds, p.of, p.events = p.fds[:0], p.of[:0], p.events[:0]
	p.list(l.wakefd, unix.POLLIN, event{slot: wakeSlot})
	for _, ls := range l.listeners {
		if ls.active {
			p.list(ls.FD, unix.POLLIN, event{slot: ls.slot})
		}
	}
	for _, c := range l.conns.slots {
		if c == nil || c.has(flagHangup) && c.has(flagReadable) && c.has(flagWritable) {
			continue
		}
		if bits := pollBits(c); bits != 0 {
			p.list(int(c.fd), bits, event{slot: c.slot, gen: c.gen})
		}
	}
	n, e := sysPoll(p.fds, msec, block)
	if e == unix.EINTR {
		return nil, nil
	}
	if e != 0 {
		return nil, os.NewSyscallError("poll", e)
	}
	for i := 0; n > 0 && i < len(p.fds); i++ {
		if bits := p.fds[i].Revents; bits != 0 {
			n--
			ev := p.of[i]
			ev.mask = epollMask(uint32(uint16(bits)))
			p.events = append(p.events, ev)
		}
	}
	return p.events, nil
}

// pollBits is what is not yet known about a connection.
func pollBits(c *Conn) (bits int16) {
	if !c.Readable() {
		bits |= unix.POLLIN
	}
	if !c.Writable() {
		bits |= unix.POLLOUT
	}
	if !c.has(flagPeerClosed) {
		bits |= unix.POLLRDHUP
	}
	return bits
}
