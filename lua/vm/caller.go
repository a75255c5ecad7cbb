package vm

import lua "github.com/yuin/gopher-lua"

// Caller tells where the Lua code that called the running Go function is: its chunk, the line, and the name its own
// caller has for the function, empty when there is none. source is empty when no Lua code called.
func Caller(l *lua.LState) (source string, line int, name string) {
	f := level(l, 1)
	if f == nil || f.Fn.IsG {
		return "", 0, ""
	}
	_, name = funcName(f)
	return f.Fn.Proto.SourceName, f.line(), name
}
