package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
)

// official are the test files of Lua 5.1, which gopher-lua's module carries, each with the line of its main chunk where
// it stops; "" for those that come to their end. Not here: gc.lua (the collector is Go's, which takes no steps), main.lua
// (the command line of lua), verybig.lua (it takes long).
var official = map[string]string{
	"attrib.lua": "", "calls.lua": "", "constructs.lua": "", "events.lua": "", "literals.lua": "", "locals.lua": "",
	"math.lua": "", "nextvar.lua": "", "pm.lua": "", "sort.lua": "", "strings.lua": "",
	"api.lua": "", "checktable.lua": "", "code.lua": "",

	"big.lua":     "12",  // a string that is too long is LuaJIT's "not enough memory"
	"closure.lua": "161", // coroutine.running is not nil in the main thread of LuaJIT with 5.2's features
	"errors.lua":  "38",  // messages of the parser are LuaJIT's
	"vararg.lua":  "24",  // LuaJIT has no `arg` in functions
	"db.lua":      "98",  // debug.sethook does nothing here
	"files.lua":   "216", // files are written at once
}

func TestOfficial(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/yuin/gopher-lua").Output()
	if err != nil {
		t.Skip("no module cache:", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(strings.TrimSpace(string(out)), "_lua5.1-tests"))); err != nil {
		t.Skip(err)
	}
	t.Chdir(dir)
	for name, stop := range official {
		t.Run(name, func(t *testing.T) {
			v := New(Options{CodeCache: true, SharedGlobals: true, PackagePath: "./?.lua;;", MaxString: 64 << 20})
			defer v.Close()
			// What lua.c and Lua 5.0's names give the files.
			math := v.Globals().RawGetString("math").(*lua.LTable)
			math.RawSetString("mod", math.RawGetString("fmod"))
			src, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			proto, err := v.LoadString(string(src), "@"+name)
			if err != nil {
				t.Fatal(err)
			}
			switch err := v.GetThread().Run(proto, 0, 0); {
			case err == nil && stop != "":
				t.Errorf("it comes to its end: take its line off the list")
			case err != nil && (stop == "" || !strings.Contains(err.Traceback, "\t"+name+":"+stop+": in main chunk")):
				t.Errorf("%v\n%s", err, err.Traceback)
			}
		})
	}
}
