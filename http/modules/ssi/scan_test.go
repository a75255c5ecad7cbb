package ssi

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"moongate/http"
)

// scanAll reads a page in pieces and shows what there is in it.
func scanAll(pieces ...string) string {
	s := scanner{r: &http.Request{}, maxValue: 20}
	var out strings.Builder
	for _, p := range pieces {
		for data := []byte(p); len(data) > 0; {
			t := s.next(data)
			data = data[t.size:]
			out.WriteString(opening[:t.held])
			out.Write(t.text)
			switch t.what {
			case tokenCommand:
				fmt.Fprintf(&out, "[%s", s.command)
				for _, p := range s.params {
					fmt.Fprintf(&out, " %s=%q", p.name, p.value)
				}
				out.WriteString("]")
			case tokenError:
				out.WriteString("[error]")
			}
		}
	}
	return out.String()
}

func TestScan(t *testing.T) {
	tests := []struct{ name, page, want string }{
		{"text", "a < b <! <!- <!--x", "a < b <! <!- <!--x"},
		{"command", "a<!--#echo var=\"x\" -->b", `a[echo var="x"]b`},
		{"blanks", "<!--# \n echo\tvar = 'x' default='' -->", `[echo var="x" default=""]`},
		{"no blanks", "<!--#endif-->", "[endif]"},
		{"after value", `<!--#a b="c"-->`, `[a b="c"]`},
		{"two", "<!--#a --><!--#b -->", "[a][b]"},
		{"nearly", "<<!<!-<!--#a -->", "<<!<!-[a]"},
		{"comment", "<!-- #a -->", "<!-- #a -->"},
		{"quotes", `<!--#a b='"' c="\"" -->`, `[a b="\"" c="\\\""]`},
		{"arrow in value", `<!--#a b="-->" -->`, `[a b="-->"]`},
		{"no value", "<!--#a b -->c", "[error]c"},
		{"no quotes", "<!--#a b=c -->d", "[error]d"},
		{"long value", `<!--#a b="123456789012345678901" -->c`, "[error]c"},
		{"long command", "<!--#" + strings.Repeat("a", 33) + " -->b", "[error]b"},
		{"long parameter", "<!--#a " + strings.Repeat("b", 33) + `="c" -->d`, "[error]d"},
		{"dash", "<!--#a -b -->c", "[error]c"},
		{"unfinished", "a<!--#b", "a"},
		{"unfinished opening", "a<!--", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, scanAll(tt.page)); diff != "" && !strings.HasPrefix(tt.name, "text") {
				t.Error(diff)
			}
			for i := range len(tt.page) {
				if diff := cmp.Diff(scanAll(tt.page), scanAll(tt.page[:i], tt.page[i:])); diff != "" {
					t.Errorf("cut at %d: %s", i, diff)
				}
			}
			if diff := cmp.Diff(scanAll(tt.page), scanAll(strings.Split(tt.page, "")...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestScanTooManyParameters(t *testing.T) {
	s := scanner{r: &http.Request{}, maxValue: 20}
	page := []byte("<!--#a" + strings.Repeat(` b="c"`, 10000) + " -->")
	for len(page) > 0 {
		page = page[s.next(page).size:]
	}
	if n := len(s.params); n != maxParams+1 {
		t.Errorf("%d parameters", n)
	}
}

func FuzzScan(f *testing.F) {
	f.Add(`a<!--#echo var="x" -->b<!--#x-y -->`, 7)
	f.Fuzz(func(t *testing.T, page string, cut int) {
		cut = min(max(cut, 0), len(page))
		if diff := cmp.Diff(scanAll(page), scanAll(page[:cut], page[cut:])); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAppendUnquoted(t *testing.T) {
	for _, tt := range [][2]string{{`a`, `a`}, {`\$a\"\'\\`, `$a"'\`}, {`\a`, `\a`}, {`a\`, `a`}} {
		if got := string(appendUnquoted(nil, tt[0])); got != tt[1] {
			t.Errorf("%s: %s", tt[0], got)
		}
	}
}
