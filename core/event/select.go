package event

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// selectPoller is the select(2) back end: as poll, for descriptors below 1024, and without notice of a
// peer that closed while data is unread.
type selectPoller struct {
	loop        *Loop
	read, write unix.FdSet
	most        int // highest descriptor in the sets
	of          [unix.FD_SETSIZE]event
	events      []event
}

func newSelect(l *Loop) (poller, error) {
	p := &selectPoller{loop: l}
	if err := p.fits(l.wakefd); err != nil {
		return nil, err
	}
	return p, nil
}

// fits refuses descriptors that the sets cannot hold.
func (p *selectPoller) fits(fd int) error {
	if fd >= unix.FD_SETSIZE {
		return fmt.Errorf("the maximum number of files supported by select() is %d", unix.FD_SETSIZE)
	}
	return nil
}

func (p *selectPoller) add(c *Conn, _ bool) error         { return p.fits(int(c.fd)) }
func (p *selectPoller) wantWrite(*Conn) error             { return nil }
func (p *selectPoller) del(*Conn)                         {}
func (p *selectPoller) enable(ls *Listener, _ bool) error { return p.fits(ls.FD) }
func (p *selectPoller) disable(*Listener) error           { return nil }
func (p *selectPoller) peerClose() bool                   { return false }
func (p *selectPoller) close()                            {}

func (p *selectPoller) list(fd int, read, write bool, of event) {
	if read {
		p.read.Set(fd)
	}
	if write {
		p.write.Set(fd)
	}
	if read || write {
		p.of[fd] = of
		p.most = max(p.most, fd)
	}
}

func (p *selectPoller) fill() {
	l := p.loop
	p.read.Zero()
	p.write.Zero()
	p.most = 0
	p.list(l.wakefd, true, false, event{slot: wakeSlot})
	for _, ls := range l.listeners {
		if ls.active {
			p.list(ls.FD, true, false, event{slot: ls.slot})
		}
	}
	for _, c := range l.conns.slots {
		if c != nil {
			p.list(int(c.fd), !c.Readable(), !c.Writable(), event{slot: c.slot, gen: c.gen})
		}
	}
}

func (p *selectPoller) wait(msec int, block bool) ([]event, error) {
	p.fill()
	n, e := sysSelect(p.most+1, &p.read, &p.write, msec, block)
	p.events = p.events[:0]
	if e == unix.EINTR {
		return nil, nil
	}
	if e != 0 {
		return nil, os.NewSyscallError("select", e)
	}
	for fd := 0; n > 0 && fd <= p.most; fd++ {
		ev := p.of[fd]
		ev.mask = 0
		if p.read.IsSet(fd) {
			ev.mask |= eventRead
			n--
		}
		if p.write.IsSet(fd) {
			ev.mask |= eventWrite
			n--
		}
		if ev.mask != 0 {
			p.events = append(p.events, ev)
		}
	}
	return p.events, nil
}
