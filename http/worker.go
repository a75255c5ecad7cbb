package http

import (
	"moongate/conf"
	"moongate/core/event"
	"moongate/core/log"
	"moongate/core/process"
)

// install makes the workers of the process serve the http block.
func (m *MainConf) install(cf *conf.Conf) {
	cycle := process.Of(cf.Cycle)
	start := func(pw *process.Worker) error {
		if !pw.Hosts() {
			return nil
		}
		w := &Worker{Worker: pw, Main: m, Clock: &cycle.LogEnv().Clock}
		m.worker = w
		for _, mod := range m.Options.Modules {
			if mod.InitWorker != nil {
				if err := mod.InitWorker(w); err != nil {
					return err
				}
			}
		}
		return nil
	}
	cycle.OnStart(start)
	cycle.OnExit(func(*process.Worker) {
		for _, mod := range m.Options.Modules {
			if mod.ExitWorker != nil && m.worker != nil {
				mod.ExitWorker(m.worker)
			}
		}
	})
	for _, p := range m.ports {
		for _, s := range p.Sockets {
			if s.Listening != nil {
				s.Listening.Server = &acceptor{m, s}
				s.Listening.Timeout = s.Address.Default.ClientHeaderTimeout.V
			}
		}
	}
}

// acceptor serves the connections of one listening socket.
type acceptor struct {
	main   *MainConf
	socket *Socket
}

// Serve implements event.Server: a connection is new or has become readable.
func (a *acceptor) Serve(ec *event.Conn) {
	c, _ := ec.Data.(*Conn)
	if c == nil {
		c = a.open(ec)
		if c.Addr.ProxyProtocol && !c.readProxyProtocol() {
			return
		}
		if c.Addr.SSL && !a.main.Options.TLS.Handshake(c) {
			return
		}
	}
	a.main.Options.Serve(c)
}

// open makes the HTTP side of a new connection.
func (a *acceptor) open(ec *event.Conn) *Conn {
	c := a.main.worker.newConn()
	c.Conn, c.IO = ec, ec
	ec.Data = c
	c.Addr = a.socket.Address
	if a.socket.Shared() {
		local := ec.LocalAddr()
		c.Addr = a.socket.Find(process.Addr{IP: local.AddrPort, Unix: local.Path})
	}
	c.Server = c.Addr.Default
	c.Unix = a.socket.Addr.Unix != ""
	c.setPeer()
	c.Action = "waiting for request"
	c.Log = c.Server.logger(c.Worker).With(c, ec.Number)
	if events := c.Worker.Cycle.Events; len(events.DebugConnections) > 0 || events.DebugUnix {
		if events.Debug(ec.RemoteAddr().Addr()) {
			c.Log = c.Log.WithDebug()
		}
	}
	return c
}

// IdleTimeout implements event.Server: a silent connection's time is over.
func (a *acceptor) IdleTimeout(ec *event.Conn) {
	c, _ := ec.Data.(*Conn)
	if c == nil {
		if !ec.Reclaimed() {
			c = a.open(ec)
			c.Log.Log(log.Info, errTimedOut, "client timed out")
			ec.Close()
			c.Release()
			return
		}
		ec.Close()
		return
	}
	if p, ok := c.State.(IdleTimeouter); ok {
		p.IdleTimeout()
		return
	}
	c.Close()
	c.Release()
}

// IdleTimeouter is a Conn.State whose protocol has something to say before an
// idle connection is closed.
type IdleTimeouter interface {
	// IdleTimeout closes and releases the connection. It runs on the loop and must
	// not park.
	IdleTimeout()
}

// newConn takes a connection from the pool.
func (w *Worker) newConn() *Conn {
	if n := len(w.conns); n > 0 {
		c := w.conns[n-1]
		w.conns = w.conns[:n-1]
		return c
	}
	return &Conn{Worker: w}
}

// Release gives the connection's memory back once it is closed or lingering.
func (c *Conn) Release() {
	w := c.Worker
	if c.Conn != nil && c.Conn.Data == c {
		c.Conn.Data = nil
	}
	*c = Conn{Worker: w}
	if len(w.conns) < maxPooled {
		w.conns = append(w.conns, c)
	}
}
