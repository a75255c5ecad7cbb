package cidr

import (
	"net/netip"
	"testing"

	"pgregory.net/rapid"
)

func TestParseAddrPort(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"1.2.3.4", "1.2.3.4:0"},
		{"1.2.3.4:80", "1.2.3.4:80"},
		{"001.2..4", "1.2.0.4:0"},
		{"::1", "[::1]:0"},
		{"[::1]", "[::1]:0"},
		{"[::1]:8080", "[::1]:8080"},
		{"::ffff:1.2.3.4", "[::ffff:1.2.3.4]:0"},
		{"", ""}, {"1.2.3", ""}, {"1.2.3.4.5", ""}, {"1.2.3.256", ""}, {"255.255.255.255", ""}, {"1.2.3.4:0", ""},
		{"1.2.3.4:65536", ""}, {"1.2.3.4:", ""}, {"[::1", ""}, {"[::1]x", ""}, {"[::1]80", ""}, {"fe80::1%eth0", ""},
		{"unix:", ""}, {"localhost", ""},
	} {
		got := ""
		if a, ok := ParseAddrPort(c.in); ok {
			got = a.String()
		}
		if got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in, want string
		exact    bool
	}{
		{"1.2.3.4", "1.2.3.4/32", true},
		{"1.2.3.4/8", "1.0.0.0/8", false},
		{"1.0.0.0/8", "1.0.0.0/8", true},
		{"1.2.3.4/0", "0.0.0.0/0", false},
		{"2001:db8::1/32", "2001:db8::/32", false},
		{"::1", "::1/128", true},
		{"1.2.3.4/33", "", false}, {"1.2.3.4/", "", false}, {"::/129", "", false}, {"x/8", "", false}, {"1.2.3.4/-1", "", false},
	} {
		p, exact, ok := Parse(c.in)
		got := ""
		if ok {
			got = p.String()
		}
		if got != c.want || exact != c.exact {
			t.Errorf("%q: %q %v, want %q %v", c.in, got, exact, c.want, c.exact)
		}
	}
}

func TestSet(t *testing.T) {
	var s Set
	if !s.Empty() || s.Has(netip.Addr{}) {
		t.Error("the zero Set has something")
	}
	s.Add(netip.MustParsePrefix("10.0.0.0/8"))
	s.Add(netip.MustParsePrefix("2001:db8::/32"))
	for addr, want := range map[string]bool{
		"10.1.2.3": true, "11.0.0.0": false, "::ffff:10.0.0.1": true, "2001:db8::5": true, "::1": false,
	} {
		if got := s.Has(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
	s.AddUnix()
	if !s.Has(netip.Addr{}) {
		t.Error("unix is not there")
	}
}

// TestTree compares a tree with trying every network.
func TestTree(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) netip.Addr {
		b := rapid.SliceOfN(rapid.ByteRange(0, 3), 4, 4).Draw(t, "bytes")
		a := netip.AddrFrom4([4]byte(b))
		if rapid.Bool().Draw(t, "v6") {
			var ip [16]byte
			copy(ip[:], b)
			a = netip.AddrFrom16(ip)
		}
		return a
	})
	rapid.Check(t, func(t *rapid.T) {
		var tree Tree[int]
		all := map[netip.Prefix]int{}
		for i := range rapid.IntRange(0, 20).Draw(t, "steps") {
			a := addr.Draw(t, "network")
			p := netip.PrefixFrom(a, rapid.IntRange(0, 32).Draw(t, "bits")).Masked()
			_, there := all[p]
			if rapid.Bool().Draw(t, "delete") {
				if tree.Delete(p) != there {
					t.Fatalf("delete %s", p)
				}
				delete(all, p)
				continue
			}
			if tree.Insert(p, i) == there {
				t.Fatalf("insert %s", p)
			}
			if !there {
				all[p] = i
			}
		}
		a, want, best := addr.Draw(t, "address"), 0, -1
		for p, v := range all {
			if p.Contains(a) && p.Bits() > best {
				want, best = v, p.Bits()
			}
		}
		if got, ok := tree.Find(a); got != want || ok != (best >= 0) {
			t.Fatalf("%s: %d %v, want %d", a, got, ok, want)
		}
	})
}

func TestFindAllocates(t *testing.T) {
	var tree Tree[string]
	tree.Insert(netip.MustParsePrefix("10.0.0.0/8"), "x")
	a := netip.MustParseAddr("10.2.3.4")
	if n := testing.AllocsPerRun(100, func() { tree.Find(a) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"1.2.3.4/8", "[::1]:80", "::ffff:1.2.3.4", "1.2.3.4:80", "[", "]", ":"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, _, ok := Parse(s); ok && p != p.Masked() {
			t.Errorf("%q: %s", s, p)
		}
		if a, ok := ParseAddrPort(s); ok && !a.Addr().IsValid() {
			t.Errorf("%q: no address", s)
		}
	})
}
