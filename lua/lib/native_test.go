package lib

import "testing"

// TestUUID has the examples of Python's uuid module for names.
func TestUUID(t *testing.T) {
	v := newVM(t)
	for _, test := range []struct{ src, want string }{
		{`return uuid.generate_v3(dns, "python.org")`, "6fa459ea-ee8a-3ca4-894e-db77e160355e"},
		{`return uuid.factory_v5(dns)("python.org")`, "886313e1-3b8a-5372-9b90-0c9aee199e5d"},
		{`return select(2, uuid.generate_v5("x", "y"))`, "namespace must be a valid UUID"},
		{`return select(2, uuid.generate_v5(dns, 1))`, "name must be a string"},
		{`return tostring(uuid.is_valid(dns:upper())) .. tostring(uuid.is_valid(dns .. "0")) .. tostring(uuid.is_valid(dns:gsub("9dad", "xdad")))
			.. tostring(uuid.is_valid((dns:gsub("%-80b4", "-c0b4")))) .. tostring(uuid.is_valid(1))`, "truefalsefalsefalsefalse"},
		{`local seen = {} for i = 1, 100 do local u = i % 2 == 0 and uuid() or tostring(uuid)
			if seen[u] or not uuid.is_valid(u) or u:sub(15, 15) ~= "4" then return u end seen[u] = true end return "all"`, "all"},
		{`return uuid.seed(42) .. type(uuid.seed())`, "42number"},
	} {
		src := `local uuid, dns = require "resty.jit-uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8" ` + test.src
		if got := run(t, v, src); got != test.want {
			t.Errorf("%s: %s", test.src, got)
		}
	}
}

func TestIPMatcher(t *testing.T) {
	v := newVM(t)
	for _, test := range []struct{ src, want string }{
		{`local m = ip.new { "127.0.0.1", "192.168.0.0/16", "10.0.0.0/8", "::1", "fe80::/32" }
			local t = {} for _, a in ipairs { "127.0.0.1", "127.0.0.2", "192.168.7.7", "::1", "[::1]", "fe80:0:1::", "fe81::", "::ffff:127.0.0.1" } do
			t[#t + 1] = tostring(m:match(a)) end return table.concat(t, " ")`, "true false true true true true false false"},
		{`local m = ip.new_with_value { ["10.0.0.0/8"] = "net", ["10.1.0.0/16"] = "sub", ["10.1.2.3"] = "host", ["0.0.0.0/0"] = "any" }
			return m:match("10.2.0.0") .. m:match("10.1.0.0") .. m:match("10.1.2.3") .. m:match("9.9.9.9") .. tostring(m:match("::"))`, "netsubhostanyfalse"},
		{`return ip.new { "::1" }:match_bin(("\0"):rep(15) .. "\1")`, "true"},
		{`return select(2, ip.new { "10.0.0.256/8" })`, "invalid ip address: 10.0.0.256"},
		{`return select(2, ip.new({}):match("fe80::1%eth0"))`, "invalid ip address, not ipv4 and ipv6"},
		{`return ip.parse_ipv4("1.2.3.4") .. tostring(ip.parse_ipv4("::")) .. table.concat(ip.parse_ipv6("1:2::3"), ",")`, "16909060false65538,0,0,3"},
		{`return table.concat({ ip.split_ip("10.0.0.0/8") }, " ") .. #{ ip.split_ip("10.0.0.0") }`, "10.0.0.0 81"},
	} {
		if got := run(t, v, `local ip = require "resty.ipmatcher" `+test.src); got != test.want {
			t.Errorf("%s: %s", test.src, got)
		}
	}
}

func TestZlib(t *testing.T) {
	v := newVM(t)
	const helpers = `local zlib = require "ffi-zlib"
		local function pipe(f, s, ...)
			local out, pos = {}, 1
			local ok, err = f(function(n)
				if pos > #s then return nil end
				local part = s:sub(pos, pos + n - 1)
				pos = pos + n
				return part
			end, function(part) out[#out + 1] = part return true end, ...)
			return ok and table.concat(out) or err, #out
		end
		local text = ("a text to compress "):rep(1000) `
	for _, test := range []struct{ src, want string }{
		{`for _, bits in ipairs { -15, 15, 31 } do
				local packed = pipe(zlib.deflateGzip, text, 64, { windowBits = bits, level = 9 })
				if #packed > #text / 10 or pipe(zlib.inflateGzip, packed, 64, bits) ~= text then return bits end
				if bits > 0 and pipe(zlib.inflateGzip, packed) ~= text then return "auto" end
			end return "all"`, "all"},
		{`return select(2, pipe(zlib.inflateGzip, (pipe(zlib.deflateGzip, text)), 1000)) >= #text / 1000`, "true"},
		{`return pipe(zlib.inflateGzip, (pipe(zlib.deflateGzip, text)):sub(1, 20))`, "INFLATE: Data error, no input bytes"},
		{`return pipe(zlib.inflateGzip, "no zlib at all")`, "INFLATE: data error"},
		{`return select(2, zlib.deflateGzip(function() return nil end, function() return nil, "full" end))`, "DEFLATE: full"},
		{`return ("%x %x %x"):format(zlib.crc("123456789"), zlib.adler("Wikipedia", 1), zlib.crc("9", zlib.crc("12345678")))`, "cbf43926 11e60398 cbf43926"},
	} {
		if got := run(t, v, helpers+test.src); got != test.want {
			t.Errorf("%s: %s", test.src, got)
		}
	}
}
