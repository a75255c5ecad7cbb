package http

import (
	"io"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
	"moongate/http/wire"
)

const errTimedOut = unix.ETIMEDOUT

// readProxyProtocol takes the PROXY protocol header off a new connection and
// waits for what follows it, whose first bytes tell HTTP/2 from HTTP/1. It
// reports false, having closed the connection, when either does not come.
func (c *Conn) readProxyProtocol() bool {
	c.Action = "reading PROXY protocol"
	ok := c.takeProxyProtocol()
	if ok {
		c.Action = "waiting for request"
		var first [1]byte
		_, ok = c.peek(first[:])
	}
	if !ok {
		c.Close()
		c.Release()
	}
	return ok
}

// peek waits for bytes from a new client and leaves them unread; false when
// none come in client_header_timeout, which the log then says.
func (c *Conn) peek(mem []byte) (n int, ok bool) {
	for {
		n, err := c.TryPeek(mem)
		switch err {
		case nil:
			return n, true
		case io.EOF:
			c.Log.Log(log.Info, nil, "client closed connection")
			return 0, false
		case event.ErrAgain:
		default:
			c.Log.Log(log.Info, err, "recv() failed")
			return 0, false
		}
		if err := c.WaitReadable(c.Addr.Default.ClientHeaderTimeout.V); err != nil {
			if err == event.ErrTimeout {
				c.Log.Log(log.Info, errTimedOut, "client timed out")
			}
			return 0, false
		}
	}
}

func (c *Conn) takeProxyProtocol() bool {
	mem := make([]byte, wire.MaxProxyHeader)
	n, ok := c.peek(mem)
	if !ok {
		return false
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
