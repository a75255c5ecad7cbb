// Package openssl is the commonly used modules of lua-resty-openssl (https://github.com/fffonion/lua-resty-openssl), and
// the older resty.evp and resty.hmac of lua-resty-jwt, over Go's cryptography. The originals reach OpenSSL through
// LuaJIT's FFI. What Go has no implementation of is refused with an error that says so.
package openssl

import (
	"fmt"
	"slices"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// version is the version of lua-resty-openssl stood for.
const version = "1.6.0"

// library is the modules of a VM. Those that are not asked for are not made.
type library struct {
	classes map[string]*native.Class
}

// maker gives a module its functions, which are the methods of its objects too.
type maker func(b *library, l *lua.LState, c *native.Class)

// modules are the modules by their names.
func modules() map[string]maker {
	return map[string]maker{
		"openssl.digest":        openOSSLDigest,
		"openssl.hmac":          openOSSLHMAC,
		"openssl.rand":          openOSSLRand,
		"resty.evp":             openEVP,
		"resty.hmac":            openRestyHMAC,
		"resty.openssl":         openTop,
		"resty.openssl.bn":      openBN,
		"resty.openssl.cipher":  openCipher,
		"resty.openssl.digest":  openDigest,
		"resty.openssl.err":     openErr,
		"resty.openssl.hmac":    openHMAC,
		"resty.openssl.kdf":     openKDF,
		"resty.openssl.mac":     openMAC,
		"resty.openssl.objects": openObjects,
		"resty.openssl.pkey":    openPKey,
		"resty.openssl.rand":    openRand,
		"resty.openssl.version": openVersion,
		"resty.openssl.x509":    openX509,

		"resty.openssl.x509.altname": openAltName,
		"resty.openssl.x509.chain":   openChain,
		"resty.openssl.x509.csr":     openCSR,
		"resty.openssl.x509.name":    openName,
		"resty.openssl.x509.store":   openStore,
	}
}

// Open offers the modules to require. They win over a copy of the user's, which needs the FFI.
func Open(v *vm.VM) {
	b := &library{classes: map[string]*native.Class{}}
	for name := range modules() {
		v.Preload(name, func(l *lua.LState) int { return native.Return(l, b.class(l, name).Methods) }, true)
	}
}

// class is a module, made when it is first asked for.
func (b *library) class(l *lua.LState, name string) *native.Class {
	c := b.classes[name]
	if c == nil {
		c = new(native.Class)
		b.classes[name] = c
		modules()[name](b, l, c)
	}
	return c
}

// define gives a class its functions.
func define(l *lua.LState, c *native.Class, funcs map[string]lua.LGFunction) {
	c.Init(native.Module(l, version, funcs))
}

// istype tells the objects of a class.
func istype[T any](l *lua.LState) int {
	_, ok := native.Value[T](l.Get(1))
	return native.Return(l, lua.LBool(ok))
}

// constants adds numbers to a table.
func constants(t *lua.LTable, values map[string]int) {
	for name, n := range values {
		t.RawSetString(name, vm.Number(n))
	}
}

// fail returns nil and a message.
func fail(l *lua.LState, format string, args ...any) int {
	return native.Fail(l, fmt.Sprintf(format, args...))
}

// refuse returns false and a message.
func refuse(l *lua.LState, format string, args ...any) int {
	l.Push(lua.LFalse)
	l.Push(lua.LString(fmt.Sprintf(format, args...)))
	return 2
}

// retBytes returns bytes as a string.
func retBytes(l *lua.LState, b []byte) int { return native.Return(l, lua.LString(b)) }

// retTrue returns true.
func retTrue(l *lua.LState) int { return native.Return(l, lua.LTrue) }

// str is a string argument; ok is false for anything but a string or a number.
func str(l *lua.LState, n int) (s string, ok bool) { return vm.ToString(l.Get(n)) }

// optStr is a string argument, "" if there is none.
func optStr(l *lua.LState, n int) string {
	s, _ := vm.ToString(l.Get(n))
	return s
}

// field is a string field of a table, "" if there is none.
func field(t *lua.LTable, name string) string {
	s, _ := vm.ToString(t.RawGetString(name))
	return s
}

// options is a table argument, an empty one if there is none.
func options(l *lua.LState, n int) *lua.LTable {
	if t, ok := l.Get(n).(*lua.LTable); ok {
		return t
	}
	return vm.NewTable(0, 0)
}

// retNames returns a sorted array of names.
func retNames(l *lua.LState, names []string) int {
	slices.Sort(names)
	t := vm.NewTable(len(names), 0)
	for _, name := range names {
		t.Append(lua.LString(name))
	}
	return native.Return(l, t)
}

// parts are the bytes of the arguments from n on.
func parts(l *lua.LState, n int) (list [][]byte, ok bool) {
	for ; n <= l.GetTop(); n++ {
		s, ok := str(l, n)
		if !ok {
			return nil, false
		}
		list = append(list, buf.Bytes(s))
	}
	return list, true
}
