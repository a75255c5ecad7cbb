package http

import "sync/atomic"

// requestPool keeps the requests of a worker for reuse, so that a request on a
// busy connection allocates nothing.
type requestPool struct{ free []*Request }

const (
	// maxPooled bounds the requests that are kept.
	maxPooled = 512
	// keptChunks is how much of its arena a pooled request keeps: 5 KB.
	keptChunks = 2
)

func (p *requestPool) get(w *Worker) *Request {
	if n := len(p.free); n > 0 {
		r := p.free[n-1]
		p.free = p.free[:n-1]
		return r
	}
	r := &Request{ctx: make([]any, w.Main.Options.ctxCount)}
	r.In.reset()
	r.Out.reset()
	return r
}

// NewRequest makes a request for a connection; the protocol fills it in and
// calls Run.
func (c *Conn) NewRequest(s Stream) *Request {
	w := c.Worker
	r := w.pool.get(w)
	r.Conn, r.Main, r.Stream, r.Pool = c, r, s, &r.arena
	if n := len(w.Main.vars.indexed); cap(r.ownVars) < n {
		r.ownVars = make([]cached, n)
	} else {
		r.ownVars = r.ownVars[:n]
	}
	r.vars = r.ownVars
	r.URIChanges, r.Depth = maxURIChanges+1, maxSubrequests+1
	r.ValidLocation, r.ValidUnparsed = true, true
	r.Version = Version10 // until the request line says otherwise
	r.Start = w.Loop.Now()
	r.Log = c.Log
	r.count(stateReading)
	return r
}

// countedState is what stub_status counts a request as.
type countedState uint8

const (
	stateNone countedState = iota
	stateReading
	stateWriting
)

// count moves the request from one of stub_status's counters to another.
func (r *Request) count(to countedState) {
	s := r.Loop().Stats()
	counters := [...]*atomic.Int64{stateReading: &s.Reading, stateWriting: &s.Writing}
	if r.counted != stateNone {
		counters[r.counted].Add(-1)
	}
	if to != stateNone {
		counters[to].Add(1)
	}
	r.counted = to
}

// Free ends the request's life: cleanups run and its memory goes back.
func (r *Request) Free() {
	w := r.Conn.Worker
	r.count(stateNone)
	r.cleanUp()
	for _, sr := range r.sub.all {
		sr.cleanUp()
		sr.recycle(w)
	}
	r.recycle(w)
}

// Abandon ends the life of a request whose fiber panicked, perhaps within Free.
// What it has of others is given back, such as descriptors and its part in
// counters that the processes share; its memory, of which nobody knows who still
// uses it, is left to the garbage collector. Subrequests come to their end first.
func (r *Request) Abandon() {
	r.terminate(Error)
	r.count(stateNone)
	r.sub.abandoned = true
	if r.sub.running == 0 {
		r.cleanUpAll()
	}
}

// cleanUpAll runs the cleanups of an abandoned request and its subrequests.
func (r *Request) cleanUpAll() {
	r.cleanUp()
	for _, sr := range r.sub.all {
		sr.cleanUp()
	}
}

// cleanUp runs the cleanups, each of them once even if one panics.
func (r *Request) cleanUp() {
	for len(r.cleanups) > 0 {
		last := len(r.cleanups) - 1
		f := r.cleanups[last]
		r.cleanups[last] = nil
		r.cleanups = r.cleanups[:last]
		f()
	}
}

func (r *Request) recycle(w *Worker) {
	if len(w.pool.free) >= maxPooled {
		return
	}
	r.arena.Reset(keptChunks)
	clear(r.ownVars)
	clear(r.ctx)
	clear(r.bodyChain)
	r.In.reset()
	r.Out.reset()
	clear(r.one[:])
	clear(r.three[:])
	r.ownBody = Body{}
	r.requestState = requestState{}
	r.bodyChain, r.Captures = r.bodyChain[:0], r.Captures[:0]
	w.pool.free = append(w.pool.free, r)
}
