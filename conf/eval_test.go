package conf

import (
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"moongate/parser"
)

// files is a Source in memory.
type files map[string]string

func (f files) ReadFile(name string) ([]byte, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ENOENT}
	}
	return []byte(text), nil
}

func (f files) Glob(pattern string) (names []string, err error) {
	prefix, suffix, _ := strings.Cut(pattern, "*")
	for name := range f {
		if strings.HasPrefix(name, prefix) && strings.HasSuffix(name, suffix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

type values struct {
	flag    Opt[bool]
	num     Opt[int64]
	size    Opt[int64]
	off     Opt[int64]
	msec    Opt[time.Duration]
	sec     Opt[time.Duration]
	str     Opt[string]
	enum    Opt[int]
	mask    Opt[int]
	bufs    Opt[Bufs]
	between Opt[int64]
	old     Opt[bool]
	lines   []string
}

var (
	outer = &Slot[values]{}
	inner = &Slot[values]{Level: LevelServer}
)

var words = []Word{{"one", 1}, {"two", 2}, {"four", 4}}

// testRegistry has a row of each kind in the main context, and a block that
// inherits some of them.
func testRegistry(merged func(*values)) *Registry {
	in := Main | HTTPServer
	var server []Directive
	rows := func(s *Slot[values], in Context) []Directive {
		return []Directive{
			s.Flag("flag", in, func(v *values) *Opt[bool] { return &v.flag }, true),
			s.Num("num", in, func(v *values) *Opt[int64] { return &v.num }, 7),
			s.Size("size", in, func(v *values) *Opt[int64] { return &v.size }, 1),
			s.Offset("off", in, func(v *values) *Opt[int64] { return &v.off }, 1),
			s.Msec("msec", in, func(v *values) *Opt[time.Duration] { return &v.msec }, time.Second),
			s.Sec("sec", in, func(v *values) *Opt[time.Duration] { return &v.sec }, time.Second),
			s.Str("str", in, func(v *values) *Opt[string] { return &v.str }, "default"),
			s.Enum("enum", in, func(v *values) *Opt[int] { return &v.enum }, 1, words),
			s.Bitmask("mask", in, func(v *values) *Opt[int] { return &v.mask }, 0, words),
			s.Bufs("bufs", in, func(v *values) *Opt[Bufs] { return &v.bufs }, Bufs{4, 8192}),
			s.Num("between", in, func(v *values) *Opt[int64] { return &v.between }, 1, Between(1, 5)),
			s.Flag("old", in, func(v *values) *Opt[bool] { return &v.old }, false, Deprecated[bool]("flag")),
		}
	}
	server = rows(inner, HTTPServer)
	m := &Module{Name: "test", Slots: []AnySlot{outer}, Directives: append(rows(outer, Main),
		Command("only_server", HTTPServer, NoArgs, func(*Conf) error { return nil }),
		Command("x_by_lua_block", in, LuaBraces|Take1, func(cf *Conf) error { return cf.Errorf("lua %q", cf.Args[0]) }),
		outer.Custom("types", Main, NoArgs|Braces, func(cf *Conf, v *values) error {
			return cf.Lines(func(cf *Conf) error {
				if cf.Name == "bad" {
					return fmt.Errorf("is bad")
				}
				v.lines = append(v.lines, cf.Name+":"+strings.Join(cf.Args, ","))
				return nil
			})
		}),
		Command("server", Main, NoArgs|Braces, func(cf *Conf) error {
			reg := cf.Cycle.Registry
			sc := reg.NewScope(HTTP, nil, LevelServer)
			if err := cf.Block(HTTPServer, sc); err != nil {
				return err
			}
			child := reg.NewScope(HTTP, sc, LevelServer)
			if err := reg.Merge(cf, LevelServer, sc, child); err != nil {
				return err
			}
			merged(inner.Of(child))
			return nil
		}),
	)}
	return NewRegistry(m, &Module{Name: "server", Family: HTTP, Slots: []AnySlot{inner}, Directives: server})
}

// load evaluates a configuration and returns its complaint, and the warnings.
func load(t *testing.T, text, param string, more files, merged func(*values)) (c *Cycle, complaint string, log []string) {
	t.Helper()
	src := files{"/p/nginx.conf": text}
	for name, content := range more {
		src[name] = content
	}
	if merged == nil {
		merged = func(*values) {}
	}
	c = &Cycle{
		Registry: testRegistry(merged), Source: src, Prefix: "/p/", ConfPrefix: "/p/", File: "/p/nginx.conf", Test: true,
		Log: func(_ LogLevel, msg string) { log = append(log, msg) },
	}
	if err := c.Load(param); err != nil {
		complaint = err.Error()
	}
	return c, complaint, log
}

func TestComplaints(t *testing.T) {
	more := files{
		"/p/bad":    "num 1;\noops;",
		"/p/self":   "include self;",
		"/p/syntax": "num 1;\n}",
		"/p/one.d":  "num 1;", "/p/two.d": "num 2;",
	}
	const at = " in /p/nginx.conf:1"
	for text, want := range map[string]string{
		"":                       "",
		"num 1;":                 "",
		"oops;":                  `unknown directive "oops"` + at,
		"\noops;":                `unknown directive "oops" in /p/nginx.conf:2`,
		"proxy_bind x;":          `unknown directive "proxy_bind": nginx has it, moongate does not yet` + at,
		"only_server;":           `"only_server" directive is not allowed here` + at,
		"num;":                   `invalid number of arguments in "num" directive` + at,
		"num 1 2;":               `invalid number of arguments in "num" directive` + at,
		"num x;":                 `"num" directive invalid number` + at,
		"num 1; num 2;":          `"num" directive is duplicate` + at,
		"num 1 {}":               `directive "num" is not terminated by ";"` + at,
		"server;":                `directive "server" has no opening "{"` + at,
		"server x {}":            `invalid number of arguments in "server" directive` + at,
		"server { oops; }":       `unknown directive "oops"` + at,
		"server {":               `unexpected end of file, expecting "}"` + at,
		"num 1; }":               `unexpected "}"` + at,
		"flag yes;":              `invalid value "yes" in "flag" directive, it must be "on" or "off"` + at,
		"size 1g;":               `"size" directive invalid value` + at,
		"off 1t;":                `"off" directive invalid value` + at,
		"msec 1y;":               `"msec" directive invalid value` + at,
		"sec 1ms;":               `"sec" directive invalid value` + at,
		"enum five;":             `invalid value "five"` + at,
		"mask one five;":         `invalid value "five"` + at,
		"bufs 0 1k;":             `"bufs" directive invalid value` + at,
		"bufs 4;":                `invalid number of arguments in "bufs" directive` + at,
		"between 6;":             `value must be between 1 and 5` + at,
		"types { a b; bad c; }":  `"bad" directive is bad` + at,
		"types { a { } }":        `unexpected "{"` + at,
		"include bad;":           `unknown directive "oops" in /p/bad:2`,
		"include syntax;":        `unexpected "}" in /p/syntax:2`,
		"include missing;":       `open() "/p/missing" failed (2: No such file or directory)` + at,
		"include missing*;":      "",
		"include a b;":           `invalid number of arguments in "include" directive` + at,
		"include self;":          `open() "/p/self" failed (24: Too many open files) in /p/self:1`,
		"include *.d;":           `"num" directive is duplicate in /p/two.d:1`,
		"include a {}":           `directive "include" is not terminated by ";"` + at,
		"x_by_lua_block { a() }": `lua " a() "` + at,
		"x_by_lua_block x;":      `directive "x_by_lua_block" has no opening "{"` + at,
	} {
		if _, got, _ := load(t, text, "", more, nil); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
	if _, got, _ := load(t, "num 1;", "num 2;", nil, nil); got != `"num" directive is duplicate`+at {
		t.Error(got)
	}
	if _, got, _ := load(t, "", "oops;", nil, nil); got != `unknown directive "oops" in command line` {
		t.Error(got)
	}
	c := &Cycle{Registry: NewRegistry(), Source: files{}, File: "/p/none"}
	if err := c.Load(""); err == nil || err.Error() != `open() "/p/none" failed (2: No such file or directory)` {
		t.Error(err)
	}
}

func TestValues(t *testing.T) {
	text := "flag OFF; num 3; size 2k; off 1g; msec 1m; sec 1y; str 'a b'; enum TWO; mask one four; bufs 2 4k; between 5;\n" +
		"types { text/plain txt; include more; }"
	c, complaint, _ := load(t, text, "", files{"/p/more": "text/html html htm;"}, nil)
	if complaint != "" {
		t.Fatal(complaint)
	}
	want := values{
		flag: Opt[bool]{false, true}, num: Opt[int64]{3, true}, size: Opt[int64]{2048, true}, off: Opt[int64]{1 << 30, true},
		msec: Opt[time.Duration]{time.Minute, true}, sec: Opt[time.Duration]{365 * 24 * time.Hour, true},
		str: Opt[string]{"a b", true}, enum: Opt[int]{2, true}, mask: Opt[int]{5, true}, bufs: Opt[Bufs]{Bufs{2, 4096}, true},
		between: Opt[int64]{5, true}, lines: []string{"text/plain:txt", "text/html:html,htm"},
	}
	if diff := cmp.Diff(want, *outer.Of(c.Scope), cmp.AllowUnexported(values{})); diff != "" {
		t.Error(diff)
	}
}

func TestInheritance(t *testing.T) {
	var got values
	_, complaint, _ := load(t, "server { num 3; str x; }", "", nil, func(v *values) { got = *v })
	if complaint != "" {
		t.Fatal(complaint)
	}
	if got.num != (Opt[int64]{3, true}) || got.str != (Opt[string]{"x", true}) {
		t.Errorf("inherited: %+v", got)
	}
	if got.flag != (Opt[bool]{true, false}) || got.size != (Opt[int64]{1, false}) || got.bufs.V != (Bufs{4, 8192}) {
		t.Errorf("defaults: %+v", got)
	}
}

func TestWarnings(t *testing.T) {
	_, complaint, log := load(t, "mask one one;\nold on;", "", nil, nil)
	want := []string{
		`duplicate value "one" in /p/nginx.conf:1`,
		`the "old" directive is deprecated, use the "flag" directive instead in /p/nginx.conf:2`,
	}
	if diff := cmp.Diff(want, log); diff != "" || complaint != "" {
		t.Error(complaint, diff)
	}
}

func TestDump(t *testing.T) {
	c, _, _ := load(t, "include a; include a;", "", files{"/p/a": "flag on;"}, nil)
	var b strings.Builder
	if err := c.Dump(&b); err != nil {
		t.Fatal(err)
	}
	want := "# configuration file /p/nginx.conf:\ninclude a; include a;\n# configuration file /p/a:\nflag on;\n"
	if b.String() != want {
		t.Errorf("%q", b.String())
	}
}

func TestBlockSeen(t *testing.T) {
	if c, _, _ := load(t, "num 1;", "", nil, nil); c.BlockSeen() {
		t.Error("no block was there")
	}
	if c, _, _ := load(t, "server {}", "", nil, nil); !c.BlockSeen() {
		t.Error("a block was there")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("num 1; server { flag on; } types { a b; }")
	f.Add("include x*; x_by_lua_block { }")
	f.Fuzz(func(_ *testing.T, text string) {
		c := &Cycle{
			Registry: testRegistry(func(*values) {}), Source: files{"/nginx.conf": text}, Prefix: "/", ConfPrefix: "/",
			File: "/nginx.conf", Log: func(LogLevel, string) {},
		}
		c.Load("")
	})
}

func TestErrnoText(t *testing.T) {
	if got := ErrnoText(&fs.PathError{Op: "open", Err: syscall.EACCES}); got != "13: Permission denied" {
		t.Error(got)
	}
	if got := ErrnoText(os.ErrClosed); got != "file already closed" {
		t.Error(got)
	}
	var _ parser.Source = files{}
}
