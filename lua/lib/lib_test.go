package lib

import (
	"os"
	"testing"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/vm"
)

// newVM makes a VM with the modules and as much of the ngx table as they need to be loaded.
func newVM(t testing.TB) *vm.VM {
	t.Helper()
	v := vm.New(vm.Options{CodeCache: true})
	t.Cleanup(v.Close)
	Open(v)
	run(t, v, `
		local none = function() end
		ngx = {
			shared = {}, config = { subsystem = "http" }, header = {}, null = newproxy(), now = os.time, sleep = none,
			get_phase = function() return "content" end, sha1_bin = none, escape_uri = none, unescape_uri = none,
			req = { get_headers = none, set_header = none, socket = none }, re = { find = none, match = none },
			socket = { tcp = function() return {} end }, encode_base64 = none,
		}
		return 1`)
	return v
}

// run executes a chunk and returns its result as text.
func run(t testing.TB, v *vm.VM, src string) string {
	t.Helper()
	proto, err := v.LoadString(src, "=test")
	if err != nil {
		t.Fatal(err)
	}
	l := v.L
	th := vm.ThreadOf(l)
	if err := th.Run(proto, 0, 1); err != nil {
		t.Fatalf("%s\n%s", err, err.Traceback)
	}
	s := v.Display(l, l.Get(-1))
	l.Pop(1)
	return s
}

func TestEveryModuleLoads(t *testing.T) {
	v := newVM(t)
	names := []string{"resty.core", "resty.core.base", "resty.core.regex", "tablepool", "ngx.re", "ngx.req", "resty.lock",
		"resty.limit.req", "resty.limit.conn", "resty.limit.count", "resty.limit.traffic", "resty.redis", "resty.memcached",
		"resty.roundrobin", "resty.swrr", "resty.balancer.utils", "resty.mysql", "resty.dns.resolver", "resty.upload", "resty.websocket.server", "resty.websocket.client", "resty.websocket.protocol"}
	for name := range natives {
		names = append(names, name)
	}
	for _, name := range names {
		v.Globals().RawSetString("name", lua.LString(name))
		if got := run(t, v, `return type(require(name))`); got != "table" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestNative runs modules written in Go; the digests and the first cipher text are those of OpenSSL.
func TestNative(t *testing.T) {
	v := newVM(t)
	tests := []struct{ src, want string }{
		{`local h = require "resty.md5":new() h:update("hel") h:update("lo!", 2) return require "resty.string".to_hex(h:final())`,
			"5d41402abc4b2a76b9719d911017c592"},
		{`local h = require "resty.sha256":new() h:update("x") h:reset() h:update("abc") return require "resty.string".to_hex(h:final())`,
			"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{`return require "resty.string".atoi(" -42x")`, "-42"},
		{`return #require "resty.random".bytes(16)`, "16"},
		{`local aes = require "resty.aes" return require "resty.string".to_hex(aes:new("secret"):encrypt("hello"))`,
			"7b47a4dbb11e2cddb2f3740c9e3a552b"},
		{`local aes = require "resty.aes"
			for _, mode in ipairs { "ecb", "cbc", "cfb1", "cfb8", "cfb128", "ofb", "ctr" } do
				for _, size in ipairs { 128, 192, 256 } do
					local c = aes:new("key", "saltsalt", aes.cipher(size, mode), aes.hash.sha256, 3)
					local text = ("some text "):rep(7)
					if c:decrypt(c:encrypt(text)) ~= text then return mode end
				end
			end
			local g = aes:new("key", nil, aes.cipher(256, "gcm"))
			local sealed = g:encrypt("text")
			return g:decrypt(sealed[1], sealed[2]) .. tostring(g:decrypt(sealed[1], ("x"):rep(16)))`, "textnil"},
		{`local aes, text = require "resty.aes", { }
			local function note(...) text[#text + 1] = select("#", ...) == 1 and "made" or (select(2, ...)) end
			note(aes:new(("k"):rep(16), nil, nil, { iv = ("i"):rep(17) }))
			note(aes:new(("k"):rep(16), nil, nil, { method = tostring }))
			note(aes:new(("k"):rep(32), nil, nil, { iv = "short", method = function(k) return k:sub(1, 16) end }))
			note(aes:new("key", "short"))
			note(aes:new("key", nil, aes.cipher(128, "gcm"), nil, 1, 0))
			note(aes:new("key", nil, aes.cipher(128, "gcm")):decrypt("no tag"))
			note(pcall(aes.encrypt, "hello"))
			local g = aes:new("secret", nil, aes.cipher(256, "gcm"), aes.hash.sha256, 1, 12)
			local sealed = g:encrypt("hello", "aad")
			text[#text + 1] = g:decrypt(sealed[1], sealed[2], "aad") .. require "resty.string".to_hex(sealed[2])
			note(g:decrypt(sealed[1], sealed[2], "other"))
			return table.concat(text, "; ")`, "bad iv length; iv is needed; made; salt must be 8 characters or nil; " +
			"failed to set IV length; EVP_DecryptFinal_ex failed; bad argument #1 self: table expected, got string; " +
			"hello46f4f3ca65395568407e15768b7526d9; EVP_DecryptFinal_ex failed"},
		{`local aes, hex = require "resty.aes", require "resty.string".to_hex
			return hex(aes:new("secret", nil, aes.cipher(256, "gcm"), aes.hash.sha256):encrypt("hello")[2]) .. " " ..
				hex(aes:new(("k"):rep(16), nil, nil, { iv = "short" }):encrypt("hello"))`,
			"0448e863843a8c258db271261e055054 e977e1b0a45b4e776ffceb862002ec40"},
		{`return select(2, require "resty.aes":new("short", nil, nil, { iv = ("i"):rep(16) }))`, "bad key length"},
		{`return require "ngx.base64".encode_base64url("\255\254\253")`, "__79"},
		{`return require "ngx.base64".decode_base64url("__79")`, "\xff\xfe\xfd"},
		{`return select(2, require "ngx.base64".decode_base64url("?"))`, "invalid input"},
		{`return require "resty.signal".signum("TERM")`, "15"},
		{`local r = require "resty.dns.resolver" return r.compress_ipv6_addr("fe80:0:0:0:1:0:0:2") .. " " ..
			r.compress_ipv6_addr("0:0:0:0:0:0:0:1") .. " " .. r.expand_ipv6_addr("::1") .. " " .. r.expand_ipv6_addr("1::2:3")`,
			"fe80::1:0:0:2 ::1 0:0:0:0:0:0:0:1 1:0:0:0:0:0:2:3"},
		{`return require "resty.dns.resolver".arpa_str("1.2.3.4")`, "4.3.2.1.in-addr.arpa"},
	}
	for _, c := range tests {
		if got := run(t, v, c.src); got != c.want {
			t.Errorf("%s\n got %q\nwant %q", c.src, got, c.want)
		}
	}
}

// TestLRUKeys are keys that no table has: they would stay in the cache for ever.
func TestLRUKeys(t *testing.T) {
	got := run(t, newVM(t), `
		local c = require "resty.lrucache".new(2)
		for i = 1, 9 do pcall(c.set, c, 0/0, i) end
		local ok, err = pcall(c.set, c, nil, 1)
		return c:count() .. " " .. err .. ", " .. select(2, pcall(c.set, c, 0/0, 1))`)
	if want := "0 table index is nil, table index is NaN"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLRU(t *testing.T) {
	v := newVM(t)
	got := run(t, v, `
		local out = {}
		local function note(...) for i = 1, select("#", ...) do out[#out + 1] = tostring((select(i, ...))) end end
		local c = require "resty.lrucache".new(2)
		c:set("a", 1) c:set("b", 2, nil, 7) note(c:get("a")) c:set("c", 3)
		note(c:get("b")) note(c:get("c")) note(c:count(), c:capacity())
		c:set("a", 1, -1) note(c:get("a"))
		c:delete("a") note(c:count()) note(c:get("a"))
		note(table.concat(c:get_keys(), ","))
		c:flush_all() note(c:count())
		note(select(2, require "resty.lrucache".new(0)))
		return table.concat(out, " ")`)
	want := "1 nil 0 nil 3 nil 0 2 2 nil 1 0 1 nil c 0 size too small"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestWebSocketFrames sends frames to a socket that returns them.
func TestWebSocketFrames(t *testing.T) {
	v := newVM(t)
	got := run(t, v, `
		local p = require "resty.websocket.protocol"
		local function pipe()
			local data = ""
			return {
				send = function(_, s) data = data .. s return #s end,
				receive = function(_, n) local s = data:sub(1, n) data = data:sub(n + 1) return s end,
			}
		end
		for _, len in ipairs { 0, 1, 125, 126, 65535, 65536 } do
			for _, masking in ipairs { false, true } do
				local s, text = pipe(), ("x"):rep(len)
				assert(p.send_frame(s, true, 1, text, 100000, masking))
				local data, typ, err = p.recv_frame(s, 100000, masking)
				if data ~= text or typ ~= "text" or err then return len end
			end
		end
		return "ok"`)
	if got != "ok" {
		t.Error(got)
	}
}

// TestCopies: files on package.path win over plain Lua modules, and lose against those that replace FFI code.
func TestCopies(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/resty", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"redis", "lock"} {
		if err := os.WriteFile(dir+"/resty/"+name+".lua", []byte(`return { mine = true }`), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	v := newVM(t)
	v.Globals().RawSetString("dir", lua.LString(dir))
	got := run(t, v, `package.path = dir .. "/?.lua"
		return tostring(require "resty.redis".mine) .. tostring(require "resty.lock".mine)`)
	if got != "truenil" {
		t.Error(got)
	}
}
