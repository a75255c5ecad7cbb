// Package lib is the Lua modules that OpenResty bundles. Those whose originals need LuaJIT's FFI or C are written in Go,
// or in Lua over that (folder override), and win over a copy on lua_package_path: an existing installation has the
// originals there. Those that are plain Lua (folder fallback) are for who has none.
package lib

import (
	"embed"
	"io/fs"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/cjson"
	"moongate/lua/lib/openssl"
	"moongate/lua/vm"
)

//go:embed override fallback
var sources embed.FS

// natives are the modules written in Go.
var natives = map[string]lua.LGFunction{
	"cjson":                  cjson.Open,
	"cjson.safe":             cjson.OpenSafe,
	"resty.lrucache":         openLRU,
	"resty.lrucache.pureffi": openLRU,
	"resty.md5":              openDigest("md5"),
	"resty.sha1":             openDigest("sha1"),
	"resty.sha224":           openDigest("sha224"),
	"resty.sha256":           openDigest("sha256"),
	"resty.sha384":           openDigest("sha384"),
	"resty.sha512":           openDigest("sha512"),
	"resty.sha":              openEmpty,
	"resty.string":           openString,
	"resty.random":           openRandom,
	"resty.aes":              openAES,
	"resty.signal":           openSignal,
	"resty.chash":            openChash,
	"ngx.base64":             openBase64,
	"ffi-zlib":               openZlib,
	"resty.ipmatcher":        openIPMatcher,
	"resty.jit-uuid":         openUUID,
}

// openEmpty makes a module that only has to be there.
func openEmpty(l *lua.LState) int {
	t := vm.NewTable(0, 4)
	t.RawSetString("_VERSION", lua.LString(restyVersion))
	l.Push(t)
	return 1
}

// restyVersion is what the modules of lua-resty-string say of themselves.
const restyVersion = "0.16"

// Open offers all modules to require.
func Open(v *vm.VM) {
	for name, open := range natives {
		v.Preload(name, open, true)
	}
	openssl.Open(v)
	preloadCore(v)
	for _, part := range coreParts {
		v.Preload("resty.core."+part, openCore(part), true)
	}
	offer(v, "override", true)
	offer(v, "fallback", false)
}

// offer offers the modules written in Lua in a folder. Those of "override" win over a user's copy, which needs the FFI:
// that of lua-resty-websocket does since 0.12.
func offer(v *vm.VM, folder string, override bool) {
	// The files are part of the program: there is nothing that could fail.
	_ = fs.WalkDir(sources, folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		file := strings.TrimPrefix(path, folder+"/")
		name := strings.ReplaceAll(strings.TrimSuffix(file, ".lua"), "/", ".")
		v.Preload(name, func(l *lua.LState) int { return load(v, l, path, file, name) }, override)
		return nil
	})
}

// load runs a module written in Lua.
func load(v *vm.VM, l *lua.LState, path, file, name string) int {
	src, err := sources.ReadFile(path)
	if err != nil {
		vm.Errorf(l, "%s", err)
	}
	proto, err := v.LoadString(string(src), "@"+file)
	if err != nil {
		vm.Errorf(l, "error loading module '%s': %s", name, err)
	}
	l.Push(l.NewFunctionFromProto(proto))
	l.Push(lua.LString(name))
	vm.Call(l, 1, 1)
	return 1
}
