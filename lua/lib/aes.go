package lib

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"hash"
	"strings"

	lua "github.com/yuin/gopher-lua"

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
	var m *lua.LTable
	m = module(l, restyVersion, map[string]lua.LGFunction{
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
		"new":     func(l *lua.LState) int { return newAES(l, m) },
		"encrypt": aesEncrypt,
		"decrypt": aesDecrypt,
	})
	h := vm.NewTable(0, 4)
	for name := range hashes {
		h.RawSetString(name, lua.LString(name))
	}
	m.RawSetString("hash", h)
	l.Push(m)
	return 1
}

// gcmMaxIV is the longest initialisation vector of OpenSSL's GCM.
const gcmMaxIV = 128

// newAES is aes:new(key, salt?, cipher?, hash?, rounds?, iv length?, padding?). The length is that of GCM's vector, of
// which no more than 12 bytes are derived: the rest is zero.
func newAES(l *lua.LState, methods *lua.LTable) int {
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
			return failure(l, reason)
		}
		c.iv, ivLen = []byte(iv), len(iv)
	} else {
		salt := vm.OptString(l, 3, "")
		newHash := hashes[vm.OptString(l, 5, "md5")]
		switch {
		case l.Get(3) != lua.LNil && len(salt) != 8:
			return failure(l, "salt must be 8 characters or nil")
		case newHash == nil:
			return failure(l, "bad hash")
		}
		derived := aes.BlockSize
		if mode == "gcm" {
			derived = 12
		}
		key, c.iv = deriveKey(newHash, key, salt, vm.OptInt(l, 6, 1), size/8, derived)
	}
	if mode != "gcm" {
		ivLen = aes.BlockSize
	} else if ivLen <= 0 || ivLen > gcmMaxIV {
		return failure(l, "failed to set IV length")
	}
	c.iv = append(c.iv, make([]byte, ivLen)...)[:ivLen]
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return failure(l, "bad key length")
	}
	c.block = block
	l.Push(object(l, c, methods))
	return 1
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

// deriveKey is OpenSSL's EVP_BytesToKey.
func deriveKey(newHash func() hash.Hash, key, salt string, rounds, keyLen, ivLen int) (string, []byte) {
	var out, last []byte
	h := newHash()
	for len(out) < keyLen+ivLen {
		h.Reset()
		h.Write(last)
		h.Write([]byte(key))
		h.Write([]byte(salt))
		last = h.Sum(last[:0])
		for i := 1; i < rounds; i++ {
			h.Reset()
			h.Write(last)
			last = h.Sum(last[:0])
		}
		out = append(out, last...)
	}
	return string(out[:keyLen]), out[keyLen : keyLen+ivLen]
}

func pad(b []byte) []byte {
	n := aes.BlockSize - len(b)%aes.BlockSize
	return append(b, bytes.Repeat([]byte{byte(n)}, n)...)
}

// unpad takes the padding off; false when it is none.
func unpad(b []byte) ([]byte, bool) {
	if len(b) == 0 {
		return nil, false
	}
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize || n > len(b) {
		return nil, false
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, false
		}
	}
	return b[:len(b)-n], true
}

// inBlocks tells the modes that work on whole blocks.
func (c *aesCipher) inBlocks() bool { return c.mode == "ecb" || c.mode == "cbc" }

// cipherOf is the object of a method call.
func cipherOf(l *lua.LState) *aesCipher {
	if v := l.Get(1); v.Type() != lua.LTTable {
		vm.Errorf(l, "bad argument #1 self: table expected, got %s", v.Type())
	}
	return self[*aesCipher](l)
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
		b = pad(b)
	}
	if !c.crypt(b, true) {
		return failure(l, "EVP_EncryptFinal_ex failed")
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
			return failure(l, "EVP_DecryptFinal_ex failed")
		}
		l.Push(lua.LString(plain))
		return 1
	}
	ok := c.crypt(b, false)
	if ok && c.inBlocks() && c.padding {
		b, ok = unpad(b)
	}
	if !ok {
		return failure(l, "EVP_DecryptFinal_ex failed")
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
		c.ofb(b)
	case strings.HasPrefix(c.mode, "cfb"):
		c.cfb(b, encrypt)
	}
	return true
}

// ofb is output feedback.
func (c *aesCipher) ofb(b []byte) {
	state := bytes.Clone(c.iv)
	for len(b) > 0 {
		c.block.Encrypt(state, state)
		n := subtle.XORBytes(b, b, state)
		b = b[n:]
	}
}

// cfb is cipher feedback of 1, 8 or 128 bits.
func (c *aesCipher) cfb(b []byte, encrypt bool) {
	state, out := bytes.Clone(c.iv), make([]byte, aes.BlockSize)
	switch c.mode {
	case "cfb128":
		for len(b) > 0 {
			c.block.Encrypt(out, state)
			n := min(len(b), aes.BlockSize)
			in := bytes.Clone(b[:n])
			subtle.XORBytes(b, in, out)
			if encrypt {
				copy(state, b[:n])
			} else {
				copy(state, in)
			}
			b = b[n:]
		}
	case "cfb8":
		for i, in := range b {
			c.block.Encrypt(out, state)
			b[i] = in ^ out[0]
			copy(state, state[1:])
			state[aes.BlockSize-1] = b[i]
			if !encrypt {
				state[aes.BlockSize-1] = in
			}
		}
	case "cfb1":
		for i := range 8 * len(b) {
			c.block.Encrypt(out, state)
			shift := 7 - i%8
			in := b[i/8] >> shift & 1
			bit := in ^ out[0]>>7
			b[i/8] = b[i/8]&^(1<<shift) | bit<<shift
			if !encrypt {
				bit = in
			}
			shiftIn(state, bit)
		}
	}
}

// shiftIn shifts a register left by a bit.
func shiftIn(state []byte, bit byte) {
	for i := range state {
		next := bit
		if i+1 < len(state) {
			next = state[i+1] >> 7
		}
		state[i] = state[i]<<1 | next
	}
}
