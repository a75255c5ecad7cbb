// Package lua is OpenResty's lua-nginx-module: Lua code in the phases of a request. lua/vm runs Lua, lua/api is what
// the code can call, lua/phase where it runs.
package lua

import "moongate/lua/phase"

// Module has the *_by_lua and lua_* directives.
var Module = phase.NewModule()
