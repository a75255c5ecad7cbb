package vm

import (
	"fmt"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Parts of a traceback LuaJIT shows of a deep stack.
const (
	traceHead = 12
	traceTail = 10
)

// Traceback is "stack traceback:" and a line for each call from a level of the stack on, as luaL_traceback.
func Traceback(l *lua.LState, from int) string {
	var b strings.Builder
	b.WriteString("stack traceback:")
	n := 0
	for f := level(l, 0); f != nil; f = f.caller() {
		n++
	}
	i := 0
	for f := level(l, 0); f != nil; f = f.caller() {
		if i >= from {
			if pos := i - from; n-from > traceHead+traceTail && pos >= traceHead && n-i > traceTail {
				if pos == traceHead {
					b.WriteString("\n\t...")
				}
			} else {
				traceLine(&b, f)
			}
		}
		i++
	}
	return b.String()
}

func traceLine(b *strings.Builder, f *frame) {
	if f.Fn.IsG {
		b.WriteString("\n\t[C]: ")
	} else {
		fmt.Fprintf(b, "\n\t%s:%d: ", f.Fn.Proto.SourceName, f.line())
	}
	_, name := funcName(f)
	switch {
	case name != "":
		fmt.Fprintf(b, "in function '%s'", name)
	case !f.Fn.IsG && f.Fn.Proto.LineDefined == 0:
		b.WriteString("in main chunk")
	case f.Fn.IsG:
		fmt.Fprintf(b, "at %p", f.Fn)
	default:
		fmt.Fprintf(b, "in function <%s:%d>", f.Fn.Proto.SourceName, f.Fn.Proto.LineDefined)
	}
}
