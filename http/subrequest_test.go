package http

import (
	"errors"
	"testing"
	"time"

	"moongate/core/event"
)

// onLoop runs f in a fiber of the request's loop, which ends with it.
func onLoop(t *testing.T, r *Request, f func()) {
	t.Helper()
	watchdog := time.AfterFunc(20*time.Second, func() { panic("the test does not end") })
	defer watchdog.Stop()
	r.Loop().Go(func() {
		defer r.Loop().Stop()
		f()
	})
	if err := r.Loop().Run(); err != nil {
		t.Fatal(err)
	}
}

// TestWaitSubrequestsCanceled: a fiber that was cancelled waits all the same,
// and lets the others run.
func TestWaitSubrequestsCanceled(t *testing.T) {
	r := testRequest(t, mustLoad(t, "server { }"))
	onLoop(t, r, func() {
		r.sub.running = 1
		main := r.Loop().Current()
		main.Cancel(event.ErrPeerClosed)
		r.Loop().Go(func() {
			main.Cancel(errors.New("once more"))
			r.Loop().Yield()
			r.sub.running--
			r.sub.idle.Ready()
		})
		r.waitSubrequests()
		if r.sub.running != 0 {
			t.Errorf("%d subrequests run", r.sub.running)
		}
	})
}

// TestSubrequestPanics: nobody waits for a subrequest that panicked.
func TestSubrequestPanics(t *testing.T) {
	r := testRequest(t, mustLoad(t, "server { }"))
	onLoop(t, r, func() {
		sr := r.Subrequest("/a", "", SubrequestOptions{InMemory: true, Done: func(*Request, Verdict) Verdict { panic("told to") }})
		if err := sr.Wait(); err != nil {
			t.Error(err)
		}
		r.waitSubrequests()
		if !r.Conn.Failed {
			t.Error("the client gets an answer")
		}
	})
}
