package pattern

import "testing"

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		src, pat string
		start    int
		want     int
	}{
		{"hello", "l+", 2, 4}, {"hello", "x", 0, -1}, {"hello", "", 3, 3}, {"f(a(b)c)d", "%b()", 1, 8},
		{"THE end", "%f[%a]%a+", 4, 7}, {"abcabc", "(abc)%1", 0, 6}, {"a-z", "[%a-z]+", 0, 3}, {"]", "[]]", 0, 1},
		{"x", "[^x]", 0, -1}, {"aaa", "a-$", 0, 3}, {"a\x00b", "a%zb", 0, 3}, {"ab", "a?b?c?", 0, 2},
	} {
		var m Matcher
		m.Reset(c.src, c.pat)
		if got := m.Match(c.start); got != c.want {
			t.Errorf("%q %q at %d: %d, want %d", c.src, c.pat, c.start, got, c.want)
		}
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("hello world", "(%w+) (%w+)")
	f.Add("x", "[]-a]%f[^%z]%b()(()")
	f.Fuzz(func(t *testing.T, src, pat string) {
		if len(src) > 40 || len(pat) > 20 {
			return // nested repetitions are exponential by nature
		}
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(Error); !ok {
					panic(r)
				}
			}
		}()
		var m Matcher
		m.Reset(src, pat)
		if e := m.Match(0); e > len(src) {
			t.Error(e)
		} else if e >= 0 {
			for i := range m.Captures(true) {
				m.Capture(i, 0, e)
			}
		}
	})
}
