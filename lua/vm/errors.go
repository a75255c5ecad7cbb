package vm

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/compile"
)

// Error is a Lua error that left a protected call.
type Error struct {
	Value     lua.LValue // what error was called with, or the message with its position
	Traceback string     // "stack traceback:..." of the place it was raised; filled by Thread.Run only
	// Args are the arguments of the Go function that raised it, such as error; filled by Thread.Run only.
	Args []lua.LValue
}

// Error is the value as text, without the traceback; like lua_tostring it knows strings and numbers only.
func (e *Error) Error() string {
	if s, ok := ToString(e.Value); ok {
		return s
	}
	return "(error object is a " + TypeName(e.Value) + " value)"
}

// raised is the panic that carries a Lua error of this package; gopher-lua's own carry *lua.ApiError.
type raised struct {
	value lua.LValue
	trace string // of the coroutine that the error came out of
}

// Raise raises v as a Lua error.
func Raise(l *lua.LState, v lua.LValue) { panic(&raised{value: v}) }

// Errorf raises a message with the position of the Lua code that called the running Go function, as luaL_error.
func Errorf(l *lua.LState, format string, args ...any) {
	msg := format
	if len(args) > 0 {
		msg = fmt.Sprintf(format, args...)
	}
	panic(&raised{value: lua.LString(where(l, 1) + msg)})
}

// ArgError raises "bad argument #n to 'function' (msg)". For a method n counts from the object on, as in LuaJIT.
func ArgError(l *lua.LState, n int, msg string) {
	kind, name := funcName(currentFrame(l))
	if name == "" {
		name = "?"
	}
	if kind == "method" {
		if n--; n == 0 {
			Errorf(l, "%s", "calling '"+name+"' on bad self ("+msg+")")
		}
	}
	Errorf(l, "%s", fmt.Sprintf("bad argument #%d to '%s' (%s)", n, name, msg))
}

// TypeError raises an ArgError for an argument of the wrong type.
func TypeError(l *lua.LState, n int, want string) {
	got := "no value"
	if n <= l.GetTop() {
		got = TypeName(l.Get(n))
	}
	ArgError(l, n, want+" expected, got "+got)
}

// TypeName is the name type gives to the type of v.
func TypeName(v lua.LValue) string {
	if v == nil {
		return "nil"
	}
	if isCData(v) {
		return "cdata"
	}
	return v.Type().String()
}

// CData is a value of a userdata that scripts know as an object of LuaJIT's FFI: type gives "cdata". There is nothing
// they could do with it but hand it on.
type CData interface {
	// CType is the C type of the object: "struct SSL *".
	CType() string
}

// isCData tells the userdata of such a value.
func isCData(v lua.LValue) bool {
	u, ok := v.(*lua.LUserData)
	if ok {
		_, ok = u.Value.(CData)
	}
	return ok
}

// NewCData makes the userdata of a value.
func NewCData(v CData) *lua.LUserData { return &lua.LUserData{Value: v, Metatable: lua.LNil} }

// visible steps from a frame to the first one, itself included, that is not part of compiled code: calls of intrinsics
// do not count as levels.
func visible(f *frame) *frame {
	for f != nil && isIntrinsic(f.Fn) {
		f = f.Parent
	}
	return f
}

// caller is the frame below f. A Lua function that ends in a call of a Go function is still there in gopher-lua, but
// not in LuaJIT: it is passed over.
func (f *frame) caller() *frame {
	p := visible(f.Parent)
	if f.Fn.IsG && p != nil && !p.Fn.IsG && p.Pc > 0 {
		if op, _, _, _ := compile.Instruction(p.Fn.Proto, p.Pc-1); op == lua.OP_TAILCALL {
			return visible(p.Parent)
		}
	}
	return p
}

// level is the frame at a level of the stack: 0 is the running function, 1 its caller.
func level(l *lua.LState, n int) *frame {
	f := visible(currentFrame(l))
	for ; n > 0 && f != nil; n-- {
		f = f.caller()
	}
	return f
}

// where is "chunk:line: " of the function at a level, empty when that is not a Lua function (luaL_where).
func where(l *lua.LState, n int) string {
	f := currentFrame(l)
	if f != nil && isIntrinsic(f.Fn) {
		n = 0 // the intrinsic stands for an instruction of its caller
	}
	return position(level(l, n))
}

func position(f *frame) string {
	if f == nil || f.Fn.IsG {
		return ""
	}
	return fmt.Sprintf("%s:%d: ", f.Fn.Proto.SourceName, f.line())
}

// line is the line a Lua frame is at.
func (f *frame) line() int {
	pc := f.Pc - 1
	if lines := f.Fn.Proto.DbgSourcePositions; pc >= 0 && pc < len(lines) {
		return lines[pc]
	}
	return f.Fn.Proto.LineDefined
}

// funcName is how the caller of a frame names it, both empty when it does not.
func funcName(f *frame) (kind, name string) {
	if f == nil {
		return "", ""
	}
	caller := f.caller()
	if caller == nil || caller.Fn.IsG || caller.Pc == 0 {
		return "", ""
	}
	p, pc := caller.Fn.Proto, caller.Pc-1
	switch op, a, _, _ := compile.Instruction(p, pc); op {
	case lua.OP_CALL, lua.OP_TAILCALL:
		return compile.Symbol(p, pc, a)
	case lua.OP_TFORLOOP:
		return "iterator", "for iterator"
	}
	return "", ""
}

// describe finishes a message about a bad operand: "attempt to <what> local 'x' (a nil value)".
func describe(what, kind, name, typ string) string {
	if name == "" {
		return "attempt to " + what + " a " + typ + " value"
	}
	return "attempt to " + what + " " + kind + " '" + name + "' (a " + typ + " value)"
}

// translate turns the text of an error gopher-lua raised into LuaJIT's, with LuaJIT's position.
func translate(l *lua.LState, msg string) string {
	f := currentFrame(l)
	lf := f
	for lf != nil && lf.Fn.IsG {
		lf = lf.Parent
	}
	prefix := " "
	if lf != nil {
		prefix = position(lf)
	}
	text, ok := strings.CutPrefix(msg, prefix)
	if !ok {
		return msg
	}
	pos := position(f)
	if f != nil && f.Fn.IsG {
		pos = where(l, 1)
	}
	if f != nil && f.Fn.IsG && text == badCallText {
		pos = "" // pcall and its kind
	}
	if t, ok := translateText(l, f, text); ok {
		return pos + t
	}
	return pos + text
}

const badCallText = "attempt to call a non-function object"

// fixedTexts are messages without operands.
var fixedTexts = map[string]string{
	"registry overflow":               "stack overflow",
	"too many recursions in gettable": "loop in gettable",
	"too many recursions in settable": "loop in settable",
}

func translateText(l *lua.LState, f *frame, text string) (string, bool) {
	if t, ok := fixedTexts[text]; ok {
		return t, true
	}
	if typ, ok := strings.CutPrefix(text, "attempt to index a non-table object("); ok {
		typ, _, _ = strings.Cut(typ, ")")
		kind, name := badIndexed(l, f, typ)
		return describe("index", kind, name, typ), true
	}
	if ops, ok := strings.CutPrefix(text, "attempt to compare "); ok {
		if a, b, ok := strings.Cut(ops, " with "); ok && a == b {
			return "attempt to compare two " + a + " values", true
		}
		return text, true
	}
	if strings.HasPrefix(text, "cannot perform ") || text == "__unm undefined" {
		return badOperand(l, f, "perform arithmetic on"), true
	}
	switch text {
	case "__len undefined":
		return badOperand(l, f, "get length of"), true
	case badCallText:
		return badCall(l, f), true
	}
	return badArgument(f, text)
}

// badArgument gives gopher-lua's own argument errors LuaJIT's form.
func badArgument(f *frame, text string) (string, bool) {
	rest, ok := strings.CutPrefix(text, "bad argument #")
	if !ok || f == nil || !f.Fn.IsG {
		return "", false
	}
	num, rest, ok1 := strings.Cut(rest, " to ")
	_, reason, ok2 := strings.Cut(rest, " (")
	n := 0
	if _, err := fmt.Sscan(num, &n); err != nil || !ok1 || !ok2 {
		return "", false
	}
	kind, name := funcName(f)
	if name == "" {
		name = "?"
	}
	if kind == "method" {
		if n--; n == 0 {
			return "calling '" + name + "' on bad self (" + reason, true
		}
	}
	return fmt.Sprintf("bad argument #%d to '%s' (%s", n, name, reason), true
}

// badIndexed names what an indexing instruction failed on.
func badIndexed(l *lua.LState, f *frame, typ string) (kind, name string) {
	if f == nil || f.Fn.IsG {
		return "", ""
	}
	p, pc := f.Fn.Proto, f.Pc-1
	op, a, b, _ := compile.Instruction(p, pc)
	switch op {
	case lua.OP_GETTABLE, lua.OP_GETTABLEKS, lua.OP_SELF:
		a = b
	case lua.OP_SETTABLE, lua.OP_SETTABLEKS:
	default:
		return "", ""
	}
	if TypeName(regs(l).array[f.LocalBase+a]) != typ {
		return "", "" // it was reached through __index
	}
	return compile.Symbol(p, pc, a)
}

// badOperand describes the operand an arithmetic or length instruction failed on: the first unless it is a number.
func badOperand(l *lua.LState, f *frame, what string) string {
	if f == nil || f.Fn.IsG {
		return "attempt to " + what + " a value"
	}
	p, pc := f.Fn.Proto, f.Pc-1
	op, _, b, c := compile.Instruction(p, pc)
	rk := b
	kind, name, v := operand(l, f, b)
	if _, isNumber := ToNumber(v); isNumber && op != lua.OP_UNM && op != lua.OP_LEN {
		rk = c
		kind, name, v = operand(l, f, rk)
	}
	return describe(what, kind, name, TypeName(v))
}

func operand(l *lua.LState, f *frame, rk int) (kind, name string, v lua.LValue) {
	kind, name, v = compile.Operand(f.Fn.Proto, f.Pc-1, rk)
	if v == nil {
		v = regs(l).array[f.LocalBase+rk]
	}
	return kind, name, v
}

// badCall describes the value a call instruction failed on.
func badCall(l *lua.LState, f *frame) string {
	if f == nil {
		return "attempt to call a nil value"
	}
	top := regs(l)
	if f.Fn.IsG {
		return "attempt to call a " + typeOfCallee(l) + " value"
	}
	p, pc := f.Fn.Proto, f.Pc-1
	op, a, _, _ := compile.Instruction(p, pc)
	switch op {
	case lua.OP_CALL, lua.OP_TAILCALL:
		kind, name := compile.Symbol(p, pc, a)
		return describe("call", kind, name, TypeName(top.array[f.LocalBase+a]))
	case lua.OP_TFORLOOP:
		return "attempt to call a " + TypeName(top.array[f.LocalBase+a]) + " value"
	}
	return "attempt to call a " + typeOfCallee(l) + " value"
}

// typeOfCallee is a guess for calls made from Go: the message is all that gopher-lua leaves.
func typeOfCallee(l *lua.LState) string {
	if v := l.Get(1); l.GetTop() > 0 {
		if _, ok := v.(*lua.LFunction); !ok {
			return TypeName(v)
		}
	}
	return "nil"
}

// callArgument names the n-th argument of the call the running function is in.
func callArgument(l *lua.LState, n int) (kind, name string) {
	f := currentFrame(l)
	if f == nil || f.Parent == nil || f.Parent.Fn.IsG {
		return "", ""
	}
	p, pc := f.Parent.Fn.Proto, f.Parent.Pc-1
	_, a, _, _ := compile.Instruction(p, pc)
	return compile.Symbol(p, pc, a+n)
}

// operandName names operand n, 1 or 2, of the instruction a frame is at.
func operandName(f *frame, n int) (kind, name string) {
	p, pc := f.Fn.Proto, f.Pc-1
	_, _, b, c := compile.Instruction(p, pc)
	if n == 2 {
		b = c
	}
	kind, name, _ = compile.Operand(p, pc, b)
	return kind, name
}
