package browser

import "testing"

func TestVersion(t *testing.T) {
	for _, c := range []struct {
		in, rest string
		want     uint64
	}{
		{"5", "", 5000000},
		{"5.01", "", 5010000},
		{"1.8.0.5", "", 1080005},
		{"4000.99.99.99", "", 4000999999},
		{"7.50  [en]", "  [en]", 7500000},
		{"1.2.3.4.5.6", "", 1020304},
		{"", "", 0},
		{"x", "x", 0},
	} {
		if got, rest := version(c.in, unreachable); got != c.want || rest != c.rest {
			t.Errorf("%q: %d %q, want %d %q", c.in, got, rest, c.want, c.rest)
		}
	}
	if got, _ := version("9.1.1", 8000000); got != 9000000 {
		t.Errorf("9 is enough: %d", got)
	}
}

func FuzzVersion(f *testing.F) {
	f.Add("1.8.0.5", uint64(1000000))
	f.Add("99999999999999999999.9.9", uint64(unreachable))
	f.Fuzz(func(t *testing.T, s string, enough uint64) {
		if _, rest := version(s, enough); len(rest) > len(s) {
			t.Errorf("%q: %q is left", s, rest)
		}
	})
}
