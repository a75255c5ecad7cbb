package log

import (
	"fmt"
	"sync/atomic"
)

// Memory is a ring buffer of log lines ("error_log memory:32m debug"). It
// starts with the line "MEMLOG size file:line", by which it is found in a core
// dump.
type Memory struct {
	buf     []byte
	ring    []byte
	written atomic.Uint64
}

// NewMemory returns a buffer of size bytes for the directive at position,
// "file:line". It fails when the head and one full line do not fit.
func NewMemory(size int64, position string) (*Memory, error) {
	head := fmt.Sprintf("MEMLOG %d %s\n", size, position)
	if size < int64(len(head)+MaxLine) {
		return nil, errBufferSize
	}
	m := &Memory{buf: make([]byte, size)}
	m.ring = m.buf[copy(m.buf, head):]
	for i := range m.ring {
		m.ring[i] = ' '
	}
	return m, nil
}

// Write appends a line of at most MaxLine bytes over the oldest ones.
func (m *Memory) Write(line []byte) {
	end := m.written.Add(uint64(len(line)))
	at := (end - uint64(len(line))) % uint64(len(m.ring))
	n := copy(m.ring[at:], line)
	copy(m.ring, line[n:])
}

// Bytes is the whole buffer as it lies in memory, head included; it must not
// be changed and shows later writes.
func (m *Memory) Bytes() []byte { return m.buf }
