package vm

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm/compile"
)

func (v *VM) openBase() {
	v.register(v.globals, map[string]lua.LGFunction{
		"assert": baseAssert, "error": baseError, "pcall": v.basePCall, "xpcall": v.baseXPCall,
		"type": baseType, "tostring": v.baseToString, "tonumber": baseToNumber, "print": v.basePrint,
		"next": v.baseNext, "ipairs": v.baseIPairs, "pairs": v.basePairs, "select": baseSelect, "unpack": tableUnpack,
		"rawget": baseRawGet, "rawset": v.baseRawSet, "rawequal": baseRawEqual, "rawlen": baseRawLen,
		"getmetatable": baseGetMetatable, "setmetatable": baseSetMetatable,
		"getfenv": v.baseGetFEnv, "setfenv": v.baseSetFEnv, "newproxy": v.baseNewProxy,
		"collectgarbage": baseCollectGarbage, "gcinfo": baseGCInfo,
		"load": v.baseLoad, "loadstring": v.baseLoadString, "loadfile": v.baseLoadFile, "dofile": v.baseDoFile,
		"require": v.baseRequire, "module": v.baseModule,
	})
	setLeaves(v.globals, baseLeaves)
	v.globals.RawSetString("_G", v.globals)
	v.globals.RawSetString("_VERSION", lua.LString("Lua 5.1"))
	v.loaded.RawSetString("_G", v.globals)
	v.ipairsIter = v.L.NewFunction(v.ipairsNext)
	v.nextFn = v.globals.RawGetString("next").(*lua.LFunction)
}

func baseAssert(l *lua.LState) int {
	if lua.LVAsBool(CheckAny(l, 1)) {
		return l.GetTop()
	}
	if l.GetTop() < 2 {
		Raise(l, lua.LString("assertion failed!"))
	}
	Raise(l, l.Get(2))
	return 0
}

func baseError(l *lua.LState) int {
	value := l.Get(1)
	lvl := OptInt(l, 2, 1)
	if s, ok := ToString(value); ok && lvl > 0 {
		value = lua.LString(where(l, lvl) + s)
	}
	Raise(l, value)
	return 0
}

func baseType(l *lua.LState) int {
	v := CheckAny(l, 1)
	t := v.Type()
	if t == lua.LTUserData && isCData(v) {
		l.Push(cdataName)
		return 1
	}
	l.Push(typeNames[t])
	return 1
}

var cdataName lua.LValue = lua.LString("cdata")

// typeNames are the results of type, but for cdata.
var typeNames = func() (t [lua.LTChannel + 1]lua.LValue) {
	for i := range t {
		t[i] = lua.LString(lua.LValueType(i).String())
	}
	return t
}()

// Display is tostring(value): the text of __tostring, which must be a string, or the default text.
func (v *VM) Display(l *lua.LState, value lua.LValue) string {
	switch value := value.(type) {
	case lua.LString:
		return string(value)
	case lua.LNumber:
		return FormatNumber(float64(value))
	}
	if mm := l.GetMetaField(value, "__tostring"); mm != lua.LNil {
		l.Push(mm)
		l.Push(value)
		Call(l, 1, 1)
		s, ok := ToString(l.Get(-1))
		if !ok {
			Errorf(l, "'tostring' must return a string to 'print'")
		}
		l.Pop(1)
		return s
	}
	switch value := value.(type) {
	case *lua.LUserData:
		if value == Null {
			return "userdata: NULL"
		}
		if c, ok := value.Value.(CData); ok {
			return fmt.Sprintf("cdata<%s>: %p", c.CType(), value)
		}
	case *lua.LFunction:
		if value.IsG {
			return fmt.Sprintf("function: builtin: %p", value)
		}
	}
	return value.String()
}

func (v *VM) baseToString(l *lua.LState) int {
	value := CheckAny(l, 1)
	if s, ok := value.(lua.LString); ok {
		l.Push(s)
		return 1
	}
	if mm := l.GetMetaField(value, "__tostring"); mm != lua.LNil {
		l.Push(mm)
		l.Push(value)
		Call(l, 1, 1)
		return 1
	}
	l.Push(lua.LString(v.Display(l, value)))
	return 1
}

func baseToNumber(l *lua.LState) int {
	base := OptInt(l, 2, 10)
	if base == 10 {
		if n, ok := ToNumber(CheckAny(l, 1)); ok {
			l.Push(Number(n))
		} else {
			l.Push(lua.LNil)
		}
		return 1
	}
	s := CheckString(l, 1)
	if base < 2 || base > 36 {
		ArgError(l, 2, "base out of range")
	}
	if n, ok := parseBase(s, base); ok {
		l.Push(Number(n))
	} else {
		l.Push(lua.LNil)
	}
	return 1
}

// basePrint writes to standard output; lua/api replaces it with one that logs.
func (v *VM) basePrint(l *lua.LState) int {
	var b []byte
	for i, n := 1, l.GetTop(); i <= n; i++ {
		if i > 1 {
			b = append(b, '\t')
		}
		b = append(b, v.Display(l, l.Get(i))...)
	}
	os.Stdout.Write(append(b, '\n'))
	return 0
}

func (v *VM) baseNext(l *lua.LState) int {
	t := CheckTable(l, 1)
	key := l.Get(2)
	if key == lua.LNil {
		v.traversing(t)
	}
	var val lua.LValue
	k, ok := v.nextKey(t, key, &val)
	if !ok {
		Errorf(l, "invalid key to 'next'")
	}
	l.Push(k)
	if isNil(k) {
		return 1
	}
	l.Push(val)
	return 2
}

func (v *VM) basePairs(l *lua.LState) int {
	value := CheckAny(l, 1)
	if mm := l.GetMetaField(value, "__pairs"); mm != lua.LNil {
		l.Push(mm)
		l.Push(value)
		Call(l, 1, 3)
		return 3
	}
	t := CheckTable(l, 1)
	l.Push(v.nextFn)
	l.Push(t)
	l.Push(lua.LNil)
	return 3
}

func (v *VM) baseIPairs(l *lua.LState) int {
	value := CheckAny(l, 1)
	if mm := l.GetMetaField(value, "__ipairs"); mm != lua.LNil {
		l.Push(mm)
		l.Push(value)
		Call(l, 1, 3)
		return 3
	}
	t := CheckTable(l, 1)
	l.Push(v.ipairsIter)
	l.Push(t)
	l.Push(Number(0))
	return 3
}

func (v *VM) ipairsNext(l *lua.LState) int {
	t := CheckTable(l, 1)
	i := CheckInt(l, 2) + 1
	val := t.RawGetInt(i)
	if val == lua.LNil {
		return 0
	}
	l.Push(Number(i))
	l.Push(val)
	return 2
}

func baseSelect(l *lua.LState) int {
	n := l.GetTop()
	if s, ok := l.Get(1).(lua.LString); ok && len(s) > 0 && s[0] == '#' {
		l.Push(Number(n - 1))
		return 1
	}
	i := CheckInt(l, 1)
	switch {
	case i < 0:
		i = n + i
	case i > n:
		i = n
	}
	if i < 1 {
		ArgError(l, 1, "index out of range")
	}
	return n - i
}

func baseRawGet(l *lua.LState) int {
	t := CheckTable(l, 1)
	l.Push(t.RawGet(CheckAny(l, 2)))
	return 1
}

func (v *VM) baseRawSet(l *lua.LState) int {
	t := CheckTable(l, 1)
	key := CheckAny(l, 2)
	v.rawSet(l, t, key, CheckAny(l, 3))
	l.SetTop(1)
	return 1
}

func baseRawEqual(l *lua.LState) int {
	l.Push(lua.LBool(l.RawEqual(CheckAny(l, 1), CheckAny(l, 2))))
	return 1
}

func baseRawLen(l *lua.LState) int {
	switch v := l.Get(1).(type) {
	case *lua.LTable:
		l.Push(Number(v.Len()))
	case lua.LString:
		l.Push(Number(len(v)))
	default:
		ArgError(l, 1, "table or string expected")
	}
	return 1
}

func baseGetMetatable(l *lua.LState) int {
	l.Push(l.GetMetatable(CheckAny(l, 1)))
	return 1
}

func baseSetMetatable(l *lua.LState) int {
	t := CheckTable(l, 1)
	mt := l.Get(2)
	if _, ok := mt.(*lua.LTable); !ok && (mt != lua.LNil || l.GetTop() < 2) {
		ArgError(l, 2, "nil or table expected")
	}
	if old, ok := t.Metatable.(*lua.LTable); ok && old.RawGetString("__metatable") != lua.LNil {
		Errorf(l, "cannot change a protected metatable")
	}
	t.Metatable = mt
	l.SetTop(1)
	return 1
}

// funcArg is the function a getfenv or setfenv argument means: itself or the one at a level of the stack; nil for
// level 0, the thread.
func funcArg(l *lua.LState, def int) *lua.LFunction {
	if f, ok := l.Get(1).(*lua.LFunction); ok {
		return f
	}
	n := 0
	if l.Get(1) == lua.LNil && def >= 0 {
		n = def
	} else {
		n = CheckInt(l, 1)
	}
	if n == 0 {
		return nil
	}
	if n < 0 {
		ArgError(l, 1, "invalid level")
	}
	f := level(l, n)
	if f == nil {
		ArgError(l, 1, "invalid level")
	}
	return f.Fn
}

func (v *VM) baseGetFEnv(l *lua.LState) int {
	f := funcArg(l, 1)
	switch {
	case f == nil || f.IsG:
		l.Push(l.Env)
	default:
		l.Push(f.Env)
	}
	return 1
}

func (v *VM) baseSetFEnv(l *lua.LState) int {
	env := CheckTable(l, 2)
	f := funcArg(l, -1)
	switch {
	case f == nil:
		l.Env = env
		return 0
	case f.IsG:
		Errorf(l, "'setfenv' cannot change environment of given object")
	}
	f.Env = env
	l.Push(f)
	return 1
}

func (v *VM) baseNewProxy(l *lua.LState) int {
	ud := l.NewUserData()
	switch arg := l.Get(1).(type) {
	case lua.LBool:
		if arg {
			ud.Metatable = NewTable(0, 4)
		}
	case *lua.LUserData:
		ud.Metatable = arg.Metatable
	case *lua.LNilType:
	default:
		ArgError(l, 1, "boolean or proxy expected")
	}
	l.Push(ud)
	return 1
}

// heapBytes is the size of the objects on the Go heap: all VMs and the server itself.
func heapBytes() float64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return float64(s[0].Value.Uint64())
}

func baseCollectGarbage(l *lua.LState) int {
	switch CheckOption(l, 1, "collect", "stop", "restart", "collect", "count", "step", "setpause", "setstepmul", "isrunning") {
	case 2:
		runtime.GC()
		l.Push(Number(0))
	case 3:
		l.Push(Number(heapBytes() / 1024))
	case 4:
		l.Push(lua.LTrue)
	case 5, 6:
		l.Push(Number(200))
	case 7:
		l.Push(lua.LTrue)
	default:
		l.Push(Number(0))
	}
	return 1
}

func baseGCInfo(l *lua.LState) int {
	l.Push(Number(int(heapBytes() / 1024)))
	return 1
}

// maxResults is how many values unpack and string.byte may return (LUAI_MAXCSTACK).
const maxResults = 7997

// tableUnpack is unpack(list, i, j).
func tableUnpack(l *lua.LState) int {
	t := CheckTable(l, 1)
	i := OptInt(l, 2, 1)
	j := 0
	if l.Get(3) == lua.LNil {
		j = length(t)
	} else {
		j = CheckInt(l, 3)
	}
	if i > j {
		return 0
	}
	n := uint(j) - uint(i) + 1
	if n == 0 || n > maxResults {
		Errorf(l, "too many results to unpack")
	}
	for ; ; i++ {
		l.Push(rawGetInt(t, i))
		if i == j {
			return int(n)
		}
	}
}

// rawGetInt is an element of a table by any integer key: gopher-lua's RawGetInt looks at the array part only.
func rawGetInt(t *lua.LTable, i int) lua.LValue {
	if i >= 1 && i < maxArrayIndex {
		return t.RawGetInt(i)
	}
	return t.RawGet(lua.LNumber(i))
}

// parseBase reads an integer in a base other than ten as strtoul does.
func parseBase(s string, base int) (float64, bool) {
	b := trimSpace(s)
	neg := false
	if b != "" && (b[0] == '-' || b[0] == '+') {
		neg = b[0] == '-'
		b = b[1:]
	}
	if base == 16 {
		if len(b) > 2 && b[0] == '0' && b[1]|0x20 == 'x' {
			b = b[2:]
		}
	}
	if b == "" {
		return 0, false
	}
	n := 0.0
	for i := 0; i < len(b); i++ {
		d := digitValue(b[i])
		if d >= base {
			return 0, false
		}
		n = n*float64(base) + float64(d)
	}
	if neg {
		n = -n
	}
	return n, true
}

func digitValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'z':
		return int(c|0x20-'a') + 10
	}
	return 36
}

func trimSpace(s string) string {
	for s != "" && compile.IsSpace(s[0]) {
		s = s[1:]
	}
	for s != "" && compile.IsSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}
