package resolver

import (
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// FuzzResponse feeds arbitrary messages to the parser.
func FuzzResponse(f *testing.F) {
	for _, name := range []string{"x.test.", "two.test.", "www.test.", "big.test.", "fails.test.", "_http._tcp.test."} {
		for _, qtype := range []dnsmessage.Type{dnsmessage.TypeA, dnsmessage.TypeAAAA, dnsmessage.TypeSRV, dnsmessage.TypePTR} {
			q := dnsmessage.Question{Name: dnsmessage.MustNewName(name), Type: qtype, Class: dnsmessage.ClassINET}
			for _, msg := range testZone.handle(q, 7, false) {
				f.Add(msg, false)
			}
		}
	}
	// A name that points to itself.
	f.Add([]byte("\x00\x07\x80\x00\x00\x01\x00\x01\x00\x00\x00\x00\x01x\x00\x00\x01\x00\x01\xc0\x12\x00\x01\x00\x01"), true)
	var p parser
	f.Fuzz(func(t *testing.T, msg []byte, tcp bool) {
		if p.parseQuestion(msg, tcp) != nil {
			return
		}
		if len(p.name) == 0 || len(p.name) > maxName {
			t.Fatalf("a name of %d bytes", len(p.name))
		}
		a, err := p.parseAnswers()
		if err != nil {
			return
		}
		for _, s := range a.srvs {
			if len(s.target) > maxName {
				t.Fatalf("a target of %d bytes", len(s.target))
			}
		}
		if n := len(a.addrs) + len(a.srvs); n > len(msg)/12 {
			t.Fatalf("%d records in %d bytes", n, len(msg))
		}
	})
}
