package openssl

import (
	"bytes"
	"fmt"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// cipherObject is an object of resty.openssl.cipher.
type cipherObject struct {
	kind *cipherKind
	*session
}

// openCipher makes resty.openssl.cipher.
func openCipher(_ *library, l *lua.LState, c *native.Class) {
	define(l, c, map[string]lua.LGFunction{
		"new": func(l *lua.LState) int {
			name, ok := str(l, 1)
			if !ok {
				return fail(l, "cipher.new: expect type to be defined")
			}
			kind := cipherBy(name)
			if kind == nil {
				return fail(l, "cipher.new: invalid cipher type %q: unsupported", name)
			}
			t := c.New(&cipherObject{kind: kind})
			t.RawSetString("key_size", vm.Number(kind.key))
			t.RawSetString("iv_size", vm.Number(kind.iv))
			t.RawSetString("block_size", vm.Number(kind.blockSize()))
			return native.Return(l, t)
		},
		"istype":            istype[*cipherObject],
		"set_buffer_size":   retTrue, // there is no buffer
		"get_provider_name": providerName,
		"init":              cipherInit,
		"encrypt":           func(l *lua.LState) int { return cipherOnce(l, true) },
		"decrypt":           func(l *lua.LState) int { return cipherOnce(l, false) },
		"update":            cipherUpdate,
		"final":             cipherFinal,
		"derive":            cipherDerive,
		"get_param":         cipherParam,
		"set_params":        cipherSetParams,
		"update_aead_aad":   cipherAAD,
		"set_aead_tag": func(l *lua.LState) int {
			o := native.Self[*cipherObject](l)
			tag, ok := str(l, 2)
			switch {
			case o.session == nil:
				return fail(l, "cipher:set_aead_tag: %s", notInitialised)
			case !ok:
				return refuse(l, "cipher:set_aead_tag expect a string at #1")
			}
			o.tag = []byte(tag)
			return retTrue(l)
		},
		"get_aead_tag": func(l *lua.LState) int {
			o := native.Self[*cipherObject](l)
			return o.retTag(l, "cipher:get_aead_tag", vm.OptInt(l, 2, tagSize))
		},
	})
}

// notInitialised is the original's text, with its spelling.
const notInitialised = "cipher not initalized, call cipher:init first"

// blockSize is the size of a block in bytes, 1 for streams.
func (k *cipherKind) blockSize() int {
	if k.mode != "ecb" && k.mode != "cbc" {
		return 1
	}
	block, err := k.newBlock(make([]byte, k.key))
	if err != nil {
		return 1
	}
	return block.BlockSize()
}

// start begins a session with the key and the vector at arguments 2 and 3; the text says what is wrong with them.
func (o *cipherObject) start(l *lua.LState, encrypt, padding bool) string {
	key, _ := str(l, 2)
	iv := optStr(l, 3)
	switch {
	case len(key) != o.kind.key:
		return fmt.Sprintf("cipher:init: incorrect key size, expect %d", o.kind.key)
	case o.kind.iv > 0 && len(iv) != o.kind.iv:
		return fmt.Sprintf("cipher:init: incorrect iv size, expect %d", o.kind.iv)
	}
	s, err := o.kind.begin([]byte(key), []byte(iv), encrypt, padding)
	if err != nil {
		return fmt.Sprintf("cipher:init EVP_CipherInit_ex: %s", err)
	}
	o.session = s
	return ""
}

// cipherInit is object:init(key, iv?, {is_encrypt = …, no_padding = …}).
func cipherInit(l *lua.LState) int {
	o, opts := native.Self[*cipherObject](l), options(l, 4)
	encrypt, padding := lua.LVAsBool(opts.RawGetString("is_encrypt")), !lua.LVAsBool(opts.RawGetString("no_padding"))
	if msg := o.start(l, encrypt, padding); msg != "" {
		return refuse(l, "%s", msg)
	}
	return retTrue(l)
}

// cipherOnce is object:encrypt(key, iv?, text, no_padding?, aad?) and object:decrypt, with one more argument: the tag.
func cipherOnce(l *lua.LState, encrypt bool) int {
	o, text := native.Self[*cipherObject](l), vm.CheckString(l, 4)
	if msg := o.start(l, encrypt, !lua.LVAsBool(l.Get(5))); msg != "" {
		return fail(l, "%s", msg)
	}
	o.aad, o.tag = []byte(optStr(l, 6)), []byte(optStr(l, 7))
	return o.end(l, buf.Bytes(text))
}

// end takes in the last of the text and returns what is left of the result.
func (o *cipherObject) end(l *lua.LState, b []byte) int {
	out := o.update(b)
	last, err := o.final()
	if err != nil {
		return fail(l, "cipher:final: EVP_CipherFinal_ex: %s", err)
	}
	return retBytes(l, append(out, last...))
}

// cipherUpdate is object:update(text, …).
func cipherUpdate(l *lua.LState) int {
	o := native.Self[*cipherObject](l)
	if o.session == nil {
		return fail(l, "cipher:update: %s", notInitialised)
	}
	list, ok := parts(l, 2)
	if !ok {
		return fail(l, "cipher:update: expect a string")
	}
	return retBytes(l, o.update(bytes.Join(list, nil)))
}

// cipherFinal is object:final(text?).
func cipherFinal(l *lua.LState) int {
	o := native.Self[*cipherObject](l)
	if o.session == nil {
		return fail(l, "cipher:update: %s", notInitialised)
	}
	return o.end(l, buf.Bytes(optStr(l, 2)))
}

// cipherAAD is object:update_aead_aad(text).
func cipherAAD(l *lua.LState) int {
	o := native.Self[*cipherObject](l)
	if o.session == nil {
		return fail(l, "cipher:update_aead_aad: %s", notInitialised)
	}
	o.aad = append(o.aad, optStr(l, 2)...)
	return retTrue(l)
}

// retTag returns the beginning of the tag.
func (o *cipherObject) retTag(l *lua.LState, what string, size int) int {
	switch {
	case o.session == nil:
		return fail(l, "%s: %s", what, notInitialised)
	case !o.encrypt || size < 1 || size > len(o.tag):
		return fail(l, "%s: there is no tag of this size", what)
	}
	return retBytes(l, o.tag[:size])
}

// cipherParam is object:get_param(name, size?).
func cipherParam(l *lua.LState) int {
	o := native.Self[*cipherObject](l)
	switch name := optStr(l, 2); name {
	case "tag":
		return o.retTag(l, "cipher:get_param", vm.OptInt(l, 3, tagSize))
	case "keylen":
		return native.Return(l, vm.Number(o.kind.key))
	case "ivlen":
		return native.Return(l, vm.Number(o.kind.iv))
	default:
		return fail(l, "cipher:get_param: unknown key %q", name)
	}
}

// cipherSetParams is object:set_params({tag = …, padding = …}).
func cipherSetParams(l *lua.LState) int {
	o, t := native.Self[*cipherObject](l), options(l, 2)
	if o.session == nil {
		return refuse(l, "cipher:set_params: %s", notInitialised)
	}
	for k, v := range vm.Pairs(t) {
		switch name, _ := vm.ToString(k); name {
		case "tag":
			tag, _ := vm.ToString(v)
			o.tag = []byte(tag)
		case "padding":
			n, _ := vm.ToNumber(v)
			o.padding = n != 0
		default:
			return refuse(l, "cipher:set_params: unknown key %q", name)
		}
	}
	return retTrue(l)
}

// cipherDerive is object:derive(password, salt?, rounds?, digest?), which returns a key and a vector. The salt has 8 bytes:
// another length is cut or filled up with zeros.
func cipherDerive(l *lua.LState) int {
	const saltSize = 8
	o, password := native.Self[*cipherObject](l), vm.CheckString(l, 2)
	salt, name := optStr(l, 3), vm.OptString(l, 5, "sha1")
	kind := keyedDigestBy(name)
	if kind == nil {
		l.Push(lua.LNil)
		return 1 + fail(l, "cipher:derive: invalid digest type %q", name)
	}
	if salt != "" {
		salt = string(append([]byte(salt), make([]byte, saltSize)...)[:saltSize])
	}
	key, iv := BytesToKey(kind.make, password, salt, vm.OptInt(l, 4, 1), o.kind.key, o.kind.iv)
	l.Push(lua.LString(key))
	return 1 + retBytes(l, iv)
}
