package vm

import (
	"errors"
	"os"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/compile"
)

// compile translates source text and remembers the full name of files for debug.getinfo.
func (v *VM) compile(src, chunkname string) (*lua.FunctionProto, error) {
	if strings.HasPrefix(src, "\x1b") {
		return v.loadDump(src, chunkname)
	}
	proto, err := compile.Compile(src, chunkname, v.intrinsics)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(chunkname, "@") {
		v.sources[proto.SourceName] = chunkname
	}
	return proto, nil
}

// LoadString compiles src under a chunk name such as "=content_by_lua(nginx.conf:42)". With the code cache on the same
// text under the same name is compiled once. The error is what a Lua program would see, an *compile.Error for syntax.
func (v *VM) LoadString(src, chunkname string) (*lua.FunctionProto, error) {
	if !v.opts.CodeCache {
		return v.compile(src, chunkname)
	}
	key := chunkname + "\x00" + src
	if p, ok := v.chunks[key]; ok {
		return p, nil
	}
	p, err := v.compile(src, chunkname)
	if err == nil {
		v.chunks[key] = p
	}
	return p, err
}

// LoadFile compiles a file; with the code cache on it is read once in the life of the VM. The error for a file that
// cannot be read is LuaJIT's "cannot open /path: No such file or directory".
func (v *VM) LoadFile(path string) (*lua.FunctionProto, error) {
	if p, ok := v.chunks["@"+path]; ok {
		return p, nil
	}
	p, err := v.readFile(path)
	if err == nil && v.opts.CodeCache {
		v.chunks["@"+path] = p
	}
	return p, err
}

func (v *VM) readFile(path string) (*lua.FunctionProto, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			return nil, errors.New("cannot open " + path + ": " + errnoText(perr.Err))
		}
		return nil, errors.New("cannot read " + path)
	}
	return v.compile(string(src), "@"+path)
}

// pushLoaded pushes a loaded chunk as a function of the running thread, or nil and the message.
func (v *VM) pushLoaded(l *lua.LState, proto *lua.FunctionProto, err error) int {
	if err != nil {
		l.Push(lua.LNil)
		l.Push(lua.LString(err.Error()))
		return 2
	}
	ThreadOf(l).used = true
	fn := l.NewFunctionFromProto(proto)
	ownUpvalues(fn)
	l.Push(fn)
	return 1
}

// baseLoad is load(chunk, chunkname, mode, env): chunk is a string or a function that returns the pieces.
func (v *VM) baseLoad(l *lua.LState) int {
	src, name := "", ""
	if s, ok := ToString(l.Get(1)); ok {
		src, name = s, OptString(l, 2, s)
	} else {
		CheckFunction(l, 1)
		name = OptString(l, 2, "=(load)")
		var err error
		if src, err = pieces(l); err != nil {
			return v.pushLoaded(l, nil, err)
		}
	}
	form := "t"
	if strings.HasPrefix(src, "\x1b") {
		form = "b"
	}
	if mode := OptString(l, 3, "bt"); !strings.Contains(mode, form) {
		return v.pushLoaded(l, nil, errors.New("attempt to load chunk with wrong mode"))
	}
	proto, err := v.compile(src, name)
	n := v.pushLoaded(l, proto, err)
	if env, ok := l.Get(4).(*lua.LTable); ok && err == nil {
		l.Get(-1).(*lua.LFunction).Env = env
	}
	return n
}

// pieces calls the reader function of load until it returns nil or an empty string.
func pieces(l *lua.LState) (string, error) {
	var b strings.Builder
	for {
		l.Push(l.Get(1))
		if err := ThreadOf(l).vm.PCall(l, 0, 1, nil); err != nil {
			return "", err
		}
		piece := l.Get(-1)
		l.Pop(1)
		if piece == lua.LNil {
			return b.String(), nil
		}
		s, ok := ToString(piece)
		if !ok {
			Errorf(l, "reader function must return a string")
		}
		if s == "" {
			return b.String(), nil
		}
		b.WriteString(s)
		ThreadOf(l).vm.checkSize(l, b.Len())
	}
}

func (v *VM) baseLoadString(l *lua.LState) int { return v.baseLoad(l) }

func (v *VM) baseLoadFile(l *lua.LState) int {
	proto, err := v.readFile(CheckString(l, 1))
	n := v.pushLoaded(l, proto, err)
	if env, ok := l.Get(3).(*lua.LTable); ok && err == nil {
		l.Get(-1).(*lua.LFunction).Env = env
	}
	return n
}

func (v *VM) baseDoFile(l *lua.LState) int {
	proto, err := v.readFile(CheckString(l, 1))
	l.SetTop(0)
	if v.pushLoaded(l, proto, err) == 2 {
		Raise(l, l.Get(-1))
	}
	Call(l, 0, lua.MultRet)
	return l.GetTop()
}
