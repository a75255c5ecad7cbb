package names

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestFind compares the look-up with trying every name.
func TestFind(t *testing.T) {
	label := rapid.StringMatching(`[ab]{1,2}`)
	host := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(label, 1, 4).Draw(t, "labels"), ".")
	})
	rapid.Check(t, func(t *rapid.T) {
		var table Table[string]
		all := map[string]bool{}
		for range rapid.IntRange(0, 6).Draw(t, "names") {
			name := rapid.SampledFrom([]string{"%s", "*.%s", ".%s", "%s.*"}).Draw(t, "form")
			name = fmt.Sprintf(name, host.Draw(t, "name"))
			if table.Add(name, name) == nil {
				all[name] = true
			}
		}
		h := host.Draw(t, "host")
		want, wantOK := slowFind(all, h)
		if got, ok := table.Find(h); got != want || ok != wantOK {
			t.Fatalf("%q among %v: %q, want %q", h, all, got, want)
		}
	})
}

// slowFind tries every name that may stand for a host, in nginx's order.
func slowFind(all map[string]bool, host string) (string, bool) {
	tries := []string{host, "." + host}
	for i := range len(host) {
		if host[i] == '.' {
			tries = append(tries, "*"+host[i:], host[i:])
		}
	}
	for i := len(host) - 1; i > 0; i-- {
		if host[i] == '.' {
			tries = append(tries, host[:i]+".*")
		}
	}
	for _, name := range tries {
		if all[name] {
			return name, true
		}
	}
	return "", false
}

func TestAdd(t *testing.T) {
	var table Table[int]
	for _, c := range []struct {
		name string
		want error
	}{
		{"example.com", nil},
		{"example.com", ErrConflict},
		{".example.com", ErrConflict},
		{"*.example.com", nil},
		{"*.example.com", ErrConflict},
		{".example.org", nil},
		{"example.org", ErrConflict},
		{"*.example.org", ErrConflict},
		{"www.*", nil},
		{"www.*", ErrConflict},
		{"", nil},
		{"*", ErrInvalid},
		{"*.", ErrInvalid},
		{"a.*.b", ErrInvalid},
		{"*.a.*", ErrInvalid},
		{"a..b", ErrInvalid},
		{"a\x00b", ErrInvalid},
	} {
		if err := table.Add(c.name, 1); err != c.want {
			t.Errorf("%q: %v, want %v", c.name, err, c.want)
		}
	}
	if table.Len() != 6 || !table.Wild() || table.MaxExact() != len("example.com") {
		t.Error(table)
	}
}

// TestFindAllocates: it does not.
func TestFindAllocates(t *testing.T) {
	var table Table[int]
	for i := range 100 {
		table.Add(fmt.Sprintf("*.host%d.example.com", i), i)
		table.Add(fmt.Sprintf("host%d.*", i), i)
	}
	hosts := []string{"a.b.host50.example.com", "host7.example.org", strings.Repeat("a.", 4096)}
	if n := testing.AllocsPerRun(100, func() {
		for _, h := range hosts {
			table.Find(h)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
