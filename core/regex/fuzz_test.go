package regex

import (
	"fmt"
	"testing"
	"time"
)

// FuzzMatch feeds arbitrary patterns, subjects and offsets to the translated
// C: it may refuse them, and may not crash, loop or report offsets outside
// the subject.
func FuzzMatch(f *testing.F) {
	for _, seed := range []struct {
		pattern, subject string
	}{
		{`^/(?<a>\w+)(?:\.php)?$`, "/x.php"},
		{`(?<=a)b\Kc|(?R)?[[:alpha:]]\p{L}`, "abc"},
		{`(?|(a)|(b))\1(*SKIP)x|\X`, "aé\xff"},
		{"(?(DEFINE)(?<n>a\x00))(?&n)\\C", "a\x00"},
		{`(?=a\K)`, "a"},
	} {
		f.Add(seed.pattern, seed.subject, uint32(0), 0)
		f.Add(seed.pattern, seed.subject, uint32(NoUTFCheck|DupNames), 1)
		f.Add(seed.pattern, seed.subject, uint32(DFA|JavaScript), 0)
	}
	vm := newVM(f, Limits{Match: 10_000, Depth: 1_000, Heap: 1 << 10})
	f.Fuzz(func(t *testing.T, pattern, subject string, options uint32, offset int) {
		watchdog := time.AfterFunc(5*time.Second, func() {
			panic(fmt.Sprintf("stuck: pattern %q, subject %q, options %#x, offset %d", pattern, subject, options, offset))
		})
		defer watchdog.Stop()
		re, err := vm.Compile(pattern, Options(options))
		if err != nil {
			_ = err.Error()
			return
		}
		defer re.Close()
		ovector := make([]int, 2*(re.NumGroups()+1))
		n := re.MatchString(subject, offset, ovector)
		if n == NoMatch && re.head != "" && offset == 0 {
			if n := re.exec(subject, offset); n >= 0 {
				t.Fatalf("%q has not the head %q, and matches", subject, re.head)
			}
		}
		if n < 0 {
			return
		}
		if n > re.NumGroups()+1 {
			t.Fatalf("n = %d with %d groups", n, re.NumGroups())
		}
		for i, at := range ovector {
			if at < -1 || at > len(subject) {
				t.Fatalf("ovector[%d] = %d outside %d bytes", i, at, len(subject))
			}
		}
		for _, name := range re.Names() {
			for _, number := range name.Numbers {
				if !re.dfa && number > re.NumGroups() {
					t.Fatalf("name %q has group %d of %d", name.Name, number, re.NumGroups())
				}
			}
		}
	})
}
