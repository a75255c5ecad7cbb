package upstream

import (
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"

	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/http"
)

// pipe passes a body on as fast as the peer sends it, with memory and then a
// temporary file taking what the client does not take at once: nginx's
// ngx_event_pipe.
//
// The request's fiber writes. What has come with the header it reads itself;
// for the rest there is a second fiber, which reads.
type pipe struct {
	e *Exchange
	// queue is what is to be sent, in order.
	queue []segment
	// raw is the buffer being filled, free are empty ones.
	raw       *rawBuf
	free      []*rawBuf
	spare     []*rawBuf // without memory, from earlier exchanges
	allocated int
	held      int64 // bytes in memory in queue

	temp     *http.TempFile
	tempSize int64
	// store: all of the body goes into the temporary file.
	store bool
	// filed: the file was put into the cache, or given up.
	filed bool

	// read counts the bytes of the body, preread those that came along with
	// the header.
	read, preread int64
	// rate limits reading, in bytes per second, from start on.
	rate, startSec int64
	delay          time.Duration // before the first reading of the reader

	eof, failed bool
	done        bool // the response is complete
	abort       bool // the body cannot be understood
	lost        bool // the client is
	writing     bool // the writer is in Output

	fiber    event.FiberRef
	main     *event.Fiber
	running  bool
	starving bool // the reader waits for a buffer
	feeding  bool // the writer reads; a protocol may park in that
	readLoop func()
	iov      [][]byte
}

// rawBuf is memory that the peer's bytes are read into.
type rawBuf struct {
	mem []byte
	n   int // filled
	use int // segments that refer to it
	// header: the memory is the header's buffer, not one of the pool.
	header bool
}

// segment is a piece of the body: in memory, or a part of the temporary file.
type segment struct {
	buf      *rawBuf
	b        []byte
	off, end int64
}

var errStopReading = errors.New("upstream: the rest of the response is not wanted")

// storing tells whether the response is kept in a file whatever becomes of the
// client.
func (e *Exchange) storing() bool { return e.Conf.Store.V.on || e.Cacheable }

// run passes the body on.
func (p *pipe) run() http.Verdict {
	e := p.e
	e.R.Conn.Action = "reading upstream"
	p.start()
	p.filled(int(p.preread))
	p.read = p.preread
	p.settle()
	if p.rate > 0 {
		p.delay = time.Duration(p.preread*1000/p.rate) * time.Millisecond
	} else if !p.over() {
		how, _ := p.pull()
		p.starving = how == pullStarving
	}
	if !p.over() {
		p.running = true
		p.main = e.R.Loop().Current()
		p.fiber = e.R.Loop().Go(p.readLoop).Ref()
	}
	v := p.write()
	p.stop()
	return v
}

// start takes what came with the header as the first, partly filled buffer.
// One without room must not be among those to read into: nothing would ever
// be read.
func (p *pipe) start() {
	e := p.e
	p.preread = int64(e.wr - e.rd)
	if e.rd < len(e.buf) { // else the header left no room
		p.raw = p.newRaw(e.buf[e.rd:])
		p.raw.header = true
	}
	p.store = e.storing()
	p.lost = e.R.HeaderOnly // nothing goes to the client
	if rate := e.Conf.LimitRate.V; rate != nil {
		p.rate, _ = conf.ParseSize(rate.Eval(e.R))
	}
	p.startSec = e.Now()
}

func (p *pipe) newRaw(mem []byte) *rawBuf {
	var b *rawBuf
	if n := len(p.spare); n > 0 {
		b = p.spare[n-1]
		p.spare = p.spare[:n-1]
	} else {
		b = new(rawBuf)
	}
	*b = rawBuf{mem: mem}
	return b
}

// over reports whether nothing more will be read.
func (p *pipe) over() bool { return p.eof || p.failed || p.done || p.abort }

// filled takes note of n bytes read into raw and the free buffers after it.
func (p *pipe) filled(n int) {
	for n > 0 {
		if p.raw == nil {
			p.raw = p.free[len(p.free)-1]
			p.free = p.free[:len(p.free)-1]
		}
		room := len(p.raw.mem) - p.raw.n
		if n < room {
			p.raw.n += n
			return
		}
		p.raw.n += room
		n -= room
		p.filter()
	}
}

// filter hands the bytes of raw to the protocol.
func (p *pipe) filter() {
	b := p.raw
	p.raw = nil
	e := p.e
	if b.n > 0 && !p.done && !p.abort {
		if e.Protocol.Body(e, b.mem[:b.n]) != nil {
			p.abort = true
		}
	}
	for _, piece := range e.pieces {
		p.queue = append(p.queue, segment{buf: b, b: piece})
		p.held += int64(len(piece))
		b.use++
	}
	clear(e.pieces)
	e.pieces = e.pieces[:0]
	if b.use == 0 {
		p.recycle(b)
	}
}

// recycle makes an empty buffer available again.
func (p *pipe) recycle(b *rawBuf) {
	b.n = 0
	p.free = append(p.free, b)
}

// settle decides after a reading whether the bytes of a partly filled buffer
// are to be looked at, and whether the response is complete.
func (p *pipe) settle() {
	e := p.e
	if p.raw != nil && e.Length != Until && int64(p.raw.n) >= e.Length {
		p.filter()
	}
	if (p.eof || p.failed) && p.raw != nil {
		p.filter()
	}
	p.failed = p.failed || e.Broken
	if e.Length == 0 && !p.abort {
		p.done = true
	}
	if p.store && !p.save() {
		p.abort = true
	}
}

// pulled is what pull came to.
type pulled uint8

const (
	pullAgain    pulled = iota // nothing more has arrived
	pullStarving               // there is no buffer
	pullDelayed                // the rate is exceeded
	pullOver                   // the end
)

// pull reads what has arrived.
func (p *pipe) pull() (how pulled, delay time.Duration) {
	e := p.e
	for !p.over() {
		limit := int64(0)
		if p.rate > 0 {
			if limit = p.rate*(e.Now()-p.startSec+1) - p.read; limit <= 0 {
				return pullDelayed, time.Duration(-limit*1000/p.rate+1) * time.Millisecond
			}
		}
		if !p.room() {
			return pullStarving, 0
		}
		n, err := e.link.TryReadv(p.targets(limit))
		if err == event.ErrAgain {
			p.settle()
			if p.over() {
				return pullOver, 0
			}
			return pullAgain, 0
		}
		if err != nil {
			p.eof = err == io.EOF
			if p.failed = !p.eof; p.failed {
				e.R.Conn.Action = "reading upstream"
				e.ioFailed(err)
			}
			break
		}
		p.read += int64(n)
		p.filled(n)
		e.R.Loop().Spend(n)
		if p.rate > 0 {
			if d := int64(n) * 1000 / p.rate; d > 0 {
				p.settle()
				return pullDelayed, time.Duration(d) * time.Millisecond
			}
		}
		if e.Length == 0 {
			break
		}
	}
	p.settle()
	return pullOver, 0
}

// room makes sure that there is a buffer to read into.
func (p *pipe) room() bool {
	if p.raw != nil || len(p.free) > 0 {
		return true
	}
	b := p.e.Conf.Buffers.V
	if p.allocated < b.N {
		// As many as the rest of the body needs, to have it with one call.
		want := 1
		if left := p.e.Length; left > b.Size {
			want = int(min((left+b.Size-1)/b.Size, int64(b.N-p.allocated)))
		}
		for range want {
			p.free = append(p.free, p.newRaw(p.e.main.pool.bufs.get(b.Size)))
		}
		p.allocated += want
		return true
	}
	switch {
	case p.store:
		return p.save() && len(p.free) > 0
	case !p.blocked():
		return false // the client takes what there is
	}
	return p.spill() && len(p.free) > 0
}

// blocked reports whether the writer waits for the client to take something.
func (p *pipe) blocked() bool { return p.writing && p.main.Parked() }

// targets lists the memory to read into, limit bytes of it if not 0.
func (p *pipe) targets(limit int64) [][]byte {
	p.iov = p.iov[:0]
	if p.raw != nil {
		p.iov = append(p.iov, p.raw.mem[p.raw.n:])
	}
	for i := len(p.free) - 1; i >= 0; i-- {
		p.iov = append(p.iov, p.free[i].mem)
	}
	if limit == 0 {
		return p.iov
	}
	for i := range p.iov {
		if int64(len(p.iov[i])) >= limit {
			p.iov[i] = p.iov[i][:limit]
			return p.iov[:i+1]
		}
		limit -= int64(len(p.iov[i]))
	}
	return p.iov
}

// reader is the fiber that reads.
func (p *pipe) reader() {
	loop := p.e.R.Loop()
	f := loop.Current()
	p.starving = false
	if p.delay > 0 {
		_ = loop.Sleep(p.delay)
	}
	for !p.over() {
		how, delay := pullStarving, time.Duration(0)
		if !p.feeding {
			how, delay = p.pull()
		}
		p.main.Ready()
		switch how {
		case pullStarving:
			p.starving = true
			if p.writing && !p.blocked() {
				loop.Yield() // the writer only gave way, and nobody would tell when it parks after all
			} else {
				f.Park()
			}
			p.starving = false
		case pullDelayed:
			_ = loop.Sleep(delay)
		case pullAgain:
			p.await()
		}
		if f.Err() != nil {
			p.failed = true
		}
	}
	if p.complete() && p.e.Cacheable {
		p.keep() // not as late as a slow client would have it
	}
	if p.done {
		p.e.leavePeer()
	}
	p.running = false
	p.main.Ready()
}

// await waits until more can be read.
func (p *pipe) await() {
	e := p.e
	err := e.link.WaitReadable(e.ReadTimeout)
	switch {
	case err == nil || err == errStopReading:
	case errors.Is(err, event.ErrTimeout):
		p.failed = true
		e.R.Conn.Action = "reading upstream"
		e.R.Logf(log.Error, unix.ETIMEDOUT, "upstream timed out")
	default:
		p.failed = true
	}
}

// reset gives the memory back.
func (p *pipe) reset() {
	bufs := &p.e.main.pool.bufs
	if p.raw != nil {
		p.free = append(p.free, p.raw)
	}
	for i := range p.queue {
		if b := p.queue[i].buf; b != nil {
			if b.use--; b.use == 0 {
				p.free = append(p.free, b)
			}
		}
	}
	for _, b := range p.free {
		if !b.header {
			bufs.put(b.mem)
		}
		b.mem = nil
	}
	if p.temp != nil {
		p.temp.Close()
	}
	clear(p.queue)
	clear(p.iov)
	*p = pipe{
		e: p.e, queue: p.queue[:0], free: p.free[:0], spare: append(p.spare, p.free...), readLoop: p.readLoop, iov: p.iov[:0],
	}
}
