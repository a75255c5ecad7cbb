package parser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What glob(3) finds in such a directory.
func TestGlob(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{
		"a.conf", "b.conf", "B.conf", ".hidden.conf", "10", "9", "[x", "a*b", "a-b/c.conf", "conf.d/z.conf",
		"conf.d/a.conf", "conf.d/.a.conf", "sites/é", ".git/x.conf",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("nowhere", "dangling.conf"); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"*.conf":          "B.conf a.conf b.conf dangling.conf", // not the hidden one
		".*.conf":         ".hidden.conf",
		`\.h*`:            ".hidden.conf",
		"?.conf":          "B.conf a.conf b.conf",
		"[ab].conf":       "a.conf b.conf",
		"[a-b].conf":      "a.conf b.conf",
		"[!a].conf":       "B.conf b.conf",
		"[^a].conf":       "B.conf b.conf",
		"[[:upper:]].*":   "B.conf",
		"[![:upper:]].c*": "a.conf b.conf",
		"[0-9]*":          "10 9",
		"[x*":             "[x", // no "]": an ordinary byte
		`a\**`:            "a*b",
		"*/*.conf":        "a-b/c.conf conf.d/a.conf conf.d/z.conf", // sorted as a whole
		"[b.]*/x.conf":    "",                                       // a period in brackets matches no leading one
		".g*/*":           ".git/x.conf",
		"conf.d//*":       "conf.d//a.conf conf.d//z.conf",
		"./c*/a*":         "./conf.d/a.conf",
		"*/":              "a-b/ conf.d/ sites/",
		"sites/?":         "", // bytes, not characters
		"sites/??":        "sites/é",
		"none/*":          "",
		"a.conf/*":        "",
		"*/none":          "",
	} {
		if diff := cmp.Diff(strings.Fields(want), append([]string{}, glob(pattern)...)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", pattern, diff)
		}
	}
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := (Files{}).Glob(wd + "/c*/a.*"); err != nil || len(got) != 1 || got[0] != wd+"/conf.d/a.conf" {
		t.Errorf("absolute: %q, %v", got, err)
	}
}

func TestMatch(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"**", "a", true},
		{"a*b*c", "axbxbxc", true},
		{"a*b*c", "axbxbx", false},
		{"[]a]", "]", true},
		{"[!]a]", "]", false},
		{"[a-]", "-", true},
		{"[-a]", "-", true},
		{"[a-", "[a-", true},
		{"[", "[", true},
		{"[]", "[]", true},
		{"[!]", "[!]", true},
		{"[b-a]", "b", false},
		{`[\]]`, "]", true},
		{`[a\-c]`, "b", false},
		{`\*`, "*", true},
		{`\*`, "a", false},
		{`a\`, `a\`, true},
		{"[[:digit:][:space:]]", " ", true},
		{"[[:xdigit:]]", "F", true},
		{"[[:punct:]]", "_", true},
		{"[[:none:]]", "n", false},
	} {
		if got := match(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q, %q: got %v", tt.pattern, tt.name, got)
		}
	}
	if match(strings.Repeat("*a", 100), strings.Repeat("a", 10000)+"b") {
		t.Error("many stars: a match")
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("[!a-c]*?.conf", "x1.conf")
	f.Add(`[[:alpha:]\]`, "a")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		literal := strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
		if !match(literal, name) || !match("*"+literal, name) || !match(literal+"*", name) {
			t.Errorf("%q does not match %q", literal, name)
		}
		match(pattern, name)
	})
}
