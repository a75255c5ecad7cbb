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
				traceLine(&b, f, fmt.Sprintf("at %p", f.Fn))
			}
		}
		i++
	}
	return b.String()
}

// Parts of a traceback of several threads that OpenResty shows (NGX_HTTP_LUA_BT_*).
const (
	traceDepth   = 22
	traceThreads = 5
)

// traceback is the traceback of a thread and of those that wait for it, one for the other, as
// ngx_http_lua_thread_traceback has it.
func (t *Thread) traceback() string {
	var b strings.Builder
	b.WriteString("stack traceback:")
	for i := 0; t != nil && i < traceThreads; i++ {
		fmt.Fprintf(&b, "\ncoroutine %d:", i)
		n := 0
		for f := level(t.L, 0); f != nil; f = f.caller() {
			if n++; n > traceDepth {
				b.WriteString("\n\t...")
				break
			}
			traceLine(&b, f, "?")
		}
		t = t.waiter()
	}
	return b.String()
}

// waiter is the thread that resumed a coroutine or spawned a light thread, nil when it has ended.
func (t *Thread) waiter() *Thread {
	switch {
	case t.co == nil:
		return nil
	case !t.co.light:
		return t.co.resumer
	case currentFrame(t.parent.L) == nil:
		return nil
	}
	return t.parent
}

// traceLine appends the line of a call; unnamed stands for a Go function without a name.
func traceLine(b *strings.Builder, f *frame, unnamed string) {
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
		b.WriteString(unnamed)
	default:
		fmt.Fprintf(b, "in function <%s:%d>", f.Fn.Proto.SourceName, f.Fn.Proto.LineDefined)
	}
}
