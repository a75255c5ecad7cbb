package tls

// TryWrite writes what can be written without waiting; event.ErrAgain says that
// bytes of earlier calls are still to be sent.
func (c *Conn) TryWrite(p []byte) (int, error) {
	if err := c.t.try(); err != nil || len(p) == 0 {
		return 0, err
	}
	n := min(len(p), c.record)
	if _, err := c.tls.Write(p[:n]); err != nil {
		return 0, err
	}
	c.t.conn.Loop().Spend(n)
	return n, c.t.err
}

// Pending reports whether bytes wait to be sent; another TryWrite sends them.
func (c *Conn) Pending() bool { return c.t.out != nil }
