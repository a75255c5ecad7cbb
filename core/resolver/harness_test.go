package resolver

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"moongate/core/event"
)

// dnsServer is a name server on a free port of 127.0.0.1, over UDP and TCP.
type dnsServer struct {
	addr netip.AddrPort

	mu      sync.Mutex
	queries []string // "udp a x.test."
}

// handler returns the messages to send for a query.
type handler func(q dnsmessage.Question, id uint16, tcp bool) [][]byte

func serve(t testing.TB, h handler) *dnsServer {
	t.Helper()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dnsServer{addr: tcp.Addr().(*net.TCPAddr).AddrPort()}
	udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(s.addr))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tcp.Close(); udp.Close() })
	go func() {
		buf := make([]byte, 512)
		for {
			n, from, err := udp.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			for _, msg := range s.handle(buf[:n], false, h) {
				udp.WriteToUDPAddrPort(msg, from)
			}
		}
	}()
	go func() {
		for {
			c, err := tcp.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				msg, err := readTCP(c)
				if err != nil {
					return
				}
				for _, msg := range s.handle(msg, true, h) {
					c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
				}
				io.Copy(io.Discard, c)
			}()
		}
	}()
	return s
}

func (s *dnsServer) handle(msg []byte, tcp bool, h handler) [][]byte {
	var m dnsmessage.Message
	if m.Unpack(msg) != nil || len(m.Questions) != 1 || !m.RecursionDesired {
		return nil
	}
	q := m.Questions[0]
	line := "udp "
	if tcp {
		line = "tcp "
	}
	line += strings.ToLower(strings.TrimPrefix(q.Type.String(), "Type")) + " " + q.Name.String()
	s.mu.Lock()
	s.queries = append(s.queries, line)
	s.mu.Unlock()
	return h(q, m.ID, tcp)
}

// asked returns the queries that came, and forgets them.
func (s *dnsServer) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	queries := s.queries
	s.queries = nil
	return queries
}

// zone answers from a table of "type name" to records such as
// "60 192.0.2.1"; unknown names do not exist, known ones of another type have
// no records. A first field of letters is a failure: "servfail", "truncated"
// (over UDP), "silent".
type zone map[string][]string

func (z zone) handle(q dnsmessage.Question, id uint16, tcp bool) [][]byte {
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	qtype := strings.ToLower(strings.TrimPrefix(q.Type.String(), "Type"))
	records, ok := z[qtype+" "+name]
	m := message(q, id)
	if !ok {
		records, ok = z["cname "+name]
	}
	if !ok && !z.knows(name) {
		m.RCode = dnsmessage.RCodeNameError
	}
	for _, record := range records {
		f := strings.Fields(record)
		switch f[0] {
		case "silent":
			return nil
		case "servfail":
			m.RCode = dnsmessage.RCodeServerFailure
			continue
		case "refused":
			m.RCode = dnsmessage.RCodeRefused
			continue
		case "truncated":
			m.Truncated = !tcp
			continue
		}
		if m.Truncated {
			break
		}
		m.Answers = append(m.Answers, resource(q.Name, f))
	}
	return [][]byte{pack(m)}
}

func (z zone) knows(name string) bool {
	for key := range z {
		if strings.HasSuffix(key, " "+name) {
			return true
		}
	}
	return false
}

func message(q dnsmessage.Question, id uint16) dnsmessage.Message {
	return dnsmessage.Message{
		Header:    dnsmessage.Header{ID: id, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
	}
}

// resource makes a record of "TTL address", "TTL name" for CNAME, "TTL ptr
// name", or "TTL priority weight port name".
func resource(name dnsmessage.Name, f []string) dnsmessage.Resource {
	ttl, _ := time.ParseDuration(f[0] + "s")
	rr := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{
		Name: name, Class: dnsmessage.ClassINET, TTL: uint32(ttl / time.Second),
	}}
	addr, err := netip.ParseAddr(f[1])
	switch {
	case len(f) == 5:
		rr.Body = &dnsmessage.SRVResource{
			Priority: number(f[1]), Weight: number(f[2]), Port: number(f[3]), Target: dnsmessage.MustNewName(f[4]),
		}
	case f[1] == "ptr":
		rr.Body = &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(f[2])}
	case err != nil:
		rr.Body = &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(f[1])}
	case addr.Is4():
		rr.Body = &dnsmessage.AResource{A: addr.As4()}
	default:
		rr.Body = &dnsmessage.AAAAResource{AAAA: addr.As16()}
	}
	return rr
}

func number(s string) uint16 {
	n := 0
	for _, c := range s {
		n = n*10 + int(c-'0')
	}
	return uint16(n)
}

func pack(m dnsmessage.Message) []byte {
	msg, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return msg
}

// run runs f in a fiber of a new loop, until it returns.
func run(t testing.TB, f func(l *event.Loop)) {
	t.Helper()
	l, err := event.New(event.Config{})
	if err != nil {
		t.Fatal(err)
	}
	watchdog := time.AfterFunc(20*time.Second, func() { panic("the test does not end") })
	defer watchdog.Stop()
	l.Go(func() {
		defer l.Stop()
		f(l)
	})
	if err := l.Run(); err != nil {
		t.Fatal(err)
	}
}

// join waits for functions, each run in a fiber.
func join(l *event.Loop, fs ...func()) {
	left := len(fs)
	me := l.Current()
	for _, f := range fs {
		l.Go(func() {
			f()
			left--
			me.Ready()
		})
	}
	for left > 0 {
		me.Park()
	}
}
