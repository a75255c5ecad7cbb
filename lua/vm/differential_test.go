package vm

import (
	"fmt"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	"pgregory.net/rapid"
)

// expression draws an expression over the locals a, b and c and a table t.
func expression(r *rapid.T, depth int) string {
	leaf := []string{"a", "b", "c", "1", "0.5", "-3", "1023", "8191", "8192", "1e15", `"x"`, `"10"`, `""`, "nil", "true", "false", "t.k", "t[1]", "t[a]", "#t"}
	if depth == 0 || rapid.IntRange(0, 3).Draw(r, "leaf") == 0 {
		return rapid.SampledFrom(leaf).Draw(r, "value")
	}
	x, y := expression(r, depth-1), expression(r, depth-1)
	form := rapid.SampledFrom([]string{
		"(%s + %s)", "(%s - %s)", "(%s * %s)", "(%s / %s)", "(%s %% %s)", "(%s ^ %s)", "(%s .. %s)", "(%s < %s)", "(%s <= %s)",
		"(%s == %s)", "(%s ~= %s)", "(%s and %s)", "(%s or %s)", "(not %s == %s)", "f(%s, %s)", "(- %s or %s)", "({%s, %s})[1]",
		"({k = %s, %s}).k", "(function(x) return x end)(%s, %s)",
	}).Draw(r, "operator")
	return fmt.Sprintf(form, x, y)
}

// program draws statements without a loop that may not end.
func program(r *rapid.T) string {
	var b strings.Builder
	b.WriteString("local a, b, c, t = 2, '7', nil, {k = 4, 'one', 2}\nlocal function f(x, y) a = x return y, x end\n")
	for range rapid.IntRange(1, 6).Draw(r, "statements") {
		name := rapid.SampledFrom([]string{"a", "b", "c", "t.k", "t[#t + 1]", "t[1]", "a, b"}).Draw(r, "target")
		value := expression(r, 3)
		form := rapid.SampledFrom([]string{
			"%[1]s = %[2]s", "if %[2]s then %[1]s = %[2]s else b = 1 end", "for i = 1, 3 do %[1]s = %[2]s end", "do local a = %[2]s %[1]s = a end",
		}).Draw(r, "statement")
		fmt.Fprintf(&b, form+"\n", name, value)
	}
	fmt.Fprintf(&b, "return %s, a, b, c, t.k, t[1], #t", expression(r, 3))
	return b.String()
}

// TestAgainstGopherLua runs programs with our instruction loop and with gopher-lua's.
func TestAgainstGopherLua(t *testing.T) {
	v := New(Options{})
	defer v.Close()
	loop := *at[func(*lua.LState, *frame)](v.original, layout.mainLoop)
	theirs := v.newThread(callDepth)
	setMainLoop(theirs.L, loop)
	rapid.Check(t, func(r *rapid.T) {
		src := program(r)
		proto, err := v.LoadString(src, "=p")
		if err != nil {
			r.Fatalf("%v in\n%s", err, src)
		}
		got := results(v, v.GetThread(), func(th *Thread) string {
			if err := th.Run(proto, 0, lua.MultRet); err != nil {
				return err.Error()
			}
			return ""
		})
		want := results(v, theirs, func(th *Thread) string {
			th.L.Push(th.L.NewFunctionFromProto(proto))
			if err := th.L.PCall(0, lua.MultRet, nil); err != nil {
				return "failed"
			}
			return ""
		})
		if got != want && !(want == "failed" && strings.HasPrefix(got, "p:")) {
			r.Fatalf("%s\nours:   %s\ntheirs: %s", src, got, want)
		}
	})
}

// results runs a program on a thread and shows what it returned, or its error.
func results(v *VM, th *Thread, run func(*Thread) string) string {
	defer th.L.SetTop(0)
	if failed := run(th); failed != "" {
		return failed
	}
	var out []string
	for i := 1; i <= th.L.GetTop(); i++ {
		value := th.L.Get(i)
		if _, ok := value.(*lua.LTable); ok {
			out = append(out, "table")
			continue
		}
		out = append(out, TypeName(value)+" "+v.Display(th.L, value))
	}
	return strings.Join(out, ", ")
}
