// Package phase runs Lua in the phases of a request and at the turns of a worker's life: one file per family of
// *_by_lua directives (lua-nginx-module's ngx_http_lua_*by.c). What the code can call is in package api.
package phase

import (
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/conf"
	"moongate/core/log"
	"moongate/http"
	"moongate/lua/api"
	"moongate/lua/vm"
)

// Code is the Lua code that a directive names: a text, or a file whose name may have variables.
type Code struct {
	src   string
	chunk string
	file  *http.Complex
	path  string // of a file without variables
	dir   string // the prefix that names of files are relative to

	// The compiled text in the worker's VM.
	owner *vm.VM
	proto *lua.FunctionProto
}

// maxChunkName is how much of directive, file and line a chunk name may have for LuaJIT to show it whole.
const maxChunkName = 56

// chunkName is the name of inlined code: "=content_by_lua(nginx.conf:12)" (ngx_http_lua_gen_chunk_name).
func chunkName(cf *conf.Conf, tag string) string {
	file, line := cf.Place()
	if d := cf.Directive; d.Lua {
		line = d.LuaLine
	}
	pos := strconv.Itoa(line)
	reserve := len(tag) + len(pos)
	switch {
	case strings.HasSuffix(file, "/nginx.conf"):
		file = "nginx.conf"
	case strings.HasPrefix(file, cf.Cycle.ConfPrefix):
		file = shorten(file[len(cf.Cycle.ConfPrefix):], reserve)
	default:
		file = shorten(file, reserve)
	}
	return "=" + tag + "(" + file + ":" + pos + ")"
}

// shorten leaves the end of a file name that is too long.
func shorten(file string, reserve int) string {
	const dots = "..."
	if keep := maxChunkName - reserve - len(dots); len(file)+reserve > maxChunkName && keep > 0 {
		return dots + file[len(file)-keep:]
	}
	return file
}

// inline is the code of a directive with a text as its last argument or block.
func inline(cf *conf.Conf, tag string, src string) *Code {
	return &Code{src: src, chunk: chunkName(cf, tag)}
}

// external is the code of a directive that names a file.
func external(cf *conf.Conf, name string) (*Code, error) {
	c := &Code{dir: cf.Cycle.Prefix}
	if cf.In&(conf.HTTPAnyIf|conf.HTTPServerIf) == 0 || cf.In == conf.HTTPMain {
		c.path = cf.Cycle.Path(name)
	}
	file, err := http.CompileArg(cf, name)
	if err != nil {
		return nil, err
	}
	if c.path == "" && file.Static() {
		c.path = cf.Cycle.Path(name)
	}
	c.file = file
	return c, nil
}

// compile compiles code that runs without a request.
func (code *Code) compile(c *api.Ctx) (*lua.FunctionProto, error) {
	if code.file != nil {
		return c.VM.LoadFile(code.path)
	}
	return c.VM.LoadString(code.src, code.chunk)
}

// load compiles the code, in the VM of c. The verdict is that of a request whose code cannot be loaded.
func (code *Code) load(c *api.Ctx) (*lua.FunctionProto, http.Verdict) {
	if code.owner == c.VM && code.proto != nil {
		return code.proto, http.OK
	}
	if code.file != nil {
		return code.loadFile(c)
	}
	proto, err := c.VM.LoadString(code.src, code.chunk)
	if err != nil {
		c.Logf(log.Error, "failed to load inlined Lua code: %s", err)
		return nil, http.StatusInternalServerError
	}
	code.keep(c, proto)
	return proto, http.OK
}

func (code *Code) keep(c *api.Ctx, proto *lua.FunctionProto) {
	if c.VM == c.Engine.VM {
		code.owner, code.proto = c.VM, proto
	}
}

func (code *Code) loadFile(c *api.Ctx) (*lua.FunctionProto, http.Verdict) {
	path := code.path
	if path == "" {
		if path = strings.Clone(code.file.Eval(c.R)); !strings.HasPrefix(path, "/") {
			path = code.dir + path
		}
	}
	proto, err := c.VM.LoadFile(path)
	if err == nil {
		if code.path != "" {
			code.keep(c, proto)
		}
		return proto, http.OK
	}
	text := err.Error()
	c.Logf(log.Error, `failed to load external Lua file "%s": %s`, path, text)
	switch {
	case !strings.HasPrefix(text, "cannot "):
		return nil, http.StatusInternalServerError
	case strings.HasSuffix(text, "No such file or directory"):
		return nil, http.StatusNotFound
	}
	return nil, http.StatusServiceUnavailable
}
