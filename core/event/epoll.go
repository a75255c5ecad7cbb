package event

import (
	"os"

	"golang.org/x/sys/unix"
)

// poller is one of the kernel's ways to wait (epoll, poll, select).
type poller interface {
	// add starts watching a connection. write asks for write events at once; without it they may be
	// left out until wantWrite.
	add(c *Conn, write bool) error
	// wantWrite is called when writing to c has blocked.
	wantWrite(c *Conn) error
	// del stops watching c. Descriptors that nobody else shares need not be told: close suffices.
	del(c *Conn)
	// enable and disable watch a listener or not; exclusive wakes one of the sharing processes.
	enable(ls *Listener, exclusive bool) error
	disable(ls *Listener) error
	// wait returns the events of at most msec milliseconds (-1: without limit). The slice is good
	// until the next call. block is told to the scheduler: others may run meanwhile.
	wait(msec int, block bool) ([]event, error)
	// peerClose reports whether events tell that the peer has closed (EPOLLRDHUP).
	peerClose() bool
	close()
}

// event is what happened to one descriptor. gen tells connections apart that used the same slot.
type event struct {
	slot int32
	gen  uint32
	mask eventMask
}

type eventMask uint8

const (
	eventRead eventMask = 1 << iota
	eventWrite
	eventPeerClosed // the peer will send no more
	eventHangup     // error, or closed in both directions
)

// wakeSlot is the slot of the eventfd; those of listeners lie below it.
const wakeSlot = -1

// epoll is the edge-triggered back end.
type epoll struct {
	fd     int
	kernel []unix.EpollEvent
	events []event
}

// epollEvents is how many events one wait takes (epoll_events).
const epollEvents = 512

func newEpoll(l *Loop) (poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create", err)
	}
	p := &epoll{fd: fd, kernel: make([]unix.EpollEvent, epollEvents), events: make([]event, 0, epollEvents)}
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: wakeSlot}
	if e := sysEpollCtl(fd, unix.EPOLL_CTL_ADD, l.wakefd, &ev); e != 0 {
		p.close()
		return nil, os.NewSyscallError("epoll_ctl", e)
	}
	return p, nil
}

const epollConn = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET

func (p *epoll) ctl(op int, c *Conn, events uint32) error {
	ev := unix.EpollEvent{Events: events, Fd: c.slot, Pad: int32(c.gen)}
	if e := sysEpollCtl(p.fd, op, int(c.fd), &ev); e != 0 {
		return os.NewSyscallError("epoll_ctl", e)
	}
	return nil
}

// add leaves EPOLLOUT out for accepted connections: a fresh socket is writable, and asking would
// cost each new connection one useless wake-up.
func (p *epoll) add(c *Conn, write bool) error {
	events := uint32(epollConn)
	if write {
		events |= unix.EPOLLOUT
		c.flags |= flagWriteEvents
	}
	return p.ctl(unix.EPOLL_CTL_ADD, c, events)
}

func (p *epoll) wantWrite(c *Conn) error {
	if c.flags&flagWriteEvents != 0 {
		return nil
	}
	c.flags |= flagWriteEvents
	return p.ctl(unix.EPOLL_CTL_MOD, c, epollConn|unix.EPOLLOUT)
}

func (p *epoll) del(c *Conn) { _ = p.ctl(unix.EPOLL_CTL_DEL, c, 0) }

// enable is level-triggered: what one accept leaves is reported again.
func (p *epoll) enable(ls *Listener, exclusive bool) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: ls.slot}
	if exclusive {
		ev.Events |= unix.EPOLLEXCLUSIVE
	}
	if e := sysEpollCtl(p.fd, unix.EPOLL_CTL_ADD, ls.FD, &ev); e != 0 {
		return os.NewSyscallError("epoll_ctl", e)
	}
	return nil
}

func (p *epoll) disable(ls *Listener) error {
	var ev unix.EpollEvent
	if e := sysEpollCtl(p.fd, unix.EPOLL_CTL_DEL, ls.FD, &ev); e != 0 {
		return os.NewSyscallError("epoll_ctl", e)
	}
	return nil
}

func (p *epoll) wait(msec int, block bool) ([]event, error) {
	n, e := sysEpollWait(p.fd, p.kernel, msec, block)
	p.events = p.events[:0]
	if e == unix.EINTR {
		return nil, nil
	}
	if e != 0 {
		return nil, os.NewSyscallError("epoll_wait", e)
	}
	for i := range p.kernel[:n] {
		ev := &p.kernel[i]
		p.events = append(p.events, event{ev.Fd, uint32(ev.Pad), epollMask(ev.Events)})
	}
	return p.events, nil
}

// epollMask translates; poll(2) uses the same bits.
func epollMask(bits uint32) (m eventMask) {
	if bits&unix.EPOLLIN != 0 {
		m |= eventRead
	}
	if bits&unix.EPOLLOUT != 0 {
		m |= eventWrite
	}
	if bits&unix.EPOLLRDHUP != 0 {
		m |= eventRead | eventPeerClosed
	}
	if bits&(unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		m |= eventRead | eventWrite | eventPeerClosed | eventHangup
	}
	return m
}

func (p *epoll) peerClose() bool { return true }

func (p *epoll) close() { _ = unix.Close(p.fd) }
