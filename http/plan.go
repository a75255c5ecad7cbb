package http

import "moongate/conf"

// Where says whether a handler or a filter has something to do for requests of a scope. It looks at merged settings
// only: its answer is asked for once. nil stands for everywhere.
type Where func(sc *conf.Scope) bool

func (w Where) in(sc *conf.Scope) bool { return w == nil || w(sc) }

// plan is the way of requests through a scope: the handlers and filters that have something to do there. What a
// configuration does not use costs its requests nothing. Scopes in which the same ones take part share one.
type plan struct {
	// next is, for each step of the engine, the first one from there on that is not left out.
	next   []uint16
	header []*Module
	log    []Handler
}

// planOf returns the plan of a scope, which is made when the first request comes there.
func (m *MainConf) planOf(sc *conf.Scope) *plan {
	if p, ok := sc.Derived.(*plan); ok {
		return p
	}
	p := m.newPlan(sc)
	sc.Derived = p
	return p
}

func (m *MainConf) newPlan(sc *conf.Scope) *plan {
	e, filters := &m.engine, m.Options.HeaderFilters
	key := make([]byte, 0, len(e.steps)+len(e.log)+len(filters))
	ask := func(w Where) {
		if w.in(sc) {
			key = append(key, 1)
		} else {
			key = append(key, 0)
		}
	}
	for i := range e.steps {
		ask(e.steps[i].where)
	}
	for _, f := range filters {
		ask(f.Where)
	}
	for i := range e.log {
		ask(e.log[i].where)
	}
	if p := m.plans[string(key)]; p != nil {
		return p
	}
	p := e.plan(key, filters)
	if m.plans == nil {
		m.plans = make(map[string]*plan)
	}
	m.plans[string(key)] = p
	return p
}

// plan makes the plan in which those take part whose byte in key is 1: the steps, the header filters, the handlers of
// the log phase. The last step is always among them.
func (e *engine) plan(key []byte, filters []*Module) *plan {
	p := &plan{next: make([]uint16, len(e.steps))}
	for i := len(e.steps) - 1; i >= 0; i-- {
		if key[i] == 1 {
			p.next[i] = uint16(i)
		} else {
			p.next[i] = p.next[i+1]
		}
	}
	key = key[len(e.steps):]
	for i, f := range filters {
		if key[i] == 1 {
			p.header = append(p.header, f)
		}
	}
	key = key[len(filters):]
	for i, h := range e.log {
		if key[i] == 1 {
			p.log = append(p.log, h.Handler)
		}
	}
	return p
}
