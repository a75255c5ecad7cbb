package parser

import (
	"strings"
	"testing"

	"github.com/alecthomas/participle/v2/lexer"
	"github.com/google/go-cmp/cmp"
)

func TestDefinition(t *testing.T) {
	tokens, err := grammar.Lex("f", strings.NewReader("a\n \"b\" { # c\nd_by_lua_block { e } } x \"y\"z"))
	if err != nil {
		t.Fatal(err)
	}
	names := lexer.SymbolsByRune(definition{})
	type tok struct {
		Type, Value  string
		Offset, Line int
	}
	var got []tok
	for _, tk := range tokens {
		got = append(got, tok{names[tk.Type], tk.Value, tk.Pos.Offset, tk.Pos.Line})
	}
	want := []tok{
		{"Word", "a", 0, 1},
		{"Word", "b", 3, 2},
		{"End", "{", 7, 2},
		{"Word", "d_by_lua_block", 13, 3},
		{"End", "{", 28, 3},
		{"Lua", " e ", 29, 3},
		{"Close", "}", 32, 3},
		{"Close", "}", 34, 3},
		{"Word", "x", 36, 3},
		{"Word", "y", 38, 3},
		{"Bad", `unexpected "z"`, 41, 3},
		{"EOF", "", 42, 3},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)\n" + diff)
	}
}

// Statements do not break where a batch of tokens ends.
func TestBatches(t *testing.T) {
	for n := batchSize - 3; n < batchSize+3; n++ {
		src := strings.Repeat("a ", n) + "; b_by_lua_block { c } d;"
		root := Parse("f", []byte(src))
		if root.CloseLine != 1 || len(root.Items) != 3 || len(root.Items[0].Args) != n-1 || root.Items[1].Args[0] != " c " {
			t.Errorf("%d words: %d items", n, len(root.Items))
		}
		root = Parse("f", []byte(strings.Repeat("a;", n)))
		if root.CloseLine != 1 || len(root.Items) != n {
			t.Errorf("%d statements: %d items", n, len(root.Items))
		}
	}
}
