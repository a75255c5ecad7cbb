package resolver

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strconv"

	"golang.org/x/net/dns/dnsmessage"
)

// ask fills in the queries of a new node. It fails when the name does not fit
// into a DNS message.
func (r *Resolver) ask(n *node) error {
	types := [2]dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA}
	n.asked = 2
	switch {
	case n.key.kind == kindAddr:
		types[0], n.asked = dnsmessage.TypePTR, 1
	case n.key.kind == kindSRV:
		types[0], n.asked = dnsmessage.TypeSRV, 1
	case r.cfg.NoIPv4:
		types[0], n.asked = dnsmessage.TypeAAAA, 1
	case r.cfg.NoIPv6:
		n.asked = 1
	}
	for i := range n.asked {
		q := &n.queries[i]
		q.qtype, q.id = types[i], uint16(rand.Uint32())
		var err error
		if q.wire, err = buildQuery(n.key.name, q.qtype, q.id); err != nil {
			return err
		}
	}
	return nil
}

// buildQuery makes a recursive query, preceded by its length as TCP wants it.
func buildQuery(name string, qtype dnsmessage.Type, id uint16) ([]byte, error) {
	if name == "" { // the root has no addresses
		return nil, errEmptyName
	}
	qname, err := dnsmessage.NewName(name + ".")
	if err != nil {
		return nil, err
	}
	b := dnsmessage.NewBuilder(make([]byte, 2, 2+12+len(name)+2+4),
		dnsmessage.Header{ID: id, RecursionDesired: true})
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(dnsmessage.Question{Name: qname, Type: qtype, Class: dnsmessage.ClassINET}); err != nil {
		return nil, err
	}
	wire, err := b.Finish()
	if err != nil {
		return nil, err
	}
	binary.BigEndian.PutUint16(wire, uint16(len(wire)-2))
	return wire, nil
}

var errEmptyName = errors.New("resolver: empty name")

// reverseName is the name whose PTR record names the address (RFC 1035, 3.5;
// RFC 3596, 2.5).
func reverseName(addr netip.Addr) string {
	const hex = "0123456789abcdef"
	b := make([]byte, 0, 72)
	bytes := addr.AsSlice()
	for i := len(bytes) - 1; i >= 0; i-- {
		if addr.Is4() {
			b = append(strconv.AppendUint(b, uint64(bytes[i]), 10), '.')
		} else {
			b = append(b, hex[bytes[i]&15], '.', hex[bytes[i]>>4], '.')
		}
	}
	if addr.Is4() {
		return string(append(b, "in-addr.arpa"...))
	}
	return string(append(b, "ip6.arpa"...))
}

// Header flags (RFC 1035, 4.1.1; RFC 2535, 6.1). Of those in flagsMask, a
// response to a standard query has QR alone.
const (
	flagsMask     = 0xf870 // QR, OPCODE, Z, AD, CD
	flagsResponse = 0x8000 // QR
	flagTruncated = 0x0200
)

// parser reads responses. It keeps its state between calls only to save
// allocations.
type parser struct {
	dns      dnsmessage.Parser
	question dnsmessage.Question
	id       uint16
	code     Code
	trunc    bool
	name     []byte // of the question: in lower case, without the final dot
	nameBuf  [256]byte
}

// answer is the part of a response that matters.
type answer struct {
	addrs  []netip.Addr
	srvs   []srv
	cname  string
	target string
	ttl    uint32 // the least of all records
	other  dnsmessage.Type
}

// parseQuestion reads a response up to its question.
func (p *parser) parseQuestion(msg []byte, tcp bool) error {
	if len(msg) < 12 {
		return answerError("short DNS response")
	}
	p.id = binary.BigEndian.Uint16(msg)
	flags := binary.BigEndian.Uint16(msg[2:])
	p.trunc = flags&flagTruncated != 0
	p.code = Code(flags & 15)
	if flags&flagsMask != flagsResponse || p.trunc && tcp {
		transport := "UDP"
		if tcp {
			transport = "TCP"
		}
		return answerErrorf("invalid %s DNS response %d fl:%04X", transport, p.id, flags)
	}
	if p.code == FormatError || p.code > Refused {
		return answerErrorf("DNS error (%d: %s), query id:%d", int(p.code), p.code, p.id)
	}
	if binary.BigEndian.Uint16(msg[4:]) != 1 {
		return answerError("invalid number of questions in DNS response")
	}
	if _, err := p.dns.Start(msg); err != nil {
		return malformed(err)
	}
	var err error
	if p.question, err = p.dns.Question(); err != nil {
		return malformed(err)
	}
	if err := p.dns.SkipAllQuestions(); err != nil {
		return malformed(err)
	}
	if p.question.Class != dnsmessage.ClassINET {
		return answerErrorf("unknown query class %d in DNS response", uint16(p.question.Class))
	}
	p.name = appendName(p.nameBuf[:0], &p.question.Name)
	if len(p.name) == 0 {
		return answerError("zero-length domain name in DNS response")
	}
	switch p.question.Type {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeSRV, dnsmessage.TypePTR:
		return nil
	}
	return answerErrorf("unknown query type %d in DNS response", uint16(p.question.Type))
}

// parseAnswers reads the records after parseQuestion.
func (p *parser) parseAnswers() (answer, error) {
	a := answer{ttl: 1<<32 - 1}
	for {
		h, err := p.dns.AnswerHeader()
		if err == dnsmessage.ErrSectionDone {
			return a, nil
		}
		if err != nil {
			return a, malformed(err)
		}
		if h.Class != dnsmessage.ClassINET {
			return a, answerErrorf("unexpected RR class %d in DNS response", uint16(h.Class))
		}
		a.ttl = min(a.ttl, h.TTL)
		if h.TTL > 1<<31-1 { // negative, RFC 2181, 8
			a.ttl = 0
		}
		if err := p.parseRecord(&a, &h); err != nil {
			return a, err
		}
	}
}

func (p *parser) parseRecord(a *answer, h *dnsmessage.ResourceHeader) error {
	qtype := p.question.Type
	switch h.Type {
	case dnsmessage.TypeA, dnsmessage.TypeAAAA:
		if h.Type != qtype {
			return answerErrorf("unexpected %s record in DNS response", typeName(h.Type))
		}
		return p.parseAddr(a, h)
	case dnsmessage.TypeCNAME:
		if qtype == dnsmessage.TypePTR {
			break // delegation within in-addr.arpa: the PTR record follows
		}
		rr, err := p.dns.CNAMEResource()
		if err != nil {
			return malformed(err)
		}
		a.cname = nameString(&rr.CNAME)
		return nil
	case dnsmessage.TypePTR:
		if qtype != dnsmessage.TypePTR || a.target != "" {
			break
		}
		rr, err := p.dns.PTRResource()
		if err != nil {
			return malformed(err)
		}
		a.target = nameString(&rr.PTR)
		return nil
	case dnsmessage.TypeSRV:
		if qtype != dnsmessage.TypeSRV {
			break
		}
		rr, err := p.dns.SRVResource()
		if err != nil {
			return malformed(err)
		}
		// A weight of 0 still gets a small share.
		a.srvs = append(a.srvs, srv{nameString(&rr.Target), rr.Priority, max(rr.Weight, 1), rr.Port})
		return nil
	case typeDNAME:
	default:
		a.other = h.Type
	}
	if err := p.dns.SkipAnswer(); err != nil {
		return malformed(err)
	}
	return nil
}

const typeDNAME dnsmessage.Type = 39 // RFC 6672

func (p *parser) parseAddr(a *answer, h *dnsmessage.ResourceHeader) error {
	if h.Type == dnsmessage.TypeA && h.Length != 4 || h.Type == dnsmessage.TypeAAAA && h.Length != 16 {
		return answerErrorf("invalid %s record in DNS response", typeName(h.Type))
	}
	if h.Type == dnsmessage.TypeA {
		rr, err := p.dns.AResource()
		if err != nil {
			return malformed(err)
		}
		a.addrs = append(a.addrs, netip.AddrFrom4(rr.A))
		return nil
	}
	rr, err := p.dns.AAAAResource()
	if err != nil {
		return malformed(err)
	}
	a.addrs = append(a.addrs, netip.AddrFrom16(rr.AAAA))
	return nil
}

func typeName(t dnsmessage.Type) string {
	if t == dnsmessage.TypeA {
		return "A"
	}
	return "AAAA"
}

func malformed(err error) error {
	return answerErrorf("invalid DNS response: %v", err)
}

// appendName appends a name in lower case, without the final dot.
func appendName(b []byte, name *dnsmessage.Name) []byte {
	data := name.Data[:name.Length]
	if n := len(data); n > 0 && data[n-1] == '.' {
		data = data[:n-1]
	}
	for _, c := range data {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		b = append(b, c)
	}
	return b
}

func nameString(name *dnsmessage.Name) string {
	var buf [256]byte
	return string(appendName(buf[:0], name))
}
