package lib

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// hashes are the digests by the names of their modules.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
}

// openDigest makes resty.md5 and its kind: new() gives an object with update(data, length?), final() and reset().
func openDigest(name string) lua.LGFunction {
	return func(l *lua.LState) int {
		var class native.Class
		class.Init(native.Module(l, restyVersion, map[string]lua.LGFunction{
			"new": func(l *lua.LState) int {
				return native.Return(l, class.New(hashes[name]()))
			},
			"update": func(l *lua.LState) int {
				h, data := native.Self[hash.Hash](l), vm.CheckString(l, 2)
				if l.Get(3) != lua.LNil {
					data = data[:max(0, min(vm.CheckInt(l, 3), len(data)))]
				}
				_, _ = h.Write(buf.Bytes(data)) // hashes do not fail
				l.Push(lua.LTrue)
				return 1
			},
			"final": func(l *lua.LState) int {
				l.Push(lua.LString(native.Self[hash.Hash](l).Sum(nil)))
				return 1
			},
			"reset": func(l *lua.LState) int {
				native.Self[hash.Hash](l).Reset()
				l.Push(lua.LTrue)
				return 1
			},
		}))
		return native.Return(l, class.Methods)
	}
}

// openString makes resty.string.
func openString(l *lua.LState) int {
	l.Push(native.Module(l, restyVersion, map[string]lua.LGFunction{
		"to_hex": func(l *lua.LState) int {
			l.Push(lua.LString(hex.EncodeToString(buf.Bytes(vm.CheckString(l, 1)))))
			return 1
		},
		"atoi": func(l *lua.LState) int {
			l.Push(vm.Number(atoi(vm.CheckString(l, 1))))
			return 1
		},
	}))
	return 1
}

// atoi is C's: the number that a string begins with.
func atoi(s string) int32 {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || end == 0 && (s[end] == '-' || s[end] == '+')) {
		end++
	}
	n, _ := strconv.ParseInt(strings.TrimPrefix(s[:end], "+"), 10, 64) // out of range it is the greatest or least one
	return int32(n)
}

// maxRandom bounds resty.random.bytes, in bytes.
const maxRandom = 16 << 20

// openRandom makes resty.random.
func openRandom(l *lua.LState) int {
	l.Push(native.Module(l, restyVersion, map[string]lua.LGFunction{
		"bytes": func(l *lua.LState) int {
			n := vm.CheckInt(l, 1)
			if n < 0 || n > maxRandom {
				l.Push(lua.LNil)
				return 1
			}
			b := make([]byte, n)
			_, _ = rand.Read(b) // it never fails
			l.Push(lua.LString(b))
			return 1
		},
	}))
	return 1
}

// openBase64 makes ngx.base64.
func openBase64(l *lua.LState) int {
	l.Push(native.Module(l, "0.1.32", map[string]lua.LGFunction{
		"encode_base64url": func(l *lua.LState) int {
			s, ok := l.Get(1).(lua.LString)
			if !ok {
				return native.Fail(l, "must provide a string")
			}
			l.Push(lua.LString(base64.RawURLEncoding.EncodeToString(buf.Bytes(string(s)))))
			return 1
		},
		"decode_base64url": func(l *lua.LState) int {
			s, ok := l.Get(1).(lua.LString)
			if !ok {
				return native.Fail(l, "must provide a string")
			}
			b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(string(s), "="))
			if err != nil || strings.ContainsAny(string(s), "\r\n") {
				return native.Fail(l, "invalid input")
			}
			l.Push(lua.LString(b))
			return 1
		},
	}))
	return 1
}
