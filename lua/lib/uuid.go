package lib

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"os"
	"strings"
	"time"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// openUUID makes resty.jit-uuid (https://github.com/thibaultcha/lua-resty-jit-uuid). Random ones (RFC 4122, 4.4) are of
// the system's generator: seed seeds math.random only, as programs expect of it.
func openUUID(l *lua.LState) int {
	v4 := l.NewFunction(func(l *lua.LState) int { return native.Return(l, lua.LString(randomUUID())) })
	m := native.Module(l, "0.0.7", map[string]lua.LGFunction{
		"seed":        uuidSeed,
		"is_valid":    func(l *lua.LState) int { _, ok := parseUUID(l.Get(1)); return native.Return(l, lua.LBool(ok)) },
		"factory_v3":  func(l *lua.LState) int { return uuidFactory(l, 3) },
		"factory_v5":  func(l *lua.LState) int { return uuidFactory(l, 5) },
		"generate_v3": func(l *lua.LState) int { return uuidOfName(l, 3) },
		"generate_v5": func(l *lua.LState) int { return uuidOfName(l, 5) },
	})
	m.RawSetString("generate_v4", v4)
	meta := vm.NewTable(0, 2)
	meta.RawSetString("__call", v4)
	meta.RawSetString("__tostring", v4)
	m.Metatable = meta
	return native.Return(l, m)
}

// formatUUID writes the first 16 bytes of b as a UUID of a version.
func formatUUID(b []byte, version byte) string {
	b[6], b[8] = b[6]&0x0f|version<<4, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:16])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

func randomUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // it never fails
	return formatUUID(b, 4)
}

// parseUUID reads a UUID of the variant of RFC 4122.
func parseUUID(v lua.LValue) ([]byte, bool) {
	s, ok := v.(lua.LString)
	if !ok || len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || !strings.ContainsRune("89abAB", rune(s[19])) {
		return nil, false
	}
	b, err := hex.DecodeString(string(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]))
	return b, err == nil
}

// nameUUID is the UUID of a name in a namespace (RFC 4122, 4.3).
func nameUUID(namespace []byte, name string, version byte) string {
	text := append(namespace[:16:16], name...)
	if version == 3 {
		sum := md5.Sum(text)
		return formatUUID(sum[:], version)
	}
	sum := sha1.Sum(text)
	return formatUUID(sum[:], version)
}

const (
	badNamespace = "namespace must be a valid UUID"
	badUUIDName  = "name must be a string"
)

// retNameUUID returns the UUID of the name at argument n.
func retNameUUID(l *lua.LState, n int, namespace []byte, version byte) int {
	name, ok := l.Get(n).(lua.LString)
	if !ok {
		return native.Fail(l, badUUIDName)
	}
	return native.Return(l, lua.LString(nameUUID(namespace, string(name), version)))
}

// uuidFactory is factory_v3(namespace) and factory_v5, which return a function of names.
func uuidFactory(l *lua.LState, version byte) int {
	namespace, ok := parseUUID(l.Get(1))
	if !ok {
		return native.Fail(l, badNamespace)
	}
	return native.Return(l, l.NewFunction(func(l *lua.LState) int { return retNameUUID(l, 1, namespace, version) }))
}

// uuidOfName is generate_v3(namespace, name) and generate_v5.
func uuidOfName(l *lua.LState, version byte) int {
	namespace, ok := parseUUID(l.Get(1))
	if !ok {
		return native.Fail(l, badNamespace)
	}
	return retNameUUID(l, 2, namespace, version)
}

// uuidSeed is seed(number?), which seeds math.random and returns the number.
func uuidSeed(l *lua.LState) int {
	seed := l.Get(1)
	if !lua.LVAsBool(seed) {
		seed = vm.Number(time.Now().Unix() + int64(os.Getpid()))
	}
	if math, ok := l.GetGlobal("math").(*lua.LTable); ok {
		l.Push(math.RawGetString("randomseed"))
		l.Push(seed)
		vm.Call(l, 1, 0)
	}
	return native.Return(l, seed)
}
