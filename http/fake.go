package http

import (
	"moongate/conf"
	"moongate/core/log"
)

// Fake returns a connection that stands for one stream of a multiplexed
// connection, as nginx's fake connections do: the same socket, address and
// TLS, with a request and a failure of its own. It is given back with Release,
// and never closed.
func (c *Conn) Fake() *Conn {
	f := c.Worker.newConn()
	*f = *c
	f.Current, f.State, f.Failed, f.TimedOut = nil, nil, false, false
	f.Log = c.Log.WithContext(f)
	return f
}

// FakeRequest returns a request without a client, for code that runs outside of requests and calls what wants one. It
// is in no phase and has only a pool, a log and a configuration; it ends with Free.
func (w *Worker) FakeRequest(scope *conf.Scope, l log.Entry) *Request {
	r := w.pool.get(w)
	r.Conn = &Conn{Worker: w}
	r.Main, r.Pool, r.Log = r, &r.arena, l
	r.SetScope(scope)
	return r
}
