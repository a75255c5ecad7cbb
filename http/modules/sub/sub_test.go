package sub

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"moongate/http"
)

// pairsOf makes pairs of patterns and replacements.
func pairsOf(texts ...string) (list []pair) {
	for i := 0; i+1 < len(texts); i += 2 {
		list = append(list, pair{&http.Complex{Text: texts[i]}, &http.Complex{Text: texts[i+1]}})
	}
	return list
}

func text(c *http.Complex) string { return c.Text }

// apply replaces in a text that comes in pieces.
func apply(pairs []pair, once bool, pieces ...string) string {
	set := newMatcher(pairs, text)
	x := &ctx{set: set, once: once, values: make([]http.Value, len(set.patterns))}
	var out strings.Builder
	for _, p := range pieces {
		data := append(append([]byte(nil), x.held...), p...)
		x.out = x.out[:0]
		x.held = append(x.held[:0], x.replace(nil, data)...)
		for _, b := range x.out {
			out.Write(b.B)
		}
	}
	out.Write(x.held)
	return out.String()
}

func TestReplace(t *testing.T) {
	tests := []struct {
		name   string
		pairs  []string
		once   bool
		pieces []string
		want   string
	}{
		{"one", []string{"b", "X"}, false, []string{"abcabc"}, "aXcaXc"},
		{"once", []string{"b", "X"}, true, []string{"abcabc"}, "aXcabc"},
		{"case", []string{"ab", "X"}, false, []string{"aB Ab AB"}, "X X X"},
		{"each once", []string{"a", "1", "b", "2"}, true, []string{"abab"}, "12ab"},
		{"first configured", []string{"ab", "1", "abc", "2"}, false, []string{"abc"}, "1c"},
		{"first that begins", []string{"bcd", "1", "abc", "2"}, false, []string{"abcd"}, "2d"},
		{"across pieces", []string{"abc", "X"}, false, []string{"xa", "b", "cy"}, "xXy"},
		{"false start", []string{"aab", "X"}, false, []string{"aa", "aab"}, "aaX"},
		{"cut off", []string{"abc", "X"}, false, []string{"xab"}, "xab"},
		{"removed", []string{"b", ""}, false, []string{"abcb"}, "ac"},
		{"not ASCII", []string{"É", "X"}, false, []string{"É é"}, "X é"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, apply(pairsOf(tt.pairs...), tt.once, tt.pieces...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// slow replaces like the filter, looking at every place for every pattern.
func slow(pairs []pair, s string) string {
	var out strings.Builder
next:
	for len(s) > 0 {
		for _, p := range pairs {
			if len(s) >= len(p.pattern.Text) && string(lower(s[:len(p.pattern.Text)])) == p.pattern.Text {
				out.WriteString(p.value.Text)
				s = s[len(p.pattern.Text):]
				continue next
			}
			if len(s) < len(p.pattern.Text) && strings.HasPrefix(p.pattern.Text, lower(s)) {
				// The text ends within a pattern, for which the rest is held back.
				out.WriteString(s)
				return out.String()
			}
		}
		out.WriteByte(s[0])
		s = s[1:]
	}
	return out.String()
}

func TestReplaceLikeTheSlowWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[abAB]{1,5}`), 1, 6).Draw(t, "patterns")
		var pairs []pair
		for _, w := range words {
			pairs = append(pairs, pairsOf(lower(w), "<"+w+">")...)
		}
		s := rapid.StringMatching(`[abAB]{0,40}`).Draw(t, "text")
		cut := rapid.IntRange(0, len(s)).Draw(t, "cut")
		if diff := cmp.Diff(slow(pairs, s), apply(pairs, false, s[:cut], s[cut:])); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzReplace(f *testing.F) {
	f.Add("ab", "abc", "xxabcabxab", 4)
	f.Fuzz(func(t *testing.T, p, q, s string, cut int) {
		pairs := pairsOf(lower(p), "1", lower(q), "2")
		if newMatcher(pairs, text) == nil {
			return
		}
		if cut = min(max(cut, 0), len(s)); apply(pairs, false, s) != apply(pairs, false, s[:cut], s[cut:]) {
			t.Errorf("%q, %q in %q differ when cut at %d", p, q, s, cut)
		}
	})
}

func TestFindDoesNotAllocate(t *testing.T) {
	m := newMatcher(pairsOf("needle", "x"), text)
	hay := []byte(strings.Repeat("hay ", 1000))
	x := &ctx{set: m, values: make([]http.Value, 1)}
	if n := testing.AllocsPerRun(100, func() { m.find(hay, x.skip) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
