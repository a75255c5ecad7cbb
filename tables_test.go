package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"moongate/conf"
	"moongate/lua/api"
)

var update = flag.Bool("update", false, "write the generated tables instead of comparing them")

// TestDirectiveTable keeps DIRECTIVES.md what the modules' tables say:
// go test -run Table -update . writes it anew.
func TestDirectiveTable(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# Directives\n\nGenerated from the modules' tables by `go test -run Table -update .`; do not edit.\n")
	for _, m := range modules {
		if len(m.Directives) == 0 {
			continue
		}
		rows := slices.Clone(m.Directives)
		slices.SortStableFunc(rows, func(a, b conf.Directive) int { return strings.Compare(a.Name, b.Name) })
		fmt.Fprintf(&b, "\n## %s\n\n| directive | arguments | contexts |\n|---|---|---|\n", m.Name)
		for _, d := range rows {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", d.Name, d.Args, d.In)
		}
	}
	compareTable(t, "DIRECTIVES.md", b.Bytes())
}

// TestFunctionTable does the same for the ngx functions: LUA_API.md.
func TestFunctionTable(t *testing.T) {
	var b bytes.Buffer
	b.WriteString("# The ngx API\n\nGenerated from the tables of lua/api by `go test -run Table -update .`; do not edit. Beside these there are\n" +
		"`ngx.var`, `ngx.ctx`, `ngx.header`, `ngx.status`, `ngx.arg`, `ngx.shared`, `ngx.config` and the constants.\n\n" +
		"| function | phases |\n|---|---|\n")
	for _, f := range api.Functions() {
		fmt.Fprintf(&b, "| `ngx.%s` | %s |\n", f.Name, f.In.Phases())
	}
	b.WriteString("\n## Functions of modules\n\n| module | function | phases |\n|---|---|---|\n")
	for _, m := range api.Modules() {
		for _, f := range m.Funcs {
			fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", m.Name, f.Name, f.In.Phases())
		}
	}
	compareTable(t, "LUA_API.md", b.Bytes())
}

func compareTable(t *testing.T, file string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the tables say (%v): run go test -run Table -update .", file, err)
	}
}
