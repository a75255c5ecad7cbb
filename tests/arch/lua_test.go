package arch

import (
	"go/ast"
	"strings"
	"testing"
)

// engine is the import path of the Lua engine under lua/vm.
const engine = "github.com/yuin/gopher-lua"

// engineCalls are methods of gopher-lua's types that its own tables and states have and those of lua/vm have not, or have
// in another way, by what to call instead.
var engineCalls = map[string]string{
	"Next":        "vm.Pairs: the order of keys is kept by lua/vm",
	"ForEach":     "vm.Pairs, whose order is that of insertion",
	"NewTable":    "vm.NewTable",
	"CreateTable": "vm.NewTable",
	"Call":        "vm.Call",
	"CallByParam": "vm.Call or VM.PCall",
	"PCall":       "VM.PCall, which keeps the upvalues of frames that survive",
	"NewThread":   "VM.GetThread or Thread.NewCoroutine",
	"Yield":       "Thread.Yield",
	"Resume":      "VM.GetThread and a fiber",
	"DoString":    "VM.LoadString and Thread.Run",
	"DoFile":      "VM.LoadFile and Thread.Run",
	"RaiseError":  "vm.Errorf",
}

// TestEngineStaysInside checks that what lua/vm does in its own way is not asked of gopher-lua elsewhere.
func TestEngineStaysInside(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.path, "lua/vm/") || strings.HasSuffix(s.path, "_test.go") {
			continue
		}
		name := ""
		for _, imp := range s.file.Imports {
			if imp.Path.Value == `"`+engine+`"` {
				if name = "lua"; imp.Name != nil {
					name = imp.Name.Name
				}
			}
		}
		if name == "" {
			continue
		}
		if !strings.HasPrefix(s.path, "lua/") {
			t.Errorf("%s: gopher-lua is imported outside of lua/", s.path)
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if method, ok := n.Fun.(*ast.SelectorExpr); ok && ofEngine(method, name) {
					t.Errorf("%s: %s instead of %s", s.fset.Position(n.Pos()), engineCalls[method.Sel.Name], method.Sel.Name)
				}
			case *ast.CompositeLit:
				if typ, ok := n.Type.(*ast.SelectorExpr); ok && isIdent(typ.X, name) && (typ.Sel.Name == "LTable" || typ.Sel.Name == "LState") {
					t.Errorf("%s: lua/vm makes tables and states", s.fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// ofEngine tells by its name that a method is one of engineCalls: that of a state, or of a table.
func ofEngine(method *ast.SelectorExpr, pkg string) bool {
	if engineCalls[method.Sel.Name] == "" {
		return false
	}
	if method.Sel.Name == "Next" || method.Sel.Name == "ForEach" {
		return true
	}
	if x, ok := method.X.(*ast.SelectorExpr); ok {
		return x.Sel.Name == "L"
	}
	return isIdent(method.X, "l") || isIdent(method.X, "L") || isIdent(method.X, pkg)
}

func isIdent(x ast.Expr, name string) bool {
	id, ok := x.(*ast.Ident)
	return ok && id.Name == name
}
