package upstream

import "moongate/http"

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

// pool keeps the exchanges of a worker for reuse.
type pool struct {
	free []*Exchange
	bufs bufPool
}

// maxPooled bounds the exchanges that are kept.
const maxPooled = 256

func (p *pool) get() *Exchange {
	if n := len(p.free); n > 0 {
		e := p.free[n-1]
		p.free = p.free[:n-1]
		return e
	}
	e := &Exchange{}
	e.release = e.recycle
	e.pipe.e, e.sender.e = e, e
	e.pipe.readLoop = e.pipe.reader
	e.sender.loop = e.sender.run
	return e
}

// recycle runs at the end of the request.
func (e *Exchange) recycle() {
	e.finish(http.Done)
	p := &e.main.pool
	e.pipe.reset()
	if len(p.free) >= maxPooled || cap(e.req) > 1<<16 {
		return
	}
	clear(e.out)
	clear(e.pieces)
	clear(e.states)
	in, pp, s := e.In, e.pipe, e.sender
	in.reset()
	*e = Exchange{
		In: in, pipe: pp, sender: s, release: e.release, Kept: e.Kept, req: e.req[:0], buf: e.buf, pieces: e.pieces[:0],
		out: e.out[:0], states: e.states[:0], caching: caching{own: e.own},
	}
	p.free = append(p.free, e)
}
