package lib

import (
	"crypto/aes"
	"crypto/cipher"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/lib/openssl"
	"moongate/lua/vm"
)

// aesCipher is an object of resty.aes.
type aesCipher struct {
	block   cipher.Block
	mode    string
	iv      []byte
	padding bool
}

// aesModes are the modes of operation.
var aesModes = map[string]bool{
	"ecb": true, "cbc": true, "cfb1": true, "cfb8": true, "cfb128": true, "ofb": true, "ctr": true, "gcm": true,
}

// openAES makes resty.aes.
func openAES(l *lua.LState) int {
	var class native.Class
	class.Init(native.Module(l, restyVersion, map[string]lua.LGFunction{
		"cipher": func(l *lua.LState) int {
			size, mode := vm.OptInt(l, 1, 128), vm.OptString(l, 2, "cbc")
			if size != 128 && size != 192 && size != 256 || !aesModes[mode] {
				l.Push(lua.LNil)
				return 1
			}
			t := vm.NewTable(0, 4)
			t.RawSetString("size", lua.LNumber(size))
			t.RawSetString("cipher", lua.LString(mode))
			t.RawSetString("method", lua.LString("aes-"+mode))
			l.Push(t)
			return 1
		},
		"new":     func(l *lua.LState) int { return newAES(l, &class) },
		"encrypt": aesEncrypt,
		"decrypt": aesDecrypt,
	}))
	h := vm.NewTable(0, 4)
	for name := range hashes {
		h.RawSetString(name, lua.LString(name))
	}
	class.Methods.RawSetString("hash", h)
	return native.Return(l, class.Methods)
}

// gcmMaxIV is the longest initialisation vector of OpenSSL's GCM.
const gcmMaxIV = 128

// newAES is aes:new(key, salt?, cipher?, hash?, rounds?, iv length?, padding?). The length is that of GCM's vector, of
// which no more than 12 bytes are derived: the rest is zero.
func newAES(l *lua.LState, class *native.Class) int {
	key := vm.CheckString(l, 2)
	size, mode := 128, "cbc"
	if t, ok := l.Get(4).(*lua.LTable); ok {
		n, _ := vm.ToNumber(t.RawGetString("size"))
		size, mode = int(n), t.RawGetString("cipher").String()
	}
	c := &aesCipher{mode: mode, padding: l.Get(8) == lua.LNil || lua.LVAsBool(l.Get(8))}
	ivLen := vm.OptInt(l, 7, size/8)
	if t, ok := l.Get(5).(*lua.LTable); ok {
		iv, reason := "", ""
		if key, iv, reason = rawKey(l, t, key, size/8); reason != "" {
			return native.Fail(l, reason)
		}
		c.iv, ivLen = []byte(iv), len(iv)
	} else {
		salt := vm.OptString(l, 3, "")
		newHash := hashes[vm.OptString(l, 5, "md5")]
		switch {
		case l.Get(3) != lua.LNil && len(salt) != 8:
			return native.Fail(l, "salt must be 8 characters or nil")
		case newHash == nil:
			return native.Fail(l, "bad hash")
		}
		derived := aes.BlockSize
		if mode == "gcm" {
			derived = 12
		}
		key, c.iv = openssl.BytesToKey(newHash, key, salt, vm.OptInt(l, 6, 1), size/8, derived)
	}
	if mode != "gcm" {
		ivLen = aes.BlockSize
	} else if ivLen <= 0 || ivLen > gcmMaxIV {
		return native.Fail(l, "failed to set IV length")
	}
	c.iv = append(c.iv, make([]byte, ivLen)...)[:ivLen]
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return native.Fail(l, "bad key length")
	}
	c.block = block
	return native.Return(l, class.New(c))
}

// rawKey takes key and initialisation vector as the table says: {iv = …, method = function?}. Both have size bytes, the
// vector at most.
func rawKey(l *lua.LState, t *lua.LTable, key string, size int) (raw, iv, reason string) {
	iv, ok := vm.ToString(t.RawGetString("iv"))
	switch {
	case !ok:
		return "", "", "iv is needed"
	case len(iv) > size:
		return "", "", "bad iv length"
	}
	if f, ok := t.RawGetString("method").(*lua.LFunction); ok {
		l.Push(f)
		l.Push(lua.LString(key))
		vm.Call(l, 1, 1)
		key, _ = vm.ToString(l.Get(-1))
		l.Pop(1)
	}
	if len(key) != size {
		return "", "", "bad key length"
	}
	return key, iv, ""
}

// inBlocks tells the modes that work on whole blocks.
func (c *aesCipher) inBlocks() bool { return c.mode == "ecb" || c.mode == "cbc" }

// cipherOf is the object of a method call.
func cipherOf(l *lua.LState) *aesCipher {
	if v := l.Get(1); v.Type() != lua.LTTable {
		vm.Errorf(l, "bad argument #1 self: table expected, got %s", v.Type())
	}
	return native.Self[*aesCipher](l)
}

// gcm is the cipher of the mode gcm. Its vector has a length that was checked.
func (c *aesCipher) gcm(l *lua.LState) cipher.AEAD {
	g, err := cipher.NewGCMWithNonceSize(c.block, len(c.iv))
	if err != nil {
		vm.Errorf(l, "%s", err)
	}
	return g
}

// aesEncrypt is object:encrypt(text, additional data?); in the mode gcm the result is a table of text and tag.
func aesEncrypt(l *lua.LState) int {
	c, b := cipherOf(l), []byte(vm.CheckString(l, 2))
	if c.mode == "gcm" {
		sealed := c.gcm(l).Seal(nil, c.iv, b, []byte(vm.OptString(l, 3, "")))
		t := vm.NewTable(0, 4)
		t.Append(lua.LString(sealed[:len(b)]))
		t.Append(lua.LString(sealed[len(b):]))
		l.Push(t)
		return 1
	}
	if c.inBlocks() && c.padding {
		b = openssl.Pad(b, aes.BlockSize)
	}
	if !c.crypt(b, true) {
		return native.Fail(l, "EVP_EncryptFinal_ex failed")
	}
	l.Push(lua.LString(b))
	return 1
}

// aesDecrypt is object:decrypt(text, tag?, additional data?).
func aesDecrypt(l *lua.LState) int {
	c, b := cipherOf(l), []byte(vm.CheckString(l, 2))
	if c.mode == "gcm" {
		tag := vm.OptString(l, 3, "")
		plain, err := c.gcm(l).Open(nil, c.iv, append(b, tag[:min(len(tag), aes.BlockSize)]...), []byte(vm.OptString(l, 4, "")))
		if err != nil || len(tag) < aes.BlockSize {
			return native.Fail(l, "EVP_DecryptFinal_ex failed")
		}
		l.Push(lua.LString(plain))
		return 1
	}
	ok := c.crypt(b, false)
	if ok && c.inBlocks() && c.padding {
		b, ok = openssl.Unpad(b, aes.BlockSize)
	}
	if !ok {
		return native.Fail(l, "EVP_DecryptFinal_ex failed")
	}
	l.Push(lua.LString(b))
	return 1
}

// crypt encrypts or decrypts in place; false for a length that does not fit.
func (c *aesCipher) crypt(b []byte, encrypt bool) bool {
	if c.inBlocks() && len(b)%aes.BlockSize != 0 {
		return false
	}
	switch {
	case c.mode == "ecb":
		for p := b; len(p) > 0; p = p[aes.BlockSize:] {
			if encrypt {
				c.block.Encrypt(p, p)
			} else {
				c.block.Decrypt(p, p)
			}
		}
	case c.mode == "cbc" && encrypt:
		cipher.NewCBCEncrypter(c.block, c.iv).CryptBlocks(b, b)
	case c.mode == "cbc":
		cipher.NewCBCDecrypter(c.block, c.iv).CryptBlocks(b, b)
	case c.mode == "ctr":
		cipher.NewCTR(c.block, c.iv).XORKeyStream(b, b)
	case c.mode == "ofb":
		openssl.NewOFB(c.block, c.iv).XORKeyStream(b, b)
	default:
		openssl.NewCFB(c.block, c.iv, c.mode, encrypt).XORKeyStream(b, b)
	}
	return true
}
