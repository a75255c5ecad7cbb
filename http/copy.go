package http

import (
	"io"

	"moongate/core/event"
	"moongate/core/log"
)

// runFilter calls a body filter. For one that takes bytes only, pieces of files
// are read first, output_buffers' size at a time: nginx's copy filter.
func (r *Request) runFilter(m *Module, bufs []Buf, next Next) error {
	if !m.InMemory {
		return m.Body(r, bufs, next)
	}
	done := 0
	for i := range bufs {
		if !bufs[i].InFile {
			continue
		}
		if i > done {
			if err := m.Body(r, bufs[done:i], next); err != nil {
				return err
			}
		}
		if err := r.filterFile(m, &bufs[i], next); err != nil {
			return err
		}
		done = i + 1
	}
	if done == len(bufs) && done > 0 {
		return nil
	}
	return m.Body(r, bufs[done:], next)
}

// filterFile reads a piece of a file and passes what was read to a filter.
func (r *Request) filterFile(m *Module, b *Buf, next Next) error {
	w := r.Conn.Worker
	c := w.Copies.Get(int(r.Core.OutputBuffers.V.Size))
	defer w.Copies.Put(c)
	for off := b.Off; ; {
		p := c.Mem[:min(int64(len(c.Mem)), b.End-off)]
		if err := r.readFile(b.File, p, off); err != nil {
			return err
		}
		off += int64(len(p))
		r.Loop().Spend(len(p))
		c.out[0] = Buf{B: p}
		if off >= b.End {
			c.out[0].Flush, c.out[0].Last, c.out[0].LastInChain, c.out[0].Sync = b.Flush, b.Last, b.LastInChain, b.Sync
		}
		if err := m.Body(r, c.out[:], next); err != nil || off >= b.End {
			return err
		}
	}
}

// readFile fills p from a file; the file must have that much.
func (r *Request) readFile(fd int, p []byte, off int64) error {
	n, err := event.Pread(fd, p, off)
	switch err {
	case nil:
	case io.ErrUnexpectedEOF:
		r.Logf(log.Alert, nil, "pread() read only %d of %d from a file", n, len(p))
	default:
		r.Logf(log.Crit, err, "pread() failed")
	}
	return err
}

// CopyBuffer is what pieces of a file are read into, and one of them on its way.
type CopyBuffer struct {
	Mem []byte
	out [1]Buf
}

// CopyBuffers are those of a worker. Who uses one may wait meanwhile, so that
// there are several.
type CopyBuffers struct{ free []*CopyBuffer }

// maxCopyBuffers bounds the buffers that are kept.
const maxCopyBuffers = 16

// Get returns a buffer of at least n bytes.
func (c *CopyBuffers) Get(n int) *CopyBuffer {
	if last := len(c.free) - 1; last >= 0 && len(c.free[last].Mem) >= n {
		b := c.free[last]
		c.free = c.free[:last]
		return b
	}
	return &CopyBuffer{Mem: make([]byte, n)}
}

// Put gives a buffer back.
func (c *CopyBuffers) Put(b *CopyBuffer) {
	if len(c.free) < maxCopyBuffers {
		c.free = append(c.free, b)
	}
}
