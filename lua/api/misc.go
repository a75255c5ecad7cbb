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
	{"get_raw_phase", anywhere, rawPhase},
	{"_phase_ctx", anywhere, rawPhase},
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

// phaseNumbers are the phases as OpenResty numbers them (NGX_HTTP_LUA_CONTEXT_*).
var phaseNumbers = map[string]int{
	"set": 0x1, "rewrite": 0x2, "access": 0x4, "content": 0x8, "log": 0x10, "header_filter": 0x20, "body_filter": 0x40,
	"timer": 0x80, "init_worker": 0x100, "balancer": 0x200, "ssl_cert": 0x400, "ssl_session_store": 0x800,
	"ssl_session_fetch": 0x1000, "exit_worker": 0x2000, "ssl_client_hello": 0x4000, "server_rewrite": 0x8000,
	"proxy_ssl_verify": 0x10000, "precontent": 0x20000, "proxy_ssl_cert": 0x40000,
}

// rawPhase is ngx.get_raw_phase().
func rawPhase(c *Ctx, l *lua.LState) int { return ret(l, vm.Number(phaseNumbers[c.Phase.Name()])) }
