// Package compile turns LuaJIT source text into gopher-lua function prototypes.
//
// It replaces gopher-lua's own parser and compiler, whose language is narrower than LuaJIT's (no \x, \z or \u escapes,
// no hexadecimal floats, break only at the end of a block) and whose code is wrong in places a program cannot avoid:
// `a, b = b, a` on locals, upvalues closed by every goto, breaks that leave captured locals open, table constructors
// over 25,550 items, local functions that shadow what they call. The compiler is a single pass over the tokens,
// straight to the Lua 5.1 instructions gopher-lua executes; it builds no tree, so its memory is bounded by its output,
// and its recursion by maxLevels.
//
// Reference: LuaJIT's lj_lex.c and lj_parse.c for what is accepted and how errors are worded; the Lua 5.1 virtual
// machine for the instructions.
package compile

import (
	"fmt"

	lua "github.com/yuin/gopher-lua"
)

// Limits of LuaJIT (lj_def.h), which programs meet as error messages.
const (
	maxLocals   = 200 // local variables in one function (LJ_MAX_LOCVAR)
	maxUpvalues = 60  // upvalues of one function (LJ_MAX_UPVAL)
	maxSlots    = 250 // registers of one function (LJ_MAX_SLOTS)
	maxLevels   = 200 // nested blocks, calls and expressions (LJ_MAX_XLEVEL)
)

// Intrinsics are the Go functions that compiled code calls where gopher-lua's instruction would be wrong. They are
// stored among the constants of each prototype, so a prototype belongs to the VM that compiled it.
type Intrinsics struct {
	// Concat replaces the instruction of `a .. b .. c`: all operands as arguments, one result.
	Concat *lua.LFunction
	// Delete replaces the store of `t[k] = nil`: the table and the key as arguments, no result.
	Delete *lua.LFunction
}

// Error is a load error: the message a Lua program gets as second result of load.
type Error struct {
	Chunk string // short name, as in Short
	Line  int
	Text  string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.Chunk, e.Line, e.Text) }

// Compile translates src. name is the chunk name with its '=' or '@' sign; the prototype carries its short form, which
// is what messages begin with. The error is an *Error.
func Compile(src, name string, in Intrinsics) (proto *lua.FunctionProto, err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(*Error)
			if !ok {
				panic(r)
			}
			proto, err = nil, e
		}
	}()
	p := &parser{intrinsics: in}
	p.lex.init(src, Short(name))
	return p.chunk(), nil
}

// idSize is LUA_IDSIZE: the room for a short chunk name, with its terminating zero.
const idSize = 60

// Short is the form of a chunk name that messages show (lj_debug_shortname): "=name" without its sign, "@file" without
// its sign and cut from the left, anything else as [string "first line..."].
func Short(name string) string {
	if name == "" {
		return `[string ""]`
	}
	switch name[0] {
	case '=':
		return name[1:min(len(name), idSize)]
	case '@':
		file := name[1:]
		if len(file) >= idSize {
			file = "..." + file[len(file)-(idSize-4):]
		}
		return file
	}
	line := name
	cut := false
	for i := 0; i < len(line); i++ {
		if line[i] < ' ' {
			line, cut = line[:i], true
			break
		}
	}
	const room = idSize - len(`[string "..."]`) - 1
	if len(line) > room {
		line, cut = line[:room], true
	}
	if cut {
		line += "..."
	}
	return `[string "` + line + `"]`
}
