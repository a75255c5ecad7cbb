// Package parser turns the text of an nginx.conf into a tree with positions.
//
// It does what ngx_conf_parse and ngx_conf_read_token do (src/core/ngx_conf_file.c), short of giving directives a
// meaning: a lexer.Definition of our own knows words, quotes, escapes, comments and the Lua source after names that end
// in _by_lua_block; a participle grammar knows the shape of one statement; Parse folds statements into blocks.
//
// nginx interprets a file while it reads it, so a wrong directive in line 3 is reported although line 9 has a syntax
// error. The tree is therefore partial where the text is wrong: the block in which reading stopped carries the error,
// and a walk in order that reports the first thing it does not like, directive or Block.Err, finds what nginx finds.
//
// The package also reads files the way the include directive does (Reader, Source) and writes them for nginx -T.
package parser

import (
	"strconv"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// CommandLine is the File of everything that comes from the -g option; such positions have line 0.
const CommandLine = "command line"

// MaxDepth is how many blocks may be open at once. nginx has no such number (its C stack runs out some thousand blocks
// deep); the limit lets those who walk the tree recurse.
const MaxDepth = 1000

// luaSuffix ends the names of the directives whose block is Lua source.
const luaSuffix = "_by_lua_block"

// Directive is one statement: a name, its arguments, and the block or the ";" that ends it.
type Directive struct {
	// Name is unquoted and unescaped, as the arguments are.
	Name string
	// Args are the values that nginx keeps in cf->args after the name: without quotes, the escapes \" \' \\ \t \r \n
	// replaced, any other backslash and variables as written. With Lua set the last one is the Lua source, "" if
	// Block.Err is set; nginx checks the number of arguments before it reads the source, so does not count it.
	Args []string
	// File is the name given to Parse: as nginx prints it in errors.
	File string
	// Line is where the terminator, ";" or "{", was read: the line nginx reports for the directive.
	Line int
	// NameLine is where the name starts.
	NameLine int
	// Block is what stands between the braces, nil if the directive ends with ";". With Lua set it has no items; its
	// CloseLine is the line nginx reports for errors found once the source was read, its Err tells that the source
	// has no end.
	Block *Block
	// Lua tells that the name ends in _by_lua_block and a block follows.
	Lua bool
	// LuaLine is where the Lua source starts, behind the "{": the line in OpenResty's chunk names.
	LuaLine int
}

// Block is a list of directives: a file, or what stands between braces.
type Block struct {
	Items []*Directive
	// CloseLine is the line of the closing brace or of the end of file; 0 if reading stopped before.
	CloseLine int
	// Err is the syntax error that ended the block early. It happened after all Items. The blocks around this one have
	// no further items and no Err of their own.
	Err *Error
}

// Error is an error at a position, in nginx's words.
type Error struct {
	Msg  string
	File string
	Line int // from 1; 0 in the command line
}

// Error formats as ngx_conf_log_error does: `Msg in File:Line`, or `Msg in command line`.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Msg + " in " + e.File
	}
	return e.Msg + " in " + e.File + ":" + strconv.Itoa(e.Line)
}

// Parse reads the text of a configuration file; name is what positions call it. Syntax errors are in the tree.
func Parse(name string, src []byte) *Block {
	f := folder{file: name}
	return f.fold(string(src))
}

// ParseParam reads the argument of the -g option: directives without blocks, and no limit on the length of a word.
func ParseParam(src string) *Block {
	f := folder{file: CommandLine, param: true}
	return f.fold(src)
}

// folder builds the tree from statements. It keeps a stack of its own, as the depth of a hostile text has no bound.
type folder struct {
	file  string
	param bool     // the text is the argument of -g
	open  []*Block // the root and the blocks open in it
}

func (f *folder) fold(src string) *Block {
	root := &Block{}
	f.open = append(f.open, root)
	s := newScanner(f.file, src, f.param)
	for tokens := s.batch(); !tokens.Peek().EOF(); tokens = s.batch() {
		if !f.batch(tokens) {
			return root
		}
	}
	if len(f.open) > 1 {
		f.fail(`unexpected end of file, expecting "}"`, s.line)
	} else {
		root.CloseLine = s.line
	}
	return root
}

// batch adds statements to the tree; it reports whether more can follow.
func (f *folder) batch(tokens *lexer.PeekingLexer) bool {
	for !tokens.Peek().EOF() {
		st, err := grammar.ParseFromLexer(tokens, moreMayFollow)
		if err != nil {
			f.fail(unexpected(err, f.endOfText()))
			return false
		}
		if msg := f.add(st); msg != "" {
			f.fail(msg, st.end().Pos.Line)
			return false
		}
	}
	return true
}

// add puts a statement into the tree. It returns nginx's message if the statement cannot stand here, or "".
func (f *folder) add(st *statement) string {
	top := f.open[len(f.open)-1]
	switch end := st.end(); end.Type {
	case endToken:
		d := f.directive(st)
		if end.Value == "{" {
			if f.param {
				return "block directives are not supported in -g option"
			}
			if len(f.open) > MaxDepth {
				return "too many nested blocks"
			}
			d.Block = &Block{}
			if strings.HasSuffix(d.Name, luaSuffix) {
				d.Lua, d.LuaLine = true, d.Line
				d.Args = append(d.Args, "")
			}
			f.open = append(f.open, d.Block)
		}
		top.Items = append(top.Items, d)
	case luaToken:
		around := f.open[len(f.open)-2].Items
		d := around[len(around)-1]
		d.Args[len(d.Args)-1] = end.Value
	case closeToken:
		if len(f.open) == 1 {
			return `unexpected "}"`
		}
		top.CloseLine = end.Pos.Line
		f.open = f.open[:len(f.open)-1]
	}
	return ""
}

// endOfText is the message for a text that ends within a statement.
func (f *folder) endOfText() string {
	if f.param {
		return `unexpected end of parameter, expecting ";"`
	}
	return `unexpected end of file, expecting ";" or "}"`
}

func (f *folder) directive(st *statement) *Directive {
	words := st.Tokens[:len(st.Tokens)-1]
	values := make([]string, len(words))
	for i := range words {
		values[i] = words[i].Value
	}
	d := &Directive{Name: values[0], Args: values[1:], File: f.file}
	if !f.param {
		d.Line, d.NameLine = st.end().Pos.Line, words[0].Pos.Line
	}
	return d
}

// fail ends the reading in the innermost block.
func (f *folder) fail(msg string, line int) {
	if f.param {
		line = 0
	}
	f.open[len(f.open)-1].Err = &Error{Msg: msg, File: f.file, Line: line}
}
