package openssl

import (
	"crypto/rand"
	"fmt"
	"runtime"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// The version of OpenSSL stood for, whose behaviour is followed where versions differ.
const (
	opensslNumber = 0x30000020
	opensslText   = "OpenSSL 3.0.2 (Moongate: Go's cryptography)"
)

// openVersion makes resty.openssl.version.
func openVersion(_ *library, l *lua.LState, c *native.Class) {
	define(l, c, map[string]lua.LGFunction{
		"version": func(l *lua.LState) int {
			text := opensslText
			if vm.OptInt(l, 1, 0) != 0 {
				text = "compiler: " + runtime.Version()
			}
			return native.Return(l, lua.LString(text))
		},
		"info": func(l *lua.LState) int { return native.Return(l, lua.LString("")) },
	})
	t := c.Methods
	constants(t, map[string]int{
		"version_num": opensslNumber, "VERSION": 0, "CFLAGS": 1, "BUILT_ON": 2, "PLATFORM": 3, "DIR": 4, "ENGINES_DIR": 5,
		"INFO_CONFIG_DIR": 1001, "INFO_ENGINES_DIR": 1002, "INFO_MODULES_DIR": 1003, "INFO_DSO_EXTENSION": 1004,
		"INFO_DIR_FILENAME_SEPARATOR": 1005, "INFO_LIST_SEPARATOR": 1006, "INFO_SEED_SOURCE": 1007, "INFO_CPU_SETTINGS": 1008,
	})
	t.RawSetString("version_text", lua.LString(opensslText))
	for name, is := range map[string]bool{"OPENSSL_30": true, "OPENSSL_3X": true, "OPENSSL_3_UP": true, "OPENSSL_4X": false,
		"OPENSSL_111": false, "OPENSSL_11": false, "OPENSSL_111_OR_LATER": true, "OPENSSL_10": false, "BORINGSSL": false,
		"BORINGSSL_110": false} {
		t.RawSetString(name, lua.LBool(is))
	}
}

// maxRandom bounds rand.bytes, in bytes.
const maxRandom = 16 << 20

// openRand makes resty.openssl.rand.
func openRand(_ *library, l *lua.LState, c *native.Class) {
	define(l, c, map[string]lua.LGFunction{
		"bytes": func(l *lua.LState) int {
			n, ok := l.Get(1).(lua.LNumber)
			if !ok {
				return fail(l, "rand.bytes: expect a number at #1")
			}
			if !(n >= 0 && n <= maxRandom) { // NaN is not
				return fail(l, "rand.bytes: length is out of range")
			}
			b := make([]byte, int(n))
			_, _ = rand.Read(b) // it never fails
			return retBytes(l, b)
		},
	})
}

// openErr makes resty.openssl.err. There is no queue of errors: what fails says why.
func openErr(_ *library, l *lua.LState, c *native.Class) {
	format := func(l *lua.LState) int {
		msg := fmt.Sprintf("%s failed", optStr(l, 1))
		return native.Return(l, lua.LString(msg))
	}
	define(l, c, map[string]lua.LGFunction{
		"format_error": format, "format_all_error": format, "format_all_errors": format,
		"get_last_error_code":     func(l *lua.LState) int { return native.Return(l, vm.Number(0)) },
		"get_lib_error_string":    func(l *lua.LState) int { return native.Return(l, lua.LString("unknown library")) },
		"get_reason_error_string": func(l *lua.LState) int { return native.Return(l, lua.LString("")) },
	})
}

// openTop makes resty.openssl.
func openTop(b *library, l *lua.LState, c *native.Class) {
	loadModules := func(l *lua.LState) int {
		for _, name := range []string{"bn", "cipher", "digest", "hmac", "kdf", "mac", "objects", "pkey", "rand", "version"} {
			c.Methods.RawSetString(name, b.class(l, "resty.openssl."+name).Methods)
		}
		return 0
	}
	define(l, c, map[string]lua.LGFunction{
		"load_modules":           loadModules,
		"load_library":           func(l *lua.LState) int { return native.Return(l, lua.LString("system")) },
		"get_fips_mode":          func(l *lua.LState) int { return native.Return(l, lua.LFalse) },
		"set_fips_mode":          setFIPS,
		"list_cipher_algorithms": func(l *lua.LState) int { return retNames(l, cipherNames()) },
		"list_digest_algorithms": func(l *lua.LState) int { return retNames(l, digestNames()) },
		"list_mac_algorithms":    func(l *lua.LState) int { return retNames(l, []string{"HMAC"}) },
		"list_kdf_algorithms":    func(l *lua.LState) int { return retNames(l, kdfNames()) },
		"resty_hmac_compat":      func(*lua.LState) int { return 0 },
		"get_fips_version_text":  func(l *lua.LState) int { return fail(l, "openssl.get_fips_version_text: no FIPS provider") },
	})
}

// setFIPS is openssl.set_fips_mode(enabled).
func setFIPS(l *lua.LState) int {
	if lua.LVAsBool(l.Get(1)) {
		return refuse(l, "openssl.set_fips_mode: no FIPS provider")
	}
	return retTrue(l)
}
