package parser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// outline writes a tree for comparison: a line for each directive, `LINE name|arg|arg` (`FIRST-LINE` if the name
// stands elsewhere), the items of its block indented, the end of the block as `LINE }` or the error as `LINE ! text`.
func outline(root *Block) string {
	var b strings.Builder
	var walk func(items *Block, indent string)
	walk = func(block *Block, indent string) {
		for _, d := range block.Items {
			line := fmt.Sprint(d.Line)
			if d.NameLine != d.Line {
				line = fmt.Sprintf("%d-%d", d.NameLine, d.Line)
			}
			fmt.Fprintf(&b, "%s%s %s\n", indent, line, strings.Join(append([]string{d.Name}, d.Args...), "|"))
			if d.Block != nil {
				walk(d.Block, indent+"  ")
			}
			if d.Block != nil && d.Block.CloseLine != 0 {
				fmt.Fprintf(&b, "%s%d }\n", indent, d.Block.CloseLine)
			}
		}
		if block.Err != nil {
			fmt.Fprintf(&b, "%s%d ! %s\n", indent, block.Err.Line, block.Err.Msg)
		}
	}
	walk(root, "")
	return b.String()
}

func checkOutline(t *testing.T, root *Block, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(outline(root), "\n"), "\n")); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

func TestParseTree(t *testing.T) {
	for name, tt := range map[string]struct {
		src  string
		want []string
	}{
		"empty":           {"", []string{""}},
		"blanks":          {" \t\r\n# a; b {\n", []string{""}},
		"directive":       {"user www data;", []string{"1 user|www|data"}},
		"no blank needed": {"a;b;c{}d;", []string{"1 a", "1 b", "1 c", "1 }", "1 d"}},
		"lines":           {"a\nb\n\nc\n;", []string{"1-5 a|b|c"}},
		"block": {"http {\n  server {\n    a;\n  }\n}\n", []string{
			"1 http", "  2 server", "    3 a", "  4 }", "5 }"}},
		"brace on own line":  {"http\n{\n}", []string{"1-2 http", "3 }"}},
		"CRLF":               {"a b;\r\nc\r\n;\r\n", []string{"1 a|b", "2-3 c"}},
		"comment in between": {"a # ;\n b;", []string{"1-2 a|b"}},
		"comment at the end": {"a; # b", []string{"1 a"}},
		"hash in a word":     {"a b#c #d\n;", []string{"1-2 a|b#c"}},
		"closing brace in a word": {
			"a b} {}c;", []string{"1 a|b}", "1 }", "1 c"},
		},
		"BOM is part of the name": {"\ufeffuser a;", []string{"1 \ufeffuser|a"}},
		"NUL":                     {"a b\x00c;", []string{"1 a|b\x00c"}},
		"bytes above ASCII":       {"a \xff\xc3\xa9;", []string{"1 a|\xff\xc3\xa9"}},
		"only LF is a new line":   {"a\r\rb\v\f;", []string{"1 a|b\v\f"}},
		"names may be quoted":     {`"a b" c;`, []string{"1 a b|c"}},
		"empty words":             {`"" '' "";`, []string{"1 ||"}},
		"if":                      {"if ( $a ~ b ) {}", []string{"1 if|(|$a|~|b|)", "1 }"}},
		"if without blanks":       {`if ($a = "b") {}`, []string{"1 if|($a|=|b|)", "1 }"}},
		"parenthesis starts a word": {
			`a "b")c;`, []string{"1 a|b|)c"},
		},
		"regex": {`location ~ \.(?:php|\d+)$ {}`, []string{`1 location|~|\.(?:php|\d+)$`, "1 }"}},
		"quotes within words": {
			`a [^/?&:'"]+ b"c d"; e'f;`, []string{`1 a|[^/?&:'"]+|b"c|d"`, "1 e'f"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := Parse("nginx.conf", []byte(tt.src))
			checkOutline(t, root, tt.want...)
			if want := strings.Count(tt.src, "\n") + 1; root.CloseLine != want {
				t.Errorf("ends in line %d, want %d", root.CloseLine, want)
			}
		})
	}
}

// What nginx makes of one word: the quotes, escapes and variables of ngx_conf_read_token.
func TestParseWord(t *testing.T) {
	for _, tt := range []struct{ src, want string }{
		{`"a b;{}#"`, `a b;{}#`},
		{`'a "b"'`, `a "b"`},
		{`"a 'b'"`, `a 'b'`},
		{`"a\"b\'c"`, `a"b'c`},
		{`'a\'b\"c'`, `a'b"c`},
		{`a\"b\'c`, `a"b'c`},
		{`\"a`, `"a`},
		{`a\\b`, `a\b`},
		{`a\\\\b`, `a\\b`},
		{`a\\\"b`, `a\"b`},
		{`"a\\"`, `a\`},
		{`a\tb\rc\nd`, "a\tb\rc\nd"},
		{`"\t\r\n"`, "\t\r\n"},
		{`a\\tb`, `a\tb`},
		{`a\x\d\.\$b`, `a\x\d\.\$b`},
		{`a\ b`, `a\ b`},
		{`a\;b`, `a\;b`},
		{`a\{b`, `a\{b`},
		{`\#a`, `\#a`},
		{`\}`, `\}`},
		{"a\\\nb", "a\\\nb"},
		{"\"a\nb\"", "a\nb"},
		{`$a`, `$a`},
		{`${a}b`, `${a}b`},
		{`a${b}c${d}`, `a${b}c${d}`},
		{`${{a`, `${{a`},
		{`$${a}`, `$${a}`},
		{`"$request_uri"`, `$request_uri`},
		{`"${a}b"`, `${a}b`},
		{`a\${b`, `a\$`}, // then the "{" ends the word
		{`$\{b`, `$\{b`},
		{`~^/a{2}`, `~^/a`},
		{`"~^/a{2}"`, `~^/a{2}`},
	} {
		root := Parse("nginx.conf", []byte("a "+tt.src+";"))
		if len(root.Items) == 0 || len(root.Items[0].Args) != 1 || root.Items[0].Args[0] != tt.want {
			t.Errorf("%s: got %q, want %q", tt.src, outline(root), tt.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	long := strings.Repeat("x", bufferSize)
	for name, tt := range map[string]struct {
		src  string
		want []string
	}{
		"not terminated":             {"a;\nb c\n", []string{"1 a", `3 ! unexpected end of file, expecting ";" or "}"`}},
		"not terminated, no newline": {"a", []string{`1 ! unexpected end of file, expecting ";" or "}"`}},
		"quote not closed":           {"a \"b;\n\n", []string{`3 ! unexpected end of file, expecting ";" or "}"`}},
		"ends in an escape":          {`a b\`, []string{`1 ! unexpected end of file, expecting ";" or "}"`}},
		"escaped newline at the end": {"a b\\\n", []string{`2 ! unexpected end of file, expecting ";" or "}"`}},
		"block not closed":           {"a {\nb;\n", []string{"1 a", "  2 b", `  3 ! unexpected end of file, expecting "}"`}},
		"inner block not closed": {"a { b {\n }", []string{
			"1 a", "  1 b", "  2 }", `  2 ! unexpected end of file, expecting "}"`}},
		"directive without end in a block": {
			"a { b {\n c", []string{"1 a", "  1 b", `    2 ! unexpected end of file, expecting ";" or "}"`}},
		"one brace too many":    {"a {\n}\n}\nb;", []string{"1 a", "2 }", `3 ! unexpected "}"`}},
		"brace for a semicolon": {"a {\n b c\n}\nd;", []string{"1 a", `  3 ! unexpected "}"`}},
		"lone semicolon":        {"a;\n;", []string{"1 a", `2 ! unexpected ";"`}},
		"lone opening brace":    {"a;\n{ }", []string{"1 a", `2 ! unexpected "{"`}},
		"two opening braces":    {"a { { ", []string{"1 a", `  1 ! unexpected "{"`}},
		"behind quotes":         {"a;\nb \"c\"d;", []string{"1 a", `2 ! unexpected "d"`}},
		"quotes behind quotes":  {`a "b"'c';`, []string{`1 ! unexpected "'"`}},
		"brace behind quotes":   {`a "b"};`, []string{`1 ! unexpected "}"`}},
		"hash behind quotes":    {`a "b"#c`, []string{`1 ! unexpected "#"`}},
		"NUL behind quotes":     {"a \"b\"\x00;", []string{"1 ! unexpected \"\x00\""}},
		"braces of a regex": {
			"location ~ a{2}$ {\n}", []string{
				"1 location|~|a", "  1 2}$", "  2 }", `  2 ! unexpected end of file, expecting "}"`}},
		"too long word": {
			"a;\nb\n" + long + "x;", []string{"1 a", `3 ! too long parameter "xxxxxxxxxx..." started`}},
		"too long quoted": {"\n\"\n" + long, []string{
			`2 ! too long parameter, probably missing terminating """ character`}},
		"too long in quotes": {"a 'b" + long + "'", []string{
			`1 ! too long parameter, probably missing terminating "'" character`}},
		"too long comment": {"a;\n\n#yyyyyyyyyy" + long + "\nb;", []string{
			"1 a", `3 ! too long parameter "#yyyyyyyyy..." started`}},
		"two things": {
			"a \"b\"c; } d \"", []string{`1 ! unexpected "c"`}},
	} {
		t.Run(name, func(t *testing.T) {
			checkOutline(t, Parse("nginx.conf", []byte(tt.src)), tt.want...)
		})
	}
}

// nginx has a buffer of 4096 bytes. What ends a word has to be in it too, unless the text ends before.
func TestParseTooLongLimit(t *testing.T) {
	for _, tt := range []struct {
		before, after string
		longest       int // how many x between them nginx accepts
		msg           string
	}{
		{"a ", ";", 4095, `too long parameter "xxxxxxxxxx..." started`},
		{"a ", "{}", 4095, `too long parameter "xxxxxxxxxx..." started`},
		{"a ", " ;", 4094, `too long parameter "xxxxxxxxxx..." started`},
		{"a ", "\r\n;", 4094, `too long parameter "xxxxxxxxxx..." started`},
		{`a "`, `";`, 4094, `too long parameter "xxxxxxxxxx..." started`},
		{`a "`, `" ;`, 4093, `too long parameter "xxxxxxxxxx..." started`},
		{"a 'y", "z';", 4092, `too long parameter "yxxxxxxxxx..." started`},
		{"#", "\n", 4094, `too long parameter "#xxxxxxxxx..." started`},
		{"#", "", 4095, `too long parameter "#xxxxxxxxx..." started`},
	} {
		for n, want := range map[int]string{tt.longest: "", tt.longest + 1: tt.msg} {
			var got string
			if err := Parse("nginx.conf", []byte(tt.before+strings.Repeat("x", n)+tt.after)).Err; err != nil {
				got = err.Msg
			}
			if got != want {
				t.Errorf("%q, %d x, %q: got %q, want %q", tt.before, n, tt.after, got, want)
			}
		}
	}
}

func TestParseDepth(t *testing.T) {
	root := Parse("nginx.conf", []byte(strings.Repeat("a {\n", MaxDepth)+strings.Repeat("}", MaxDepth)))
	if strings.Contains(outline(root), "!") {
		t.Errorf("%d blocks: an error", MaxDepth)
	}
	root = Parse("nginx.conf", []byte(strings.Repeat("a {\n", MaxDepth+1)))
	if got := outline(root); !strings.HasSuffix(got, fmt.Sprintf(" %d ! too many nested blocks\n", MaxDepth+1)) {
		t.Errorf("%d blocks: no error", MaxDepth+1)
	}
}

func TestParseParam(t *testing.T) {
	long := strings.Repeat("x", 2*bufferSize)
	for _, tt := range []struct {
		src  string
		want []string
	}{
		{"", []string{""}},
		{" ", []string{""}},
		{"daemon off; pid a\n;", []string{"0 daemon|off", "0 pid|a"}},
		{"daemon off", []string{`0 ! unexpected end of parameter, expecting ";"`}},
		{"a; b \"c", []string{"0 a", `0 ! unexpected end of parameter, expecting ";"`}},
		{"a; events {}", []string{"0 a", "0 ! block directives are not supported in -g option"}},
		{"a_by_lua_block { [[", []string{"0 ! block directives are not supported in -g option"}},
		{"a; }", []string{"0 a", `0 ! unexpected "}"`}},
		{";", []string{`0 ! unexpected ";"`}},
		{"{", []string{`0 ! unexpected "{"`}},
		{`a "b"c;`, []string{`0 ! unexpected "c"`}},
		{long + ";", []string{"0 " + long}},
	} {
		checkOutline(t, ParseParam(tt.src), tt.want...)
	}
}

func TestErrorText(t *testing.T) {
	err := Parse("/etc/nginx/nginx.conf", []byte("a;\n}")).Err
	if got, want := err.Error(), `unexpected "}" in /etc/nginx/nginx.conf:2`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	err = ParseParam("}").Err
	if got, want := err.Error(), `unexpected "}" in command line`; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
