package regex

import "testing"

func TestHead(t *testing.T) {
	for _, c := range []struct {
		pattern string
		options Options
		want    string
	}{
		{"^/rule3/(.*)$", 0, "/rule3/"},
		{"^/a$", Caseless, "/a"},
		{`^/a\.php$`, 0, "/a.php"},
		{"^/ab*", 0, "/a"},
		{"^/ab?c", 0, "/a"},
		{"^/ab{0,2}", 0, "/a"},
		{"^*", 0, ""},
		{"^/a|b", 0, ""},
		{"^/a(b|c)", 0, "/a"},
		{"^/a(?:b|(?<n>c))d", 0, "/a"},
		{"^/a(b|c)|d", 0, ""},
		{"^/a[(]|b", 0, ""},
		{`^/a\Q(\E|b`, 0, ""},
		{"^/a(?#()|b", 0, ""},
		{`^/\d`, 0, "/"},
		{"/a", 0, ""},
		{"^/a", Multiline, ""},
		{"^/a", Extended, ""},
		{"^/é", UTF, ""},
	} {
		if got := headOf(c.pattern, c.options); got != c.want {
			t.Errorf("%s: %q, want %q", c.pattern, got, c.want)
		}
	}
}

func TestHeadInAnyCase(t *testing.T) {
	vm := newVM(t, Limits{})
	re, err := vm.Compile("^/Ab_@", Caseless)
	if err != nil {
		t.Fatal(err)
	}
	for subject, want := range map[string]bool{"/aB_@": true, "/AB_@x": true, "/ab_`": false, "/ab\x7f@": false, "/a": false} {
		if got := re.MatchString(subject, 0, nil) >= 0; got != want {
			t.Errorf("%q: %v", subject, got)
		}
	}
}
