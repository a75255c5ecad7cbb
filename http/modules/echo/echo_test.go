package echo

import "testing"

func TestParseCount(t *testing.T) {
	for s, want := range map[string]int64{
		"0": 0, "7": 7, "1_000": 1000, "_": 0, "00012": 12, "922337203685477579": 922337203685477579,
		"": -1, "-1": -1, "1x": -1, " 1": -1, "99999999999999999999": -1,
	} {
		n, ok := parseCount(s)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: %d, %v", s, n, ok)
		}
	}
}

func TestLoop(t *testing.T) {
	for _, c := range []struct{ by, text, want string }{
		{",", "a,b,,c,", "a|b|c|"},
		{",", ",,", ""},
		{",", "", ""},
		{"--", "a--b-c--", "a|b-c|"},
		{"", "abc", "abc|"},
		{"abc", "ab", "ab|"},
	} {
		l := &loop{by: c.by, rest: c.text}
		got := ""
		for l.advance() {
			got += l.it + "|"
		}
		if got != c.want || l.present || l.it != "" {
			t.Errorf("%q by %q: %q, want %q", c.text, c.by, got, c.want)
		}
	}
}
