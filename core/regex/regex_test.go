package regex

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newVM(t testing.TB, limits Limits) *VM {
	t.Helper()
	vm := NewVM(limits)
	t.Cleanup(vm.Close)
	return vm
}

func compile(t testing.TB, vm *VM, pattern string, options Options) *Regex {
	t.Helper()
	re, err := vm.Compile(pattern, options)
	if err != nil {
		t.Fatal(err)
	}
	return re
}

func TestMatch(t *testing.T) {
	none := []int(nil)
	tests := []struct {
		name    string
		pattern string
		options Options
		subject string
		offset  int
		want    []int // offsets; nil: no match
	}{
		{"literal", "b", 0, "abc", 0, []int{1, 2}},
		{"empty subject", "^$", 0, "", 0, []int{0, 0}},
		{"empty pattern, empty subject", "", 0, "", 0, []int{0, 0}},
		{"empty subject, no match", "a", 0, "", 0, none},
		{"offset at the end", "$", 0, "abc", 3, []int{3, 3}},
		{"offset keeps ^ at the start", "^b", 0, "abc", 1, none},
		{"offset keeps look-behind", "(?<=a)b", 0, "abc", 1, []int{1, 2}},
		{"unset group", "(a)|(b)", 0, "b", 0, []int{0, 1, -1, -1, 0, 1}},
		{"trailing unset group", "(b)|(a)", 0, "b", 0, []int{0, 1, 0, 1, -1, -1}},
		{"caseless", `\.PHP$`, Caseless, "/x.php", 0, []int{2, 6}},
		{"multiline", "^b$", Multiline, "a\nb\nc", 0, []int{2, 3}},
		{"dot", "a.b", 0, "a\nb", 0, none},
		{"dot all", "a.b", DotAll, "a\nb", 0, []int{0, 3}},
		{"extended", "a b # c", Extended, "ab", 0, []int{0, 2}},
		{"anchored", "b", Anchored, "ab", 0, none},
		{"anchored at the offset", "b", Anchored, "ab", 1, []int{1, 2}},
		{"ungreedy", "a+", Ungreedy, "aaa", 0, []int{0, 1}},
		{"dollar before newline", "a$", 0, "a\n", 0, []int{0, 1}},
		{"dollar end only", "a$", DollarEndOnly, "a\n", 0, none},
		{"look-ahead", `^/(?!api/)(\w+)`, 0, "/app", 0, []int{0, 4, 1, 4}},
		{"negative look-ahead", `^/(?!api/)(\w+)`, 0, "/api/x", 0, none},
		{"look-behind", `(?<!\d)\d{2}(?!\d)`, 0, "123 45", 0, []int{4, 6}},
		{"back reference", `(\w)\1`, 0, "hello", 0, []int{2, 4, 2, 3}},
		{"keep out", `foo\Kbar`, 0, "foobar", 0, []int{3, 6}},
		{"recursion", `\((?:[^()]|(?R))*\)`, 0, "x(a(b)c)(", 0, []int{1, 8}},
		{"posix class", "[[:alpha:]]+", 0, "1ab2", 0, []int{1, 3}},
		{"atomic", "(?>a+)ab", 0, "aaab", 0, none},
		{"possessive", "a++b", 0, "aab", 0, []int{0, 3}},
		{"conditional", `(<)?a(?(1)>)`, 0, "<a>", 0, []int{0, 3, 0, 1}},
		{"verb", "a(*SKIP)(*FAIL)|b", 0, "ab", 0, []int{1, 2}},
		{"branch reset", "(?|(a)|(b))", 0, "b", 0, []int{0, 1, 0, 1}},
		{"NUL in both", "a\x00b", 0, "xa\x00b", 0, []int{1, 4}},
		{"bytes", "^..$", 0, "é", 0, []int{0, 2}},
		{"characters", "^.$", UTF, "é", 0, []int{0, 2}},
		{"caseless characters", "É", UTF | Caseless, "é", 0, []int{0, 2}},
		{"property", `\p{Lu}`, UTF, "aÉ", 0, []int{1, 3}},
		{"malformed subject", "b", NoUTFCheck, "\xffb\xc3", 0, []int{1, 2}},
		{"javascript escape", `\u0061`, JavaScript, "a", 0, []int{0, 1}},
		{"javascript back reference", `(a)?\1b`, JavaScript, "b", 0, []int{0, 1, -1, -1}},
		{"longest", "a|ab|abc", DFA, "abc", 0, []int{0, 3}},
		{"longest of groups", "(a)(b)?", DFA, "ab", 0, []int{0, 2}},
	}
	vm := newVM(t, DefaultLimits)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			re := compile(t, vm, tt.pattern, tt.options)
			ovector := make([]int, 2*(re.NumGroups()+1))
			n := re.Match([]byte(tt.subject), tt.offset, ovector)
			if n < NoMatch {
				t.Fatal(ErrorText(n))
			}
			got := ovector
			if n == NoMatch {
				got = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("offsets (-want +got):\n%s", diff)
			}
			if again := re.MatchString(tt.subject, tt.offset, nil); again != n {
				t.Errorf("MatchString = %d, Match = %d", again, n)
			}
		})
	}
}

// TestMatchOvector covers vectors of other sizes than the pattern's.
func TestMatchOvector(t *testing.T) {
	vm := newVM(t, Limits{})
	re := compile(t, vm, "(a)(b)(c)", 0)
	for _, tt := range []struct{ in, want []int }{
		{[]int{9, 9}, []int{0, 3}},
		{[]int{9, 9, 9}, []int{0, 3, 0}},
		{make([]int, 12), []int{0, 3, 0, 1, 1, 2, 2, 3, -1, -1, -1, -1}},
	} {
		if n := re.MatchString("abc", 0, tt.in); n != 4 {
			t.Fatalf("n = %d, want 4", n)
		}
		if diff := cmp.Diff(tt.want, tt.in); diff != "" {
			t.Error(diff)
		}
	}
	untouched := []int{7, 7}
	if n := re.MatchString("x", 0, untouched); n != NoMatch || untouched[0] != 7 {
		t.Errorf("without a match: n = %d, ovector %v", n, untouched)
	}
	for _, offset := range []int{-1, 4} {
		if n := re.MatchString("abc", offset, nil); n != -33 {
			t.Errorf("offset %d: n = %d, want -33", offset, n)
		}
	}
}

func TestNames(t *testing.T) {
	vm := newVM(t, Limits{})
	tests := []struct {
		pattern string
		options Options
		groups  int
		want    []Name
	}{
		{"(a)", 0, 1, nil},
		{"(?<year>a)(b)(?P<day>c)", 0, 3, []Name{{"day", []int{3}}, {"year", []int{1}}}},
		{"(?<n>a)|(?'n'b)", DupNames, 2, []Name{{"n", []int{1, 2}}}},
		{"(?J)(?<n>a)|(?<n>b)", 0, 2, []Name{{"n", []int{1, 2}}}},
		{"(?|(?<n>a)|(?<n>b))", 0, 1, []Name{{"n", []int{1}}}},
	}
	for _, tt := range tests {
		re := compile(t, vm, tt.pattern, tt.options)
		if re.NumGroups() != tt.groups {
			t.Errorf("%s: %d groups, want %d", tt.pattern, re.NumGroups(), tt.groups)
		}
		if diff := cmp.Diff(tt.want, re.Names()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.pattern, diff)
		}
	}
}

func TestCompileError(t *testing.T) {
	vm := newVM(t, Limits{})
	tests := []struct{ pattern, want string }{
		{"(", `pcre2_compile() failed: missing closing parenthesis in "("`},
		{"a)b", `pcre2_compile() failed: unmatched closing parenthesis in "a)b" at ")b"`},
		{"*a", `pcre2_compile() failed: quantifier does not follow a repeatable item in "*a" at "*a"`},
		{"a**b(", `pcre2_compile() failed: quantifier does not follow a repeatable item in "a**b(" at "*b("`},
		{"[z-a]x", `pcre2_compile() failed: range out of order in character class in "[z-a]x" at "a]x"`},
		{"a)b\x00c", "pcre2_compile() failed: unmatched closing parenthesis in \"a)b\x00c\" at \")b\""},
	}
	for _, tt := range tests {
		_, err := vm.Compile(tt.pattern, 0)
		var ce *CompileError
		if !errors.As(err, &ce) {
			t.Errorf("%q: %v, want a CompileError", tt.pattern, err)
			continue
		}
		if ce.Error() != tt.want {
			t.Errorf("got  %s\nwant %s", ce.Error(), tt.want)
		}
	}
	if _, err := vm.Compile("\xff", UTF); err == nil {
		t.Error("a malformed pattern compiled")
	}
	if _, err := vm.Compile("\xff", NoUTFCheck); err == nil {
		t.Error("a malformed pattern compiled without check")
	}
	if _, err := vm.Compile(strings.Repeat("(", 1000)+strings.Repeat(")", 1000), 0); err == nil {
		t.Error("1000 nested groups compiled")
	}
}

func TestLimits(t *testing.T) {
	const runaway, deep = "^(a+)+(b|c)$", "^(?:(a)|b)*$"
	for _, tt := range []struct {
		name    string
		limits  Limits
		pattern string
		subject int // letters
		want    int
	}{
		{"match", Limits{Match: 1000}, runaway, 64, MatchLimit},
		{"depth", Limits{Depth: 5}, runaway, 64, DepthLimit},
		{"heap", Limits{Heap: 64}, deep, 4000, HeapLimit},
		{"default match", DefaultLimits, runaway, 64, MatchLimit},
		{"default heap", DefaultLimits, deep, 400_000, HeapLimit},
		{"within", DefaultLimits, deep, 4000, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			vm := newVM(t, tt.limits)
			re := compile(t, vm, tt.pattern, 0)
			if n := re.MatchString(strings.Repeat("a", tt.subject), 0, nil); n != tt.want {
				t.Errorf("n = %d (%s), want %d", n, ErrorText(n), tt.want)
			}
		})
	}
	re := compile(t, newVM(t, DefaultLimits), "a", 0)
	want := `pcre2_match() failed: -47 on "b" using "a"`
	if got := re.MatchError(MatchLimit, "b"); got != want {
		t.Errorf("MatchError = %s, want %s", got, want)
	}
}

// TestErrorText pins the words a log reader searches for.
func TestErrorText(t *testing.T) {
	for code, want := range map[int]string{
		NoMatch:    "no match",
		MatchLimit: "match limit exceeded",
		114:        "missing closing parenthesis",
		-1000:      "unknown error -1000",
		1 << 20:    "unknown error 1048576",
	} {
		if got := ErrorText(code); got != want {
			t.Errorf("ErrorText(%d) = %q, want %q", code, got, want)
		}
	}
}

func TestUTFErrors(t *testing.T) {
	vm := newVM(t, Limits{})
	re := compile(t, vm, ".", UTF)
	if n := re.MatchString("a\xff", 0, nil); n >= NoMatch {
		t.Errorf("malformed subject: n = %d, want an error", n)
	}
	if n := re.MatchString("é", 1, nil); n != -36 {
		t.Errorf("offset inside a character: n = %d, want -36", n)
	}
}

func TestClose(t *testing.T) {
	vm := NewVM(DefaultLimits)
	re := compile(t, vm, "a", 0)
	kept := compile(t, vm, "b", DFA)
	re.Close()
	re.Close()
	if vm.Len() != 1 {
		t.Errorf("Len = %d, want 1", vm.Len())
	}
	if n := re.MatchString("a", 0, nil); n >= NoMatch {
		t.Errorf("a closed pattern matched: %d", n)
	}
	if n := kept.MatchString("b", 0, nil); n != 1 {
		t.Errorf("n = %d", n)
	}
	vm.Close()
	vm.Close()
	kept.Close()
	if _, err := vm.Compile("a", 0); !errors.Is(err, ErrClosed) {
		t.Errorf("Compile after Close: %v", err)
	}
}

// TestCompileWhileMatching runs what Compile promises: other goroutines
// compile and close while the owner matches.
func TestCompileWhileMatching(t *testing.T) {
	vm := newVM(t, DefaultLimits)
	re := compile(t, vm, `(\d+)-(\d+)`, 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				other, err := vm.Compile(`^/(?<a>[^/]+)/(.*)$`, Caseless)
				if err != nil {
					t.Error(err)
					return
				}
				other.Close()
			}
		})
	}
	for range 2000 {
		if n := re.MatchString("x 12-34", 0, nil); n != 3 {
			t.Fatalf("n = %d", n)
		}
	}
	wg.Wait()
}
