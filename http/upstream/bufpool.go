package upstream

// bufPool keeps buffers of the few sizes that a configuration uses.
type bufPool struct{ bySize map[int64]*[][]byte }

// maxBufs bounds the buffers of each size that are kept.
const maxBufs = 128

// get returns a buffer of that size, holding anything.
func (p *bufPool) get(size int64) []byte {
	if list := p.bySize[size]; list != nil {
		if n := len(*list); n > 0 {
			b := (*list)[n-1]
			*list = (*list)[:n-1]
			return b
		}
	}
	return make([]byte, size)
}

// put takes a buffer back; it must be as long as it was when it was given out.
func (p *bufPool) put(b []byte) {
	size := int64(len(b))
	list := p.bySize[size]
	if list == nil {
		if p.bySize == nil {
			p.bySize = make(map[int64]*[][]byte)
		}
		list = new([][]byte)
		p.bySize[size] = list
	}
	if len(*list) < maxBufs {
		*list = append(*list, b)
	}
}
