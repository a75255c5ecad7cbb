package api

import (
	"cmp"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// Func is a function of the ngx table: one row.
type Func struct {
	// Name is the path from ngx on: "say", "req.get_method".
	Name string
	// In are the phases it may be called in.
	In Phase
	// Call is the function. Its arguments are on the stack, and so are the values it returns the number of.
	Call func(c *Ctx, l *lua.LState) int
}

// families are all functions of the API, file by file.
func families() [][]Func {
	return [][]Func{
		outputFuncs, controlFuncs, logFuncs, timeFuncs, escapeFuncs, codecFuncs, digestFuncs, miscFuncs, requestFuncs, argsFuncs,
		headerFuncs, bodyFuncs, subrequestFuncs, threadFuncs, timerFuncs, regexFuncs, socketFuncs,
		workerFuncs, workerThreadFuncs, configFuncs,
	}
}

// open makes the ngx table in a VM.
func (e *Engine) open(v *vm.VM) {
	ngx := vm.NewTable(0, 4)
	v.Globals().RawSetString("ngx", ngx)
	v.Loaded().RawSetString("ngx", ngx)
	openFamilies(v, ngx, families()...)
	openConstants(v, ngx)
	openFields(v, ngx)
	openConfig(v, ngx)
	e.openTables(v, ngx)
	v.Globals().RawSetString("print", v.L.NewFunction(printFunc.function()))
}

// openFamilies puts functions into the ngx table.
func openFamilies(v *vm.VM, ngx *lua.LTable, families ...[]Func) {
	for _, family := range families {
		for i := range family {
			f := &family[i]
			t, name := place(v.L, ngx, f.Name)
			t.RawSetString(name, v.L.NewFunction(f.function()))
		}
	}
}

// place finds the table that a dotted name belongs into.
func place(l *lua.LState, t *lua.LTable, path string) (*lua.LTable, string) {
	for {
		name, rest, ok := strings.Cut(path, ".")
		if !ok {
			return t, path
		}
		inner, ok := t.RawGetString(name).(*lua.LTable)
		if !ok {
			inner = vm.NewTable(0, 4)
			t.RawSetString(name, inner)
		}
		t, path = inner, rest
	}
}

// function is the row as Lua calls it; in phases that it is not for it raises an error.
func (f *Func) function() lua.LGFunction { return f.functionElse(refuse) }

// functionElse is the row as Lua calls it, and elsewhere what is called in phases that it is not for.
func (f *Func) functionElse(elsewhere func(c *Ctx, l *lua.LState, f *Func) int) lua.LGFunction {
	in, call := f.In, f.Call
	if in == anywhere {
		return func(l *lua.LState) int { return call(ctxOf(l), l) }
	}
	return func(l *lua.LState) int {
		t := vm.ThreadOf(l)
		c := t.Data.(*Ctx)
		if c.Phase&in == 0 {
			return elsewhere(c, l, f)
		}
		n := call(c, l)
		t.Check()
		return n
	}
}

// refuse raises the error of a function that may not be called here.
func refuse(c *Ctx, l *lua.LState, f *Func) int {
	if c.Phase == Init {
		vm.Errorf(l, "%s", cmp.Or(absentRequest[f.Name], noRequest))
	}
	disabled(c, l, f.In)
	return 0
}

const noRequest = "no request found"

// absentRequest is what some functions say in init_by_lua instead.
var absentRequest = map[string]string{
	"timer.at": "no request", "timer.every": "no request", "timer.running_count": "no request",
	"timer.pending_count": "no request",

	"say": noRequestObject, "print": noRequestObject, "eof": noRequestObject, "exec": noRequestObject,
	"redirect": noRequestObject, "location.capture": noRequestObject, "location.capture_multi": noRequestObject,
	"req.http_version": noRequestObject, "req.raw_header": noRequestObject, "req.set_uri_args": noRequestObject,
	"req.get_post_args": noRequestObject, "resp.get_headers": noRequestObject,

	"req.read_body": noBodyRequest, "req.discard_body": noBodyRequest, "req.get_body_data": noBodyRequest,
	"req.get_body_file": noBodyRequest, "req.set_body_data": noBodyRequest,
}

const (
	noRequestObject = "no request object found"
	noBodyRequest   = "request object not found"
)

// disabled raises the error of what is for other phases.
func disabled(c *Ctx, l *lua.LState, in Phase) {
	switch {
	case c.Phase == Init:
		vm.Errorf(l, noRequest)
	case c.R == nil && in == requests:
		vm.Errorf(l, "API disabled in the current context")
	}
	vm.Errorf(l, "API disabled in the context of %s", c.Phase.Context())
}

// Values that functions return often, boxed once.
var (
	one  lua.LValue = lua.LNumber(1)
	zero lua.LValue = lua.LNumber(0)
)

// done returns 1, as functions that succeed do.
func done(l *lua.LState) int {
	l.Push(one)
	return 1
}

// fail returns nil and a message.
func fail(l *lua.LState, msg string) int {
	l.Push(lua.LNil)
	l.Push(lua.LString(msg))
	return 2
}

// ret returns a value.
func ret(l *lua.LState, v lua.LValue) int {
	l.Push(v)
	return 1
}

// retString returns a string that nothing will overwrite.
func retString(l *lua.LState, s string) int { return ret(l, lua.LString(s)) }

// isNull tells ngx.null.
func isNull(v lua.LValue) bool {
	u, ok := v.(*lua.LUserData)
	return ok && u == vm.Null
}
