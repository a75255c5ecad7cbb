package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// Module is a Lua module of functions, what require returns for its name.
type Module struct {
	Name  string
	Funcs []Func
	// Elsewhere is called, if not nil, in phases that a function is not for. Without it an error is raised.
	Elsewhere func(c *Ctx, l *lua.LState, f *Func) int
	// Version is the field version, "" for none.
	Version string
	// Fields are its constants.
	Fields map[string]lua.LValue
}

// Modules are the modules that are written as rows of functions.
func Modules() []Module {
	return []Module{
		{Name: "ngx.balancer", Funcs: balancerFuncs, Elsewhere: notBalancing, Version: moduleVersion},
		{Name: "ngx.errlog", Funcs: errlogFuncs, Version: moduleVersion},
		{Name: "ngx.ocsp", Funcs: ocspFuncs, Version: moduleVersion},
		{Name: "ngx.pipe", Funcs: pipeFuncs, Elsewhere: raiseDisabled, Version: moduleVersion},
		{Name: "ngx.process", Funcs: processFuncs, Elsewhere: failDisabled, Version: moduleVersion},
		{Name: "ngx.resp", Funcs: respFuncs, Version: moduleVersion},
		{Name: "ngx.proxyssl", Funcs: proxySSLFuncs, Version: moduleVersion, Fields: sslVersionFields},
		{Name: "ngx.ssl", Funcs: sslFuncs, Version: moduleVersion, Fields: sslVersionFields},
		{Name: "ngx.ssl.clienthello", Funcs: helloFuncs, Elsewhere: raiseDisabled, Version: moduleVersion},
		{Name: "ngx.ssl.proxysslcert", Funcs: proxyCertFuncs, Version: moduleVersion},
		{Name: "ngx.ssl.proxysslverify", Funcs: proxyVerifyFuncs, Elsewhere: raiseDisabled, Version: moduleVersion},
		{Name: "ngx.ssl.session", Funcs: sessionFuncs, Version: moduleVersion},
		{Name: "ngx.upstream", Funcs: upstreamFuncs},
	}
}

// preload offers the modules to require.
func (e *Engine) preload(v *vm.VM) {
	for _, m := range Modules() {
		v.Preload(m.Name, m.open, true)
	}
}

func (m *Module) open(l *lua.LState) int {
	elsewhere := m.Elsewhere
	if elsewhere == nil {
		elsewhere = refuse
	}
	t := vm.NewTable(0, len(m.Funcs)+1)
	for i := range m.Funcs {
		f := &m.Funcs[i]
		t.RawSetString(f.Name, l.NewFunction(f.functionElse(elsewhere)))
	}
	for name, value := range m.Fields {
		t.RawSetString(name, value)
	}
	if m.Version != "" {
		t.RawSetString("version", lua.LString(m.Version))
	}
	return ret(l, t)
}

// disabledHere is what some functions say in phases that they are not for, without naming the phase.
const disabledHere = "API disabled in the current context"

// raiseDisabled raises it as an error.
func raiseDisabled(_ *Ctx, l *lua.LState, _ *Func) int {
	vm.Errorf(l, disabledHere)
	return 0
}

// failDisabled returns nil and the text.
func failDisabled(_ *Ctx, l *lua.LState, _ *Func) int { return fail(l, disabledHere) }
