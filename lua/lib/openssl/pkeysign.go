package openssl

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"strconv"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// schemeArgs reads how to sign or encrypt: the padding at argument n and the options behind it.
func schemeArgs(l *lua.LState, n int) (scheme, error) {
	s, opts := defaultScheme(), options(l, n+1)
	switch v := l.Get(n).(type) {
	case lua.LNumber:
		s.padding = int(v)
	case *lua.LNilType:
	default:
		return s, fmt.Errorf("invalid padding: %s", v)
	}
	set := controls(opts)
	if length, ok := vm.ToNumber(opts.RawGetString("pss_saltlen")); ok {
		s.setSalt(int(length))
	} else if length, err := strconv.Atoi(set["rsa_pss_saltlen"]); err == nil {
		s.setSalt(length)
	}
	if mode, ok := map[string]int{"pkcs1": paddingPKCS1, "oaep": paddingOAEP, "pss": paddingPSS, "none": paddingNone}[set["rsa_padding_mode"]]; ok {
		s.padding = mode
	}
	s.raw = lua.LVAsBool(opts.RawGetString("ecdsa_use_raw"))
	for name, digest := range map[string]**digestKind{"oaep_md": &s.oaep, "mgf1_md": &s.mgf1} {
		value := field(opts, name)
		if value == "" {
			value = set["rsa_"+name]
		}
		if value == "" {
			continue
		}
		if *digest = digestBy(value); *digest == nil || !(*digest).id.Available() {
			return s, fmt.Errorf("invalid digest type %q", value)
		}
	}
	return s, nil
}

// setSalt sets the length of PSS's salt as OpenSSL counts: -1 is that of the digest, what is less is any.
func (s *scheme) setSalt(length int) {
	switch {
	case length > 0:
		s.salt = min(length, maxModulus/8) // which fits no key
	case length == -1:
		s.salt = rsa.PSSSaltLengthEqualsHash
	}
}

// signArgs are those of sign and verify from argument n on: a message or an object of resty.openssl.digest, the digest's
// name, the padding and the options. sum is set for an object.
func signArgs(l *lua.LState, n int) (s scheme, message, sum []byte, err error) {
	if s, err = schemeArgs(l, n+2); err != nil {
		return s, nil, nil, err
	}
	if name, ok := str(l, n+1); ok {
		if s.digest = digestBy(name); s.digest == nil || s.digest.id == 0 {
			return s, nil, nil, fmt.Errorf("pkey:sign_verify_prepare: invalid digest type %q", name)
		}
	}
	if d, ok := native.Value[*digest](l.Get(n)); ok {
		if d.kind.id == 0 {
			return s, nil, nil, fmt.Errorf("pkey:sign_verify_prepare: invalid digest type %q", d.kind.name)
		}
		s.digest = d.kind
		return s, nil, d.Sum(nil), nil
	}
	text, _ := str(l, n)
	return s, []byte(text), nil, nil
}

// isMessage tells what can be signed.
func isMessage(v lua.LValue) bool {
	_, isDigest := native.Value[*digest](v)
	return isDigest || v.Type() == lua.LTString
}

// pkeySign is pkey:sign(message or digest, digest's name?, padding?, options?).
func pkeySign(l *lua.LState) int {
	k := native.Self[*key](l)
	switch {
	case k.private == nil:
		return fail(l, "pkey:sign: missing private key")
	case !isMessage(l.Get(2)):
		return fail(l, "pkey:sign: expect a digest instance or a string at #1")
	}
	s, message, sum, err := signArgs(l, 2)
	if err != nil {
		return native.Fail(l, err.Error())
	}
	var signature []byte
	if sum != nil {
		signature, err = k.signSum(sum, &s, s.id())
	} else {
		signature, err = k.sign(message, &s)
	}
	return retResult(l, "pkey:sign: EVP_DigestSign", signature, err)
}

// pkeyVerify is pkey:verify(signature, message or digest, digest's name?, padding?, options?).
func pkeyVerify(l *lua.LState) int {
	k := native.Self[*key](l)
	text, ok := l.Get(2).(lua.LString)
	switch {
	case !ok:
		return fail(l, "pkey:verify: expect a string at #1")
	case !isMessage(l.Get(3)):
		return fail(l, "pkey:verify: expect a digest instance or a string at #2")
	}
	s, message, sum, err := signArgs(l, 3)
	if err != nil {
		return native.Fail(l, err.Error())
	}
	signature := []byte(text)
	if public, ok := k.public.(*ecdsa.PublicKey); ok && s.raw {
		if signature, err = asn1Signature(signature, orderSize(public)); err != nil {
			return fail(l, "pkey:sign: ecdsa.sig_raw2der: %s", err)
		}
	}
	if sum != nil {
		err = k.verifySum(signature, sum, &s)
	} else {
		err = k.verify(signature, message, &s)
	}
	return retVerdict(l, err)
}

// retVerdict returns true, or false and why not.
func retVerdict(l *lua.LState, err error) int {
	if err != nil {
		return refuse(l, "pkey:verify: %s", err)
	}
	l.Push(lua.LTrue)
	l.Push(lua.LNil)
	return 2
}

// pkeySignRaw is pkey:sign_raw(text, padding?, options?), which signs the text itself.
func pkeySignRaw(l *lua.LState) int {
	k := native.Self[*key](l)
	text, ok := l.Get(2).(lua.LString)
	switch {
	case k.private == nil:
		return fail(l, "pkey:sign_raw: missing private key")
	case !ok:
		return fail(l, "pkey:asymmetric_routine: expect a string at #1")
	}
	s, err := schemeArgs(l, 3)
	if err != nil {
		return native.Fail(l, err.Error())
	}
	signature, err := k.signSum(buf.Bytes(string(text)), &s, crypto.Hash(0))
	return retResult(l, "pkey:asymmetric_routine EVP_PKEY_sign", signature, err)
}

// pkeyVerifyRaw is pkey:verify_raw(signature, digest, digest's name?, padding?, options?).
func pkeyVerifyRaw(l *lua.LState) int {
	k, signature, sum := native.Self[*key](l), vm.CheckString(l, 2), vm.CheckString(l, 3)
	s, err := schemeArgs(l, 5)
	if err != nil {
		return native.Fail(l, err.Error())
	}
	if name, ok := str(l, 4); ok {
		if s.digest = digestBy(name); s.digest == nil || s.digest.id == 0 {
			return fail(l, "pkey:verify_raw: invalid digest type %q", name)
		}
	}
	return retVerdict(l, k.verifySum([]byte(signature), []byte(sum), &s))
}

// pkeyCrypt is pkey:encrypt(text, padding?, options?) and pkey:decrypt.
func pkeyCrypt(l *lua.LState, name string, crypt func(k *key, text []byte, s *scheme) ([]byte, error)) int {
	k := native.Self[*key](l)
	text, ok := l.Get(2).(lua.LString)
	if !ok {
		return fail(l, "pkey:asymmetric_routine: expect a string at #1")
	}
	s, err := schemeArgs(l, 3)
	if err != nil {
		return native.Fail(l, err.Error())
	}
	out, err := crypt(k, buf.Bytes(string(text)), &s)
	return retResult(l, "pkey:asymmetric_routine EVP_PKEY_"+name, out, err)
}
