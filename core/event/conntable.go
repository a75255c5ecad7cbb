package event

import "golang.org/x/sys/unix"

// connTable holds a loop's connections by slot, the number that events carry, and the list of
// reusable ones.
type connTable struct {
	slots []*Conn
	free  []int32
	used  int    // slots in use, and listeners
	open  int    // accepted connections
	gen   uint32 // of the last registration

	// The idle and lingering connections, which are closed to make room: a ring around reusable,
	// whose next is the oldest.
	reusable  Conn
	reusableN int
	warned    int64 // second of the last "reusing connections"
	draining  bool  // CloseIdle was called
}

// add makes a connection of fd, subject to worker_connections.
func (t *connTable) add(l *Loop, fd int, flags connFlags) (*Conn, error) {
	if !l.reserve() {
		return nil, ErrConnections
	}
	var slot int32
	if n := len(t.free); n > 0 {
		slot = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		slot = int32(len(t.slots))
		t.slots = append(t.slots, nil)
	}
	t.used++
	t.gen++
	c := &Conn{loop: l, fd: int32(fd), slot: slot, gen: t.gen, flags: flags, Start: l.msec}
	c.Number = uint64(l.cfg.Stats.Serial.Add(1))
	c.timer.owner = c
	t.slots[slot] = c
	return c, nil
}

// remove frees the connection's slot.
func (t *connTable) remove(c *Conn) {
	t.slots[c.slot] = nil
	t.free = append(t.free, c.slot)
	t.used--
}

// lookup finds the connection an event is for, nil when it is gone.
func (t *connTable) lookup(slot int32, gen uint32) *Conn {
	if int(slot) < len(t.slots) {
		if c := t.slots[slot]; c != nil && c.gen == gen {
			return c
		}
	}
	return nil
}

// pushReusable appends c, now the youngest, to the reusable connections (ngx_reusable_connection).
func (t *connTable) pushReusable(c *Conn) {
	a := &t.reusable
	if a.next == nil {
		a.next, a.prev = a, a
	}
	c.prev, c.next = a.prev, a
	a.prev.next, a.prev = c, c
	c.flags |= flagReusable
	t.reusableN++
	c.loop.cfg.Stats.Waiting.Add(1)
}

func (t *connTable) dropReusable(c *Conn) {
	if !c.has(flagReusable) {
		return
	}
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil
	c.flags &^= flagReusable
	t.reusableN--
	c.loop.cfg.Stats.Waiting.Add(-1)
}

// reserve sees to it that one more connection may be used, as ngx_get_connection does: when less than
// a sixteenth is free it closes the oldest idle and lingering connections.
func (l *Loop) reserve() bool {
	t := &l.conns
	limit := l.cfg.Connections
	if limit-t.used <= limit/16 && t.reusableN > 0 {
		if now := l.now.Unix(); t.warned != now {
			t.warned = now
			l.cfg.Log.Log(LogWarn, nil, "%d worker_connections are not enough, reusing connections", limit)
		}
		for n := max(min(32, t.reusableN/8), 1); n > 0 && t.reusableN > 0; n-- {
			t.reusable.next.reclaim()
		}
	}
	if t.used >= limit {
		l.cfg.Log.Log(LogAlert, nil, "%d worker_connections are not enough", limit)
		return false
	}
	return true
}

// CloseIdle reclaims the idle connections, for a graceful shutdown: those protected by IdleMin once
// that is over, and those accepted but not served yet not at all, as their request may be on its way.
func (l *Loop) CloseIdle() {
	l.conns.draining = true
	for i := 0; i < len(l.conns.slots); i++ {
		c := l.conns.slots[i]
		if c != nil && c.has(flagReusable) && c.has(flagIdle) && !c.has(flagFresh) {
			c.reclaim()
		}
	}
}

// Active is the number of accepted connections that are open, idle and lingering ones included.
func (l *Loop) Active() int { return l.conns.open }

// closeAll closes the descriptors when the loop ends; no server is asked.
func (t *connTable) closeAll() {
	for _, c := range t.slots {
		if c == nil {
			continue
		}
		fd := int(c.fd)
		c.release()
		_ = unix.Close(fd)
	}
}
