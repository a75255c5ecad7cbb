package openssl

import (
	"encoding/asn1"
	"strconv"
	"strings"

	lua "github.com/yuin/gopher-lua"

	"moongate/lua/lib/native"
	"moongate/lua/vm"
)

// object is an ASN.1 object that OpenSSL knows: its number there, its names and its identifier.
type object struct {
	nid             int
	short, long, id string
}

// knownObjects are those that keys, certificates and their names are made of.
var knownObjects = []object{
	{4, "MD5", "md5", "1.2.840.113549.2.5"},
	{6, "rsaEncryption", "rsaEncryption", "1.2.840.113549.1.1.1"},
	{8, "RSA-MD5", "md5WithRSAEncryption", "1.2.840.113549.1.1.4"},
	{13, "CN", "commonName", "2.5.4.3"},
	{14, "C", "countryName", "2.5.4.6"},
	{15, "L", "localityName", "2.5.4.7"},
	{16, "ST", "stateOrProvinceName", "2.5.4.8"},
	{17, "O", "organizationName", "2.5.4.10"},
	{18, "OU", "organizationalUnitName", "2.5.4.11"},
	{48, "emailAddress", "emailAddress", "1.2.840.113549.1.9.1"},
	{64, "SHA1", "sha1", "1.3.14.3.2.26"},
	{65, "RSA-SHA1", "sha1WithRSAEncryption", "1.2.840.113549.1.1.5"},
	{82, "subjectKeyIdentifier", "X509v3 Subject Key Identifier", "2.5.29.14"},
	{83, "keyUsage", "X509v3 Key Usage", "2.5.29.15"},
	{85, "subjectAltName", "X509v3 Subject Alternative Name", "2.5.29.17"},
	{86, "issuerAltName", "X509v3 Issuer Alternative Name", "2.5.29.18"},
	{87, "basicConstraints", "X509v3 Basic Constraints", "2.5.29.19"},
	{89, "certificatePolicies", "X509v3 Certificate Policies", "2.5.29.32"},
	{90, "authorityKeyIdentifier", "X509v3 Authority Key Identifier", "2.5.29.35"},
	{99, "GN", "givenName", "2.5.4.42"},
	{100, "SN", "surname", "2.5.4.4"},
	{103, "crlDistributionPoints", "X509v3 CRL Distribution Points", "2.5.29.31"},
	{105, "serialNumber", "serialNumber", "2.5.4.5"},
	{106, "title", "title", "2.5.4.12"},
	{126, "extendedKeyUsage", "X509v3 Extended Key Usage", "2.5.29.37"},
	{177, "authorityInfoAccess", "Authority Information Access", "1.3.6.1.5.5.7.1.1"},
	{391, "DC", "domainComponent", "0.9.2342.19200300.100.1.25"},
	{408, "id-ecPublicKey", "id-ecPublicKey", "1.2.840.10045.2.1"},
	{415, "prime256v1", "prime256v1", "1.2.840.10045.3.1.7"},
	{416, "ecdsa-with-SHA1", "ecdsa-with-SHA1", "1.2.840.10045.4.1"},
	{458, "UID", "userId", "0.9.2342.19200300.100.1.1"},
	{660, "street", "streetAddress", "2.5.4.9"},
	{661, "postalCode", "postalCode", "2.5.4.17"},
	{666, "nameConstraints", "X509v3 Name Constraints", "2.5.29.30"},
	{668, "RSA-SHA256", "sha256WithRSAEncryption", "1.2.840.113549.1.1.11"},
	{669, "RSA-SHA384", "sha384WithRSAEncryption", "1.2.840.113549.1.1.12"},
	{670, "RSA-SHA512", "sha512WithRSAEncryption", "1.2.840.113549.1.1.13"},
	{672, "SHA256", "sha256", "2.16.840.1.101.3.4.2.1"},
	{673, "SHA384", "sha384", "2.16.840.1.101.3.4.2.2"},
	{674, "SHA512", "sha512", "2.16.840.1.101.3.4.2.3"},
	{675, "SHA224", "sha224", "2.16.840.1.101.3.4.2.4"},
	{713, "secp224r1", "secp224r1", "1.3.132.0.33"},
	{715, "secp384r1", "secp384r1", "1.3.132.0.34"},
	{716, "secp521r1", "secp521r1", "1.3.132.0.35"},
	{794, "ecdsa-with-SHA256", "ecdsa-with-SHA256", "1.2.840.10045.4.3.2"},
	{795, "ecdsa-with-SHA384", "ecdsa-with-SHA384", "1.2.840.10045.4.3.3"},
	{796, "ecdsa-with-SHA512", "ecdsa-with-SHA512", "1.2.840.10045.4.3.4"},
	{912, "RSASSA-PSS", "rsassaPss", "1.2.840.113549.1.1.10"},
	{1034, "X25519", "X25519", "1.3.101.110"},
	{1087, "ED25519", "ED25519", "1.3.101.112"},
}

// objectOf finds an object by its number, either name or its identifier, nil if it is not known.
func objectOf(nid int, text string) *object {
	for i := range knownObjects {
		o := &knownObjects[i]
		if o.nid == nid || text != "" && (o.short == text || o.long == text || o.id == text) {
			return o
		}
	}
	return nil
}

// table is an object as Lua's modules show it.
func (o *object) table() *lua.LTable {
	t := vm.NewTable(0, 4)
	t.RawSetString("nid", vm.Number(o.nid))
	t.RawSetString("sn", lua.LString(o.short))
	t.RawSetString("ln", lua.LString(o.long))
	t.RawSetString("id", lua.LString(o.id))
	return t
}

// oid is the identifier of an object.
func (o *object) oid() (id asn1.ObjectIdentifier) {
	for part := range strings.SplitSeq(o.id, ".") {
		n, _ := strconv.Atoi(part) // the table has numbers only
		id = append(id, n)
	}
	return id
}

// objectArg is the object that a number or a text at an argument names, nil if there is none.
func objectArg(l *lua.LState, n int) *object {
	if nid, ok := l.Get(n).(lua.LNumber); ok {
		return objectOf(int(nid), "")
	}
	return objectOf(0, optStr(l, n))
}

// openObjects makes resty.openssl.objects.
func openObjects(_ *library, l *lua.LState, c *native.Class) {
	nid := func(l *lua.LState) int {
		o := objectArg(l, 1)
		if o == nil {
			return fail(l, "objects.txt2nid: invalid NID text %s", optStr(l, 1))
		}
		return native.Return(l, vm.Number(o.nid))
	}
	define(l, c, map[string]lua.LGFunction{
		"txt2nid": nid,
		"nid2table": func(l *lua.LState) int {
			o := objectArg(l, 1)
			if o == nil {
				return fail(l, "objects.nid2table: invalid NID %s", optStr(l, 1))
			}
			return native.Return(l, o.table())
		},
	})
}
