package parser

import (
	"strings"
	"testing"
)

// The body ends where the "x" directive follows.
func TestLuaBlock(t *testing.T) {
	for _, body := range []string{
		"",
		" ",
		" ngx.say('hi') ",
		"\n  local t = { { 1 }, { 2 } }\n",
		` s = "}" t = '}' `,
		` s = "\"}" t = '\'}' u = "\\" `,
		` s = "'}" t = '"}' `,
		` s = "a{b" `,
		" s = [[ } \" ' -- ]] ",
		" s = [[\n}\n]] ",
		" s = [==[ ]] ]=] } ]==] ",
		" s = t[u[1]] {} ",
		" -- } it's \"\n ",
		" --[ }\n ",
		" --[= }\n ",
		" --[[ } \n } ]] ",
		" --[==[ } ]] \n } ]==] ",
		" ---[[ }\n ",
		" a = b - c --[[x]] - d ",
		"{ s = \"\\\n } ", // a quote without an end in its line is not special
		" -- nginx comment: # {\n ",
		" # ",
		" s = 'a;b' ; ",
		"\r\n a = 1\r\n",
		"\x00\xff",
	} {
		src := "http {\na_by_lua_block b {" + body + "}x;\n}"
		root := Parse("nginx.conf", []byte(src))
		if root.Items[0].Block.Err != nil || len(root.Items[0].Block.Items) != 2 {
			t.Errorf("%q:\n%s", src, outline(root))
			continue
		}
		lua, x := root.Items[0].Block.Items[0], root.Items[0].Block.Items[1]
		if len(lua.Args) != 2 || lua.Args[1] != body || !lua.Lua || len(lua.Block.Items) != 0 {
			t.Errorf("%q:\n%s", src, outline(root))
		}
		if end := 2 + strings.Count(body, "\n"); lua.LuaLine != 2 || lua.Block.CloseLine != end || x.Line != end {
			t.Errorf("%q: Lua in lines %d to %d, x in %d", src, lua.LuaLine, lua.Block.CloseLine, x.Line)
		}
	}
}

func TestLuaBlockShapes(t *testing.T) {
	for _, tt := range []struct {
		src  string
		want []string
	}{
		{"set_by_lua_block $a {return 1}", []string{"1 set_by_lua_block|$a|return 1", "1 }"}},
		{"content_by_lua_block\n# {\n{a}", []string{"1-3 content_by_lua_block|a", "3 }"}},
		{`"a_by_lua_block" "b c"{"}"}`, []string{`1 a_by_lua_block|b c|"}"`, "1 }"}},
		{"a_by_lua_block b;", []string{"1 a_by_lua_block|b"}},
		{"a_by_lua_block; b {c;}", []string{"1 a_by_lua_block", "1 b", "  1 c", "1 }"}},
		{"a a_by_lua_block {c;}", []string{"1 a|a_by_lua_block", "  1 c", "1 }"}},
		{"a_by_lua {c;}", []string{"1 a_by_lua", "  1 c", "1 }"}},
		{"a_by_lua_block {}b_by_lua_block {{}}", []string{"1 a_by_lua_block|", "1 }", "1 b_by_lua_block|{}", "1 }"}},
	} {
		checkOutline(t, Parse("nginx.conf", []byte(tt.src)), tt.want...)
	}
}

func TestLuaBlockErrors(t *testing.T) {
	const eof = "unexpected end of file, expecting terminating characters for lua code block"
	const bracket = `Lua code block missing the closing long bracket "]==]", the inlined Lua code may be too long`
	for _, tt := range []struct{ src, want string }{
		{"\n\n", "1 ! " + eof},               // the line is that of the directive
		{"\n{\n", "2 ! " + eof},              // or of the last opening brace
		{"\n{\n}\n", "2 ! " + eof},           // even if it was closed
		{"\n--[[\n{ ]] \"{\"", "1 ! " + eof}, // that of a comment does not count
		{"\n\n[==[ ]]\n}", "3 ! " + bracket},
		{"\n--[==[ ]]\n}", "2 ! " + bracket},
	} {
		root := Parse("nginx.conf", []byte("a_by_lua_block b {"+tt.src))
		checkOutline(t, root, "1 a_by_lua_block|b|", "  "+tt.want)
		if root.Err != nil || root.CloseLine != 0 {
			t.Errorf("%q: the error is not only in the block", tt.src)
		}
	}
}

// Quotes that are not closed must not make each following quote look for the end of the line.
func TestLuaBlockLinear(t *testing.T) {
	src := "a_by_lua_block {" + strings.Repeat(`\"\'`, 1<<20) + "\n}"
	if root := Parse("nginx.conf", []byte(src)); root.CloseLine != 2 {
		t.Error(root.Err)
	}
}
