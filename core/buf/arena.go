package buf

import (
	"strconv"
	"unsafe"
)

// chunk sizes: the first one serves most requests, and may be all that a
// request which waits long holds; larger needs are left to the garbage
// collector.
const (
	firstChunk = 1024
	chunkSize  = 4096
)

// Arena is a bump allocator for what lives as long as one request: nginx's
// pool. What it returns is valid until Reset; whoever keeps a string longer
// clones it. The zero value is ready. Not for use by two goroutines at once.
type Arena struct {
	free   []byte   // the unused rest of the current chunk
	chunks [][]byte // kept across Reset
	next   int      // chunks[next] is the first unused one
}

// Alloc returns n bytes of unspecified content.
func (a *Arena) Alloc(n int) []byte {
	if n > len(a.free) {
		return a.slow(n)
	}
	b := a.free[:n:n]
	a.free = a.free[n:]
	return b
}

func (a *Arena) slow(n int) []byte {
	if n > firstChunk {
		return make([]byte, n)
	}
	if a.next == len(a.chunks) {
		size := chunkSize
		if a.next == 0 {
			size = firstChunk
		}
		a.chunks = append(a.chunks, make([]byte, size))
	}
	a.free = a.chunks[a.next]
	a.next++
	return a.Alloc(n)
}

// Reset gives all memory back; everything handed out becomes invalid. At most
// keep chunks stay allocated for the next request.
func (a *Arena) Reset(keep int) {
	if len(a.chunks) > keep {
		clear(a.chunks[keep:])
		a.chunks = a.chunks[:keep]
	}
	a.next, a.free = 0, nil
}

// String copies b.
func (a *Arena) String(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	d := a.Alloc(len(b))
	copy(d, b)
	return String(d)
}

// Clone copies s.
func (a *Arena) Clone(s string) string { return a.String(Bytes(s)) }

// Concat joins parts.
func (a *Arena) Concat(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	if n == 0 {
		return ""
	}
	b := a.Alloc(n)[:0]
	for _, p := range parts {
		b = append(b, p...)
	}
	return String(b)
}

// Int formats n in base 10.
func (a *Arena) Int(n int64) string {
	var tmp [20]byte
	return a.String(strconv.AppendInt(tmp[:0], n, 10))
}

// String views b as a string without copying; b must not change while the
// string is in use.
func String(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// Bytes views s as bytes without copying; they must not be written.
func Bytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
