package openssl

import (
	"encoding/hex"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// run executes a chunk in a VM with the modules and returns its result as text. The chunk has a function hex, and bin,
// which reads what hex writes.
func run(t *testing.T, v *vm.VM, src string) string {
	t.Helper()
	proto, err := v.LoadString(src, "=test")
	if err != nil {
		t.Fatal(err)
	}
	if err := vm.ThreadOf(v.L).Run(proto, 0, 1); err != nil {
		t.Fatalf("%s\n%s", err, err.Traceback)
	}
	s := v.Display(v.L, v.L.Get(-1))
	v.L.Pop(1)
	return s
}

func newVM(t *testing.T) *vm.VM {
	t.Helper()
	v := vm.New(vm.Options{CodeCache: true})
	t.Cleanup(v.Close)
	Open(v)
	v.Globals().RawSetString("hex", v.L.NewFunction(func(l *lua.LState) int {
		return retBytes(l, hex.AppendEncode(nil, []byte(vm.CheckString(l, 1))))
	}))
	v.Globals().RawSetString("bin", v.L.NewFunction(func(l *lua.LState) int {
		b, _ := hex.DecodeString(strings.ReplaceAll(vm.CheckString(l, 1), " ", ""))
		return retBytes(l, b)
	}))
	return v
}

// TestVectors are the examples of the standards.
func TestVectors(t *testing.T) {
	v := newVM(t)
	for _, test := range []struct{ name, src, want string }{
		{"FIPS 180-4", `return hex(require "resty.openssl.digest".new("SHA256"):final("abc"))`,
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"RFC 1321 and FIPS 180-4", `local d = require "resty.openssl.digest".new("md5-sha1") d:update("a", "b") return hex(d:final("c"))`,
			"900150983cd24fb0d6963f7d28e17f72a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"RFC 4231, 4.3", `return hex(require "resty.openssl.hmac".new("Jefe", "sha256"):final("what do ya want for nothing?"))`,
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"RFC 4231, 4.3, by resty.hmac", `local h = require "resty.hmac"
			local m = h:new("Jefe", h.ALGOS.SHA256) m:update("what do ya want ") return m:final("for nothing?", true)`,
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"RFC 4231, 4.3, by mac", `local m = require "resty.openssl.mac".new("x", "HMAC", nil, "sha256")
			m:set_params { key = "Jefe" } return hex(m:final("what do ya want for nothing?"))`,
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"RFC 4231, 4.3, by luaossl", `return hex(require "openssl.hmac".new("Jefe", "sha256"):update("what do ya want "):final("for nothing?"))
			.. #require "openssl.rand".bytes(9) .. tostring(require "openssl.rand".uniform(3) < 3)`,
			"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec38439true"},
		{"RFC 6070", `return hex(require "resty.openssl.kdf".new("PBKDF2"):derive(20, { pass = "password", salt = "salt", iter = 4096, digest = "sha1" }))`,
			"4b007901b765489abead49d926f721d065a429c1"},
		{"RFC 5869, A.1", `local kdf = require "resty.openssl.kdf" return hex(kdf.derive { type = kdf.HKDF, outlen = 42, md = "sha256",
			hkdf_key = ("\11"):rep(22), salt = bin "000102030405060708090a0b0c", hkdf_info = bin "f0f1f2f3f4f5f6f7f8f9" })`,
			"3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
		{"RFC 5869, A.1, extracted", `return hex(require "resty.openssl.kdf".new("HKDF"):derive(32, { digest = "sha256",
			mode = "EXTRACT_ONLY", key = ("\11"):rep(22), salt = bin "000102030405060708090a0b0c" }))`,
			"077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"},
		{"RFC 7914, 12", `return hex(require "resty.openssl.kdf".new("SCRYPT"):derive(64, { pass = "password", salt = "NaCl", n = 1024, r = 8, p = 16 }))`,
			"fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"},
		{"RFC 3394, 4.6", `local c = require "resty.openssl.cipher".new("aes-256-wrap")
			local kek, key = bin "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", bin "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"
			local wrapped = c:encrypt(kek, ("\166"):rep(8), key)
			return hex(wrapped) .. tostring(c:decrypt(kek, ("\166"):rep(8), wrapped) == key) .. tostring(c:decrypt(kek, ("\165"):rep(8), wrapped))`,
			"28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21truenil"},
		{"SP 800-38A, F.2.1", `local c = require "resty.openssl.cipher".new("AES-128-CBC")
			return hex(c:encrypt(bin "2b7e151628aed2a6abf7158809cf4f3c", bin "000102030405060708090a0b0c0d0e0f", bin "6bc1bee22e409f96e93d7e117393172a", true))`,
			"7649abac8119b246cee98e9b12e9197d"},
		{"RFC 8439, 2.8.2", `local c = require "resty.openssl.cipher".new("chacha20-poly1305") local key = ""
			for i = 0x80, 0x9f do key = key .. string.char(i) end
			local text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
			local sealed = c:encrypt(key, bin "070000004041424344454647", text, false, bin "50515253c0c1c2c3c4c5c6c7")
			return hex(sealed:sub(1, 8)) .. hex(c:get_aead_tag())`,
			"d31a8d34648e60db1ae10b594f09e26a7e902ecbd0600691"},
		{"RFC 8032, 7.1", `local k = require "resty.openssl.pkey".new { type = "Ed25519",
			params = { private = bin "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb" } }
			return hex(k:get_parameters().public) .. hex(k:sign("\114")):sub(1, 16)`,
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c92a009a9f0d4cab8"},
		{"RFC 7515, A.3", `local k = require "resty.openssl.pkey".new([[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
			"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]])
			local signed = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
			return k:verify(bin "0ed1215379636c483c2f7f155807d402a3b228033af97c7e17819ac3169ea665c50a07d38c3c70e5d8f12daf084a5480a66590c5f293509a8f3f7f8a83a354d5", signed, "sha256", nil, { ecdsa_use_raw = true })`, "true"},
	} {
		if got := run(t, v, test.src); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// TestKeys makes keys, writes and reads them, and uses one where the other is right.
func TestKeys(t *testing.T) {
	got := run(t, newVM(t), `
		local pkey, out = require "resty.openssl.pkey", {}
		for _, config in ipairs { { type = "RSA", bits = 2048 }, { type = "EC", curve = "prime256v1" }, { type = "EC", curve = "secp521r1" },
				{ type = "Ed25519" } } do
			local private = assert(pkey.new(config))
			for _, format in ipairs { "PEM", "DER", "JWK" } do
				local copy = assert(pkey.new(assert(private:tostring("private", format)), { format = format }))
				local public = assert(pkey.new(assert(private:tostring("public", format)), { format = format }))
				local signature = assert(copy:sign("message"))
				out[#out + 1] = tostring(public:verify(signature, "message")) .. tostring((public:verify(signature, "messagE")))
					.. tostring(copy:is_private()) .. tostring(public:is_private()) .. tostring((public:sign("x")))
			end
		end
		return table.concat(out, " ")`)
	want := strings.TrimSuffix(strings.Repeat("truefalsetruefalsenil ", 12), " ")
	if got != want {
		t.Errorf("got %s", got)
	}
}

// TestSchemes are the ways of signing and encrypting.
func TestSchemes(t *testing.T) {
	v := newVM(t)
	for _, test := range []struct{ name, src, want string }{
		{"PSS", `local k = pkey.new() local P = k.PADDINGS
			local s = k:sign("m", "sha384", P.RSA_PKCS1_PSS_PADDING, { pss_saltlen = 20 })
			return tostring(k:verify(s, "m", "sha384", P.RSA_PKCS1_PSS_PADDING)) .. tostring((k:verify(s, "m", "sha384")))`, "truefalse"},
		{"OAEP", `local k = pkey.new() local P = k.PADDINGS
			local s = k:encrypt("text", P.RSA_PKCS1_OAEP_PADDING, { oaep_md = "sha256" })
			return k:decrypt(s, P.RSA_PKCS1_OAEP_PADDING, { "rsa_oaep_md:sha256" }) .. tostring((k:decrypt(s)))`, "textnil"},
		{"raw ECDSA", `local k = pkey.new { type = "EC", curve = "P-521" } local raw = { ecdsa_use_raw = true }
			local s = k:sign("m", "sha512", nil, raw) return #s .. tostring(k:verify(s, "m", "sha512", nil, raw))
				.. tostring((k:verify(s, "m", "sha512")))`, "132truefalse"},
		{"raw RSA", `local k = pkey.new() return k:verify_recover(k:sign_raw("anything"))`, "anything"},
		{"digest", `local k = pkey.new() local d = require "resty.openssl.digest".new("sha512") d:update("m")
			return tostring(k:verify(k:sign(d), "m", "sha512"))`, "true"},
		{"ECDH", `local a, b = pkey.new { type = "X25519" }, pkey.new { type = "X25519" }
			return tostring(a:derive(b) == b:derive(pkey.new(a:to_PEM("public"))))`, "true"},
		{"composed", `local k = pkey.new { type = "EC", curve = "P-384" } local p = k:get_parameters()
			local c = pkey.new { type = "EC", params = { group = p.group, x = p.x, y = p.y } }
			return tostring(c:verify(k:sign("m"), "m")) .. tostring(p.public == c:get_parameters().public)`, "truetrue"},
		{"changed", `local a, b = pkey.new(), pkey.new() a:set_parameters(b:get_parameters()) return tostring(a:to_PEM("private") == b:to_PEM("private"))`, "true"},
		{"unsupported", `local k, err = pkey.new { type = "EC", curve = "secp256k1" } return tostring(k) .. err`, "nilpkey.new:new_key: unsupported curve secp256k1"},
		{"evp", `local evp = require "resty.evp" local k = pkey.new { type = "EC", curve = "P-256" }
			local signer = evp.ECSigner:new(k:to_PEM("private")) local sig = signer:get_raw_sig(signer:sign("m", evp.CONST.SHA256_DIGEST))
			local verifier = evp.ECVerifier:new(evp.PublicKey:new(k:to_PEM("public")))
			return tostring(verifier:verify("m", sig, "SHA256")) .. tostring((verifier:verify("n", sig, "SHA256")))`, "truefalse"},
		{"evp, OAEP", `local evp = require "resty.evp" local k, P = pkey.new(), evp.CONST.RSA_PKCS1_OAEP_PADDING
			local sealed = evp.RSAEncryptor:new(evp.PublicKey:new(k:to_PEM()), P, "SHA256"):encrypt("text")
			return evp.RSADecryptor:new(k:to_PEM("private"), nil, P, "SHA256"):decrypt(sealed)`, "text"},
	} {
		if got := run(t, v, `local pkey = require "resty.openssl.pkey" `+test.src); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}

// TestCipherStreams encrypts byte by byte and in one piece.
func TestCipherStreams(t *testing.T) {
	got := run(t, newVM(t), `
		local cipher, text = require "resty.openssl.cipher", ("some text "):rep(7)
		for _, name in ipairs(require "resty.openssl".list_cipher_algorithms()) do
			local c = cipher.new(name)
			local wrap = name:find("wrap")
			local key, iv, plain = ("k"):rep(c.key_size), ("i"):rep(c.iv_size), wrap and text:sub(1, 64) or text
			local sealed = assert(c:encrypt(key, iv, plain))
			c:init(key, iv, { is_encrypt = true })
			local parts = {}
			for i = 1, #plain do parts[i] = c:update(plain:sub(i, i)) end
			parts[#parts + 1] = assert(c:final())
			if table.concat(parts) ~= sealed then return name .. " encrypts" end
			local tag = c:get_aead_tag()
			c:init(key, iv)
			if tag then c:set_aead_tag(tag) end
			parts = {}
			for i = 1, #sealed do parts[i] = c:update(sealed:sub(i, i)) end
			parts[#parts + 1] = assert(c:final())
			if table.concat(parts) ~= plain then return name .. " decrypts" end
			if tag and c:decrypt(key, iv, sealed, false, nil, ("x"):rep(16)) then return name .. " takes any tag" end
		end
		return "all"`)
	if got != "all" {
		t.Error(got)
	}
}

// TestNumbers are the operations of resty.openssl.bn.
func TestNumbers(t *testing.T) {
	got := run(t, newVM(t), `
		local bn = require "resty.openssl.bn"
		local a, b = bn.from_dec("123456789012345678901234567890"), bn.new(97)
		local function show(...)
			local t = { ... }
			for i, v in ipairs(t) do t[i] = tostring(v) end
			return table.concat(t, " ")
		end
		return show(a + b, a - 7, 7 - b, a * b, a / b, a % b, -b, a:gcd(bn.new(30)), bn.mod_exp(3, 200, 13), bn.mod_sub(1, 2, 5), b:lshift(3),
			a == bn.new("18EE90FF6C373E0EE4E3F0AD2", 16), a < b, b:to_hex(), hex(bn.from_mpi(bin "0000000281ff"):to_mpi()), b:is_prime(),
			bn.generate_prime(64, false):is_prime(), tostring((a.div(a, 0))), #b:to_binary(4))`)
	want := "123456789012345678901234567987 123456789012345678901234567883 -90 11975308534197530853419753085330 " +
		"1272750402189130710322005854 52 -97 30 9 4 776 true false 61 0000000281ff true true nil 4"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

// FuzzKey reads hostile keys.
func FuzzKey(f *testing.F) {
	for _, kind := range []string{kindEC, kindEd25519, kindX25519} {
		k, err := generate(kind, 0, curveBy(0, "P-256"))
		if err != nil {
			f.Fatal(err)
		}
		for _, private := range []bool{true, false} {
			text, _ := k.pem(private, false)
			f.Add(string(text))
			text, _ = k.jwk(private)
			f.Add(string(text))
			text, _ = k.der(private)
			f.Add(string(text))
		}
	}
	f.Add(`{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQ","p":"AQ","q":"AQ"}`)
	f.Fuzz(func(t *testing.T, text string) {
		k, err := loadKey(text, "*", "*", func() []byte { return []byte("x") })
		if err != nil {
			return
		}
		if _, err := k.der(false); err != nil {
			t.Skip() // a key of Go that has no written form
		}
		_ = k.verify([]byte(text), []byte(text), &scheme{padding: paddingPKCS1})
	})
}
