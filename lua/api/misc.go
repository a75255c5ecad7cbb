package api

import (
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/build"
	"moongate/core/cli"
	"moongate/core/log"
	"moongate/lua/vm"
)

const logError = log.Error

var miscFuncs = []Func{
	{"get_phase", anywhere, func(c *Ctx, l *lua.LState) int { return retString(l, c.Phase.Name()) }},
}

// configFuncs are the functions of ngx.config.
var configFuncs = []Func{
	{"config.prefix", anywhere, func(c *Ctx, l *lua.LState) int { return retString(l, c.Cycle.Conf.Prefix) }},
	{"config.nginx_configure", anywhere, func(c *Ctx, l *lua.LState) int {
		return retString(l, " "+strings.Join(cli.Arguments(c.Cycle.Conf.Registry), " "))
	}},
}

// luaVersion is ngx.config.ngx_lua_version: that of the lua-nginx-module stood for.
const luaVersion = 10030

// openConfig fills ngx.config.
func openConfig(v *vm.VM, ngx *lua.LTable) {
	t, _ := place(v.L, ngx, "config.debug")
	t.RawSetString("subsystem", lua.LString("http"))
	t.RawSetString("debug", lua.LFalse)
	t.RawSetString("is_console", lua.LFalse)
	t.RawSetString("ngx_lua_version", lua.LNumber(luaVersion))
	t.RawSetString("nginx_version", lua.LNumber(nginxVersion()))
}

// nginxVersion is the release as a number: 1031003 for 1.31.3.
func nginxVersion() int {
	n := 0
	for _, part := range strings.Split(build.NginxVersion, ".") {
		k := 0
		for _, c := range part {
			k = k*10 + int(c-'0')
		}
		n = n*1000 + k
	}
	return n
}
