// Package cjson is the Lua modules cjson and cjson.safe: a JSON codec straight between Lua tables and bytes, with the
// options, limits and messages of OpenResty's lua-cjson.
package cjson

import (
	"math"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

const version = "2.1.0.11"

// config are the options of one instance of the module.
type config struct {
	sparseConvert           bool
	sparseRatio, sparseSafe int
	encodeDepth             int
	decodeDepth             int
	precision               int
	encodeInvalid           int // 0: an error, 1: NaN and Infinity, 2: null
	decodeInvalid           bool
	emptyAsObject           bool
	arrayMT                 bool
	escapeSlash             bool
	keepBuffer              bool
	skipUnsupported         bool
	comments                bool
	indent                  string

	arrayMeta, emptyArrayMeta *lua.LTable
	// buffer is the memory of the last text, for the next.
	buffer []byte
	keys   keyCache
}

// maxDepth bounds the nesting whatever the options say: so deep does the C stack let lua-cjson go.
const maxDepth = 8000

// emptyArray is cjson.empty_array.
var emptyArray = &lua.LUserData{Value: "empty_array", Metatable: lua.LNil}

// Open makes the module cjson.
func Open(l *lua.LState) int {
	l.Push(newModule(l, false))
	return 1
}

// OpenSafe makes the module cjson.safe, whose functions return nil and a message instead of raising an error.
func OpenSafe(l *lua.LState) int {
	l.Push(newModule(l, true))
	return 1
}

// shared returns a table of the VM that all instances of the module use.
func shared(l *lua.LState, name string) *lua.LTable {
	registry := l.G.Registry
	t, ok := registry.RawGetString(name).(*lua.LTable)
	if !ok {
		t = vm.NewTable(0, 0)
		registry.RawSetString(name, t)
	}
	return t
}

func newModule(l *lua.LState, safe bool) *lua.LTable {
	cfg := &config{
		sparseRatio: 2, sparseSafe: 10, encodeDepth: 1000, decodeDepth: 1000, precision: 14, decodeInvalid: true,
		emptyAsObject: true, escapeSlash: true, keepBuffer: true,
		arrayMeta: shared(l, "cjson.array_mt"), emptyArrayMeta: shared(l, "cjson.empty_array_mt"),
	}
	wrap := raising
	if safe {
		wrap = protected
	}
	t := vm.NewTable(0, 24)
	for name, fn := range map[string]lua.LGFunction{
		"encode":                              wrap(cfg.encode),
		"decode":                              wrap(cfg.decode),
		"new":                                 func(l *lua.LState) int { l.Push(newModule(l, safe)); return 1 },
		"encode_sparse_array":                 cfg.setSparse,
		"encode_max_depth":                    integer(&cfg.encodeDepth, 1, math.MaxInt32),
		"decode_max_depth":                    integer(&cfg.decodeDepth, 1, math.MaxInt32),
		"encode_number_precision":             integer(&cfg.precision, 1, 16),
		"encode_invalid_numbers":              cfg.setEncodeInvalid,
		"decode_invalid_numbers":              boolean(&cfg.decodeInvalid),
		"encode_empty_table_as_object":        boolean(&cfg.emptyAsObject),
		"decode_array_with_array_mt":          boolean(&cfg.arrayMT),
		"decode_allow_comment":                boolean(&cfg.comments),
		"encode_escape_forward_slash":         boolean(&cfg.escapeSlash),
		"encode_keep_buffer":                  boolean(&cfg.keepBuffer),
		"encode_indent":                       cfg.setIndent,
		"encode_skip_unsupported_value_types": boolean(&cfg.skipUnsupported),
	} {
		t.RawSetString(name, l.NewFunction(fn))
	}
	t.RawSetString("null", vm.Null)
	t.RawSetString("empty_array", emptyArray)
	t.RawSetString("array_mt", cfg.arrayMeta)
	t.RawSetString("empty_array_mt", cfg.emptyArrayMeta)
	t.RawSetString("_NAME", lua.LString("cjson"))
	t.RawSetString("_VERSION", lua.LString(version))
	return t
}

// conversion is encode or decode of the value at argument 1.
type conversion func(l *lua.LState) (lua.LValue, error)

// errorText is a failure of this package; others are those of metamethods.
type errorText string

func (e errorText) Error() string { return string(e) }

// raising is a conversion as cjson has it.
func raising(f conversion) lua.LGFunction {
	return func(l *lua.LState) int {
		oneArgument(l)
		v, err := f(l)
		if err != nil {
			if e, ok := err.(*vm.Error); ok {
				vm.Raise(l, e.Value)
			}
			vm.Errorf(l, "%s", err)
		}
		l.Push(v)
		return 1
	}
}

// protected is a conversion as cjson.safe has it.
func protected(f conversion) lua.LGFunction {
	return func(l *lua.LState) int {
		oneArgument(l)
		v, err := f(l)
		if err == nil {
			l.Push(v)
			return 1
		}
		l.Push(lua.LNil)
		if e, ok := err.(*vm.Error); ok {
			l.Push(e.Value)
		} else {
			l.Push(lua.LString(err.Error()))
		}
		return 2
	}
}

func oneArgument(l *lua.LState) {
	if l.GetTop() != 1 {
		vm.ArgError(l, 1, "expected 1 argument")
	}
}
