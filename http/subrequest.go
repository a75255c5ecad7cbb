package http

import (
	"errors"
	"slices"

	"moongate/core/event"
	"moongate/http/wire"
)

// subState is what a request keeps because of subrequests. nginx's postponed
// list: output goes to the client in the order in which subrequests were made,
// whichever of them is ready first.
type subState struct {
	// active, in the main request, is the request whose output goes out now.
	active *Request
	// queue holds what comes after r's current subrequest, in order: its own
	// data and further subrequests.
	queue []postponed
	held  int64 // bytes of data in queue
	// turn is the fiber that waits for r to become active with an empty queue.
	turn *event.Fiber
	// running, in the main request, counts the subrequests that have not ended.
	running int
	// abandoned, in the main request: its own fiber has panicked.
	abandoned bool
	// idle is the fiber that waits for running to become zero.
	idle *event.Fiber
	// fibers, in the main request, are those of its subrequests.
	fibers []event.FiberRef
	// advancing, in the main request: a fiber is in advance.
	advancing bool
	// all, in the main request, are its subrequests, freed with it.
	all []*Request
	// finished: this subrequest has ended.
	finished bool
	waiters  []*event.Fiber
	// done sees the verdict of this subrequest when it ends.
	done func(sr *Request, v Verdict) Verdict
	// output collects the body of an in-memory subrequest.
	output []byte
}

// postponed is data or a subrequest, in the order of output.
type postponed struct {
	bufs []Buf
	r    *Request
}

// maxHeld is how much output may wait for an earlier subrequest before its
// producer has to wait as well.
const maxHeld = 64 << 10

// SubrequestOptions say how a subrequest differs from a plain GET whose output
// goes to the client.
type SubrequestOptions struct {
	// InMemory: the body is kept for the parent (Captured) instead of sent.
	InMemory bool
	// Background: the main request does not wait for it, and it has no output.
	Background bool
	// Clone: start in the parent's location and phase, with its method.
	Clone bool
	// Prepare changes the request before it starts.
	Prepare func(sr *Request)
	// Done sees its verdict when it ends and may replace it.
	Done func(sr *Request, v Verdict) Verdict
}

// Subrequest starts a request to another URI of the same server on behalf of
// r; nil means that there are too many of them. It runs in a fiber of its own.
func (r *Request) Subrequest(uri, args string, o SubrequestOptions) *Request {
	m := r.Main
	switch {
	case r.Depth == 0:
		r.Error(`subrequests cycle while processing "%s"`, uri)
		return nil
	case r.InMemory:
		r.Error(`nested in-memory subrequest "%s"`, uri)
		return nil
	}
	sr := r.Conn.Worker.pool.get(r.Conn.Worker)
	m.sub.all = append(m.sub.all, sr)
	sr.inherit(r)
	sr.URI, sr.Args = uri, args
	sr.SetExten()
	if r.Debug() {
		r.Debugf(`http subrequest "%s?%s"`, uri, args)
	}
	sr.InMemory, sr.Background = o.InMemory, o.Background
	sr.NeedInMemory = o.InMemory
	sr.sub.done = o.Done
	if o.Clone {
		sr.Method, sr.MethodName = r.Method, r.MethodName
		sr.SetScope(r.Scope)
		sr.ValidLocation, sr.ValidUnparsed = r.ValidLocation, r.ValidUnparsed
		sr.Content, sr.phase = r.Content, r.phase
		sr.Captures, sr.CapturesData = append(sr.Captures[:0], r.Captures...), r.CapturesData
		sr.updateLocation()
	}
	if o.Prepare != nil {
		o.Prepare(sr)
	}
	if !o.InMemory && !o.Background {
		m.enqueue(r, postponed{r: sr})
	}
	m.sub.running++
	m.sub.fibers = append(m.sub.fibers, r.Loop().Go(sr.runSub).Ref())
	return sr
}

// inherit makes a fresh request a subrequest of r.
func (sr *Request) inherit(r *Request) {
	sr.Conn, sr.Main, sr.Parent, sr.Stream, sr.Pool, sr.Log = r.Conn, r.Main, r, r.Stream, r.Pool, r.Log.WithContext((*subLog)(sr))
	sr.In.copyFrom(&r.In)
	if sr.Body = r.Body; sr.Body == nil {
		sr.In.ContentLength, sr.In.Chunked = -1, false // it is for r to read
	}
	sr.Method, sr.MethodName = wire.GET, "GET"
	sr.Version, sr.HTTPProtocol, sr.Schema, sr.Port, sr.HostName = r.Version, r.HTTPProtocol, r.Schema, r.Port, r.HostName
	sr.RequestLine, sr.UnparsedURI = r.RequestLine, r.UnparsedURI
	sr.vars = r.vars
	sr.SetScope(r.Server.scope)
	sr.Internal, sr.ExpectTested = true, true
	sr.ValidLocation, sr.phase = true, r.mainConf().engine.serverRewrite
	sr.BodyDiscarded = r.BodyDiscarded
	sr.URIChanges, sr.Depth = maxURIChanges+1, r.Depth-1
	sr.Start = r.Loop().Now()
}

// OwnVariables gives a subrequest that has not started variables of its own
// instead of its parent's: a copy of their values, or none.
func (sr *Request) OwnVariables(copied bool) {
	n := len(sr.vars)
	if cap(sr.ownVars) < n {
		sr.ownVars = make([]cached, n)
	}
	sr.ownVars = sr.ownVars[:n]
	clear(sr.ownVars)
	if copied {
		copy(sr.ownVars, sr.vars)
	}
	sr.vars = sr.ownVars
}

// runSub is the body of a subrequest's fiber. A panic ends the main request too:
// what it waits for will not come.
func (sr *Request) runSub() {
	returned := false
	defer func() {
		if !returned {
			sr.terminate(Error)
		}
		sr.ended()
	}()
	sr.Conn.Action = ""
	sr.drive(sr.runPhases())
	if sr.Core.LogSubrequest.V {
		sr.finishLog()
	}
	sr.sub.finished = true
	if !sr.InMemory && !sr.Background {
		sr.Main.advance()
	}
	returned = true
}

// ended wakes those who wait for a subrequest.
func (sr *Request) ended() {
	sr.sub.finished = true
	for _, f := range sr.sub.waiters {
		f.Ready()
	}
	m := sr.Main
	switch m.sub.running--; {
	case m.sub.running > 0:
	case m.sub.abandoned:
		m.cleanUpAll()
	case m.sub.idle != nil:
		m.sub.idle.Ready()
	}
}

// errCanceled ends the waits of subrequests whose client is gone.
var errCanceled = errors.New("request terminated")

// Wait parks the calling fiber until the subrequest has ended.
func (sr *Request) Wait() error {
	for !sr.sub.finished {
		f := sr.Loop().Current()
		sr.sub.waiters = append(sr.sub.waiters, f)
		f.Park()
		if i := slices.Index(sr.sub.waiters, f); i >= 0 {
			sr.sub.waiters = slices.Delete(sr.sub.waiters, i, i+1) // f may soon run something else
		}
		if err := f.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Finished reports whether the subrequest has ended.
func (sr *Request) Finished() bool { return sr.sub.finished }

// Captured is the body of an in-memory subrequest that has ended.
func (sr *Request) Captured() []byte { return sr.sub.output }

// waitSubrequests parks until no subrequest of the main request runs.
func (r *Request) waitSubrequests() {
	s := &r.sub
	for s.running > 0 {
		s.idle = r.Loop().Current()
		if s.idle.Park() == event.Canceled {
			s.idle.Uncancel() // they use what belongs to r, whoever has given up
		}
	}
	s.idle = nil
}

// cancelSubrequests ends the waits of all other fibers of the main request r.
func (r *Request) cancelSubrequests() {
	cur := r.Loop().Current()
	for _, ref := range r.sub.fibers {
		if f := ref.Fiber(); f != nil && f != cur {
			f.Cancel(errCanceled)
		}
	}
	if f := r.sub.turn; f != nil && f != cur {
		f.Ready()
	}
}

// postpone passes on what r sends to the client when it is its turn, and
// holds it back or waits otherwise.
func (r *Request) postpone(bufs []Buf) error {
	m := r.Main
	if r.InMemory {
		return r.capture(bufs)
	}
	if r.Background || m.PostAction {
		return nil
	}
	if m.sub.active == nil {
		m.sub.active = m
	}
	for {
		switch {
		case m.sub.active == r && len(r.sub.queue) == 0:
			return r.toClient(bufs)
		case r.Conn.Failed:
			return errCanceled
		case holdable(bufs, maxHeld-r.sub.held):
			m.enqueue(r, hold(bufs))
			return nil
		}
		r.sub.turn = r.Loop().Current()
		r.sub.turn.Park()
		err := r.sub.turn.Err()
		r.sub.turn = nil
		if err != nil {
			return err
		}
	}
}

// capture keeps the output of an in-memory subrequest.
func (r *Request) capture(bufs []Buf) error {
	for i := range bufs {
		b := &bufs[i]
		if int64(len(r.sub.output))+b.Len() > r.Core.SubrequestBuffer.V {
			r.Error("too big subrequest response: %d", int64(len(r.sub.output))+b.Len())
			return errors.New("too big subrequest response")
		}
		if b.InFile {
			p, err := readFilePart(b)
			if err != nil {
				return err
			}
			r.sub.output = append(r.sub.output, p...)
			continue
		}
		r.sub.output = append(r.sub.output, b.B...)
	}
	return nil
}

// holdable reports whether bufs can be copied within room bytes.
func holdable(bufs []Buf, room int64) bool {
	for i := range bufs {
		if bufs[i].InFile {
			return false
		}
		room -= int64(len(bufs[i].B))
	}
	return room >= 0
}

func hold(bufs []Buf) postponed {
	kept := make([]Buf, len(bufs))
	for i := range bufs {
		kept[i] = bufs[i]
		kept[i].B = append([]byte(nil), bufs[i].B...)
	}
	return postponed{bufs: kept}
}

// enqueue appends to r's queue; a subrequest at the head of the active
// request's queue becomes active.
func (m *Request) enqueue(r *Request, p postponed) {
	if m.sub.active == nil {
		m.sub.active = m
	}
	if p.r != nil && m.sub.active == r && len(r.sub.queue) == 0 {
		m.sub.active = p.r
	}
	r.sub.queue = append(r.sub.queue, p)
	for i := range p.bufs {
		r.sub.held += int64(len(p.bufs[i].B))
	}
}

// advance gives the turn to whoever comes next, sending what was held back:
// called when a subrequest has ended.
func (m *Request) advance() {
	if m.sub.advancing {
		return // another fiber is at it and will see what changed
	}
	m.sub.advancing = true
	defer func() { m.sub.advancing = false }()
	for {
		r := m.sub.active
		if len(r.sub.queue) == 0 {
			if r.sub.turn != nil {
				r.sub.turn.Ready()
				return
			}
			if !r.sub.finished || r.Parent == nil {
				return
			}
			m.sub.active = r.Parent
			r.Parent.sub.queue = r.Parent.sub.queue[1:]
			continue
		}
		head := r.sub.queue[0]
		if head.r != nil {
			m.sub.active = head.r
			continue
		}
		// The data stays in the queue while it is being sent, so that r itself
		// does not overtake it.
		if err := r.toClient(head.bufs); err != nil {
			r.terminate(Error) // those who wait for their turn would not be told
			return
		}
		r.sub.queue = r.sub.queue[1:]
		for i := range head.bufs {
			r.sub.held -= int64(len(head.bufs[i].B))
		}
	}
}

// copyFrom makes h a copy that shares no memory with o's lists.
func (h *HeadersIn) copyFrom(o *HeadersIn) {
	list := append(h.List[:0], o.List...)
	*h = *o
	h.List = list
}
