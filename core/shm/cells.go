package shm

import (
	"sync/atomic"
	"unsafe"
)

// cellSize keeps cells on cache lines of their own, or workers counting
// different things would slow each other down.
const cellSize = 128

// Cells are counters in shared memory that need no lock: the connection
// statistics of stub_status, and what else every worker adds to. nginx keeps
// them in src/event/ngx_event.c the same way.
type Cells struct {
	z     *Zone
	cells []byte
}

// CreateCells makes n counters, all 0, in a memory file of their own.
func CreateCells(name string, n int) (*Cells, error) {
	z, err := Create(name, int64(slabOverhead+PageSize+n*(cellSize+pageOverhead)+2*PageSize))
	if err != nil {
		return nil, err
	}
	p := z.Calloc(n * cellSize)
	z.SetRoot(p)
	return &Cells{z, z.Bytes(p, n*cellSize)}, nil
}

// OpenCells maps the n counters another process created.
func OpenCells(name string, fd, n int) (*Cells, error) {
	z, err := Open(name, fd)
	if err != nil {
		return nil, err
	}
	return &Cells{z, z.Bytes(z.Root(), n*cellSize)}, nil
}

// Cell returns counter i. It panics when there are not as many.
func (c *Cells) Cell(i int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&c.cells[i*cellSize]))
}

// Fd returns the descriptor to pass to other processes.
func (c *Cells) Fd() int { return c.z.Fd() }

// Close unmaps the counters.
func (c *Cells) Close() error {
	c.cells = nil
	return c.z.Close()
}
