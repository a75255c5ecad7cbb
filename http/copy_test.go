package http

import "testing"

// TestCopyBuffers: memory for files on their way is used again, unless it is
// too small, and not kept without bounds.
func TestCopyBuffers(t *testing.T) {
	var c CopyBuffers
	small := c.Get(10)
	c.Put(small)
	large := c.Get(20)
	if len(large.Mem) != 20 {
		t.Errorf("%d bytes, not 20", len(large.Mem))
	}
	c.Put(large)
	if n := testing.AllocsPerRun(100, func() { c.Put(c.Get(20)) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	for range 2 * maxCopyBuffers {
		c.Put(&CopyBuffer{})
	}
	if len(c.free) > maxCopyBuffers {
		t.Errorf("%d are kept", len(c.free))
	}
}
