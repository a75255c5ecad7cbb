package resolver

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
)

// rtype is a type of record (RFC 1035, 3.2.2).
type rtype uint16

const (
	typeA     rtype = 1
	typeCNAME rtype = 5
	typePTR   rtype = 12
	typeAAAA  rtype = 28 // RFC 3596
	typeSRV   rtype = 33 // RFC 2782
	typeDNAME rtype = 39 // RFC 6672

	classIN = 1
)

const (
	headerSize   = 12
	questionSize = 4  // after the name
	recordSize   = 10 // after the name and before the data
	srvSize      = 6  // before the target

	maxLabel = 63

	// maxName is the length of the longest name asked for and taken from an
	// answer. RFC 1035 allows 255 octets; nginx asks for longer ones too.
	maxName = 512

	// maxJumps bounds the labels and compression pointers of a name.
	maxJumps = 128
)

// ask fills in the queries of a new node. It fails when the name does not fit
// into a DNS message.
func (r *Resolver) ask(n *node) error {
	types := [2]rtype{typeA, typeAAAA}
	n.asked = 2
	switch {
	case n.key.kind == kindAddr:
		types[0], n.asked = typePTR, 1
	case n.key.kind == kindSRV:
		types[0], n.asked = typeSRV, 1
	case r.cfg.NoIPv4:
		types[0], n.asked = typeAAAA, 1
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
func buildQuery(name string, qtype rtype, id uint16) ([]byte, error) {
	if len(name) > maxName {
		return nil, errBadName
	}
	size := headerSize + 1 + len(name) + 1 + questionSize
	b := make([]byte, 0, 2+size)
	b = binary.BigEndian.AppendUint16(b, uint16(size))
	b = binary.BigEndian.AppendUint16(b, id)
	b = append(b, flagRecursion>>8, flagRecursion&0xff, 0, 1 /* question */, 0, 0, 0, 0, 0, 0)
	for more := true; more; {
		var label string
		label, name, more = strings.Cut(name, ".")
		if label == "" || len(label) > maxLabel {
			return nil, errBadName
		}
		b = append(append(b, byte(len(label))), label...)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(qtype))
	return binary.BigEndian.AppendUint16(b, classIN), nil
}

var errBadName = errors.New("resolver: the name does not fit into a query")

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
	flagRecursion = 0x0100 // desired
)

// parser reads responses. It keeps its state between calls only to save
// allocations.
type parser struct {
	msg     []byte
	pos     int
	answers int // records that follow
	qtype   rtype
	id      uint16
	code    Code
	trunc   bool
	name    []byte // of the question: in lower case, without the final dot
	nameBuf [maxName]byte
}

// answer is the part of a response that matters.
type answer struct {
	addrs   []netip.Addr
	srvs    []srv
	cname   string  // if there are no addresses and no services
	target  string  // PTR
	ttl     uint32  // the least of all records
	records int     // of any type
	other   []rtype // of no use here
}

// useless reports whether an answer has records and none that helps.
func (a *answer) useless() bool {
	return a.records > 0 && len(a.addrs)+len(a.srvs) == 0 && a.cname == "" && a.target == ""
}

// What nginx says of responses it cannot read.
const (
	errShort      = answerError("short DNS response")
	errPointer    = answerError("unexpected compression pointer in DNS response")
	errLabel      = answerError("invalid label type in DNS response")
	errOutside    = answerError("name is out of DNS response")
	errLoop       = answerError("compression pointers loop in DNS response")
	errRecordName = answerError("invalid name in DNS response")
	errNoName     = answerError("zero-length domain name in DNS response")
	errQuestions  = answerError("invalid number of questions in DNS response")
	errLong       = answerError("too long name in DNS response")
)

// parseQuestion reads a response up to its question.
func (p *parser) parseQuestion(msg []byte, tcp bool) error {
	if len(msg) < headerSize {
		return errShort
	}
	p.msg, p.pos = msg, headerSize
	p.id = binary.BigEndian.Uint16(msg)
	flags := binary.BigEndian.Uint16(msg[2:])
	p.trunc = flags&flagTruncated != 0
	p.code = Code(flags & 15)
	p.answers = int(binary.BigEndian.Uint16(msg[6:]))
	switch {
	case flags&flagsMask != flagsResponse || p.trunc && tcp:
		transport := "UDP"
		if tcp {
			transport = "TCP"
		}
		return answerErrorf("invalid %s DNS response %d fl:%04X", transport, p.id, flags)
	case p.code == FormatError || p.code > Refused:
		return &serverError{code: p.code, id: p.id}
	case binary.BigEndian.Uint16(msg[4:]) != 1:
		return errQuestions
	}
	if err := p.skipQuestionName(); err != nil {
		return err
	}
	question := msg[p.pos:]
	if len(question) < questionSize+p.answers*(2+recordSize) {
		return errShort
	}
	p.pos += questionSize
	p.qtype = rtype(binary.BigEndian.Uint16(question))
	if class := binary.BigEndian.Uint16(question[2:]); class != classIN {
		return answerErrorf("unknown query class %d in DNS response", class)
	}
	switch p.qtype {
	case typeA, typeAAAA, typeSRV, typePTR:
	default:
		return answerErrorf("unknown query type %d in DNS response", uint16(p.qtype))
	}
	var err error
	p.name, err = p.appendName(p.nameBuf[:0], headerSize)
	return err
}

// skipQuestionName goes past the name of the question, which has labels alone.
func (p *parser) skipQuestionName() error {
	for ; p.pos < len(p.msg); p.pos += 1 + int(p.msg[p.pos]) {
		switch n := p.msg[p.pos]; {
		case n&0xc0 != 0:
			return errPointer
		case n == 0:
			p.pos++
			if p.pos == headerSize+1 {
				return errNoName
			}
			return nil
		}
	}
	return errShort
}

// skipRecordName goes past the name of a record.
func (p *parser) skipRecordName() error {
	for start := p.pos; p.pos < len(p.msg); p.pos += 1 + int(p.msg[p.pos]) {
		switch n := p.msg[p.pos]; {
		case n&0xc0 != 0:
			p.pos += 2
			return nil
		case n == 0:
			if p.pos++; p.pos == start+1 {
				return errRecordName
			}
			return nil
		}
	}
	return errShort
}

// parseAnswers reads the records after parseQuestion.
func (p *parser) parseAnswers() (answer, error) {
	a := answer{ttl: 1<<32 - 1, records: p.answers}
	alias := 0
	for range p.answers {
		if err := p.skipRecordName(); err != nil {
			return a, err
		}
		if p.pos+recordSize >= len(p.msg) {
			return a, errShort
		}
		h := p.msg[p.pos:]
		if class := binary.BigEndian.Uint16(h[2:]); class != classIN {
			return a, answerErrorf("unexpected RR class %d in DNS response", class)
		}
		ttl := binary.BigEndian.Uint32(h[4:])
		if ttl > 1<<31-1 { // negative, RFC 2181, 8
			ttl = 0
		}
		a.ttl = min(a.ttl, ttl)
		p.pos += recordSize
		t, size := rtype(binary.BigEndian.Uint16(h)), int(binary.BigEndian.Uint16(h[8:]))
		if t == typeCNAME {
			alias = p.pos
		} else if err := p.parseRecord(&a, t, size); err != nil {
			return a, err
		}
		p.pos += size
	}
	// An alias beside addresses was followed for us; one within in-addr.arpa
	// is a delegation, and the PTR record comes with it.
	var err error
	if alias > 0 && len(a.addrs)+len(a.srvs) == 0 && p.qtype != typePTR {
		a.cname, err = p.nameAt(alias)
	}
	return a, err
}

// parseRecord takes a record, not an alias, whose data, of size bytes, begins
// at p.pos.
func (p *parser) parseRecord(a *answer, t rtype, size int) (err error) {
	switch {
	case t == typeDNAME:
	case p.qtype == typeA || p.qtype == typeAAAA:
		return p.parseAddr(a, t, size)
	case p.qtype != t:
		a.other = append(a.other, t)
	case t == typeSRV:
		if p.pos+srvSize >= len(p.msg) {
			return errShort
		}
		data := p.msg[p.pos:]
		s := srv{priority: binary.BigEndian.Uint16(data), port: binary.BigEndian.Uint16(data[4:])}
		s.weight = max(binary.BigEndian.Uint16(data[2:]), 1) // one of 0 still gets a small share
		s.target, err = p.nameAt(p.pos + srvSize)
		a.srvs = append(a.srvs, s)
	case a.target == "":
		a.target, err = p.nameAt(p.pos)
	}
	return err
}

// parseAddr takes a record of an answer to a question for addresses.
func (p *parser) parseAddr(a *answer, t rtype, size int) error {
	var name string
	var want int
	switch t {
	case typeA:
		name, want = "A", 4
	case typeAAAA:
		name, want = "AAAA", 16
	default:
		a.other = append(a.other, t)
		return nil
	}
	switch {
	case t != p.qtype:
		return answerErrorf("unexpected %s record in DNS response", name)
	case size != want:
		return answerErrorf("invalid %s record in DNS response", name)
	case p.pos+size > len(p.msg):
		return errShort
	}
	addr, _ := netip.AddrFromSlice(p.msg[p.pos : p.pos+size])
	a.addrs = append(a.addrs, addr)
	return nil
}

// nameAt returns the name at a position, in lower case, without the final dot.
func (p *parser) nameAt(pos int) (string, error) {
	var buf [maxName]byte
	b, err := p.appendName(buf[:0], pos)
	return string(b), err
}

// appendName appends what nameAt returns.
func (p *parser) appendName(b []byte, pos int) ([]byte, error) {
	start := len(b)
	for range maxJumps {
		if pos >= len(p.msg) {
			return b, errOutside
		}
		n := int(p.msg[pos])
		pos++
		switch {
		case n == 0:
			return b, nil
		case n&0xc0 == 0xc0:
			if pos >= len(p.msg) {
				return b, errOutside
			}
			pos = n&0x3f<<8 + int(p.msg[pos])
			continue
		case n&0xc0 != 0:
			return b, errLabel
		case pos+n >= len(p.msg):
			return b, errOutside
		case len(b)-start+1+n > maxName:
			return b, errLong
		}
		if len(b) > start {
			b = append(b, '.')
		}
		for _, c := range p.msg[pos : pos+n] {
			if 'A' <= c && c <= 'Z' {
				c |= 0x20
			}
			b = append(b, c)
		}
		pos += n
	}
	return b, errLoop
}
