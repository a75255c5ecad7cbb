package resolver

import (
	"encoding/binary"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// response makes a response to a question for x.test, from records of a name,
// a type, a class, a TTL, the length of the data and the data, as bytes.
func response(qtype rtype, records ...string) []byte {
	b := []byte("\x00\x07\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x04test\x00")
	b = append(b, byte(qtype>>8), byte(qtype), 0, classIN)
	binary.BigEndian.PutUint16(b[6:], uint16(len(records)))
	return append(b, strings.Join(records, "")...)
}

// record makes one record of the name that was asked for.
func record(t rtype, data string) string {
	b := binary.BigEndian.AppendUint16([]byte("\xc0\x0c"), uint16(t))
	b = append(b, 0, classIN, 0, 0, 0, 60)
	return string(binary.BigEndian.AppendUint16(b, uint16(len(data)))) + data
}

// TestMalformed: what is wrong with a response is said in nginx's words.
func TestMalformed(t *testing.T) {
	long := strings.Repeat("\x3f"+strings.Repeat("a", 63), 9) + "\x00"
	tests := []struct {
		msg  []byte
		want string
	}{
		{[]byte("short"), "short DNS response"},
		{response(typeA)[:20], "short DNS response"},
		{[]byte("\x00\x07\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01"), "zero-length domain name in DNS response"},
		{[]byte("\x00\x07\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01"), "unexpected compression pointer in DNS response"},
		{[]byte("\x00\x07\x80\x00\x00\x02\x00\x00\x00\x00\x00\x00\x01x\x00\x00\x01\x00\x01"), "invalid number of questions in DNS response"},
		{[]byte("\x00\x07\x80\x01\x00\x00\x00\x00\x00\x00\x00\x00"), "DNS error (1: Format error), query id:7"},
		{[]byte("\x00\x07\x80\x06\x00\x01\x00\x00\x00\x00\x00\x00"), "DNS error (6: Unknown error), query id:7"},
		{[]byte("\x00\x07\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"), "invalid UDP DNS response 7 fl:0000"},
		{response(16), "unknown query type 16 in DNS response"},
		{response(typeA, "\x00\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04"), "invalid name in DNS response"},
		{response(typeA, "\xc0\x0c\x00\x01\x00\x03\x00\x00\x00\x3c\x00\x04\x01\x02\x03\x04"), "unexpected RR class 3 in DNS response"},
		{response(typeA, record(typeA, "abc")), "invalid A record in DNS response"},
		{response(typeA, record(typeA, "abcd")[:15]), "short DNS response"},
		{response(typeA, record(typeAAAA, "0123456789abcdef")), "unexpected AAAA record in DNS response"},
		{response(typeA, record(typeCNAME, "\xc0\x24")), "compression pointers loop in DNS response"},
		{response(typeA, record(typeCNAME, "\x40a\x00")), "invalid label type in DNS response"},
		{response(typeA, record(typeCNAME, "\x05ab")), "name is out of DNS response"},
		{response(typeA, record(typeCNAME, "\xff\xff")), "name is out of DNS response"},
		{response(typeA, record(typeCNAME, long)), "too long name in DNS response"},
		{response(typeSRV, record(typeSRV, "\x00\x01\x00\x02\x00\x50")), "short DNS response"},
	}
	for _, tt := range tests {
		var p parser
		err := p.parseQuestion(tt.msg, false)
		if err == nil {
			_, err = p.parseAnswers()
		}
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q:\ngot  %v\nwant %s", tt.msg, err, tt.want)
		}
	}
}

// TestUnusedAlias: what an alias names is of no matter beside addresses.
func TestUnusedAlias(t *testing.T) {
	var p parser
	msg := response(typeA, record(typeCNAME, "\xff\xff"), record(typeA, "\xc0\x00\x02\x01"))
	if err := p.parseQuestion(msg, false); err != nil {
		t.Fatal(err)
	}
	if a, err := p.parseAnswers(); err != nil || texts(a.addrs) != "192.0.2.1" || a.cname != "" {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestLongName: a name may be longer than RFC 1035 has it, in an answer and in
// the query that follows.
func TestLongName(t *testing.T) {
	label := strings.Repeat("a", 63)
	want := strings.Join([]string{label, label, label, label}, ".")
	var p parser
	msg := response(typeA, record(typeCNAME, strings.Repeat("\x3f"+label, 4)+"\x00"))
	if err := p.parseQuestion(msg, false); err != nil {
		t.Fatal(err)
	}
	a, err := p.parseAnswers()
	if err != nil || a.cname != want {
		t.Fatalf("%q, %v", a.cname, err)
	}
	query, err := buildQuery(a.cname, typeA, 7)
	if err != nil || !strings.Contains(string(query), strings.Repeat("\x3f"+label, 4)+"\x00\x00\x01\x00\x01") {
		t.Fatalf("%q, %v", query, err)
	}
}

// TestQuery: a query is what another implementation reads back.
func TestQuery(t *testing.T) {
	wire, err := buildQuery("_http._tcp.x.test", typeSRV, 4711)
	if err != nil {
		t.Fatal(err)
	}
	var m dnsmessage.Message
	if err := m.Unpack(wire[2:]); err != nil || int(binary.BigEndian.Uint16(wire)) != len(wire)-2 {
		t.Fatalf("%q, %v", wire, err)
	}
	q := m.Questions[0]
	if m.ID != 4711 || !m.RecursionDesired || q.Name.String() != "_http._tcp.x.test." || q.Type != dnsmessage.TypeSRV || q.Class != classIN {
		t.Errorf("%+v", m)
	}
}
