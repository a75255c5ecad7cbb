package api

import (
	"encoding/binary"
	"sync"

	"moongate/core/log"
)

// logRing keeps the newest lines of the error log in memory of fixed size: records of a header and a line, one behind
// the other, which do not go over the end of the memory (ngx_http_lua_log_ringbuf_t). Any goroutine may log.
type logRing struct {
	clock  *log.Clock
	mu     sync.Mutex
	filter log.Level

	mem        []byte
	head, tail int // the oldest record, and behind the newest one
	// wrapped: the newest records are in front of the oldest ones, which end at end.
	wrapped bool
	end     int
	count   int
}

// ringHeader is the size of a record's header: the time in milliseconds, the length of the line and its level.
const ringHeader = 8 + 4 + 4

func newLogRing(size int64, clock *log.Clock) *logRing {
	return &logRing{clock: clock, mem: make([]byte, size), filter: log.Debug}
}

// add puts a line into the ring. Old ones make room; what is longer than the ring is left out.
func (r *logRing) add(level log.Level, line []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	need := ringHeader + len(line)
	if level > r.filter || need > len(r.mem) {
		return
	}
	for r.room() < need {
		switch {
		case !r.wrapped: // the rest of the memory is too small
			r.end, r.tail, r.wrapped = r.tail, 0, true
		default:
			r.drop()
		}
	}
	at := r.mem[r.tail:]
	binary.LittleEndian.PutUint64(at, uint64(r.clock.UnixMilli()))
	binary.LittleEndian.PutUint32(at[8:], uint32(len(line)))
	binary.LittleEndian.PutUint32(at[12:], uint32(level))
	copy(at[ringHeader:], line)
	r.tail += need
	r.count++
}

// room is how much fits behind the newest record.
func (r *logRing) room() int {
	if r.wrapped {
		return r.head - r.tail
	}
	return len(r.mem) - r.tail
}

// drop forgets the oldest record.
func (r *logRing) drop() {
	r.head += ringHeader + int(binary.LittleEndian.Uint32(r.mem[r.head+8:]))
	r.count--
	switch {
	case r.count == 0:
		r.head, r.tail, r.wrapped = 0, 0, false
	case r.wrapped && r.head == r.end:
		r.head, r.wrapped = 0, false
	}
}

// next takes the oldest line out; false if there is none. The time is in seconds.
func (r *logRing) next() (level log.Level, at float64, line string, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.count == 0 {
		return 0, 0, "", false
	}
	rec := r.mem[r.head:]
	at = float64(binary.LittleEndian.Uint64(rec)) / 1000
	level = log.Level(binary.LittleEndian.Uint32(rec[12:]))
	line = string(rec[ringHeader : ringHeader+int(binary.LittleEndian.Uint32(rec[8:]))])
	r.drop()
	return level, at, line, true
}

// setFilter has lines above a level left out.
func (r *logRing) setFilter(level log.Level) {
	r.mu.Lock()
	r.filter = level
	r.mu.Unlock()
}
