// Package buf holds the memory of requests: the pieces of a body on its way
// through filters (Buf) and the arena that a request's small strings live in
// (Arena).
package buf

// Buf is a piece of a body: bytes in memory or a part of a file, and what is to
// happen once it has been passed on. A Buf with neither is a pure signal. It
// mirrors nginx's ngx_buf_t without ownership: whoever passes a Buf keeps the
// memory, and whoever receives it has used it up when it returns.
type Buf struct {
	B []byte
	// File and [Off, End) name a part of a file instead of B; File is a
	// descriptor that stays open until the Buf is used up.
	InFile   bool
	File     int
	Off, End int64

	// Flush: nothing before this point may be held back any longer.
	Flush bool
	// Last: the main response's body ends here.
	Last bool
	// LastInChain: a subrequest's body ends here.
	LastInChain bool
	// Sync: a signal that carries nothing; filters pass it on.
	Sync bool
}

// Len is the number of bytes that the piece stands for.
func (b *Buf) Len() int64 {
	if b.InFile {
		return b.End - b.Off
	}
	return int64(len(b.B))
}

// Special reports whether the piece is a signal without bytes.
func (b *Buf) Special() bool { return b.Len() == 0 && (b.Flush || b.Last || b.LastInChain || b.Sync) }

// Total is the number of bytes in bufs.
func Total(bufs []Buf) (n int64) {
	for i := range bufs {
		n += bufs[i].Len()
	}
	return n
}
