package http

import (
	"io"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http/wire"
)

const errTimedOut = unix.ETIMEDOUT

// readProxyProtocol takes the PROXY protocol header off a new connection. It
// reports false, having closed the connection, when there is none.
func (c *Conn) readProxyProtocol() bool {
	c.Action = "reading PROXY protocol"
	if c.takeProxyProtocol() {
		c.Action = "waiting for request"
		return true
	}
	c.Close()
	c.Release()
	return false
}

func (c *Conn) takeProxyProtocol() bool {
	mem := make([]byte, wire.MaxProxyHeader)
	var n int
	for {
		var err error
		n, err = c.TryPeek(mem)
		if err == nil {
			break
		}
		if err == io.EOF {
			c.Log.Log(log.Info, nil, "client closed connection")
			return false
		}
		if err != event.ErrAgain {
			c.Log.Log(log.Info, err, "recv() failed")
			return false
		}
		if err := c.WaitReadable(c.Addr.Default.ClientHeaderTimeout.V); err != nil {
			if err == event.ErrTimeout {
				c.Log.Log(log.Info, errTimedOut, "client timed out")
			}
			return false
		}
	}
	h := new(wire.ProxyHeader)
	used, err := h.Parse(mem[:n])
	if err != nil {
		if err != wire.ErrProxyTruncated {
			c.Log.Log(log.Error, nil, "%s", err)
		}
		return false
	}
	if _, err := c.Conn.Read(mem[:used]); err != nil {
		return false
	}
	if h.Known {
		c.Proxy = &ProxyHeader{
			SrcAddr: string(h.SrcAddr), DstAddr: string(h.DstAddr), SrcPort: h.SrcPort, DstPort: h.DstPort,
			TLV: func(name string) (string, bool) {
				v, ok, err := h.TLV(nil, name)
				return string(v), ok && err == nil
			},
		}
	}
	return true
}
