package upstream

import "testing"

// TestTunnelKeepsOwnMemory gives a tunnel bytes that came ahead of it, as many
// as the client likes: only buffers of the sizes in the configuration are kept.
func TestTunnelKeepsOwnMemory(t *testing.T) {
	var bufs bufPool
	for n := range 1000 {
		var d end
		d.take(make([]byte, n))
		d.release(&bufs)
	}
	d := end{buf: bufs.get(4096)}
	d.release(&bufs)
	if n := len(bufs.bySize); n != 1 {
		t.Errorf("buffers of %d sizes are kept, want 1", n)
	}
	if d.buf != nil {
		t.Error("a buffer that was given back is still in use")
	}
}
