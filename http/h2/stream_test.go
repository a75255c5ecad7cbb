package h2

import (
	"bytes"
	"testing"
)

// TestBodyOfSlowReader has a body of 64 MB pass a reader that never catches up:
// what was read must not be kept.
func TestBodyOfSlowReader(t *testing.T) {
	const piece, behind, pieces = 16 << 10, 1 << 20, 4096
	var s stream
	var sent, got byte
	for i := range pieces {
		s.keep(bytes.Repeat([]byte{sent}, piece))
		sent++
		if i*piece < behind {
			continue
		}
		for _, c := range s.body[s.read : s.read+piece] {
			if c != got {
				t.Fatalf("piece %d has %d, want %d", i, c, got)
			}
		}
		s.read += piece
		got++
	}
	if n := cap(s.body); n > 8*behind {
		t.Errorf("%d bytes are kept for %d that wait", n, len(s.body)-s.read)
	}
}
