package ssi

import (
	"strings"
	"testing"

	"moongate/http"
	"moongate/http/httptest"
)

// newPage is a page of a request whose own variable $v has the given value.
func newPage(r *http.Request, v string) *ctx {
	return &ctx{r: r, page: &page{vars: map[string]string{"v": v}}}
}

func TestExpressions(t *testing.T) {
	site := httptest.New(t, "server { listen 80; }", Module)
	r := site.Get("/folder/page?q=arg")
	defer r.Free()
	for _, tt := range []struct {
		expr      string
		truth, ok bool
	}{
		{"$v", true, true},
		{"$none", false, true},
		{"$v = some", true, true},
		{"$v=some", true, true},
		{"${v} != some", false, true},
		{"$arg_q = arg", true, true},
		{`$v = /^s(?<tail>.*)\$/`, true, true},
		{"$v = /^s.*$/", false, false}, // the $ begins a variable
		{"$v != /^s/", false, true},
		{`$v = \/^s/`, false, true},
		{"$v = $v", true, true},
		{"$v = /$v/", true, true},
		{"$v some", false, false},
		{"$v = /open", false, false},
		{"$v = /(/", false, false},
		{"${v = some", false, false},
		{"$ = some", false, false},
	} {
		if truth, ok := newPage(r, "some").test(tt.expr); truth != tt.truth || ok != tt.ok {
			t.Errorf("%s: %v, %v", tt.expr, truth, ok)
		}
	}
	x := newPage(r, "some")
	x.test("$v = /^s(?<tail>.)(x)?/")
	for name, want := range map[string]string{"0": "so", "1": "o", "2": "", "tail": "o"} {
		if got, _ := x.variable(name); got != want {
			t.Errorf("$%s: %q", name, got)
		}
	}
}

// FuzzExpression: whatever a page compares, "!=" is the contrary of "=", and
// the groups of an expression lie in the text that it matched.
func FuzzExpression(f *testing.F) {
	f.Add("$v", "some", "some")
	f.Add("$v", "/(a)|(?<v>b)/", "b")
	f.Add("${v}", `\/x/`, "/x/")
	f.Add("$uri", `$v\$v\`, "")
	f.Add("$arg_q", "/${v}/", "(?|(a)|(b))")
	site := httptest.New(f, "server { listen 80; }", Module)
	f.Fuzz(func(t *testing.T, left, right, value string) {
		r := site.Get("/folder/page?q=arg")
		defer r.Free()
		x := newPage(r, value)
		same, ok := x.test(left + "=" + right)
		for i := range 10 {
			x.variable(string(rune('0' + i)))
		}
		if strings.ContainsFunc(left, func(c rune) bool { return c > 0x7f || !isLeft(byte(c)) }) {
			return // the first of several operators counts
		}
		if differ, ok2 := newPage(r, value).test(left + "!=" + right); ok != ok2 || ok && differ == same {
			t.Errorf("%q = %q: %v %v, not %v %v", left, right, same, ok, differ, ok2)
		}
	})
}
