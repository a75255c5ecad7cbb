package http

import (
	"time"

	"moongate/core/event"
	"moongate/core/log"
)

// Delay parks the request for d and returns OK. When the client goes away
// meanwhile, that is logged, and the handler returns the verdict as its own.
func (r *Request) Delay(d time.Duration) Verdict {
	switch err := r.sleep(d); err {
	case nil:
		return OK
	case event.ErrPeerClosed:
		r.Logf(log.Info, nil, "client prematurely closed connection")
		return StatusClientClosed
	}
	return Error
}

// sleep parks the request for d, or returns event.ErrPeerClosed when the client
// goes away meanwhile. The fiber may wait again then, as post_action does.
func (r *Request) sleep(d time.Duration) error {
	f := r.Loop().Current()
	r.WatchClient(f)
	err := r.Loop().Sleep(d)
	r.UnwatchClient(f)
	if f.Err() == event.ErrPeerClosed {
		f.Uncancel()
		return event.ErrPeerClosed
	}
	return err
}

// authDelay is what becomes of an access handler's refusal: the client waits
// for a 401 as long as auth_delay says, so that guessing takes its time.
func (r *Request) authDelay(v Verdict) Verdict {
	d := r.Core.AuthDelay.V
	if d == 0 || v != StatusUnauthorized && v != StatusProxyAuthRequired {
		return v
	}
	r.Logf(log.Info, nil, "delaying unauthorized request")
	if gone := r.Delay(d); gone != OK {
		return gone
	}
	return v
}
