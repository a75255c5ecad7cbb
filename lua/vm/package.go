package vm

import (
	"os"
	"strings"

	lua "github.com/yuin/gopher-lua"
)

// Default search paths of LuaJIT.
const (
	defaultPath = "./?.lua;/usr/local/share/luajit-2.1/?.lua;/usr/local/share/lua/5.1/?.lua;" +
		"/usr/local/share/lua/5.1/?/init.lua"
	defaultCPath = "./?.so;/usr/local/lib/lua/5.1/?.so;/usr/local/lib/lua/5.1/loadall.so"
)

// searchPath fills a configured path in: ";;" stands for the default path.
func searchPath(path, def string) string {
	if path == "" {
		return def
	}
	path = strings.ReplaceAll(path, ";;", ";\x01;")
	path = strings.ReplaceAll(path, "\x01", def)
	return strings.Trim(path, ";")
}

func (v *VM) openPackage() {
	v.loaded = NewTable(0, 4)
	v.L.G.Registry.RawSetString("_LOADED", v.loaded)
	v.preload = NewTable(0, 4)
	v.pkg = v.library("package", map[string]lua.LGFunction{
		"seeall": v.packageSeeAll, "searchpath": packageSearchPath, "loadlib": packageLoadLib,
	})
	v.pkg.RawSetString("loaded", v.loaded)
	v.pkg.RawSetString("preload", v.preload)
	v.pkg.RawSetString("path", lua.LString(searchPath(v.opts.PackagePath, searchPath(v.opts.EnvPath, defaultPath))))
	v.pkg.RawSetString("cpath", lua.LString(searchPath(v.opts.PackageCPath, searchPath(v.opts.EnvCPath, defaultCPath))))
	v.pkg.RawSetString("config", lua.LString("/\n;\n?\n!\n-\n"))
	loaders := NewTable(0, 4)
	for _, f := range []lua.LGFunction{v.preloadSearcher, v.fileSearcher, v.nativeSearcher} {
		loaders.Append(v.L.NewFunction(f))
	}
	v.pkg.RawSetString("loaders", loaders)
	v.pkg.RawSetString("searchers", loaders)
}

// Preload offers a module written in Go to require. With override it wins over files of package.path, otherwise it is
// used when no such file exists.
func (v *VM) Preload(name string, open lua.LGFunction, override bool) {
	if override {
		v.preload.RawSetString(name, v.L.NewFunction(open))
	} else {
		v.natives[name] = open
	}
}

// sentinel marks a module that is being loaded.
var sentinel = &lua.LUserData{Value: "loading", Metatable: lua.LNil}

func (v *VM) baseRequire(l *lua.LState) int {
	name := CheckString(l, 1)
	l.SetTop(1)
	if m := v.loaded.RawGetString(name); lua.LVAsBool(m) {
		if m == sentinel {
			Errorf(l, "%s", "loop or previous error loading module '"+name+"'")
		}
		l.Push(m)
		return 1
	}
	loaders, ok := v.pkg.RawGetString("loaders").(*lua.LTable)
	if !ok {
		Errorf(l, "'package.loaders' must be a table")
	}
	loader := v.findLoader(l, loaders, name)
	v.loaded.RawSetString(name, sentinel)
	l.Push(loader)
	l.Push(lua.LString(name))
	Call(l, 1, 1)
	if m := l.Get(-1); m != lua.LNil {
		v.loaded.RawSetString(name, m)
	}
	if v.loaded.RawGetString(name) == sentinel {
		v.loaded.RawSetString(name, lua.LTrue)
	}
	l.Push(v.loaded.RawGetString(name))
	return 1
}

// findLoader asks the searchers one after the other; those that find nothing say where they looked.
func (v *VM) findLoader(l *lua.LState, loaders *lua.LTable, name string) lua.LValue {
	var tried strings.Builder
	for i := 1; ; i++ {
		searcher := loaders.RawGetInt(i)
		if searcher == lua.LNil {
			Errorf(l, "%s", "module '"+name+"' not found:"+tried.String())
		}
		l.Push(searcher)
		l.Push(lua.LString(name))
		Call(l, 1, 1)
		result := l.Get(-1)
		l.Pop(1)
		if _, ok := result.(*lua.LFunction); ok {
			return result
		}
		if s, ok := ToString(result); ok {
			tried.WriteString(s)
		}
	}
}

func (v *VM) preloadSearcher(l *lua.LState) int {
	name := CheckString(l, 1)
	preload, ok := v.pkg.RawGetString("preload").(*lua.LTable)
	if !ok {
		Errorf(l, "'package.preload' must be a table")
	}
	loader := l.GetField(preload, name)
	if loader == lua.LNil {
		loader = lua.LString("\n\tno field package.preload['" + name + "']")
	}
	l.Push(loader)
	return 1
}

// pathField reads package.path or package.cpath.
func (v *VM) pathField(l *lua.LState, field string) string {
	s, ok := v.pkg.RawGetString(field).(lua.LString)
	if !ok {
		Errorf(l, "'package.%s' must be a string", field)
	}
	return string(s)
}

// find looks for a module along a path; without success it returns what it tried.
func find(name, path string) (file, tried string) {
	return findFile(strings.ReplaceAll(name, ".", "/"), path)
}

func findFile(name, path string) (file, tried string) {
	var b strings.Builder
	for _, template := range strings.Split(path, ";") {
		if template == "" {
			continue
		}
		file := strings.ReplaceAll(template, "?", name)
		if f, err := os.Open(file); err == nil {
			f.Close()
			return file, ""
		}
		b.WriteString("\n\tno file '" + file + "'")
	}
	return "", b.String()
}

func (v *VM) fileSearcher(l *lua.LState) int {
	name := CheckString(l, 1)
	file, tried := find(name, v.pathField(l, "path"))
	if file == "" {
		l.Push(lua.LString(tried))
		return 1
	}
	proto, err := v.LoadFile(file)
	if v.pushLoaded(l, proto, err) == 2 {
		Errorf(l, "%s", "error loading module '"+name+"' from file '"+file+"':\n\t"+err.Error())
	}
	return 1
}

// nativeSearcher stands where Lua loads shared objects: it knows the modules written in Go.
func (v *VM) nativeSearcher(l *lua.LState) int {
	name := CheckString(l, 1)
	if open, ok := v.natives[name]; ok {
		l.Push(l.NewFunction(open))
		return 1
	}
	file, tried := find(name, v.pathField(l, "cpath"))
	if file != "" {
		Errorf(l, "%s", "error loading module '"+name+"' from file '"+file+"':\n\tshared objects cannot be loaded")
	}
	l.Push(lua.LString(tried))
	return 1
}

func packageSearchPath(l *lua.LState) int {
	name, path := CheckString(l, 1), CheckString(l, 2)
	sep, rep := OptString(l, 3, "."), OptString(l, 4, "/")
	if sep != "" {
		name = strings.ReplaceAll(name, sep, rep)
	}
	file, tried := findFile(name, path)
	if file != "" {
		l.Push(lua.LString(file))
		return 1
	}
	l.Push(lua.LNil)
	l.Push(lua.LString(tried))
	return 2
}

func packageLoadLib(l *lua.LState) int {
	CheckString(l, 1)
	CheckString(l, 2)
	l.Push(lua.LNil)
	l.Push(lua.LString("shared objects cannot be loaded"))
	l.Push(lua.LString("absent"))
	return 3
}

// packageSeeAll lets a module inherit the globals of the VM.
func (v *VM) packageSeeAll(l *lua.LState) int {
	t := CheckTable(l, 1)
	mt, ok := t.Metatable.(*lua.LTable)
	if !ok {
		mt = NewTable(0, 1)
		t.Metatable = mt
	}
	mt.RawSetString("__index", v.globals)
	return 0
}

// baseModule is module(name, ...) of Lua 5.1.
func (v *VM) baseModule(l *lua.LState) int {
	name := CheckString(l, 1)
	m, ok := v.loaded.RawGetString(name).(*lua.LTable)
	if !ok {
		if m, ok = l.FindTable(l.Env, name, 1).(*lua.LTable); !ok {
			Errorf(l, "%s", "name conflict for module '"+name+"'")
		}
		v.loaded.RawSetString(name, m)
		ThreadOf(l).used = true
	}
	if m.RawGetString("_NAME") == lua.LNil {
		m.RawSetString("_M", m)
		m.RawSetString("_NAME", lua.LString(name))
		m.RawSetString("_PACKAGE", lua.LString(name[:strings.LastIndexByte(name, '.')+1]))
	}
	caller := level(l, 1)
	if caller == nil || caller.Fn.IsG {
		Errorf(l, "'module' not called from a Lua function")
	}
	caller.Fn.Env = m
	for i, n := 2, l.GetTop(); i <= n; i++ {
		if _, ok := l.Get(i).(*lua.LFunction); !ok {
			continue
		}
		l.Push(l.Get(i))
		l.Push(m)
		Call(l, 1, 0)
	}
	return 0
}
