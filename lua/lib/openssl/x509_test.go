package openssl

import (
	"testing"
)

// authority makes an authority and a certificate of it.
const authority = `
	local pkey, x509, name = require "resty.openssl.pkey", require "resty.openssl.x509", require "resty.openssl.x509.name"
	local bn, digest, altname = require "resty.openssl.bn", require "resty.openssl.digest", require "resty.openssl.x509.altname"
	local chain, store = require "resty.openssl.x509.chain", require "resty.openssl.x509.store"
	local now = os.time()
	local caKey, key = pkey.new { type = "EC", curve = "P-256" }, pkey.new()
	local caName = assert(name.new():add("CN", "Test CA"):add("O", "Example"))
	local ca, cert = x509.new(), x509.new()
	assert(ca:set_subject_name(caName) and ca:set_issuer_name(caName) and ca:set_pubkey(caKey))
	assert(ca:set_lifetime(now - 60, now + 3600) and ca:set_basic_constraints { CA = true } and ca:set_serial_number(bn.new(7)))
	assert(ca:sign(caKey, digest.new("SHA384")))
	assert(cert:set_subject_name(name.new():add("CN", "example.com")) and cert:set_issuer_name(caName) and cert:set_pubkey(key))
	assert(cert:set_not_before(now - 60) and cert:set_not_after(now + 60))
	assert(cert:set_subject_alt_name(altname.new():add("DNS", "example.com"):add("IP", "127.0.0.1")))
	assert(cert:sign(caKey)) `

func TestCertificates(t *testing.T) {
	v := newVM(t)
	for _, test := range []struct{ name, src, want string }{
		{"written and read", `local c = assert(x509.new(cert:to_PEM())) local d = assert(x509.new(cert:tostring("DER")))
			return tostring(c:digest("sha256") == d:digest("sha256")) .. #c:digest() .. tostring(c:get_subject_name()) .. " " .. c:get_issuer_name():tostring()`,
			"true20CN=example.com CN=Test CA/O=Example"},
		{"names", `local n = ca:get_subject_name() local o, pos = n:find("2.5.4.10")
			return o.blob .. pos .. o.ln .. n:count() .. n:all().CN.blob .. tostring((n:find("CN", 1)))`, "Example2organizationName2Test CAnil"},
		{"alternatives", `local a = cert:get_subject_alt_name() return tostring(a) .. " " .. a:count() .. " " .. tostring(ca:get_subject_alt_name())`,
			"DNS=example.com/IP=127.0.0.1 2 nil"},
		{"dates", `local from, to = cert:get_lifetime() return to - from .. " " .. from - now .. " " .. cert:get_not_after() - now`, "120 -60 60"},
		{"fields", `return ca:get_serial_number():to_hex() .. " " .. ca:get_version() .. " " .. ca:get_signature_name() .. " " .. cert:get_signature_nid()
			.. " " .. ca:get_signature_digest_name() .. " " .. tostring(ca:get_basic_constraints("CA")) .. " " .. tostring(cert:get_ocsp_url())`,
			"07 2 ecdsa-with-SHA384 794 SHA384 true nil"},
		{"keys", `return tostring(cert:check_private_key(key)) .. tostring((cert:check_private_key(caKey))) .. tostring(cert:verify(caKey))
			.. tostring((ca:verify(key))) .. tostring(cert:get_pubkey():to_PEM() == key:to_PEM())`, "truefalsetruefalsetrue"},
		{"trust", `local s, empty = store.new(), store.new() s:add(ca)
			local _, err = empty:verify(cert) return tostring(s:verify(cert)) .. s:verify(cert, nil, true):count() .. " " .. err`,
			"true2 unable to verify the first certificate"},
		{"chain", `local ch = chain.new() ch:add(cert) ch:add(ca) local n = 0 for c in ch:each() do n = n + #c:to_PEM() end
			return ch:count() .. tostring(n == #cert:to_PEM() + #ca:to_PEM()) .. tostring(ch:index(2):get_subject_name()) .. tostring(ch:index(3))`,
			"2trueCN=Test CA/O=Examplenil"},
		{"request", `local csr = require "resty.openssl.x509.csr" local r = csr.new()
			r:set_subject_name(name.new():add("CN", "a.test")) r:set_subject_alt_name(altname.new():add("DNS", "a.test")) r:set_pubkey(key)
			assert(r:sign(key)) local again = assert(csr.new(r:tostring("PEM")))
			return tostring(again:verify()) .. tostring(again:get_subject_name()) .. tostring(again:get_subject_alt_name()) .. tostring((r:sign(caKey)))`,
			"trueCN=a.testDNS=a.testfalse"},
		{"changed", `cert:set_not_after(now) return select(2, cert:tostring())`, "x509:tostring: it is not signed"},
		{"no certificate", `return select(2, x509.new("x")) and "refused"`, "refused"},
	} {
		if got := run(t, v, authority+test.src); got != test.want {
			t.Errorf("%s:\n got %s\nwant %s", test.name, got, test.want)
		}
	}
}
