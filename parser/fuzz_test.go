package parser

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// print writes a tree as text that has the same tree, but for the lines. All words are quoted.
func print(b *strings.Builder, block *Block) {
	quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	for _, d := range block.Items {
		words := append([]string{d.Name}, d.Args...)
		if d.Lua {
			words = words[:len(words)-1]
		}
		for _, w := range words {
			b.WriteString(`"` + quote.Replace(w) + "\"\n")
		}
		switch {
		case d.Lua:
			b.WriteString("{" + d.Args[len(d.Args)-1] + "}")
		case d.Block != nil:
			b.WriteString("{")
			print(b, d.Block)
			b.WriteString("}")
		default:
			b.WriteString(";")
		}
	}
}

// firstError is the error that a walk in order finds.
func firstError(block *Block) *Error {
	for _, d := range block.Items {
		if d.Block != nil {
			if err := firstError(d.Block); err != nil {
				return err
			}
		}
	}
	return block.Err
}

// checkLines fails if positions do not grow from the start to the end of the text.
func checkLines(t *testing.T, block *Block, line, last int) int {
	grow := func(to int) {
		if to < line || to > last {
			t.Errorf("line %d after line %d of %d", to, line, last)
		}
		line = to
	}
	for _, d := range block.Items {
		grow(d.NameLine)
		grow(d.Line)
		if d.Block != nil {
			line = checkLines(t, d.Block, line, last)
			if d.Block.CloseLine != 0 {
				grow(d.Block.CloseLine)
			}
		}
	}
	return line
}

func FuzzParse(f *testing.F) {
	for _, src := range []string{
		"", "a;", "http {\n server {\n  listen 80;\n }\n}\n", `a "b\"c" 'd' e\ f ${g}h; # i`, "if ($a ~ b) {}",
		"x_by_lua_block $a { s = '}' --[==[ } ]==] t = {} }", "x_by_lua_block {\n[[ }", `a "b"c;`, "a } ;", "\ufeffa\r\n;",
	} {
		f.Add(src)
	}
	f.Fuzz(func(t *testing.T, src string) {
		root := Parse("f", []byte(src))
		err := firstError(root)
		if (err == nil) != (root.CloseLine != 0) {
			t.Errorf("closed in line %d, error %v", root.CloseLine, err)
		}
		last := strings.Count(src, "\n") + 1
		checkLines(t, root, 1, last)
		if err != nil {
			if err.Line < 1 || err.Line > last {
				t.Errorf("%v, of %d lines", err, last)
			}
			return
		}
		var printed strings.Builder
		print(&printed, root)
		again := Parse("f", []byte(printed.String()))
		if err := firstError(again); err != nil && strings.HasPrefix(err.Msg, "too long") {
			return // quoting made a word longer than nginx takes
		}
		if diff := cmp.Diff(root, again, cmpopts.IgnoreFields(Directive{}, "Line", "NameLine", "LuaLine"),
			cmpopts.IgnoreFields(Block{}, "CloseLine"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("printed as %q (-want +got)\n%s", printed.String(), diff)
		}
		ParseParam(src)
	})
}
