// Package http is the protocol-independent half of the HTTP server: servers
// and locations, the request and its phases, variables, filters, error pages
// and subrequests. The wire protocols (http/h1, http/h2) carry requests to it,
// the packages under http/modules give it directives and handlers.
//
// A request runs in one fiber from its first phase to its log line. Whatever
// waits, parks that fiber; no handler is entered twice.
package http

import (
	"moongate/conf"
)

// Verdict is what a handler says of a request: one of the constants below, or
// an HTTP status from 200 up. The numbers are nginx's.
type Verdict int

const (
	// OK: done here. In an access phase the request may pass, in the content
	// phase the response has been sent.
	OK Verdict = 0
	// Error: the connection is of no use any more.
	Error Verdict = -1
	// Done: the request has been taken over or finalized by the handler.
	Done Verdict = -4
	// Declined: not mine, ask the next handler.
	Declined Verdict = -5
	// Redirected: the request was pointed at another URI or named location
	// (InternalRedirect, NamedLocation); the phases start again there.
	Redirected Verdict = -16
)

// Statuses that exist only between nginx's parts.
const (
	StatusClose               Verdict = 444
	StatusRequestHeaderTooBig Verdict = 494
	StatusHTTPSCertError      Verdict = 495
	StatusHTTPSNoCert         Verdict = 496
	StatusHTTPToHTTPS         Verdict = 497
	StatusClientClosed        Verdict = 499
)

// Handler acts on a request in one phase.
type Handler func(r *Request) Verdict

// HeaderFilter sees the response header before it is sent and may change it,
// and may ask for the body with Request.FilterBody.
type HeaderFilter func(r *Request) Verdict

// BodyFilter sees pieces of the response body and passes on what it makes of
// them with next. It is only called for requests that asked for it, and must
// have used up in when it returns: the memory belongs to the caller.
type BodyFilter func(r *Request, in []Buf, next Next) error

// Module is an HTTP module: a table of directives and the places where its
// code takes part in a request.
type Module struct {
	conf.Module
	// Variables are the variables that the module defines.
	Variables []Variable
	// Ctx are the module's per-request contexts.
	Ctx []AnyCtx
	// Preconfiguration runs when the http block opens.
	Preconfiguration func(cf *conf.Conf, m *MainConf) error
	// InitMain completes the module's main configuration before merging.
	InitMain func(cf *conf.Conf, m *MainConf) error
	// Init runs when the http block is complete and merged: here phase handlers
	// are installed (MainConf.Handle).
	Init func(cf *conf.Conf, m *MainConf) error
	// InitWorker runs on the loop of each worker before it accepts.
	InitWorker func(w *Worker) error
	// ExitWorker runs when a worker is about to exit.
	ExitWorker func(w *Worker)
	// Header and Body are its filters; their order is in Options. Where is for Header.
	Header HeaderFilter
	Where  Where
	Body   BodyFilter
	// InMemory: Body takes bytes only; pieces of files are read for it.
	InMemory bool

	bodyIndex int
}

// Options is what the composition root decides for the http family.
type Options struct {
	// Modules in their order: directives, handlers within a phase.
	Modules []*Module
	// HeaderFilters and BodyFilters list the modules with filters in the order
	// in which a response passes them.
	HeaderFilters []*Module
	BodyFilters   []*Module
	// Serve speaks with a client whose connection has become readable.
	Serve func(c *Conn)
	// TLS is for addresses with "ssl"; without it there is no such parameter.
	TLS TLS

	ctxCount int
	lasting  int // the contexts below this index are lasting ones
	postpone int
}

// Postpone marks the place in Options.BodyFilters where the output of
// subrequests is put in order: filters before it see the body of one request,
// filters behind it see what goes to the client.
var Postpone = &Module{Module: conf.Module{Name: "postpone"}}

// AnyCtx is a Ctx of whatever type.
type AnyCtx interface {
	bind(index int)
	at() int
	lasts() bool
}

// Ctx is the key of a module's state in a request. It is declared once as a
// package variable and listed in Module.Ctx.
type Ctx[T any] struct {
	// Lasting: the state stays when the request is redirected internally.
	Lasting bool

	index int
}

func (k *Ctx[T]) bind(index int) { k.index = index }
func (k *Ctx[T]) at() int        { return k.index }
func (k *Ctx[T]) lasts() bool    { return k.Lasting }

// Of returns the module's state in r, nil when there is none.
func (k *Ctx[T]) Of(r *Request) *T {
	p, _ := r.ctx[k.index].(*T)
	return p
}

// Set gives r the module's state; nil removes it.
func (k *Ctx[T]) Set(r *Request, p *T) {
	if p == nil {
		r.ctx[k.index] = nil
		return
	}
	r.ctx[k.index] = p
}
