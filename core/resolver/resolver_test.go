package resolver

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"moongate/core/buf"
	"moongate/core/event"
)

var testZone = zone{
	"a x.test":      {"60 192.0.2.1"},
	"a two.test":    {"60 192.0.2.1", "60 192.0.2.2"},
	"aaaa two.test": {"60 2001:db8::1"},
	"aaaa six.test": {"60 2001:db8::6"},

	"a cz.test":    {"60 x.test."},
	"aaaa zc.test": {"60 x.test."},

	"cname www.test":   {"60 X.test."},
	"cname loop.test":  {"60 loop.test."},
	"cname out.test":   {"60 gone.test."},
	"a followed.test":  {"60 x.test.", "60 192.0.2.9"},
	"a big.test":       {"truncated", "60 192.0.2.3"},
	"a fails.test":     {"servfail"},
	"aaaa half.test":   {"servfail"},
	"a half.test":      {"60 192.0.2.1"},
	"a refused.test":   {"refused"},
	"aaaa silent.test": {"silent"},
	"a silent.test":    {"silent"},
	"txt none.test":    {},
	"a short.test":     {"1 192.0.2.1"},
	"a now.test":       {"0 192.0.2.1"},

	"ptr 1.2.0.192.in-addr.arpa":                                   {"60 ptr X.test."},
	"ptr " + strings.Repeat("0.", 24) + "8.b.d.0.1.0.0.2.ip6.arpa": {"60 ptr six.test."},

	"srv _http._tcp.test": {"60 20 0 8003 six.test.", "60 10 5 8001 x.test.", "60 10 1 8002 two.test.", "60 5 1 9 gone.test."},
	"srv _my.svc.test":    {"60 1 1 7 x.test."},
	"srv _dead._tcp.test": {"60 1 1 7 fails.test.", "60 1 1 7 gone.test."},
}

const timeout = 10 * time.Second

func texts(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, " ")
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name string
		cfg  Config
		want string // addresses, or the error
	}{
		{"x.test", Config{}, "192.0.2.1"},
		{"X.Test.", Config{}, "192.0.2.1"},
		{"two.test", Config{}, "192.0.2.1 192.0.2.2 2001:db8::1"},
		{"two.test", Config{NoIPv6: true}, "192.0.2.1 192.0.2.2"},
		{"two.test", Config{NoIPv4: true}, "2001:db8::1"},
		{"six.test", Config{}, "2001:db8::6"},
		{"six.test", Config{NoIPv6: true}, "six.test could not be resolved (3: Host not found)"},
		{"www.test", Config{}, "192.0.2.1"},
		{"followed.test", Config{NoIPv6: true}, "192.0.2.9"},
		{"big.test", Config{}, "192.0.2.3"},
		{"192.0.2.7", Config{}, "192.0.2.7"},
		{"2001:db8::7", Config{}, "2001:db8::7"},
		{"cz.test", Config{}, "cz.test could not be resolved (3: Host not found)"}, // the answer about IPv6, the last, is empty
		{"zc.test", Config{}, "192.0.2.1"},
		{"gone.test", Config{}, "gone.test could not be resolved (3: Host not found)"},
		{"none.test", Config{}, "none.test could not be resolved (3: Host not found)"},
		{"loop.test", Config{}, "loop.test could not be resolved (3: Host not found)"},
		{"out.test", Config{}, "out.test could not be resolved (3: Host not found)"},
		{"fails.test", Config{}, "fails.test could not be resolved (2: Server failure)"},
		{"half.test", Config{}, "half.test could not be resolved (2: Server failure)"},
		{"Refused.test", Config{}, "refused.test could not be resolved (5: Operation refused)"},
		{"", Config{}, " could not be resolved (3: Host not found)"},
		{"a..test", Config{}, "a..test could not be resolved (3: Host not found)"},
		{strings.Repeat("a", 64) + ".test", Config{}, strings.Repeat("a", 64) + ".test could not be resolved (3: Host not found)"},
		{strings.Repeat("a.", 300), Config{}, strings.Repeat("a.", 299) + "a could not be resolved (3: Host not found)"},
	}
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		for _, tt := range tests {
			tt.cfg.Servers = []netip.AddrPort{s.addr}
			r := New(l, tt.cfg)
			addrs, _, err := r.Resolve(nil, tt.name, timeout)
			got := texts(addrs)
			if err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("%s (IPv4 %t, IPv6 %t):\ngot  %s\nwant %s", tt.name, !tt.cfg.NoIPv4, !tt.cfg.NoIPv6, got, tt.want)
			}
			if r.pending != 0 || r.servers[0].udp != nil {
				t.Errorf("%s: %d queries are still in flight", tt.name, r.pending)
			}
		}
	})
}

func TestResolveAddr(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		for addr, want := range map[string]string{
			"192.0.2.1": "x.test", "::ffff:192.0.2.1": "x.test", "2001:db8::": "six.test",
			"192.0.2.99": "99.2.0.192.in-addr.arpa could not be resolved (3: Host not found)",
		} {
			got, _, err := r.ResolveAddr(netip.MustParseAddr(addr), timeout)
			if err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s: got %s, want %s", addr, got, want)
			}
		}
	})
}

func TestResolveSRV(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		first := map[string]int{}
		for i := range 200 {
			got, valid, err := r.ResolveSRV("http", "Test", timeout)
			if err != nil {
				t.Error(err)
				return
			}
			if asked := slices.Sorted(slices.Values(s.asked())); i == 0 && len(slices.Compact(slices.Clone(asked))) != len(asked) {
				t.Errorf("asked twice: %q", asked)
			}
			if left := time.Until(valid); left < 55*time.Second || left > 61*time.Second {
				t.Errorf("valid for %v", left)
			}
			first[got[0].Name]++
			last := got[len(got)-1]
			if want := (Endpoint{netip.MustParseAddrPort("[2001:db8::6]:8003"), "six.test", 20, 1}); last != want {
				t.Errorf("the last is %v, want %v", last, want)
			}
			slices.SortFunc(got, func(a, b Endpoint) int { return a.Addr.Compare(b.Addr) })
			var all []string
			for _, e := range got {
				all = append(all, e.Addr.String())
			}
			want := []string{"192.0.2.1:8001", "192.0.2.1:8002", "192.0.2.2:8002", "[2001:db8::1]:8002", "[2001:db8::6]:8003"}
			if diff := cmp.Diff(want, all); diff != "" {
				t.Errorf("endpoints (-want +got):\n%s", diff)
				return
			}
		}
		// By weight 5 of 8 start with x.test.
		if n := first["x.test"]; n < 80 || n > 170 || first["two.test"] != 200-n {
			t.Errorf("the first of 200: %v", first)
		}
		if got, _, err := r.ResolveSRV("_my.svc", "test", timeout); err != nil || got[0].Addr.Port() != 7 {
			t.Errorf("a service with a dot: %v, %v", got, err)
		}
		for name, want := range map[string]string{
			"dead": "test could not be resolved (3: Host not found)",
			"no":   "test could not be resolved (3: Host not found)",
		} {
			if _, _, err := r.ResolveSRV(name, "test", timeout); err == nil || err.Error() != want {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestCache(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		resolve := func(name string) { r.Resolve(nil, name, timeout) }
		asked := func(when string, want int) {
			t.Helper()
			if got := s.asked(); len(got) != want {
				t.Errorf("%s: %d queries, want %d: %v", when, len(got), want, got)
			}
		}
		resolve("x.test")
		asked("the first time", 2)
		resolve("X.test")
		asked("the second time", 0)
		resolve("www.test")
		asked("an alias of it", 2)
		resolve("gone.test")
		resolve("gone.test")
		asked("failures, twice", 4)

		// TTL 1 is valid for this second and the next.
		resolve("short.test")
		asked("a short answer", 2)
		l.Sleep(2100 * time.Millisecond)
		resolve("short.test")
		asked("a short answer, later", 2)

		fixed := New(l, Config{Servers: []netip.AddrPort{s.addr}, Valid: time.Hour})
		fixed.Resolve(nil, "now.test", timeout)
		l.Sleep(1100 * time.Millisecond)
		_, valid, err := fixed.Resolve(nil, "now.test", timeout)
		asked("valid=", 2)
		if left := time.Until(valid); err != nil || left < 59*time.Minute {
			t.Errorf("valid for %v, %v", left, err)
		}
	})
}

// TestExpire: answers not used for keepSeconds leave the memory.
func TestExpire(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		for _, name := range []string{"x.test", "two.test", "six.test"} {
			r.Resolve(nil, name, timeout)
		}
		for n := r.used.newest; n != nil; n = n.older {
			n.expire -= 2 * keepSeconds
		}
		r.Resolve(nil, "six.test", timeout)
		if len(r.nodes) != 1 || r.used.newest != r.used.last {
			t.Errorf("%d answers are in memory, want 1", len(r.nodes))
		}
	})
}

// TestCoalesce: fibers that want one name share the queries.
func TestCoalesce(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		var got []string
		ask := func() {
			addrs, _, err := r.Resolve(nil, "two.test", timeout)
			if err != nil {
				t.Error(err)
			}
			got = append(got, texts(addrs))
		}
		join(l, ask, ask, ask)
		if n := len(s.asked()); n != 2 {
			t.Errorf("%d queries, want 2", n)
		}
		want := "192.0.2.1 192.0.2.2 2001:db8::1"
		if diff := cmp.Diff([]string{want, want, want}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRotate: a cached answer comes in every rotation.
func TestRotate(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		seen := map[string]bool{}
		for range 300 {
			addrs, _, err := r.Resolve(nil, "two.test", timeout)
			if err != nil {
				t.Error(err)
				return
			}
			seen[texts(addrs)] = true
		}
		if len(seen) != 6 {
			t.Errorf("%d orders of 3 addresses in 2 families, want 6: %v", len(seen), seen)
		}
	})
}

func TestFailover(t *testing.T) {
	silent := serve(t, func(dnsmessage.Question, uint16, bool) [][]byte { return nil })
	good := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		// A port that refuses, one that is silent, one that answers: whatever
		// server is first, the answer comes.
		refused := serve(t, nil).addr
		refused = netip.AddrPortFrom(netip.MustParseAddr("127.255.255.253"), refused.Port())
		r := New(l, Config{Servers: []netip.AddrPort{refused, silent.addr, good.addr}})
		r.resend = 50 * time.Millisecond
		for range 3 {
			addrs, _, err := r.Resolve(nil, "x.test", timeout)
			if err != nil || texts(addrs) != "192.0.2.1" {
				t.Errorf("got %v, %v", addrs, err)
			}
			r.drop(r.nodes[key{kindName, "x.test"}])
		}
	})
	if len(silent.asked()) == 0 {
		t.Error("the silent server was never asked")
	}
}

func TestTimeout(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		r.resend = 30 * time.Millisecond
		start, wait := time.Now(), 500*time.Millisecond
		_, _, err := r.Resolve(nil, "silent.test", wait)
		want := "silent.test could not be resolved (110: Operation timed out)"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if took := time.Since(start); took < wait-10*time.Millisecond || took > timeout {
			t.Errorf("it took %v", took)
		}
		if n := len(s.asked()); n < 4 {
			t.Errorf("%d queries, want some sent again", n)
		}
		for end := time.Now().Add(timeout); r.pending != 0 || len(r.nodes) != 0; l.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the query nobody waits for goes on")
				return
			}
		}
	})
}

func TestCancel(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		gone := errors.New("client closed")
		var f *event.Fiber
		join(l, func() {
			f = l.Current()
			_, _, err := r.Resolve(nil, "silent.test", timeout)
			if err != gone {
				t.Errorf("got %v, want %v", err, gone)
			}
		}, func() { f.Cancel(gone) })
		n := r.nodes[key{kindName, "silent.test"}]
		if len(n.waiting) != 0 {
			t.Errorf("%d fibers wait", len(n.waiting))
		}
		join(l, func() {
			_, _, err := r.Resolve(nil, "silent.test", 0)
			var e *Error
			if !errors.As(err, &e) || e.Code != TimedOut {
				t.Errorf("closed: got %v", err)
			}
		}, func() {
			if r.nodes[n.key] == n {
				t.Error("the question that nobody waited for is not asked anew")
			}
			r.Close()
		})
		if _, _, err := r.Resolve(nil, "x.test", timeout); err == nil || err.Error() != "no resolver defined to resolve x.test" {
			t.Errorf("after Close: %v", err)
		}
	})
}

// TestSpoofed: responses that do not fit are dropped, and the right one,
// coming after them, is taken.
func TestSpoofed(t *testing.T) {
	evil := resource(dnsmessage.MustNewName("x.test."), []string{"60", "203.0.113.66"})
	s := serve(t, func(q dnsmessage.Question, id uint16, tcp bool) [][]byte {
		var out [][]byte
		forge := func(change func(*dnsmessage.Message)) {
			m := message(q, id)
			m.Answers = []dnsmessage.Resource{evil}
			change(&m)
			out = append(out, pack(m))
		}
		forge(func(m *dnsmessage.Message) { m.ID++ })
		forge(func(m *dnsmessage.Message) { m.Response = false })
		forge(func(m *dnsmessage.Message) { m.OpCode = 2 })
		forge(func(m *dnsmessage.Message) { m.RCode = 1 })
		forge(func(m *dnsmessage.Message) { m.RCode = 9 })
		forge(func(m *dnsmessage.Message) { m.Questions = nil })
		forge(func(m *dnsmessage.Message) { m.Questions = append(m.Questions, q) })
		forge(func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("y.test.") })
		forge(func(m *dnsmessage.Message) { m.Questions[0].Class = 3 })
		forge(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeTXT })
		forge(func(m *dnsmessage.Message) { m.Questions[0].Type = dnsmessage.TypeSRV })
		forge(func(m *dnsmessage.Message) { m.Answers[0].Header.Class = 3 })
		evil6 := resource(q.Name, []string{"60", "2001:db8::66"})
		if q.Type == dnsmessage.TypeA {
			forge(func(m *dnsmessage.Message) { m.Answers[0] = evil6 })
		}
		out = append(out, nil, []byte("short"), out[0][:20])
		return append(out, testZone.handle(q, id, tcp)...)
	})
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		addrs, _, err := r.Resolve(nil, "x.test", timeout)
		if err != nil || texts(addrs) != "192.0.2.1" {
			t.Errorf("got %v, %v", addrs, err)
		}
	})
}

func TestResolveAllocates(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		dst := make([]netip.Addr, 0, 8)
		r.Resolve(dst, "two.test", timeout)
		allocs := testing.AllocsPerRun(100, func() {
			if _, _, err := r.Resolve(dst, "two.test", timeout); err != nil {
				t.Error(err)
			}
		})
		if allocs != 0 {
			t.Errorf("%v allocations for a cached answer", allocs)
		}
	})
}

func TestNoServers(t *testing.T) {
	run(t, func(l *event.Loop) {
		r := New(l, Config{})
		if addrs, _, err := r.Resolve(nil, "192.0.2.1", 0); err != nil || texts(addrs) != "192.0.2.1" {
			t.Errorf("got %v, %v", addrs, err)
		}
		want := "no resolver defined to resolve x.test"
		if _, _, err := r.Resolve(nil, "x.test", 0); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestParse(t *testing.T) {
	lookup := func(server string) ([]netip.AddrPort, error) {
		if addr, err := netip.ParseAddr(server); err == nil {
			return []netip.AddrPort{netip.AddrPortFrom(addr, DefaultPort)}, nil
		}
		return nil, errors.New("host not found")
	}
	cfg, err := Parse(strings.Fields("192.0.2.53 valid=1m30s ipv6=off ipv4=on"), lookup)
	want := Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.53:53")}, Valid: 90 * time.Second, NoIPv6: true}
	if err != nil || !slices.Equal(cfg.Servers, want.Servers) || cfg.Valid != want.Valid || cfg.NoIPv4 || !cfg.NoIPv6 {
		t.Errorf("got %+v, %v", cfg, err)
	}
	for args, want := range map[string]string{
		"valid=x 192.0.2.53":           "invalid parameter: valid=x",
		"192.0.2.53 ipv6=maybe":        "invalid parameter: ipv6=maybe",
		"192.0.2.53 ipv4=off ipv6=off": `"ipv4" and "ipv6" cannot both be "off"`,
		"valid=30s":                    "no name servers defined",
		"valid":                        `host not found in resolver "valid"`,
	} {
		if _, err := Parse(strings.Fields(args), lookup); err == nil || err.Error() != want {
			t.Errorf("%s:\ngot  %v\nwant %s", args, err, want)
		}
	}
	if _, err := Parse(nil, lookup); err != nil {
		t.Errorf("without arguments: %v", err)
	}
}

func BenchmarkResolveCached(b *testing.B) {
	s := serve(b, testZone.handle)
	run(b, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		dst := make([]netip.Addr, 0, 8)
		b.ReportAllocs()
		for b.Loop() {
			r.Resolve(dst, "two.test", timeout)
		}
	})
}

// TestNameIsCopied: what is remembered does not live in the caller's memory.
func TestNameIsCopied(t *testing.T) {
	s := serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{s.addr}})
		mem := []byte("x.test")
		if _, _, err := r.Resolve(nil, buf.String(mem), timeout); err != nil {
			t.Error(err)
		}
		s.asked()
		copy(mem, "y.none")
		if _, _, err := r.Resolve(nil, "X.test", timeout); err != nil || len(s.asked()) > 0 {
			t.Errorf("asked again: %v", err)
		}
	})
}

// TestFirstServerFirst: the servers have their turns from the first one on.
func TestFirstServerFirst(t *testing.T) {
	first, second := serve(t, testZone.handle), serve(t, testZone.handle)
	run(t, func(l *event.Loop) {
		r := New(l, Config{Servers: []netip.AddrPort{first.addr, second.addr}})
		for _, name := range []string{"x.test", "six.test", "two.test"} {
			if _, _, err := r.Resolve(nil, name, timeout); err != nil {
				t.Error(err)
			}
		}
	})
	if a, b := len(first.asked()), len(second.asked()); a != 4 || b != 2 {
		t.Errorf("%d and %d queries", a, b)
	}
}
