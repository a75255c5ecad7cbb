package api

import (
	"slices"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// decoded is the table of a query string.
func decoded(l *lua.LState, s string) *lua.LTable {
	n := decodeArgs(l, s, 0, nil)
	t := l.Get(-n).(*lua.LTable)
	l.Pop(n)
	return t
}

// canonical is a table of arguments as text.
func canonical(t *lua.LTable) string {
	var args []string
	t.ForEach(func(k, v lua.LValue) {
		list, ok := v.(*lua.LTable)
		if !ok {
			list = &lua.LTable{}
			list.Append(v)
		}
		text := k.String()
		for i := 1; i <= list.Len(); i++ {
			text += "\x00" + list.RawGetInt(i).Type().String() + list.RawGetInt(i).String()
		}
		args = append(args, text)
	})
	slices.Sort(args)
	return strings.Join(args, "\x01")
}

// FuzzArgs: what was decoded is the same after it was encoded and decoded again.
func FuzzArgs(f *testing.F) {
	for _, s := range []string{"a=1&b=2", "a&a=&a=b", "=x&%61=%2", "a+b=%26%3d&&", "%", "%u00%00=\xff"} {
		f.Add(s)
	}
	v := vm.New(vm.Options{})
	f.Fuzz(func(t *testing.T, s string) {
		once := decoded(v.L, s)
		encoded := encodeArgs(v.L, once)
		if strings.ContainsAny(encoded, " +\r\n#") {
			t.Errorf("%q is encoded as %q", s, encoded)
		}
		if got, want := canonical(decoded(v.L, encoded)), canonical(once); got != want {
			t.Errorf("%q: %q, then %q", s, want, got)
		}
	})
}

// FuzzEscape: escaped components can be read back; names and values of headers cannot end their line.
func FuzzEscape(f *testing.F) {
	f.Add("a b+c%d/é\x00")
	f.Add("Name: value\r\n\tX")
	f.Fuzz(func(t *testing.T, s string) {
		if got := unescapeURI(escapes[2].escape(s)); got != s {
			t.Errorf("%q became %q", s, got)
		}
		for set, bad := range map[int]string{7: "\x00\r\n :\t", 8: "\x00\r\n\x7f"} {
			if got := escapes[set].escape(s); strings.ContainsAny(got, bad) {
				t.Errorf("set %d: %q became %q", set, s, got)
			}
		}
	})
}

// FuzzRegexOptions: options are refused by name, or a pattern compiles with them, or not; matches stay in the subject.
func FuzzRegexOptions(f *testing.F) {
	f.Add("a(b)?", "ijo", "xab")
	f.Add("(?<n>.)(?<n>.)", "DaJu", "éé")
	f.Add("[", "smxdU", "")
	v := vm.New(vm.Options{})
	c := &Ctx{Engine: &Engine{Main: &MainConf{}}, VM: v}
	c.Main.RegexMatchLimit.V, c.Main.RegexCacheMax.V = 10000, 16
	c.Engine.regex.warned = true
	f.Fuzz(func(t *testing.T, pattern, options, subj string) {
		l := v.L
		l.Push(l.NewFunction(func(l *lua.LState) int {
			p := readPattern(l, 1, 2)
			m, ok, _ := c.exec(p, subj, 0)
			if !ok {
				return 0
			}
			if from, to := m.vec[0], m.vec[1]; from < 0 || to > len(subj) {
				t.Errorf("match from %d to %d in %q", from, to, subj)
			}
			m.table(l, nil)
			return 0
		}))
		l.Push(lua.LString(pattern))
		l.Push(lua.LString(options))
		err := v.PCall(l, 2, 0, nil)
		if unknown := strings.Trim(options, "aijosmuxdDUJ") != ""; (err != nil) != unknown {
			t.Errorf("options %q: %v", options, err)
		}
	})
}
