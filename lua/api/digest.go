package api

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"hash/crc32"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/vm"
)

var digestFuncs = []Func{
	{"md5", anywhere, func(_ *Ctx, l *lua.LState) int {
		sum := md5.Sum(buf.Bytes(text(l)))
		return retString(l, hex.EncodeToString(sum[:]))
	}},
	{"md5_bin", anywhere, func(_ *Ctx, l *lua.LState) int {
		sum := md5.Sum(buf.Bytes(text(l)))
		return retString(l, string(sum[:]))
	}},
	{"sha1_bin", anywhere, func(_ *Ctx, l *lua.LState) int {
		sum := sha1.Sum(buf.Bytes(text(l)))
		return retString(l, string(sum[:]))
	}},
	{"hmac_sha1", anywhere, ngxHMACSHA1},
	{"crc32_short", anywhere, ngxCRC32},
	{"crc32_long", anywhere, ngxCRC32},
}

// ngxHMACSHA1 is ngx.hmac_sha1(key, text).
func ngxHMACSHA1(_ *Ctx, l *lua.LState) int {
	if n := l.GetTop(); n != 2 {
		vm.Errorf(l, "expecting 2 arguments, but got %d", n)
	}
	m := hmac.New(sha1.New, buf.Bytes(vm.CheckString(l, 1)))
	m.Write(buf.Bytes(vm.CheckString(l, 2)))
	return retString(l, string(m.Sum(nil)))
}

// ngxCRC32 is ngx.crc32_short and ngx.crc32_long, which differ in speed only.
func ngxCRC32(_ *Ctx, l *lua.LState) int {
	return ret(l, vm.Number(crc32.ChecksumIEEE(buf.Bytes(text(l)))))
}
