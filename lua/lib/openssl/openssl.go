// Package openssl is the commonly used modules of lua-resty-openssl (https://github.com/fffonion/lua-resty-openssl), and
// the older resty.evp and resty.hmac of lua-resty-jwt, over Go's cryptography. The originals reach OpenSSL through
// LuaJIT's FFI. What Go has no implementation of is refused with an error that says so.
package openssl
