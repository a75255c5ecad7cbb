package h1

import "moongate/http"

// grow moves the line that starts at start to a large buffer, where it starts
// at 0, as nginx's ngx_http_alloc_large_header_buffer does. What was read
// before it stays where it is, as strings point there. It reports false when
// the line is longer than a large buffer or all of them are in use.
func (h *conn) grow(s *http.ServerConf, start int) bool {
	b := s.LargeClientHeaderBuffer.V
	if int64(h.wr-start) >= b.Size || len(h.large) >= b.N {
		return false
	}
	next := h.pool.buffer(b.Size)
	h.wr = copy(next, h.in[start:h.wr])
	h.large, h.marks = append(h.large, h.in), append(h.marks, start)
	h.in = next
	h.rd = 0
	return true
}

func (p *pool) buffer(size int64) []byte {
	if n := len(p.buffers); n > 0 && p.size == size {
		b := p.buffers[n-1]
		p.buffers = p.buffers[:n-1]
		return b
	}
	if p.size != size {
		p.buffers, p.size = p.buffers[:0], size
	}
	return make([]byte, size)
}

// dropLarge gives the large buffers back once no string points into them; the
// connection's first buffer takes over, with the unused bytes.
func (h *conn) dropLarge() {
	if len(h.large) == 0 {
		return
	}
	first, last := h.large[0], h.in
	rest := last[h.rd:h.wr]
	if len(rest) > len(first) {
		first = make([]byte, len(rest))
	}
	h.wr = copy(first, rest)
	for _, b := range append(h.large[1:], last) {
		if int64(len(b)) == h.pool.size && len(h.pool.buffers) < kept {
			h.pool.buffers = append(h.pool.buffers, b)
		}
	}
	clear(h.large)
	h.large = h.large[:0]
	h.rd = 0
	h.in = first
}
