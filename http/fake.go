package http

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
