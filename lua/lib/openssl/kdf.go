package openssl

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/pbkdf2"
	"errors"
	"fmt"
	"hash"
	"strings"

	lua "github.com/yuin/gopher-lua"
	"golang.org/x/crypto/scrypt"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// kdfKind is a key derivation function: it makes a key of so many bytes of its parameters.
type kdfKind func(p *kdfParams, size int) ([]byte, error)

// kdfParams are the parameters of all of them.
type kdfParams struct {
	digest             string
	pass, salt         string
	key, info          string
	seed, secret       string
	mode               int
	iter, n, r, p, max int
}

// The modes of HKDF. The original's constants have the letters like this.
const (
	hkdfBoth = iota
	hkdfExtract
	hkdfExpand
)

// hkdfModes are the texts for them.
var hkdfModes = map[string]int{"EXTRACT_AND_EXPAND": hkdfBoth, "EXTRACT_ONLY": hkdfExtract, "EXPAND_ONLY": hkdfExpand}

// The NIDs of OpenSSL that kdf.derive knows the functions by.
const (
	nidPBKDF2  = 69
	nidScrypt  = 973
	nidTLS1PRF = 1021
	nidHKDF    = 1036
)

// kdfs are the functions by their names in upper case.
var kdfs = map[string]kdfKind{
	"PBKDF2": derivePBKDF2, "HKDF": deriveHKDF, "TLS1-PRF": deriveTLS1, "SCRYPT": deriveScrypt,
}

func kdfNames() []string { return []string{"HKDF", "PBKDF2", "SCRYPT", "TLS1-PRF"} }

// maxDerived bounds a derived key, in bytes.
const maxDerived = 1 << 20

// hash is the digest of the parameters.
func (p *kdfParams) hash() (func() hash.Hash, error) {
	kind := keyedDigestBy(p.digest)
	if kind == nil {
		return nil, fmt.Errorf("invalid digest type %q", p.digest)
	}
	return kind.make, nil
}

func derivePBKDF2(p *kdfParams, size int) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	if p.iter < 1 {
		return nil, errors.New("invalid iteration count")
	}
	return pbkdf2.Key(h, p.pass, []byte(p.salt), p.iter, size)
}

func deriveHKDF(p *kdfParams, size int) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	switch p.mode {
	case hkdfBoth:
		return hkdf.Key(h, []byte(p.key), []byte(p.salt), p.info, size)
	case hkdfExtract:
		return hkdf.Extract(h, []byte(p.key), []byte(p.salt))
	case hkdfExpand:
		return hkdf.Expand(h, []byte(p.key), p.info, size)
	}
	return nil, fmt.Errorf("unknown mode %d", p.mode)
}

// maxScrypt is the memory that scrypt may take if nothing else is said, in bytes.
const maxScrypt = 32 << 20

func deriveScrypt(p *kdfParams, size int) ([]byte, error) {
	limit := p.max
	if limit <= 0 {
		limit = maxScrypt
	}
	if p.n < 2 || p.r < 1 || p.p < 1 || p.n > limit/128/p.r || p.p > limit/128/p.r {
		return nil, errors.New("memory limit exceeded")
	}
	return scrypt.Key([]byte(p.pass), []byte(p.salt), p.n, p.r, p.p, size)
}

// deriveTLS1 is the pseudo-random function of TLS: that of 1.2 (RFC 5246, 5), and for the digest MD5-SHA1 the exclusive or
// of two (RFC 2246, 5).
func deriveTLS1(p *kdfParams, size int) ([]byte, error) {
	h, err := p.hash()
	if err != nil {
		return nil, err
	}
	if _, ok := h().(*pair); ok {
		half := (len(p.secret) + 1) / 2
		out := expandTLS(digests["md5"].make, p.secret[:half], p.seed, size)
		for i, b := range expandTLS(digests["sha1"].make, p.secret[len(p.secret)-half:], p.seed, size) {
			out[i] ^= b
		}
		return out, nil
	}
	return expandTLS(h, p.secret, p.seed, size), nil
}

func expandTLS(newHash func() hash.Hash, secret, seed string, size int) []byte {
	m := hmac.New(newHash, []byte(secret))
	sum := func(parts ...[]byte) []byte {
		m.Reset()
		for _, b := range parts {
			m.Write(b)
		}
		return m.Sum(nil)
	}
	var out []byte
	for a := sum([]byte(seed)); len(out) < size; a = sum(a) {
		out = append(out, sum(a, []byte(seed))...)
	}
	return out[:size]
}

// kdfObject is an object of resty.openssl.kdf.
type kdfObject struct {
	kind   kdfKind
	params kdfParams
}

// openKDF makes resty.openssl.kdf.
func openKDF(_ *library, l *lua.LState, c *native.Class) {
	define(l, c, map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			name := optStr(l, 1)
			kind := kdfs[strings.ToUpper(name)]
			if kind == nil {
				return fail(l, "mac.new: invalid mac type %q: unsupported", name)
			}
			return native.Return(l, c.New(&kdfObject{kind, kdfParams{digest: "sha1", iter: 1}}))
		},
		"istype":            istype[*kdfObject],
		"derive":            kdfDerive,
		"derive_legacy":     kdfDeriveTable,
		"get_provider_name": providerName,
		"reset": func(l *lua.LState) int {
			native.Self[*kdfObject](l).params = kdfParams{digest: "sha1", iter: 1}
			return retTrue(l)
		},
		"set_params": func(l *lua.LState) int {
			if err := native.Self[*kdfObject](l).params.set(options(l, 2)); err != nil {
				return refuse(l, "kdf:set_params: %s", err)
			}
			return retTrue(l)
		},
	})
	constants(c.Methods, map[string]int{
		"PBKDF2": nidPBKDF2, "SCRYPT": nidScrypt, "TLS1_PRF": nidTLS1PRF, "HKDF": nidHKDF,
		"HKDEF_MODE_EXTRACT_AND_EXPAND": hkdfBoth, "HKDEF_MODE_EXTRACT_ONLY": hkdfExtract, "HKDEF_MODE_EXPAND_ONLY": hkdfExpand,
		"HKDF_MODE_EXTRACT_AND_EXPAND": hkdfBoth, "HKDF_MODE_EXTRACT_ONLY": hkdfExtract, "HKDF_MODE_EXPAND_ONLY": hkdfExpand,
	})
}

// set takes parameters of a table over, by OpenSSL's names.
func (p *kdfParams) set(t *lua.LTable) error {
	texts := map[string]*string{"digest": &p.digest, "pass": &p.pass, "salt": &p.salt, "key": &p.key, "info": &p.info,
		"seed": &p.seed, "secret": &p.secret}
	numbers := map[string]*int{"iter": &p.iter, "n": &p.n, "r": &p.r, "p": &p.p, "maxmem_bytes": &p.max}
	for k, v := range vm.Pairs(t) {
		name, _ := vm.ToString(k)
		n, _ := vm.ToNumber(v)
		s, ok := vm.ToString(v)
		if !ok {
			return fmt.Errorf("%q has to be a string or a number", name)
		}
		switch {
		case texts[name] != nil:
			*texts[name] = s
		case numbers[name] != nil:
			*numbers[name] = vm.ToInt(n)
		case name == "mode" && v.Type() == lua.LTString:
			mode, known := hkdfModes[s]
			if !known {
				return fmt.Errorf("unknown mode %q", s)
			}
			p.mode = mode
		case name == "mode":
			p.mode = vm.ToInt(n)
		case name == "properties", name == "pkcs5": // there is one provider, and it checks nothing
		default:
			return fmt.Errorf("unknown key %q", name)
		}
	}
	return nil
}

// kdfDerive is object:derive(size, {parameter = …}), and the module's function derive({type = …}).
func kdfDerive(l *lua.LState) int {
	o, ok := native.Value[*kdfObject](l.Get(1))
	if !ok {
		return kdfDeriveTable(l)
	}
	p := o.params
	if err := p.set(options(l, 3)); err != nil {
		return fail(l, "kdf:derive: %s", err)
	}
	return o.kind.ret(l, "kdf:derive", &p, vm.OptInt(l, 2, 0))
}

// ret derives a key and returns it.
func (k kdfKind) ret(l *lua.LState, what string, p *kdfParams, size int) int {
	if size < 0 || size > maxDerived {
		return fail(l, "%s: length is out of range", what)
	}
	key, err := k(p, size)
	if err != nil {
		return fail(l, "%s: %s", what, err)
	}
	return retBytes(l, key)
}

// kdfDeriveTable is derive({type = …, outlen = …, …}).
func kdfDeriveTable(l *lua.LState) int {
	t := vm.CheckTable(l, 1)
	id, size := t.RawGetString("type"), 0
	switch n, isNumber := id.(lua.LNumber); {
	case id == lua.LNil:
		return fail(l, `kdf.derive: "type" must be set`)
	case !isNumber:
		return fail(l, `kdf.derive: expect a number as "type"`)
	default:
		length, ok := t.RawGetString("outlen").(lua.LNumber)
		if !ok && !(n == nidHKDF && field(t, "hkdf_mode") == "1") {
			return fail(l, `kdf.derive: "outlen" must be set`)
		}
		size = vm.ToInt(float64(length))
	}
	for _, name := range []string{"pass", "salt", "md", "hkdf_key", "hkdf_info", "tls1_prf_secret", "tls1_prf_seed"} {
		if v := t.RawGetString(name); v != lua.LNil && v.Type() != lua.LTString {
			return fail(l, `kdf.derive: except a string as "%s"`, name)
		}
	}
	number := func(name string) int {
		n, _ := vm.ToNumber(t.RawGetString(name))
		return vm.ToInt(n)
	}
	p := kdfParams{digest: "sha1", pass: field(t, "pass"), salt: field(t, "salt"), key: field(t, "hkdf_key"),
		info: field(t, "hkdf_info"), secret: field(t, "tls1_prf_secret"), seed: field(t, "tls1_prf_seed"),
		mode: number("hkdf_mode"), iter: number("pbkdf2_iter"), n: number("scrypt_N"), r: number("scrypt_r"),
		p: number("scrypt_p"), max: number("scrypt_maxmem")}
	if t.RawGetString("pbkdf2_iter") == lua.LNil {
		p.iter = 1
	}
	if md := field(t, "md"); md != "" {
		p.digest = md
	}
	n, _ := vm.ToNumber(id)
	name := map[int]string{nidPBKDF2: "PBKDF2", nidScrypt: "SCRYPT", nidTLS1PRF: "TLS1-PRF", nidHKDF: "HKDF"}[int(n)]
	if name == "" {
		return fail(l, "kdf.derive: unknown type %s", id)
	}
	return kdfs[name].ret(l, "kdf.derive", &p, size)
}
