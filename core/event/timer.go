package event

import "time"

// Timer calls a function on the loop once its time has come. It is intrusive: arming allocates
// nothing. Timers have millisecond granularity and count from the loop's cached time, never less than asked: were they
// counted in whole milliseconds of the clock, one armed at x.9 would be due up to that much early.
type Timer struct {
	at    int64 // deadline in Loop.usec, 0 when not armed
	pos   int32 // index in the heap + 1, 0 when not in it
	owner expirer
}

// expirer is what a timer wakes.
type expirer interface{ expire(l *Loop) }

type timerFunc func()

func (f timerFunc) expire(l *Loop) { l.protect(f) }

// NewTimer makes a timer that calls f on the loop. f must not park.
func NewTimer(f func()) *Timer { return &Timer{owner: timerFunc(f)} }

// Armed reports whether the timer is going to fire.
func (t *Timer) Armed() bool { return t.at != 0 }

// timerEntry is one timer in the heap. Its key never exceeds the timer's deadline: re-arming for
// later, or disarming, leaves the entry where it is, and it is put right when it comes to the top.
// That makes the usual life of an I/O timeout (armed, disarmed, armed again, never firing) free of
// heap work without nginx's 300 ms imprecision (NGX_TIMER_LAZY_DELAY).
type timerEntry struct {
	key int64
	t   *Timer
}

// timerHeap is a 4-ary min-heap.
type timerHeap []timerEntry

const timerArity = 4

// SetTimer arms t to fire d from the loop's current time, rounded up to a millisecond, replacing an
// earlier deadline.
func (l *Loop) SetTimer(t *Timer, d time.Duration) {
	at := l.usec
	if d > 0 {
		ms := int64(d / time.Millisecond)
		if d%time.Millisecond != 0 {
			ms++
		}
		at += ms * 1000
	}
	if l.expiring && at <= l.usec {
		at = l.usec + 1 // else a timer that re-arms itself with 0 would never let the loop go
	}
	t.at = at
	h := &l.timers
	if t.pos == 0 {
		*h = append(*h, timerEntry{at, t})
		h.up(len(*h) - 1)
		return
	}
	if i := int(t.pos - 1); at < (*h)[i].key {
		(*h)[i].key = at
		h.up(i)
	}
}

// DelTimer disarms t and drops the loop's reference to it.
func (l *Loop) DelTimer(t *Timer) {
	t.at = 0
	if t.pos != 0 {
		l.timers.remove(int(t.pos - 1))
	}
}

// disarm is DelTimer for timers whose owner lives on and will arm them again: the heap entry stays.
func (t *Timer) disarm() { t.at = 0 }

// nextTimer is the time in milliseconds, rounded up, until the next timer can be due, -1 when there is none. Entries of
// timers postponed or disarmed since are not looked for: the loop wakes up once for each, long after, instead of putting
// one right with each request.
func (l *Loop) nextTimer() int64 {
	if len(l.timers) == 0 {
		return -1
	}
	return max((l.timers[0].key-l.usec+999)/1000, 0)
}

// expireTimers fires what is due, in the order of the deadlines.
func (l *Loop) expireTimers() {
	h := &l.timers
	l.expiring = true
	for len(*h) > 0 && (*h)[0].key <= l.usec {
		t := (*h)[0].t
		if t.at != (*h)[0].key {
			h.settle()
			continue
		}
		h.remove(0)
		t.at = 0
		t.owner.expire(l)
	}
	l.expiring = false
}

// settle puts a postponed or disarmed entry at the top right.
func (h *timerHeap) settle() {
	if top := &(*h)[0]; top.t.at == 0 {
		h.remove(0)
	} else {
		top.key = top.t.at
		h.down(0)
	}
}

func (h *timerHeap) remove(i int) {
	s := *h
	s[i].t.pos = 0
	last := len(s) - 1
	moved := s[last]
	s[last] = timerEntry{}
	*h = s[:last]
	if i == last {
		return
	}
	s[i] = moved
	if i > 0 && moved.key < s[(i-1)/timerArity].key {
		h.up(i)
	} else {
		h.down(i)
	}
}

func (h timerHeap) up(i int) {
	e := h[i]
	for i > 0 {
		parent := (i - 1) / timerArity
		if h[parent].key <= e.key {
			break
		}
		h[i] = h[parent]
		h[i].t.pos = int32(i + 1)
		i = parent
	}
	h[i] = e
	e.t.pos = int32(i + 1)
}

func (h timerHeap) down(i int) {
	e := h[i]
	for {
		first := i*timerArity + 1
		if first >= len(h) {
			break
		}
		least := first
		for j := first + 1; j < min(first+timerArity, len(h)); j++ {
			if h[j].key < h[least].key {
				least = j
			}
		}
		if e.key <= h[least].key {
			break
		}
		h[i] = h[least]
		h[i].t.pos = int32(i + 1)
		i = least
	}
	h[i] = e
	e.t.pos = int32(i + 1)
}
