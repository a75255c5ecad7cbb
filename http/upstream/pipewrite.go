package upstream

import (
	"moongate/core/event"
	"moongate/http"
)

// write sends what is in the queue until the end.
func (p *pipe) write() http.Verdict {
	e := p.e
	for {
		last := p.over() && !p.running
		n := p.batch(last)
		switch {
		case last && p.abort:
			return p.end() // without what came along with the nonsense
		case last && p.complete() && n == len(p.queue) && !p.lost:
			return p.finish(n)
		case n > 0:
			if v := p.send(n); v != http.OK {
				return e.finish(v)
			}
		case last:
			return p.end()
		default:
			if v := p.wait(); v != http.OK {
				return e.finish(v)
			}
		}
	}
}

// wait parks the writer until there is something to do.
func (p *pipe) wait() http.Verdict {
	if s := &p.e.sender; s.gaveUp() {
		return s.verdict()
	}
	if p.main.Park() == event.Canceled {
		err := p.main.Err()
		if p.e.aborted(err) {
			return http.StatusClientClosed
		}
		return http.Error
	}
	return http.OK
}

// complete reports whether the peer sent all of the response.
func (p *pipe) complete() bool {
	return !p.abort && !p.failed && (p.done || p.eof && p.e.Length == Until)
}

// finish sends the n segments that are left and the end of the body.
func (p *pipe) finish(n int) http.Verdict {
	e := p.e
	if p.store {
		p.keep()
	}
	e.leavePeer()
	p.collect(n)
	v := e.outputLast()
	p.drop(n)
	return v
}

// end ends a response that is not complete, or a client's that is lost.
func (p *pipe) end() http.Verdict {
	e := p.e
	switch {
	case p.complete():
		if p.store {
			p.keep()
		}
		if e.R.HeaderOnly {
			return e.finish(http.OK)
		}
		return e.finish(http.Error) // only the client is lost
	case p.abort:
		return e.finish(http.Error)
	case p.eof && !e.Broken:
		e.R.Conn.Action = "reading upstream"
		e.R.Error("upstream prematurely closed connection")
	}
	return e.finish(http.StatusBadGateway)
}

// batch is how many segments to send at a time: the more, the fewer calls, but a
// client that takes its time must leave the reader a buffer to fill the temporary
// file with, and a half of the memory once there is one.
func (p *pipe) batch(all bool) (n int) {
	b := p.e.Conf.Buffers.V
	room := int64(b.N-1) * b.Size // the most that PREFIX_busy_buffers_size may be
	if p.temp != nil {
		room = max(p.e.Conf.BusySize.V, int64(b.N)*b.Size/2)
	}
	for n < len(p.queue) {
		s := &p.queue[n]
		if s.buf == nil {
			n++
			continue
		}
		if room -= int64(len(s.b)); room < 0 && n > 0 && !all {
			break
		}
		n++
	}
	return n
}

// collect puts n segments into the output.
func (p *pipe) collect(n int) {
	e := p.e
	for i := range p.queue[:n] {
		s := &p.queue[i]
		if s.buf != nil {
			e.out = append(e.out, http.Buf{B: s.b})
		} else {
			e.out = append(e.out, http.Buf{InFile: true, File: p.temp.FD, Off: s.off, End: s.end})
		}
	}
}

// send sends n segments and has the reader go on with their buffers.
func (p *pipe) send(n int) http.Verdict {
	e := p.e
	if !p.lost {
		p.collect(n)
		e.out[len(e.out)-1].Flush = true
		e.R.Conn.Action = "sending to client"
		p.writing = true
		p.wakeReader() // there may be something to put into the temporary file
		v := e.output()
		p.writing = false
		if v != http.OK {
			if !p.store {
				return v
			}
			p.lost = true
		}
	}
	p.drop(n)
	p.feed()
	return http.OK
}

// feed goes on with the reading that has had no buffer. As long as the peer is ahead of the client the writer itself
// fills what it has emptied, which saves two switches each time.
func (p *pipe) feed() {
	if !p.starving {
		return
	}
	if p.rate == 0 {
		p.feeding = true
		p.pull()
		p.feeding = false
	}
	p.wakeReader()
	if p.over() {
		p.e.R.Loop().Yield() // the reader ends, and what is left goes out with the end of the body
	}
}

// wakeReader has a reader without a buffer look again, when the writer parks next.
func (p *pipe) wakeReader() {
	if f := p.fiber.Fiber(); f != nil && p.starving {
		f.Ready()
	}
}

// drop removes n segments that have been sent.
func (p *pipe) drop(n int) {
	for i := range p.queue[:n] {
		if b := p.queue[i].buf; b != nil {
			p.held -= int64(len(p.queue[i].b))
			if b.use--; b.use == 0 {
				p.recycle(b)
			}
		}
	}
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
}

// stop ends the reader.
func (p *pipe) stop() {
	f := p.e.R.Loop().Current()
	for p.running {
		if other := p.fiber.Fiber(); other != nil {
			other.Cancel(errStopReading)
		}
		if f == nil {
			return
		}
		if f.Park() == event.Canceled {
			f.Uncancel()
		}
	}
}
