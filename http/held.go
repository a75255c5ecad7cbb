package http

import "errors"

// HoldHeader keeps the response header back in the filter whose header filter is
// running: it and those behind it do not see a header until that module's body
// filter has seen enough of the body to call ReleaseHeader or RefuseHeld.
func (r *Request) HoldHeader() {
	r.holding = true
	r.FilterOwnBody()
}

// ReleaseHeader passes a header that was held back through the filters behind
// the one that held it, and to the client; its verdict is that of SendHeader.
func (r *Request) ReleaseHeader() Verdict {
	from := r.heldAt
	r.heldAt = 0
	return r.filterHeader(from)
}

// errRefused ends a response in whose place an error page was sent.
var errRefused = errors.New("the response was refused by a filter")

// RefuseHeld sends an error page in place of a response whose header is held
// back. The body filter returns its error: as in nginx, the connection is not
// used again (ngx_http_filter_finalize_request).
func (r *Request) RefuseHeld(v Verdict) error {
	r.filter = r.plan.header[r.heldAt-1]
	r.heldAt = 0
	if v = r.FilterFinalizeWith(v); v != Error {
		r.drive(v)
	}
	return errRefused
}

// CleanHeader drops everything that a header has so far.
func (r *Request) CleanHeader() { r.Out.reset() }
