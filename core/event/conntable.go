package event

import "golang.org/x/sys/unix"

// connTable holds a loop's connections by slot, the number that events carry, and the list of idle
// ones.
type connTable struct {
	slots []*Conn
	free  []int32
	used  int    // slots in use, and listeners
	open  int    // accepted connections
	gen   uint32 // of the last registration

	idle   Conn // the list's anchor: idle.next is the oldest
	idleN  int
	warned int64 // second of the last "reusing connections"
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

// pushIdle appends c, now the youngest, to the idle list.
func (t *connTable) pushIdle(c *Conn) {
	a := &t.idle
	if a.next == nil {
		a.next, a.prev = a, a
	}
	c.prev, c.next = a.prev, a
	a.prev.next, a.prev = c, c
	c.flags |= flagIdle
	t.idleN++
	c.loop.cfg.Stats.Waiting.Add(1)
}

func (t *connTable) dropIdle(c *Conn) {
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil
	c.flags &^= flagIdle
	t.idleN--
	c.loop.cfg.Stats.Waiting.Add(-1)
}

// reserve sees to it that one more connection may be used, as ngx_get_connection does: when less than
// a sixteenth is free it reclaims the oldest idle connections.
func (l *Loop) reserve() bool {
	t := &l.conns
	limit := l.cfg.Connections
	if limit-t.used <= limit/16 && t.idleN > 0 {
		if now := l.now.Unix(); t.warned != now {
			t.warned = now
			l.cfg.Log.Log(LogWarn, nil, "%d worker_connections are not enough, reusing connections", limit)
		}
		for range max(min(32, t.idleN/8), 1) {
			if t.idleN == 0 {
				break
			}
			t.idle.next.reclaim()
		}
	}
	if t.used >= limit {
		l.cfg.Log.Log(LogAlert, nil, "%d worker_connections are not enough", limit)
		return false
	}
	return true
}

// CloseIdle reclaims all idle connections, for a graceful shutdown.
func (l *Loop) CloseIdle() {
	for n := l.conns.idleN; n > 0 && l.conns.idleN > 0; n-- {
		l.conns.idle.next.reclaim()
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
		if c.has(flagIdle) {
			t.dropIdle(c)
		}
		fd := int(c.fd)
		c.release()
		_ = unix.Close(fd)
	}
}
