package openssl

import (
	"crypto/hmac"
	"crypto/rand"
	"math/big"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// The modules of luaossl (https://25thandclement.com/~william/projects/luaossl.html) that frameworks sign sessions with.
// It is a C library, which cannot be loaded here. Its methods return the object where those of resty.openssl return true.

// luaosslMethods are update(text, …) and final(text, …).
func luaosslMethods(funcs map[string]lua.LGFunction) map[string]lua.LGFunction {
	take := func(l *lua.LState) *digest {
		d := native.Self[*digest](l)
		for n := 2; n <= l.GetTop(); n++ {
			_, _ = d.Write([]byte(vm.CheckString(l, n))) // hashes do not fail
		}
		return d
	}
	funcs["update"] = func(l *lua.LState) int { take(l); return native.Return(l, l.Get(1)) }
	funcs["final"] = func(l *lua.LState) int { return retBytes(l, take(l).Sum(nil)) }
	return funcs
}

// luaosslKind is the algorithm that argument n names, found with by.
func luaosslKind(l *lua.LState, n int, by func(name string) *digestKind) *digestKind {
	name := vm.OptString(l, n, "sha1")
	kind := by(name)
	if kind == nil {
		vm.Errorf(l, "%s: invalid digest type", name)
	}
	return kind
}

// openOSSLDigest makes openssl.digest.
func openOSSLDigest(_ *library, l *lua.LState, c *native.Class) {
	c.Init(native.Module(l, "", luaosslMethods(map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			kind := luaosslKind(l, 1, digestBy)
			return native.Return(l, c.New(&digest{kind, kind.make()}))
		},
	})))
}

// openOSSLHMAC makes openssl.hmac.
func openOSSLHMAC(_ *library, l *lua.LState, c *native.Class) {
	c.Init(native.Module(l, "", luaosslMethods(map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			key, kind := vm.CheckString(l, 1), luaosslKind(l, 2, keyedDigestBy)
			return native.Return(l, c.New(&digest{kind, hmac.New(kind.make, []byte(key))}))
		},
	})))
}

// openOSSLRand makes openssl.rand.
func openOSSLRand(_ *library, l *lua.LState, c *native.Class) {
	c.Init(native.Module(l, "", map[string]lua.LGFunction{
		"ready": retTrue,
		"bytes": func(l *lua.LState) int {
			n := vm.CheckInt(l, 1)
			if n < 0 || n > maxRandom {
				vm.ArgError(l, 1, "length is out of range")
			}
			b := make([]byte, n)
			_, _ = rand.Read(b) // it never fails
			return retBytes(l, b)
		},
		// uniform(n?) is a whole number below n; numbers of Lua hold no more than 53 bits.
		"uniform": func(l *lua.LState) int {
			limit := int64(1) << 53
			if n, ok := vm.ToNumber(l.Get(1)); ok && n >= 1 && n < float64(limit) {
				limit = int64(n)
			}
			n, err := rand.Int(rand.Reader, big.NewInt(limit))
			if err != nil {
				vm.Errorf(l, "%s", err)
			}
			return native.Return(l, vm.Number(n.Int64()))
		},
	}))
}
