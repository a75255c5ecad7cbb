package resolver

import (
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"moongate/core/event"
	"moongate/core/log"
)

// udpSize is the longest datagram taken; longer ones are cut, and dropped.
const udpSize = 4096

// server is one name server. Its socket lives as long as any query is in
// flight, so that each burst of queries has a port of its own.
type server struct {
	r    *Resolver
	addr netip.AddrPort
	udp  *event.PacketConn
}

// AppendLog ends the lines about a server.
func (s *server) AppendLog(b []byte) []byte {
	return s.addr.AppendTo(append(b, " while resolving, resolver: "...))
}

func (s *server) log(err error, format string, args ...any) {
	if errors.Is(err, event.ErrStopped) {
		return
	}
	s.r.cfg.Log.WithContext(s).Log(log.ConnectionLevel(err), err, format, args...)
}

// send sends the unanswered queries of a node to its server. It reports false
// when the system refused at once.
func (r *Resolver) send(n *node) bool {
	s := &r.servers[n.server]
	for i := range n.asked {
		q := &n.queries[i]
		switch {
		case q.done:
		case q.tcp:
			s.sendTCP(q.wire)
		case !s.sendUDP(q.wire[2:]):
			return false
		}
	}
	return true
}

func (s *server) sendUDP(msg []byte) bool {
	if s.udp == nil {
		udp, err := s.r.loop.DialPacket(sockaddr(s.addr), event.DialOptions{})
		if err != nil {
			s.log(err, "connect() failed")
			return false
		}
		s.udp = udp
		s.r.loop.Go(func() { s.readUDP(udp) })
	}
	if _, err := s.udp.TrySendMsg(msg, nil, netip.AddrPort{}); err != nil {
		s.log(err, "send() failed")
		s.closeUDP()
		return false
	}
	return true
}

// readUDP takes the answers until the socket is closed.
func (s *server) readUDP(udp *event.PacketConn) {
	buf := make([]byte, udpSize)
	for {
		n, _, flags, _, err := udp.RecvMsg(buf, nil)
		if err != nil {
			if s.udp == udp {
				s.log(err, "recv() failed")
				s.closeUDP()
			}
			return
		}
		if flags&unix.MSG_TRUNC == 0 {
			s.r.receive(buf[:n], s, false)
		}
		if s.udp != udp {
			return
		}
	}
}

func (s *server) closeUDP() {
	if s.udp != nil {
		udp := s.udp
		s.udp = nil
		udp.Close()
	}
}

func (r *Resolver) closeSockets() {
	for i := range r.servers {
		r.servers[i].closeUDP()
	}
}

// sendTCP asks in a fiber of its own; the query's resending bounds it too.
func (s *server) sendTCP(wire []byte) {
	s.r.loop.Go(func() {
		c, err := s.r.loop.Dial(sockaddr(s.addr), event.DialOptions{Timeout: tcpTimeout})
		if err != nil {
			s.log(err, "connect() to %s failed", s.addr)
			return
		}
		defer c.Close()
		c.ReadTimeout, c.WriteTimeout = tcpTimeout, tcpTimeout
		if _, err := c.Write(wire); err != nil {
			s.log(err, "send() failed")
			return
		}
		msg, err := readTCP(c)
		if err != nil {
			s.log(err, "recv() failed")
			return
		}
		s.r.receive(msg, s, true)
	})
}

// readTCP reads one message, which its length precedes.
func readTCP(c io.Reader) ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(c, size[:]); err != nil {
		return nil, err
	}
	msg := make([]byte, binary.BigEndian.Uint16(size[:]))
	_, err := io.ReadFull(c, msg)
	return msg, err
}

// receive takes a message from a server.
func (r *Resolver) receive(msg []byte, s *server, tcp bool) {
	p := &r.parser
	err := p.parseQuestion(msg, tcp)
	if err == nil {
		err = r.answer(s)
	}
	if e, ok := err.(*serverError); ok && e.code == FormatError {
		e.name = r.asking(e.id) // the response may come without the question
	}
	if err != nil {
		r.cfg.Log.Log(log.Error, nil, "%s", err)
	}
}

// asking returns the name of a query in flight.
func (r *Resolver) asking(id uint16) string {
	for _, n := range r.nodes {
		for i := range n.asked {
			if n.pending && n.queries[i].id == id {
				return n.key.name
			}
		}
	}
	return ""
}

// answer applies the response in r.parser to the node that asked.
func (r *Resolver) answer(s *server) error {
	p := &r.parser
	n := r.nodes[key{kindOf(p.qtype), string(p.name)}]
	var q *query
	if n != nil && n.pending {
		q = n.query(p.qtype)
	}
	if q == nil || q.done {
		return answerErrorf("unexpected DNS response for %s", p.name)
	}
	if p.id != q.id {
		return answerErrorf("wrong ident %d in DNS response for %s, expect %d", p.id, p.name, q.id)
	}
	if p.trunc {
		if q.tcp {
			return nil // a late copy
		}
		q.tcp = true
		s.sendTCP(q.wire)
		r.loop.SetTimer(n.resend, r.resend)
		return nil
	}
	var a answer
	if p.code == 0 {
		var err error
		if a, err = p.parseAnswers(); err != nil {
			return err
		}
		for _, t := range a.other {
			r.cfg.Log.Log(log.Error, nil, "unexpected RR type %d in DNS response", uint16(t))
		}
		if a.useless() {
			r.cfg.Log.Log(log.Error, nil, "no %s in DNS response", lacking[n.key.kind])
		}
	}
	q.done = true
	n.take(q.qtype, &a, p.code)
	if n.answered() {
		r.finish(n, n.verdict())
	}
	return nil
}

// lacking is what an answer that is useless should have had.
var lacking = [...]string{kindName: "A or CNAME types", kindAddr: "PTR type", kindSRV: "SRV type"}

// take adds one answer to the node.
func (n *node) take(qtype rtype, a *answer, code Code) {
	if n.code == 0 {
		n.code = code
	}
	n.ttl = min(n.ttl, a.ttl)
	if qtype == typeAAAA {
		n.addrs[1] = a.addrs
	} else {
		n.addrs[0] = a.addrs
	}
	if n.srvs = a.srvs; len(n.srvs) > 1 {
		slices.SortStableFunc(n.srvs, func(a, b srv) int { return int(a.priority) - int(b.priority) })
	}
	n.cname, n.target = a.cname, a.target // of the answer that came last, as nginx has it
}

// verdict is the result of a node whose queries are all answered.
func (n *node) verdict() Code {
	if n.code != 0 {
		return n.code
	}
	if len(n.addrs[0])+len(n.addrs[1])+len(n.srvs) > 0 || n.target != "" {
		n.cname = "" // of the other family, which has no addresses
		return 0
	}
	if n.cname == "" {
		return NotFound
	}
	return 0
}

// query returns the query for a type, nil if it is not asked.
func (n *node) query(qtype rtype) *query {
	for i := range n.asked {
		if n.queries[i].qtype == qtype {
			return &n.queries[i]
		}
	}
	return nil
}

// answered reports whether every query has its answer.
func (n *node) answered() bool {
	for i := range n.asked {
		if !n.queries[i].done {
			return false
		}
	}
	return true
}

func kindOf(qtype rtype) kind {
	switch qtype {
	case typePTR:
		return kindAddr
	case typeSRV:
		return kindSRV
	}
	return kindName
}

func sockaddr(addr netip.AddrPort) unix.Sockaddr {
	if ip := addr.Addr().Unmap(); ip.Is4() {
		return &unix.SockaddrInet4{Addr: ip.As4(), Port: int(addr.Port())}
	}
	return &unix.SockaddrInet6{Addr: addr.Addr().As16(), Port: int(addr.Port())}
}
