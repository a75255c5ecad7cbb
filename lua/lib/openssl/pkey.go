package openssl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/core/buf"
	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// openPKey makes resty.openssl.pkey.
func openPKey(b *library, l *lua.LState, c *native.Class) {
	define(l, c, map[string]lua.LGFunction{
		"new":    func(l *lua.LState) int { return newPKey(l, c) },
		"istype": istype[*key],
		"paramgen": func(l *lua.LState) int {
			text, err := paramgen(options(l, 1))
			if err != nil {
				return fail(l, "pkey.paramgen: %s", err)
			}
			return retBytes(l, text)
		},
		"get_provider_name": providerName,
		"get_parameters":    func(l *lua.LState) int { return native.Return(l, b.parameters(l, native.Self[*key](l))) },
		"set_parameters": func(l *lua.LState) int {
			k := native.Self[*key](l)
			t := b.parameters(l, k)
			for name, value := range vm.Pairs(vm.CheckTable(l, 2)) {
				t.RawSet(name, value)
			}
			changed, err := compose(k.kind(), t)
			if err != nil {
				return refuse(l, "pkey:set_parameters: %s", err)
			}
			*k = *changed
			return retTrue(l)
		},
		"is_private": func(l *lua.LState) int { return native.Return(l, lua.LBool(native.Self[*key](l).private != nil)) },
		"get_key_type": func(l *lua.LState) int {
			nid := keyNIDs[native.Self[*key](l).kind()]
			if lua.LVAsBool(l.Get(2)) {
				return native.Return(l, vm.Number(nid))
			}
			return native.Return(l, objectOf(nid, "").table())
		},
		"get_size":                func(l *lua.LState) int { return native.Return(l, vm.Number(native.Self[*key](l).size())) },
		"get_default_digest_type": defaultDigest,
		"sign":                    pkeySign,
		"verify":                  pkeyVerify,
		"sign_raw":                pkeySignRaw,
		"verify_raw":              pkeyVerifyRaw,
		"verify_recover": func(l *lua.LState) int {
			text, err := native.Self[*key](l).recover(buf.Bytes(vm.CheckString(l, 2)))
			return retResult(l, "pkey:asymmetric_routine EVP_PKEY_verify_recover", text, err)
		},
		"encrypt": func(l *lua.LState) int { return pkeyCrypt(l, "encrypt", (*key).encrypt) },
		"decrypt": func(l *lua.LState) int { return pkeyCrypt(l, "decrypt", (*key).decrypt) },
		"derive": func(l *lua.LState) int {
			peer, ok := native.Value[*key](l.Get(2))
			if !ok {
				return fail(l, "pkey:derive: expect a pkey instance at #1")
			}
			secret, err := native.Self[*key](l).shared(peer)
			return retResult(l, "pkey:derive: EVP_PKEY_derive", secret, err)
		},
		"tostring": func(l *lua.LState) int { return pkeyText(l, optStr(l, 3), lua.LVAsBool(l.Get(4))) },
		"to_PEM":   func(l *lua.LState) int { return pkeyText(l, "PEM", lua.LVAsBool(l.Get(3))) },
	})
	t := vm.NewTable(0, len(paddings))
	constants(t, paddings)
	c.Methods.RawSetString("PADDINGS", t)
}

// retResult returns bytes, or nil and what failed.
func retResult(l *lua.LState, what string, b []byte, err error) int {
	if err != nil {
		return fail(l, "%s: %s", what, err)
	}
	return retBytes(l, b)
}

// newPKey is pkey.new(text, options?) and pkey.new(config?).
func newPKey(l *lua.LState, c *native.Class) int {
	var k *key
	var err error
	switch v := l.Get(1).(type) {
	case lua.LString:
		if k, err = loadArg(l, string(v), options(l, 2)); err != nil {
			return fail(l, "pkey.new:load_key: %s", err)
		}
	case *lua.LTable, *lua.LNilType:
		if _, is := native.Value[*key](v); is {
			return native.Return(l, v)
		}
		if k, err = makeKey(options(l, 1)); err != nil {
			return fail(l, "pkey.new:new_key: %s", err)
		}
	default:
		return fail(l, "pkey.new: unexpected type %s at #1", v.Type())
	}
	return native.Return(l, c.New(k))
}

// loadArg reads a key as the options say.
func loadArg(l *lua.LState, text string, opts *lua.LTable) (*key, error) {
	format, part := "*", "*"
	if s := field(opts, "format"); s != "" {
		format = s
	}
	if s := field(opts, "type"); s != "" {
		part = s
	}
	switch {
	case !strings.Contains(" PEM DER JWK * ", " "+format+" "):
		return nil, fmt.Errorf(`expecting 'DER', 'PEM', 'JWK' or '*' as "format"`)
	case !strings.Contains(" pr pu * ", " "+part+" "):
		return nil, fmt.Errorf(`expecting 'pr', 'pu' or '*' as "type"`)
	}
	return loadKey(text, format, part, func() []byte {
		if f, ok := opts.RawGetString("passphrase_cb").(*lua.LFunction); ok {
			l.Push(f)
			vm.Call(l, 0, 1)
			s, _ := vm.ToString(l.Get(-1))
			l.Pop(1)
			return []byte(s)
		}
		if s, ok := vm.ToString(opts.RawGetString("passphrase")); ok {
			return []byte(s)
		}
		return nil
	})
}

// controls are the settings that a table holds as texts "name:value", as OpenSSL's commands take them.
func controls(t *lua.LTable) map[string]string {
	all := map[string]string{}
	for i := 1; ; i++ {
		s, ok := t.RawGetInt(i).(lua.LString)
		if !ok {
			return all
		}
		name, value, _ := strings.Cut(string(s), ":")
		all[name] = value
	}
}

// makeKey makes a new key, or one of the parameters in config.
func makeKey(config *lua.LTable) (*key, error) {
	kind := kindRSA
	if s := field(config, "type"); s != "" {
		kind = s
	}
	if _, ok := keyNIDs[kind]; !ok {
		return nil, fmt.Errorf("unsupported type %s", kind)
	}
	if t, ok := config.RawGetString("params").(*lua.LTable); ok {
		return compose(kind, t)
	}
	set := controls(config)
	bits := 2048
	if n, ok := vm.ToNumber(config.RawGetString("bits")); ok {
		bits = int(n)
	}
	if n, err := strconv.Atoi(set["rsa_keygen_bits"]); err == nil {
		bits = n
	}
	if e, ok := vm.ToNumber(config.RawGetString("exp")); ok && e != 65537 && kind == kindRSA {
		return nil, fmt.Errorf("unsupported exponent %v: it is 65537", e)
	}
	var curve elliptic.Curve
	if kind == kindEC {
		var err error
		if curve, err = curveArg(config); err != nil {
			return nil, err
		}
	}
	return generate(kind, bits, curve)
}

// curveArg is the curve that a config names.
func curveArg(config *lua.LTable) (elliptic.Curve, error) {
	name := "prime192v1"
	if s := field(config, "curve"); s != "" {
		name = s
	}
	if s := controls(config)["ec_paramgen_curve"]; s != "" {
		name = s
	}
	if block, _ := pem.Decode([]byte(field(config, "param"))); block != nil {
		var id asn1.ObjectIdentifier
		if _, err := asn1.Unmarshal(block.Bytes, &id); err != nil {
			return nil, err
		}
		name = id.String()
	}
	curve := curveBy(0, name)
	if curve == nil {
		return nil, fmt.Errorf("unsupported curve %s", name)
	}
	return curve, nil
}

// paramgen is pkey.paramgen({type = "EC", curve = …}).
func paramgen(config *lua.LTable) ([]byte, error) {
	if kind := field(config, "type"); kind != kindEC {
		return nil, fmt.Errorf("unsupported type: %s", kind)
	}
	curve, err := curveArg(config)
	if err != nil {
		return nil, err
	}
	der, err := asn1.Marshal(objectOf(curveNID(curve), "").oid())
	return pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: der}), err
}

// parameters are the numbers that a key is made of.
func (b *library) parameters(l *lua.LState, k *key) *lua.LTable {
	t := vm.NewTable(0, 8)
	set := func(name string, n *big.Int) { t.RawSetString(name, b.newBN(l, n)) }
	switch public := k.public.(type) {
	case *rsa.PublicKey:
		set("n", public.N)
		set("e", big.NewInt(int64(public.E)))
		if private, ok := k.private.(*rsa.PrivateKey); ok {
			set("d", private.D)
			if len(private.Primes) == 2 {
				set("p", private.Primes[0])
				set("q", private.Primes[1])
				set("dmp1", private.Precomputed.Dp)
				set("dmq1", private.Precomputed.Dq)
				set("iqmp", private.Precomputed.Qinv)
			}
		}
	case *ecdsa.PublicKey:
		t.RawSetString("group", vm.Number(curveNID(public.Curve)))
		if point, err := public.Bytes(); err == nil {
			half := (len(point) + 1) / 2
			set("public", new(big.Int).SetBytes(point))
			set("x", new(big.Int).SetBytes(point[1:half]))
			set("y", new(big.Int).SetBytes(point[half:]))
		}
		if raw, err := k.rawPrivate(); err == nil {
			set("private", new(big.Int).SetBytes(raw))
		}
	default:
		t.RawSetString("public", lua.LString(k.rawPublic()))
		if raw, err := k.rawPrivate(); err == nil {
			t.RawSetString("private", lua.LString(raw))
		}
	}
	return t
}

// compose makes a key of its parameters.
func compose(kind string, t *lua.LTable) (*key, error) {
	number := func(name string) *big.Int {
		if o, ok := native.Value[*bigNumber](t.RawGetString(name)); ok {
			return o.n
		}
		return nil
	}
	switch kind {
	case kindRSA:
		return rsaKey(number("n"), number("e"), number("d"), number("p"), number("q"))
	case kindEC:
		nid, _ := vm.ToNumber(t.RawGetString("group"))
		curve := curveBy(int(nid), field(t, "group"))
		if curve == nil {
			return nil, fmt.Errorf("unsupported curve %s", field(t, "group"))
		}
		private, public, x, y := number("private"), number("public"), number("x"), number("y")
		var point []byte
		switch {
		case public != nil:
			point = public.Bytes()
		case x != nil && y != nil:
			var err error
			if point, err = ecPoint(curve, x, y); err != nil {
				return nil, err
			}
		}
		return ecKey(curve, private, point)
	}
	return rawKey(kind, field(t, "private"), field(t, "public"))
}

// defaultDigest is pkey:get_default_digest_type().
func defaultDigest(l *lua.LState) int {
	k := native.Self[*key](l)
	if kind := k.kind(); kind != kindRSA && kind != kindEC {
		return fail(l, "get_default_digest: there is none for %s", kind)
	}
	t := objectOf(0, "SHA256").table()
	t.RawSetString("mandatory", lua.LFalse)
	return native.Return(l, t)
}

// pkeyText is pkey:tostring(part?, format?, pkcs1?). part is private or PrivateKey, else the public key is meant.
func pkeyText(l *lua.LState, format string, pkcs1 bool) int {
	k := native.Self[*key](l)
	private := false
	switch part := optStr(l, 2); part {
	case "private", "PrivateKey":
		private = true
	case "", "public", "PublicKey":
	default:
		return fail(l, `pkey:tostring: can only export private or public key, not %s`, part)
	}
	if pkcs1 && (k.kind() != kindRSA || format != "" && format != "PEM") {
		return fail(l, `PKCS#1 format is only supported to encode RSA key in "PEM" format`)
	}
	var text []byte
	var err error
	switch format {
	case "", "PEM":
		text, err = k.pem(private, pkcs1)
	case "DER":
		text, err = k.der(private)
	case "JWK":
		text, err = k.jwk(private)
	default:
		err = fmt.Errorf("can only write PEM, DER or JWK, not %s", format)
	}
	if err != nil && format == "JWK" {
		return native.Fail(l, err.Error())
	}
	return retResult(l, "pkey:tostring", text, err)
}
