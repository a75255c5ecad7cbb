package openssl

import (
	"crypto"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
	"maps"
	"slices"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/blake2s"
	"golang.org/x/crypto/md4"       //lint:ignore SA1019 digests of old protocols
	"golang.org/x/crypto/ripemd160" //lint:ignore SA1019 digests of old protocols

	"moongate/core/buf"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// digestKind is a digest algorithm.
type digestKind struct {
	name string // OpenSSL's short name
	make func() hash.Hash
	id   crypto.Hash // 0 for those that Go signs nothing with
}

// digests are the algorithms by their names in lower case.
var digests = map[string]*digestKind{
	"md4":        {"MD4", md4.New, crypto.MD4},
	"md5":        {"MD5", md5.New, crypto.MD5},
	"md5-sha1":   {"MD5-SHA1", func() hash.Hash { return &pair{md5.New(), sha1.New()} }, crypto.MD5SHA1},
	"sha1":       {"SHA1", sha1.New, crypto.SHA1},
	"sha224":     {"SHA224", sha256.New224, crypto.SHA224},
	"sha256":     {"SHA256", sha256.New, crypto.SHA256},
	"sha384":     {"SHA384", sha512.New384, crypto.SHA384},
	"sha512":     {"SHA512", sha512.New, crypto.SHA512},
	"sha512-224": {"SHA512-224", sha512.New512_224, crypto.SHA512_224},
	"sha512-256": {"SHA512-256", sha512.New512_256, crypto.SHA512_256},
	"sha3-224":   {"SHA3-224", func() hash.Hash { return sha3.New224() }, crypto.SHA3_224},
	"sha3-256":   {"SHA3-256", func() hash.Hash { return sha3.New256() }, crypto.SHA3_256},
	"sha3-384":   {"SHA3-384", func() hash.Hash { return sha3.New384() }, crypto.SHA3_384},
	"sha3-512":   {"SHA3-512", func() hash.Hash { return sha3.New512() }, crypto.SHA3_512},
	"ripemd160":  {"RIPEMD160", ripemd160.New, crypto.RIPEMD160},
	"blake2b512": {"BLAKE2b512", func() hash.Hash { h, _ := blake2b.New512(nil); return h }, crypto.BLAKE2b_512}, // no key: no error
	"blake2s256": {"BLAKE2s256", func() hash.Hash { h, _ := blake2s.New256(nil); return h }, crypto.BLAKE2s_256},
	"null":       {"UNDEF", func() hash.Hash { return none{} }, 0},
}

// digestAliases are other names of them.
var digestAliases = map[string]string{
	"sha-1": "sha1", "sha-224": "sha224", "sha2-224": "sha224", "sha-256": "sha256", "sha2-256": "sha256", "sha-384": "sha384",
	"sha2-384": "sha384", "sha-512": "sha512", "sha2-512": "sha512", "sha512/224": "sha512-224", "sha-512/224": "sha512-224",
	"sha512/256": "sha512-256", "sha-512/256": "sha512-256", "rmd160": "ripemd160", "ripemd": "ripemd160",
	"blake2b-512": "blake2b512", "blake2s-256": "blake2s256", "ssl3-md5": "md5", "ssl3-sha1": "sha1",
}

// digestBy finds an algorithm by its name in any case, nil if there is none.
func digestBy(name string) *digestKind {
	name = strings.TrimPrefix(strings.ToLower(name), "rsa-")
	if alias, ok := digestAliases[name]; ok {
		name = alias
	}
	return digests[name]
}

// keyedDigestBy is digestBy without the empty one, of which no key or MAC can be made.
func keyedDigestBy(name string) *digestKind {
	if kind := digestBy(name); kind != nil && kind.make().Size() > 0 {
		return kind
	}
	return nil
}

// digestNames are the algorithms that can be listed.
func digestNames() []string {
	names := make([]string, 0, len(digests))
	for kind := range maps.Values(digests) {
		names = append(names, kind.name)
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "UNDEF" })
}

// pair is the digest of TLS before 1.2: that of MD5 before that of SHA-1.
type pair struct{ first, second hash.Hash }

func (p *pair) Write(b []byte) (int, error) {
	_, _ = p.first.Write(b) // hashes do not fail
	return p.second.Write(b)
}
func (p *pair) Sum(b []byte) []byte { return p.second.Sum(p.first.Sum(b)) }
func (p *pair) Reset()              { p.first.Reset(); p.second.Reset() }
func (p *pair) Size() int           { return p.first.Size() + p.second.Size() }
func (p *pair) BlockSize() int      { return p.first.BlockSize() }

// none is the digest that is empty.
type none struct{}

func (none) Write(b []byte) (int, error) { return len(b), nil }
func (none) Sum(b []byte) []byte         { return b }
func (none) Reset()                      {}
func (none) Size() int                   { return 0 }
func (none) BlockSize() int              { return 1 }

// digest is an object of resty.openssl.digest, .hmac or .mac.
type digest struct {
	kind *digestKind
	hash.Hash
}

// The objects of these modules differ in nothing but what is hashed before the rest.
type (
	hmacObject struct{ digest }
	macObject  struct{ digest }
)

// openDigest makes resty.openssl.digest.
func openDigest(_ *library, l *lua.LState, c *native.Class) {
	funcs := hashMethods[*digest]("digest")
	funcs["new"] = func(l *lua.LState) int {
		name := "sha1"
		if l.Get(1) != lua.LNil {
			name = optStr(l, 1)
		}
		kind := digestBy(name)
		if kind == nil {
			return fail(l, "digest.new: invalid digest type %q: unsupported", name)
		}
		return native.Return(l, c.New(&digest{kind, kind.make()}))
	}
	define(l, c, funcs)
}

// openHMAC makes resty.openssl.hmac.
func openHMAC(_ *library, l *lua.LState, c *native.Class) {
	funcs := hashMethods[*hmacObject]("hmac")
	funcs["new"] = func(l *lua.LState) int {
		key, name := vm.CheckString(l, 1), vm.OptString(l, 2, "sha1")
		kind := keyedDigestBy(name)
		if kind == nil {
			return fail(l, "hmac.new: invalid digest type %q: unsupported", name)
		}
		return native.Return(l, c.New(&hmacObject{digest{kind, hmac.New(kind.make, []byte(key))}}))
	}
	define(l, c, funcs)
}

// openMAC makes resty.openssl.mac. Of the algorithms there is HMAC.
func openMAC(_ *library, l *lua.LState, c *native.Class) {
	funcs := hashMethods[*macObject]("mac")
	funcs["new"] = func(l *lua.LState) int {
		key, name := vm.CheckString(l, 1), vm.CheckString(l, 2)
		if !strings.EqualFold(name, "hmac") {
			return fail(l, "mac.new: invalid mac type %q: unsupported", name)
		}
		kind := keyedDigestBy(optStr(l, 4))
		if kind == nil {
			return fail(l, "mac.new: invalid cipher or digest type: unsupported")
		}
		return native.Return(l, c.New(&macObject{digest{kind, hmac.New(kind.make, []byte(key))}}))
	}
	funcs["set_params"] = func(l *lua.LState) int {
		m, t := native.Self[*macObject](l), options(l, 2)
		if name := field(t, "digest"); name != "" {
			kind := keyedDigestBy(name)
			if kind == nil {
				return refuse(l, "mac:set_params: invalid digest type %q", name)
			}
			m.kind = kind
		}
		if key, ok := vm.ToString(t.RawGetString("key")); ok {
			m.Hash = hmac.New(m.kind.make, []byte(key))
		}
		return retTrue(l)
	}
	funcs["get_param"] = func(l *lua.LState) int {
		m := native.Self[*macObject](l)
		switch name := optStr(l, 2); name {
		case "size":
			return native.Return(l, vm.Number(m.Size()))
		case "block-size":
			return native.Return(l, vm.Number(m.BlockSize()))
		default:
			return fail(l, "mac:get_param: unknown key %q", name)
		}
	}
	define(l, c, funcs)
}

// hashMethods are what objects that take in bytes and give a sum have in common.
func hashMethods[T hash.Hash](name string) map[string]lua.LGFunction {
	return map[string]lua.LGFunction{
		"istype": istype[T],
		"update": func(l *lua.LState) int {
			h := native.Self[T](l)
			list, ok := parts(l, 2)
			if !ok {
				return refuse(l, "%s:update: expect a string", name)
			}
			for _, b := range list {
				_, _ = h.Write(b) // hashes do not fail
			}
			return retTrue(l)
		},
		"final": func(l *lua.LState) int {
			h := native.Self[T](l)
			if s, ok := str(l, 2); ok {
				_, _ = h.Write(buf.Bytes(s))
			}
			return retBytes(l, h.Sum(nil))
		},
		"reset": func(l *lua.LState) int {
			native.Self[T](l).Reset()
			return retTrue(l)
		},
		"get_provider_name": providerName,
	}
}

// providerName is get_provider_name(), the same for all objects.
func providerName(l *lua.LState) int { return native.Return(l, lua.LString("default")) }
