package api

import (
	lua "github.com/yuin/gopher-lua"

	"moongate/http/wire"
	"moongate/lua/vm"
)

// Verdicts as Lua sees them (ngx.OK and so on).
const (
	codeOK       = 0
	codeError    = -1
	codeAgain    = -2
	codeDone     = -4
	codeDeclined = -5
)

// constants are the numbers of the ngx table.
var constants = []struct {
	name  string
	value int
}{
	{"OK", codeOK}, {"ERROR", codeError}, {"AGAIN", codeAgain}, {"DONE", codeDone}, {"DECLINED", codeDeclined},

	{"STDERR", 0}, {"EMERG", 1}, {"ALERT", 2}, {"CRIT", 3}, {"ERR", 4}, {"WARN", 5}, {"NOTICE", 6}, {"INFO", 7}, {"DEBUG", 8},

	{"HTTP_GET", int(wire.GET)}, {"HTTP_HEAD", int(wire.HEAD)}, {"HTTP_POST", int(wire.POST)}, {"HTTP_PUT", int(wire.PUT)},
	{"HTTP_DELETE", int(wire.DELETE)}, {"HTTP_MKCOL", int(wire.MKCOL)}, {"HTTP_COPY", int(wire.COPY)},
	{"HTTP_MOVE", int(wire.MOVE)}, {"HTTP_OPTIONS", int(wire.OPTIONS)}, {"HTTP_PROPFIND", int(wire.PROPFIND)},
	{"HTTP_PROPPATCH", int(wire.PROPPATCH)}, {"HTTP_LOCK", int(wire.LOCK)}, {"HTTP_UNLOCK", int(wire.UNLOCK)},
	{"HTTP_PATCH", int(wire.PATCH)}, {"HTTP_TRACE", int(wire.TRACE)},

	{"HTTP_CONTINUE", 100}, {"HTTP_SWITCHING_PROTOCOLS", 101},
	{"HTTP_OK", 200}, {"HTTP_CREATED", 201}, {"HTTP_ACCEPTED", 202}, {"HTTP_NO_CONTENT", 204}, {"HTTP_PARTIAL_CONTENT", 206},
	{"HTTP_SPECIAL_RESPONSE", 300}, {"HTTP_MOVED_PERMANENTLY", 301}, {"HTTP_MOVED_TEMPORARILY", 302},
	{"HTTP_SEE_OTHER", 303}, {"HTTP_NOT_MODIFIED", 304}, {"HTTP_TEMPORARY_REDIRECT", 307}, {"HTTP_PERMANENT_REDIRECT", 308},
	{"HTTP_BAD_REQUEST", 400}, {"HTTP_UNAUTHORIZED", 401}, {"HTTP_PAYMENT_REQUIRED", 402}, {"HTTP_FORBIDDEN", 403},
	{"HTTP_NOT_FOUND", 404}, {"HTTP_NOT_ALLOWED", 405}, {"HTTP_NOT_ACCEPTABLE", 406}, {"HTTP_REQUEST_TIMEOUT", 408},
	{"HTTP_CONFLICT", 409}, {"HTTP_GONE", 410}, {"HTTP_UPGRADE_REQUIRED", 426}, {"HTTP_TOO_MANY_REQUESTS", 429},
	{"HTTP_ILLEGAL", 451}, {"HTTP_CLOSE", 444}, {"HTTP_INTERNAL_SERVER_ERROR", 500}, {"HTTP_NOT_IMPLEMENTED", 501},
	{"HTTP_METHOD_NOT_IMPLEMENTED", 501}, {"HTTP_BAD_GATEWAY", 502}, {"HTTP_SERVICE_UNAVAILABLE", 503},
	{"HTTP_GATEWAY_TIMEOUT", 504}, {"HTTP_VERSION_NOT_SUPPORTED", 505}, {"HTTP_INSUFFICIENT_STORAGE", 507},
}

func openConstants(_ *vm.VM, ngx *lua.LTable) {
	for _, c := range constants {
		ngx.RawSetString(c.name, lua.LNumber(c.value))
	}
	ngx.RawSetString("null", vm.Null)
}
