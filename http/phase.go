package http

import "slices"

// Phase is a stage in the processing of a request.
type Phase int

// The phases in their order. Handlers cannot be added to FindConfig,
// PostRewrite and PostAccess, where the server itself acts.
const (
	PhasePostRead Phase = iota
	PhaseServerRewrite
	PhaseFindConfig
	PhaseRewrite
	PhasePostRewrite
	PhasePreAccess
	PhaseAccess
	PhasePostAccess
	PhasePreContent
	PhaseContent
	PhaseLog
	numPhases
)

// step is one entry of the flattened phase list: a checker interprets what its
// handler says and where to go on.
type step struct {
	check   func(r *Request, s *step) (Verdict, bool)
	handler Handler
	where   Where
	// next is the first step of the next phase.
	next int
}

// engine is the flattened list of phases of one configuration.
type engine struct {
	steps []step
	// Where internal redirects enter.
	serverRewrite, locationRewrite int
	log                            []placed
}

// placed is a handler with the scopes that it is for.
type placed struct {
	Handler
	where Where
}

// Handle adds a handler to a phase. Handlers of a phase run in the order of
// the modules; nginx runs them in reverse order of its module list, which the
// composition root's order accounts for.
//
// Requests of scopes that are not in where do not come by the handler.
func (m *MainConf) Handle(p Phase, where Where, h Handler) {
	m.handlers[p] = append(m.handlers[p], placed{h, where})
}

// HandleFirst adds a handler that runs before those of a phase so far.
func (m *MainConf) HandleFirst(p Phase, where Where, h Handler) {
	m.handlers[p] = slices.Insert(m.handlers[p], 0, placed{h, where})
}

// build flattens the phases.
func (e *engine) build(handlers *[numPhases][]placed) {
	*e = engine{log: handlers[PhaseLog]}
	add := func(check func(*Request, *step) (Verdict, bool), h placed) {
		e.steps = append(e.steps, step{check: check, handler: h.Handler, where: h.where})
	}
	for p := PhasePostRead; p < PhaseLog; p++ {
		start := len(e.steps)
		switch p {
		case PhaseServerRewrite:
			e.serverRewrite = start
		case PhaseRewrite:
			e.locationRewrite = start
		}
		switch p {
		case PhaseFindConfig:
			add(checkFindConfig, placed{})
		case PhasePostRewrite:
			add(checkPostRewrite, placed{})
		case PhasePostAccess:
			add(checkPostAccess, placed{})
		default:
			check := checkGeneric
			switch p {
			case PhaseServerRewrite, PhaseRewrite:
				check = checkRewrite
			case PhaseAccess:
				check = checkAccess
			case PhaseContent:
				check = checkContent
			}
			for _, h := range handlers[p] {
				add(check, h)
			}
		}
		for i := start; i < len(e.steps); i++ {
			e.steps[i].next = len(e.steps)
		}
	}
	add(checkNoContent, placed{})
}

// runPhases takes the request through the phases from r.phase on, until a
// handler decides.
func (r *Request) runPhases() Verdict {
	e := &r.mainConf().engine
	for {
		r.phase = int(r.plan.next[r.phase])
		s := &e.steps[r.phase]
		if v, decided := s.check(r, s); decided {
			return v
		}
	}
}

// checkGeneric: OK ends the phase, Declined asks the next handler, anything
// else ends the request.
func checkGeneric(r *Request, s *step) (Verdict, bool) {
	switch v := s.handler(r); v {
	case OK:
		r.phase = s.next
	case Declined:
		r.phase++
	default:
		return v, true
	}
	return 0, false
}

// checkRewrite: only Declined goes on.
func checkRewrite(r *Request, s *step) (Verdict, bool) {
	if v := s.handler(r); v != Declined {
		return v, true
	}
	r.phase++
	return 0, false
}

// checkFindConfig finds the location of the URI.
func checkFindConfig(r *Request, _ *step) (Verdict, bool) {
	r.Content = nil
	r.URIChanged = false
	if v := r.findLocation(); v != OK {
		return v, true
	}
	r.phase++
	return 0, false
}

// checkPostRewrite starts over at FindConfig when a rewrite changed the URI.
func checkPostRewrite(r *Request, s *step) (Verdict, bool) {
	if !r.URIChanged {
		r.phase++
		return 0, false
	}
	if r.URIChanges--; r.URIChanges <= 0 {
		r.Error("rewrite or internal redirection cycle while processing \"%s\"", r.URI)
		return StatusInternalServerError, true
	}
	r.SetScope(r.Server.scope)
	r.phase = r.mainConf().engine.locationRewrite - 1
	return 0, false
}

// checkAccess: under "satisfy any" one handler's OK is enough.
func checkAccess(r *Request, s *step) (Verdict, bool) {
	if !r.IsMain() {
		r.phase = s.next
		return 0, false
	}
	v := s.handler(r)
	if v == Declined {
		r.phase++
		return 0, false
	}
	if r.Core.Satisfy.V == SatisfyAll {
		if v == OK {
			r.phase++
			return 0, false
		}
		return r.authDelay(v), true
	}
	switch v {
	case OK:
		r.accessRC = 0
		r.Out.Delete(r.authenticateHeader())
		r.phase = s.next
		return 0, false
	case StatusForbidden, StatusUnauthorized, StatusProxyAuthRequired:
		if r.accessRC != StatusUnauthorized && r.accessRC != StatusProxyAuthRequired {
			r.accessRC = v
		}
		r.phase++
		return 0, false
	}
	return v, true
}

func checkPostAccess(r *Request, _ *step) (Verdict, bool) {
	if rc := r.accessRC; rc != 0 {
		r.accessRC = 0
		if rc == StatusForbidden {
			r.Error("access forbidden by rule")
		}
		return r.authDelay(rc), true
	}
	r.phase++
	return 0, false
}

// checkContent: the location's own handler excludes all others.
func checkContent(r *Request, s *step) (Verdict, bool) {
	if h := r.Content; h != nil {
		return h(r), true
	}
	v := s.handler(r)
	if v != Declined {
		return v, true
	}
	r.phase++
	return 0, false
}

// checkNoContent ends the list: no handler made a response.
func checkNoContent(r *Request, _ *step) (Verdict, bool) {
	if h := r.Content; h != nil {
		return h(r), true
	}
	if n := len(r.URI); n > 0 && r.URI[n-1] == '/' {
		if path, ok := r.MapPath(); ok {
			r.Error("directory index of \"%s\" is forbidden", path)
		}
		return StatusForbidden, true
	}
	r.Error("no handler found")
	return StatusNotFound, true
}
